"""The Runs tab as a person works it, in a real browser against the app as it is really served."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.runs import RunRecorder, pack_runs
from tests.browser import harness
from tests.webapp.runs.test_api import write_runs

PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    write_runs(root / "poses", 6, mlp=4.0, clip=4.5)
    broken = root / "poses" / "broken"
    broken.mkdir()
    (broken / "metrics.csv").write_bytes(b"")
    return root


@pytest.fixture(scope="module")
def server(runs_dir: Path) -> Iterator[harness.Server]:
    with harness.serve("--runs_dir", str(runs_dir)) as running:
        yield running


def verdict(visitor: harness.Visitor, words: str) -> None:
    expect(visitor.page.locator("#rn-verdict")).to_contain_text(words, timeout=PATIENCE_MS)


def test_the_whole_way_with_a_training_that_goes_on(
    visit: Callable[..., harness.Visitor], runs_dir: Path, tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.page
    visitor.tab("Runs")
    verdict(visitor, "clip is worse than mlp by 0.5")
    expect(page.locator("#rn-verdict")).to_contain_text("6 paired seeds")
    visitor.wait_plot("rn-curves")
    visitor.wait_plot("rn-scatter")
    expect(page.locator("#rn-table tbody tr")).to_have_count(12)
    expect(page.locator("#rn-problems")).to_contain_text("metrics.csv")
    assert visitor.overflow_px == 0

    # A training starts, and grows while it is watched; the zoom stays.
    page.evaluate("window.Plotly.relayout(document.querySelector('#rn-curves .wb-plot'), {'xaxis.range': [1.5, 2.5]})")
    with RunRecorder(runs_dir / "poses", "clip-live", {"pose_encoder": "clip", "seed": 6}) as run:
        run.log({"val/nme": 9.0}, step=1, epoch=1)
        live = page.locator("#rn-table tbody tr", has_text="clip-live")
        expect(live).to_contain_text("running", timeout=PATIENCE_MS)
        run.log({"val/nme": 8.0}, step=7, epoch=2)
        expect(live.locator("td").last).to_have_text("7", timeout=PATIENCE_MS)
    expect(live).to_contain_text("finished", timeout=PATIENCE_MS)
    shown = page.evaluate("document.querySelector('#rn-curves .wb-plot')._fullLayout.xaxis.range")
    assert shown == [1.5, 2.5]

    # Sorting is by value; ticking a run off leaves five pairs, which are refused.
    page.locator("#rn-table th button", has_text="test/nme").click()
    expect(page.locator("#rn-table tbody tr").first).to_contain_text("mlp-3")
    page.locator("#rn-table tbody tr", has_text="mlp-3").locator("input").uncheck()
    verdict(visitor, "at least 6 are needed")

    # The link shows a collaborator the same.
    page.locator("#rn-bar .rn-link").click()
    page.wait_for_url(re.compile("runs_hidden="))
    other = visit()
    other.open(page.url.removeprefix(other.url))
    verdict(other, "at least 6 are needed")
    expect(other.page.locator("#rn-table tbody tr", has_text="mlp-3").locator("input")).not_to_be_checked()

    # A table and a chart to take away.
    with page.expect_download() as saved:
        page.locator("#rn-save-table [data-save=md]").click()
    table = Path(saved.value.path()).read_text(encoding="utf-8")
    assert "| poses/clip-0 | finished | clip |" in table
    assert "mlp-3" not in table
    for kind, begins in (("svg", b"<svg"), ("png", b"\x89PNG"), ("html", b"<!doctype html>")):
        with page.expect_download() as saved:
            page.locator(f"#rn-save-curves [data-save={kind}]").click()
        data = Path(saved.value.path()).read_bytes()
        assert data.startswith(begins)
        assert not re.search(rb"<script[^>]+src=", data), "no external script"

    # No button that would upload a chart, neither here nor in the file.
    assert page.locator("#rn-curves .modebar-btn").count() > 3
    assert page.locator(".modebar-btn[data-title^=Share]").count() == 0
    assert b"showSendToCloud: false" in data

    # Someone's own logs, whose names are only names.
    evil = tmp_path / "<img src=x onerror=alert(1)>.csv"
    evil.write_text("step,loss\n1,3\n2,nan\n3,1\n")
    with page.expect_file_chooser() as chooser:
        page.locator("#rn-upload").click()
    chooser.value.set_files(str(evil))
    visitor.see("Runs in your upload: 1")
    expect(page.locator("#rn-table tbody tr")).to_have_count(1)
    assert page.locator("img[src=x]").count() == 0
    expect(other.page.locator("#rn-folder")).not_to_contain_text("upload")


def test_a_phone_in_chinese_in_the_dark(visit: Callable[..., harness.Visitor]) -> None:
    visitor = visit(phone=True, language="zh", dark=True)
    visitor.tab("训练")
    verdict(visitor, "clip 不如 mlp")
    visitor.wait_plot("rn-curves")
    assert visitor.overflow_px == 0


def test_logs_that_cannot_be_read_are_told_where_they_were_given(
    visit: Callable[..., harness.Visitor], tmp_path: Path
) -> None:
    visitor = visit(language="zh")
    page = visitor.page
    visitor.tab("训练")
    verdict(visitor, "clip 不如 mlp")
    (tmp_path / "empty.csv").write_bytes(b"")
    with page.expect_file_chooser() as chooser:
        page.locator("#rn-upload").click()
    chooser.value.set_files(str(tmp_path / "empty.csv"))
    visitor.see("上传中没有可读的训练记录")
    expect(page.locator("#rn-problems")).to_contain_text("文件是空的（0 字节）")
    verdict(visitor, "clip 不如 mlp")


def test_one_file_from_a_collaborator_shows_their_runs_and_their_verdict(
    visit: Callable[..., harness.Visitor], runs_dir: Path, tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.page
    visitor.tab("Runs")
    verdict(visitor, "clip is worse than mlp")
    write_runs(tmp_path / "theirs", 6, mlp=4.0, clip=3.0)
    pack_runs(tmp_path / "theirs", tmp_path / "theirs.runs.zip")
    with page.expect_file_chooser() as chooser:
        page.locator("#rn-upload").click()
    chooser.value.set_files(str(tmp_path / "theirs.runs.zip"))
    visitor.see("Runs in your upload: 12")
    verdict(visitor, "clip is better than mlp")
    expect(page.locator("#rn-table tbody tr").first).to_contain_text("clip-0")


def test_what_is_better_is_asked_once_for_each_metric_and_stays_with_it(
    visit: Callable[..., harness.Visitor], runs_dir: Path
) -> None:
    """Said of one metric, `higher` was taken for the next one, too, and turned its verdict."""
    for arm, level in (("base", 1.0), ("new", 2.0)):
        for seed in range(6):
            with RunRecorder(runs_dir / "asked", f"{arm}-{seed}", {"arm": arm, "seed": seed}) as run:
                run.log({"test/loss": level + seed / 100, "test/quux": level + seed / 90}, step=1)
    visitor = visit()
    page = visitor.page
    visitor.tab("Runs")
    page.locator("#rn-folder input").click()
    page.get_by_role("option", name="asked").click()
    verdict(visitor, "new is worse than base")

    def choose(metric: str) -> None:
        page.locator("#rn-metric input").click()
        page.get_by_role("option", name=metric).click()

    choose("test/quux")
    verdict(visitor, "does not say whether lower or higher is better")
    page.locator("#rn-judging > button").click()
    page.locator("#rn-direction").get_by_text("higher").click()
    verdict(visitor, "new is better than base")
    choose("test/loss")
    verdict(visitor, "new is worse than base")
    choose("test/quux")
    verdict(visitor, "new is better than base")

    # Of two runs of one seed the visitor says which counts.
    for seed in range(6):
        with RunRecorder(runs_dir / "asked", f"new-again-{seed}", {"arm": "new", "seed": seed}) as run:
            run.log({"test/loss": 0.5, "test/quux": 0.5 + seed / 95}, step=1)
    verdict(visitor, "the latest counts")
    verdict(visitor, "new is worse than base")
    page.locator("#rn-duplicates").get_by_text("first").click()
    verdict(visitor, "new is better than base")


IN_VIEW = """() => {
    const chart = document.querySelector('#rn-curves .wb-plot');
    const [low, high] = chart._fullLayout.xaxis.range;
    const line = chart._fullData.find((trace) => trace.fill !== 'toself');
    const seen = Array.from(line.x, (x, place) => [x, line.y[place]]).filter(([x]) => x >= low && x <= high);
    return {whole: chart._fullLayout.xaxis.autorange, points: seen.length, top: Math.max(...seen.map(([, y]) => y))};
}"""


def test_zooming_with_the_pointer_shows_what_the_whole_curve_had_no_room_for(
    visit: Callable[..., harness.Visitor], runs_dir: Path
) -> None:
    for seed in range(2):
        folder = runs_dir / "long" / f"a{seed}"
        folder.mkdir(parents=True)
        rows = (f'{{"step": {step}, "loss": {9.0 if step == 31_000 else step % 7 / 7}}}\n' for step in range(50_000))
        (folder / "metrics.jsonl").write_text("".join(rows))
        (folder / "config.json").write_text(f'{{"arm": "a", "seed": {seed}, "group": "x"}}')
    visitor = visit()
    page = visitor.page
    visitor.tab("Runs")
    visitor.wait_plot("rn-curves")
    page.locator("#rn-folder input").click()
    page.get_by_role("option", name="long").click()
    expect(page.locator("#rn-table tbody tr")).to_have_count(2, timeout=PATIENCE_MS)
    page.wait_for_function(f"() => ({IN_VIEW})().points > 100", timeout=PATIENCE_MS)
    assert page.evaluate(IN_VIEW)["points"] < 1_000
    assert page.evaluate(IN_VIEW)["top"] == 9.0, "one step among fifty thousand"

    page.locator("#rn-curves").scroll_into_view_if_needed()
    box = page.locator("#rn-curves .nsewdrag").first.bounding_box()
    assert box is not None
    left, middle = box["x"] + 0.60 * box["width"], box["y"] + box["height"] / 2
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(left + 0.04 * box["width"], middle, steps=10)
    page.mouse.up()
    page.wait_for_function(
        f"() => {{ const seen = ({IN_VIEW})(); return !seen.whole && seen.points > 300; }}", timeout=PATIENCE_MS
    )
    assert page.evaluate(IN_VIEW)["top"] == 9.0

    # Another way of drawing keeps the zoom and is as fine.
    page.locator("#rn-draw").get_by_text("every run").click()
    page.wait_for_function(f"() => ({IN_VIEW})().points > 1000", timeout=PATIENCE_MS)
    assert page.evaluate(IN_VIEW)["whole"] is False
    page.mouse.dblclick(box["x"] + box["width"] / 2, middle)
    page.wait_for_function(f"() => ({IN_VIEW})().whole === true", timeout=PATIENCE_MS)
