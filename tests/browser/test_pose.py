"""The Pose tab as a person works it, in a real browser against the app as it is really served."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import expect

from core.pose.angles import rotation_matrices
from core.pose.rendering import head_mesh
from core.vectorize import store
from tests import tiny_models
from tests.browser import harness

PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Server]:
    """With a small CLIP of random weights; its similarities mean nothing, what the page does with them does."""
    folder = tmp_path_factory.mktemp("weights")
    tiny_models.write_custom(folder, "tiny", tiny_models.TINY)
    with harness.serve("--weights_dir", str(folder)) as running:
        yield running


def dial(visitor: harness.Visitor, name: str, degrees: str) -> None:
    """Type into an angle's number box."""
    visitor.page.locator(f"#ps-dials .ps-line[data-angle={name}] input[type=number]").fill(degrees)


def says(visitor: harness.Visitor, caption: str) -> None:
    expect(visitor.page.locator("#ps-caption .ps-words")).to_have_text(caption, timeout=PATIENCE_MS)


def turned_as(visitor: harness.Visitor, pose: tuple[float, float, float]) -> None:
    """The head's vertices on the page are core's head, turned by core's rotation."""
    expected = head_mesh().vertices_V3[head_mesh().turns_V] @ rotation_matrices([pose])[0].T
    script = """pose => { const t = document.querySelector('#ps-head .wb-plot').data?.[1];
                return t?.meta.pose === pose.join(' ') ? [t.x, t.y, t.z] : null; }"""
    handle = visitor.page.wait_for_function(script, arg=list(pose), timeout=PATIENCE_MS)
    np.testing.assert_allclose(np.array(handle.json_value()).T, expected, atol=1e-3)


def test_turning_the_dials_turns_the_head_and_the_words(visit, tmp_path):
    visitor = visit()
    page = visitor.page
    visitor.tab("Pose")
    says(visitor, "right three-quarter view, level gaze, upright")
    turned_as(visitor, (30, 10, -5))

    # Typed, beyond ±180, at an edge of roll, and no number at all.
    dial(visitor, "yaw", "-190")
    dial(visitor, "roll", "-10")
    says(visitor, "right profile view, level gaze, tilted left")
    expect(page.locator("#ps-caption")).to_contain_text("yaw -190 is beyond ±180: wrapped to 170")
    turned_as(visitor, (170, 10, -10))
    assert page.locator("#ps-dials .ps-bin").all_inner_texts() == ["right profile view", "level gaze", "tilted left"]
    dial(visitor, "pitch", "")
    expect(page.locator("#ps-status")).to_contain_text("pitch is empty", timeout=PATIENCE_MS)
    assert page.locator("#ps-dials [data-angle=pitch] input[type=number]").get_attribute("aria-invalid") == "true"

    # The slider by keyboard, the dial by pointer: the right end of yaw's ring is 90.
    dial(visitor, "pitch", "19")
    page.locator("#ps-dials [data-angle=pitch] input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    says(visitor, "right profile view, looking up, tilted left")
    expect(page.locator("#ps-status .wb-message")).to_have_count(0)
    ring = page.locator("#ps-dials .ps-dial[data-angle=yaw] svg").bounding_box()
    page.mouse.click(ring["x"] + ring["width"] * 0.15, ring["y"] + ring["height"] / 2)
    says(visitor, "left profile view, looking up, tilted left")
    turned_as(visitor, (-90, 20, -10))
    visitor.press("Straight ahead")
    says(visitor, "frontal view, level gaze, upright")
    turned_as(visitor, (0, 0, 0))

    # The map: a click takes the dials there.
    visitor.wait_plot("ps-map")
    field = page.locator("#ps-map .nsewdrag").bounding_box()
    page.mouse.click(field["x"] + field["width"] * 0.9, field["y"] + field["height"] * 0.05)
    says(visitor, "right profile view, looking up, upright")
    # Back to where the hand had left the dials, which is news to them all the same.
    dial(visitor, "yaw", "1.25")
    dial(visitor, "pitch", "1.25")
    says(visitor, "frontal view, level gaze, upright")
    page.mouse.click(field["x"] + field["width"] * 0.9, field["y"] + field["height"] * 0.05)
    says(visitor, "right profile view, looking up, upright")
    page.wait_for_timeout(3000)  # a click while the map is drawn anew is lost
    page.mouse.click(field["x"] + field["width"] * 91.25 / 180, field["y"] + field["height"] * 58.75 / 120)
    says(visitor, "frontal view, level gaze, upright")
    turned_as(visitor, (1.25, 1.25, 0))

    # Other words, and what can be taken home.
    page.get_by_text("Continuous: the numbers").click()
    expect(page.locator("#ps-caption .ps-words")).to_contain_text("yaw 1.2, pitch 1.2", timeout=PATIENCE_MS)
    with page.expect_download(timeout=PATIENCE_MS) as download:
        page.locator("#ps-get-npz").click()
    download.value.save_as(tmp_path / "pose.npz")
    table = store.read(tmp_path / "pose.npz")
    assert table.dim == 24 and table.ids[0] == page.locator("#ps-caption .ps-words").inner_text()


def test_a_head_is_judged_and_a_csv_encoded(visit, tmp_path):
    visitor = visit(language="zh")
    page = visitor.page
    visitor.tab("姿态")
    says(visitor, "right three-quarter view, level gaze, upright")
    page.locator("#ps-examples [data-name=rendered]").click()
    expect(page.locator("#ps-guess .ps-ranks tbody tr")).to_have_count(10, timeout=PATIENCE_MS)
    expect(page.locator("#ps-guess .ps-bar.best")).to_have_count(3)

    (tmp_path / "poses.csv").write_text("image,yaw,pitch,roll\na.jpg,60,0,0\nb.jpg,nan,0,0\nc.jpg,-60,0,0\n")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    visitor.upload("ps-file", [tmp_path / "poses.csv"])
    page.locator("#ps-file [aria-label='poses.csv']").wait_for()  # the text itself is seen only while it is sent
    page.locator("#ps-file-run").click()
    expect(page.locator("#ps-file-result")).to_contain_text("偏航为 NaN", timeout=PATIENCE_MS)
    with page.expect_download(timeout=PATIENCE_MS) as download:
        page.locator("#ps-file-download").click()
    download.value.save_as(tmp_path / "o.npz")
    arrays = np.load(tmp_path / "o.npz", allow_pickle=False)
    assert arrays["caption_row"].tolist() == [0, -1, 1] and arrays["vectors"].shape == (2, 24)


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_it_fits(visit, dark):
    visitor = visit(phone=True, dark=dark)
    visitor.tab("Pose")
    says(visitor, "right three-quarter view, level gaze, upright")
    visitor.wait_plot("ps-head")
    assert visitor.overflow_px == 0
