"""The Vectorize tab as a person works it, in a real browser against the app as it is really served."""

from __future__ import annotations

import csv
import io
import re
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import expect

from core.models.manager import ModelManager
from core.settings import Settings
from core.types import ImageSource, VectorizeRequest
from core.vectorize.pipeline import vectorize_all
from tests import tiny_models
from tests.browser import harness

EXAMPLES = Path(__file__).resolve().parents[2] / "webapp" / "examples"
PHOTOS = [EXAMPLES / name for name in ("cat.jpg", "temple.jpg", "coffee.jpg", "rocket.jpg")]
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_models.write_custom(folder, "tiny", tiny_models.TINY)
    return folder


@pytest.fixture(scope="module")
def server(weights_dir: Path) -> Iterator[harness.Server]:
    """As in conftest, but with a small CLIP of random weights beside the model that is always there."""
    with harness.serve("--weights_dir", str(weights_dir)) as running:
        yield running


def pick(visitor: harness.Visitor, *models: str) -> None:
    """Tick these models, in this order, and no others."""
    visitor.page.locator("#vz-models input:checked").first.wait_for()  # a new visitor has one picked
    for box in visitor.page.locator("#vz-models input:checked").all():
        box.uncheck()
    for model in models:
        visitor.page.get_by_role("checkbox", name=model).check()


def wait_results(visitor: harness.Visitor) -> None:
    visitor.page.locator("#vz-results").wait_for(timeout=PATIENCE_MS)
    visitor.wait_plot("vz-heatmap", timeout_ms=PATIENCE_MS)
    visitor.wait_plot("vz-map", timeout_ms=PATIENCE_MS)


def hover(visitor: harness.Visitor, elem_id: str, across: float, down: float) -> tuple[float, float]:
    """Rest the pointer on a chart, at a share of its width and height; where that is on the page."""
    chart = visitor.page.locator(f"#{elem_id} .wb-plot")
    chart.scroll_into_view_if_needed()
    place = chart.bounding_box()
    x, y = place["x"] + place["width"] * across, place["y"] + place["height"] * down
    visitor.page.mouse.move(x - 5, y)
    visitor.page.mouse.move(x, y)
    return x, y


def chosen(visitor: harness.Visitor):
    """The name of the image that the report is about."""
    return visitor.page.locator(".vz-chosen b")


def hits(visitor: harness.Visitor) -> list[str]:
    return visitor.page.locator(".vz-hit-name").all_inner_texts()


def test_one_click_on_the_examples_shows_everything(visit):
    visitor = visit()
    page = visitor.page
    visitor.see("Vectors appear here")
    visitor.press("Try the examples")
    wait_results(visitor)

    expect(page.locator(".wb-summary")).to_contain_text("12")
    expect(page.locator(".wb-summary")).to_contain_text("1,280")
    assert visitor.cell("vz-table", 0, 0) == "astronaut.jpg"
    assert visitor.cell("vz-table", 0, 1) == "1280"

    # Heatmap: rest on a cell, see both pictures and their cosine.
    hover(visitor, "vz-heatmap", 0.30, 0.62)
    card = page.locator(".wb-plot-card")
    expect(card.locator("img")).to_have_count(2)
    assert all(image.evaluate("image => image.naturalWidth") == 96 for image in card.locator("img").all())
    assert re.search(r"cosine \d\.\d{3}", card.inner_text())

    # Map: rest on a picture, then click it: the report and the search are about it.
    picture = page.locator("#vz-map .layer-above image, #vz-map .imagelayer image").nth(3).bounding_box()
    page.mouse.move(picture["x"] + picture["width"] / 2, picture["y"] + picture["height"] / 2)
    expect(card.locator("img")).to_have_count(1)
    name = card.inner_text().strip()
    page.mouse.down()
    page.mouse.up()
    expect(chosen(visitor)).to_have_text(name)
    expect(page.locator(".vz-hits-title b")).to_have_text(f"Nearest to {name}, by cosine")
    assert hits(visitor)[0] == name

    page.get_by_text("t-SNE", exact=True).click()
    expect(page.locator("#vz-map-note")).to_contain_text("keeps neighbours together", timeout=PATIENCE_MS)


def test_two_models_in_the_order_picked_and_every_download_holds_what_core_computes(visit, weights_dir, tmp_path):
    visitor = visit()
    page = visitor.page
    visitor.upload("vz-files", PHOTOS)
    models = ("custom_tiny", "efficientnet_lite0")
    pick(visitor, *models)
    visitor.see("Ensemble, in this order: 24 + 1280 = 1304 dimensions")
    visitor.press("Vectorize")
    wait_results(visitor)

    rows = page.locator(".vz-report tbody tr")
    assert [row.locator("td").first.inner_text() for row in rows.all()] == list(models)
    assert rows.nth(1).locator("td").nth(2).inner_text() == "24–1303"

    with closing(ModelManager(Settings(weights_dir=weights_dir))) as manager:
        sources = [ImageSource(photo.name, path=photo) for photo in PHOTOS]
        direct = vectorize_all(sources, VectorizeRequest(models), manager)
    names = {}
    for suffix in (".npz", ".npy", ".parquet", ".safetensors", ".csv", ".lance"):
        with page.expect_download(timeout=PATIENCE_MS) as download:
            visitor.press(suffix)
        names[suffix] = download.value.suggested_filename
        download.value.save_as(tmp_path / names[suffix])
    with np.load(tmp_path / names[".npz"]) as stored:
        assert stored["ids"].tolist() == [photo.name for photo in PHOTOS]
        np.testing.assert_allclose(stored["vectors"], direct.vectors_ND, atol=1e-5)
    with zipfile.ZipFile(tmp_path / names[".npy"]) as pair:
        assert sorted(pair.namelist()) == ["vectors.npy", "vectors.npy.json"]
    with zipfile.ZipFile(tmp_path / names[".csv"]) as pair:
        table = list(csv.reader(io.StringIO(pair.read("vectors.csv").decode())))
        assert [row[0] for row in table[1:]] == [photo.name for photo in PHOTOS]
    with zipfile.ZipFile(tmp_path / names[".lance"]) as folder:
        assert any(name.startswith("vectors.lance/") for name in folder.namelist())
    assert (names[".parquet"], names[".safetensors"]) == ("vectors.parquet", "vectors.safetensors")

    # Search, by what is there, by another image, by words.
    page.locator("[data-testid=cell-2-0]").first.click()
    expect(chosen(visitor)).to_have_text("coffee.jpg")
    assert hits(visitor)[0] == "coffee.jpg"
    page.locator(".vz-hit").nth(1).click()
    expect(page.locator(".vz-hits-title b")).not_to_contain_text("coffee.jpg")
    page.locator("#vz-search-row input[type=file]").set_input_files(str(EXAMPLES / "dahlia.jpg"))
    expect(page.locator(".vz-hits-title b")).to_contain_text("dahlia.jpg", timeout=PATIENCE_MS)
    assert len(hits(visitor)) == len(PHOTOS)
    page.get_by_label("By words").fill("a <i>red</i> flower")
    visitor.press("Search")
    expect(page.locator(".vz-hits-title b")).to_have_text(
        "Nearest to “a <i>red</i> flower”, by cosine", timeout=PATIENCE_MS
    )
    assert sorted(hits(visitor)) == sorted(photo.name for photo in PHOTOS)


def test_without_a_text_tower_the_page_says_why_words_cannot_be_searched(visit):
    visitor = visit()
    visitor.upload("vz-files", PHOTOS[:1])
    pick(visitor, "efficientnet_lite0")
    visitor.press("Vectorize")
    wait_results(visitor)
    visitor.see("efficientnet_lite0 has no text tower")
    expect(visitor.page.get_by_label("By words")).to_be_disabled()


def test_what_cannot_be_used_is_named_and_no_name_is_read_as_markup(visit, tmp_path):
    hostile = "<img src=x onerror=window.pwned=1>"
    (tmp_path / "notes.jpg").write_text("not a photo")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    with zipfile.ZipFile(tmp_path / "trip.zip", "w") as opened:
        opened.write(PHOTOS[0], f"../../{hostile}.jpg")
        opened.write(PHOTOS[1], "b.jpg")
        opened.writestr(f"{hostile}.txt", "x")
    visitor = visit()
    page = visitor.page
    visitor.upload("vz-files", sorted(tmp_path.iterdir()))
    pick(visitor, "custom_tiny")
    visitor.press("Vectorize")
    wait_results(visitor)

    rejected = page.locator(".wb-rejects").inner_text()
    for words in ("notes.jpg", "not an image", "empty.png", "is empty", "broken.zip", "damaged", f"{hostile}.txt"):
        assert words in rejected, words
    visitor.see("4 files gave no vector")
    row = page.locator(".vz-hit", has_text=hostile).first
    row.click()
    expect(chosen(visitor)).to_have_text(f"trip.zip/{hostile}.jpg")
    hover(visitor, "vz-heatmap", 0.4, 0.5)
    expect(page.locator(".wb-plot-card").first).to_be_visible()
    assert page.evaluate("window.pwned") is None


def test_nothing_given_and_nothing_picked_are_answered_in_words(visit, tmp_path):
    visitor = visit()
    visitor.press("Vectorize")
    visitor.see("There are no images.")
    visitor.upload("vz-files", PHOTOS[:1])
    pick(visitor)
    visitor.see("Pick at least one model.")
    visitor.press("Vectorize")
    visitor.see("No model is picked.")

    (tmp_path / "notes.jpg").write_text("not a photo")
    visitor = visit()
    visitor.upload("vz-files", [tmp_path / "notes.jpg"])
    visitor.press("Vectorize")
    visitor.see("None of the files could be vectorized.")
    visitor.see("This is not an image")


def test_a_model_that_is_not_here_shows_the_command_that_fetches_it(visit):
    visitor = visit()
    page = visitor.page
    page.locator("#vz-models summary").click()
    row = page.locator("tbody.missing[data-model=openai_clip_vit_b32]")
    expect(row.locator("code")).to_have_text("python -m core models fetch openai_clip_vit_b32")
    assert row.locator("input").count() == 0, "it cannot be picked"


def test_stop_really_stops_and_so_does_closing_the_page(visit, server, tmp_path):
    data = PHOTOS[1].read_bytes()
    with zipfile.ZipFile(tmp_path / "many.zip", "w", zipfile.ZIP_STORED) as opened:
        for number in range(1500):
            opened.writestr(f"{number:04}.jpg", data)

    def start() -> harness.Visitor:
        visitor = visit()
        visitor.upload("vz-files", [tmp_path / "many.zip"])
        pick(visitor, "efficientnet_lite0")
        visitor.press("Vectorize")
        expect(visitor.page.locator(".wb-progress")).to_contain_text(
            re.compile(r"[1-9]\d* of 1500.*images/s.*left"), timeout=PATIENCE_MS
        )
        return visitor

    visitor = start()
    visitor.press("Stop")
    visitor.see("Stopped after")
    assert falls_silent(server), "the server goes on computing after a stop"
    expect(visitor.page.get_by_role("button", name="Vectorize", exact=True)).to_be_enabled()

    visitor = start()
    visitor.page.close()
    assert falls_silent(server), "the server goes on computing for a closed page"


def test_the_whole_tab_in_chinese_on_a_dark_phone(visit):
    visitor = visit(phone=True, language="zh", dark=True)
    page = visitor.page
    visitor.see("结果将显示在这里")
    visitor.press("试用示例")
    wait_results(visitor)
    assert visitor.overflow_px == 0, "the page can be scrolled sideways"
    visitor.see("与 astronaut.jpg 最接近（余弦）")
    visitor.see("没有文本编码器")
    assert not re.search(r"\bvectorize_|__i18n__", page.inner_text("body")), "a word was not translated"
    expect(page.locator("#vz-outputs")).to_be_in_viewport()


def test_the_language_switch_takes_the_tab_with_it(visit):
    visitor = visit()
    visitor.see("Vectors appear here")
    visitor.switch_language()
    visitor.see("结果将显示在这里")
    visitor.see("另有 22 个，权重尚未下载")
    expect(visitor.page.locator("#vz-run")).to_have_text("开始向量化")


def test_a_chart_keeps_its_place_and_follows_light_and_dark(visit):
    visitor = visit()
    page = visitor.page
    visitor.upload("vz-files", PHOTOS)
    pick(visitor, "custom_tiny")
    visitor.press("Vectorize")
    wait_results(visitor)
    view = "document.querySelector('#vz-map .wb-plot')"
    middle = hover(visitor, "vz-map", 0.5, 0.5)
    at_first = page.evaluate(f"{view}._fullLayout.xaxis.range.slice()")
    page.mouse.down()
    page.mouse.move(middle[0] + 90, middle[1] + 40, steps=4)
    page.mouse.up()
    page.wait_for_function(f"first => {view}._fullLayout.xaxis.range[0] < first", arg=at_first[0] - 1e-3)
    moved = page.evaluate(f"{view}._fullLayout.xaxis.range.slice()")
    ink = page.evaluate(f"{view}._fullLayout.font.color")
    element = page.evaluate_handle(view)

    visitor.switch_theme()
    page.wait_for_function(f"ink => {view}._fullLayout.font.color !== ink", arg=ink)
    assert page.evaluate(f"{view}._fullLayout.xaxis.range.slice()") == pytest.approx(moved)
    assert page.evaluate(f"element => element === {view}", element), "the chart was built anew"

    # Another run is another view: it starts where it is made.
    visitor.press("Vectorize")
    page.locator(".wb-progress").wait_for()
    wait_results(visitor)
    assert page.evaluate(f"{view}._fullLayout.xaxis.range.slice()") == pytest.approx(at_first)


def test_the_benchmark_measures_the_picked_model(visit):
    visitor = visit()
    page = visitor.page
    pick(visitor, "custom_tiny")
    page.get_by_text("Model benchmark").click()
    visitor.press("Measure")
    row = page.locator(".vz-bench tbody tr").first
    expect(row).to_contain_text("custom_tiny", timeout=PATIENCE_MS)
    assert float(row.locator("td").nth(2).inner_text()) > 0


def falls_silent(server: harness.Server, timeout_s: float = 60) -> bool:
    """Whether the app stops using the CPU; vectorizing keeps every core busy for as long as it lasts."""
    process = psutil.Process(server.process.pid)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        before = sum(process.cpu_times()[:2])
        time.sleep(1.5)
        if sum(process.cpu_times()[:2]) - before < 0.15:
            return True
    return False
