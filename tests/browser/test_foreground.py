"""The Foreground tab as a person works it, in a real browser against the app as it is really served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from core.foreground.scoring import FIELDS
from tests import tiny_models
from tests.browser import harness

EXAMPLES = Path(__file__).resolve().parents[2] / "webapp" / "examples"
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Server]:
    """With a small CLIP of random weights; its scores mean nothing, what the page does with them does."""
    folder = tmp_path_factory.mktemp("weights")
    tiny_models.write_custom(folder, "tiny", tiny_models.TINY)
    with harness.serve("--weights_dir", str(folder)) as running:
        yield running


def wait_results(visitor: harness.Visitor) -> None:
    visitor.page.locator("#fg-results .fg-detail").wait_for(timeout=PATIENCE_MS)
    visitor.page.locator("#fg-scene .fg-box").first.wait_for()


def drag(visitor: harness.Visitor, *places: tuple[float, float]) -> None:
    """Over the pad, at shares of its width and height."""
    pad = visitor.page.locator("#fg-pad canvas")
    pad.scroll_into_view_if_needed()
    frame = pad.bounding_box()
    points = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in places]
    visitor.page.mouse.move(*points[0])
    visitor.page.mouse.down()
    for point in points[1:]:
        visitor.page.mouse.move(*point, steps=6)
    visitor.page.mouse.up()


def test_an_example_shows_everything_and_another_prompt_needs_no_image_tower(visit, tmp_path):
    visitor = visit()
    page = visitor.page
    visitor.tab("Foreground")
    visitor.see("Scores appear here")
    expect(page.locator("#fg-run")).to_be_in_viewport(ratio=1)  # long as the inputs are
    page.locator("#fg-examples [data-name='coffee.jpg']").click()
    wait_results(visitor)

    count = page.locator("#fg-scene .fg-box").count()
    assert count > 3
    expect(page.locator(".fg-legend .dead")).to_contain_text("cannot occur without neutral prompts")
    expect(page.locator("#fg-notes")).to_contain_text("87 positive against 13 negative prompts")
    expect(page.locator("#fg-summary")).to_contain_text("0 from memory")
    assert page.locator("#fg-scene img.photo").evaluate("image => image.naturalWidth") > 300
    heat = page.locator("#fg-scene img.heat")
    page.locator("#fg-heat-opacity").fill("60")
    assert heat.evaluate("image => [getComputedStyle(image).opacity, image.naturalWidth > 0]") == ["0.6", True]

    # Another prompt: the branch comes alive, and nothing went through the image tower.
    page.locator("#fg-neutral textarea").click()
    page.keyboard.type("a photo")
    expect(page.locator(".fg-legend .dead")).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.locator("#fg-summary")).to_contain_text(f"{count} from memory")
    expect(page.locator("#fg-summary")).to_contain_text("87 · 13 · 1")
    page.get_by_text("Cosine view (old way)").click()
    expect(page.locator("#fg-table")).to_contain_text("cos_margin", timeout=PATIENCE_MS)

    # A click on a row and a click on a box choose a component.
    name = visitor.cell("fg-table", 2, 0)
    page.locator("#fg-table [data-testid=cell-2-0]").first.click()
    expect(page.locator(".fg-who h3")).to_contain_text(re.compile(rf"^{name}\b"), timeout=PATIENCE_MS)
    expect(page.locator(".fg-treatments figure")).to_have_count(4)
    assert page.locator(".fg-bars tbody tr").count() == 8
    # Masks are outlined; boxes and outlines can be hidden, each for itself.
    assert page.locator("#fg-scene .fg-box.masked > path").count() > 3
    page.get_by_label("Outlines").uncheck()
    expect(page.locator("#fg-scene .fg-box.masked > path").first).to_be_hidden()
    page.get_by_label("Outlines").check()
    expect(page.locator("#fg-scene .fg-box.masked > path").first).to_be_visible()
    # The outside repainted: `original` cannot tell.
    visitor.press("Measure mask leak")
    expect(page.locator(".fg-treatments .fg-leak")).to_have_count(4, timeout=PATIENCE_MS)
    expect(page.locator(".fg-treatments figure").first.locator(".fg-leak b")).to_have_text("outside moves it by 0")
    expect(page.locator("#fg-leak-measure")).to_be_enabled()
    assert page.locator("#fg-leak-note").bounding_box()["height"] < 60, "a line or two, not a word to each line"
    assert page.get_by_role("button", name="Run", exact=True).locator("visible=true").count() == 0, "Gradio's own word"

    box = page.locator("#fg-scene .fg-box").first
    row = box.get_attribute("data-row")
    box.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#fg-scene .fg-box.chosen")).to_have_attribute("data-row", row, timeout=PATIENCE_MS)

    for kind, file in (("csv", "scores.csv"), ("json", "scores.json"), ("png", "annotated.png")):
        with page.expect_download(timeout=PATIENCE_MS) as download:
            page.locator(f"#fg-get-{kind}").click()
        assert download.value.suggested_filename == file
        download.value.save_as(tmp_path / file)
    made = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert len(made["components"]) == count
    assert set(FIELDS) <= made["components"][0].keys()
    assert Image.open(tmp_path / "annotated.png").size == Image.open(EXAMPLES / "coffee.jpg").size


def test_what_is_drawn_is_scored(visit):
    visitor = visit()
    page = visitor.page
    visitor.tab("Foreground")
    visitor.upload("fg-image", [EXAMPLES / "cat.jpg"])
    page.get_by_text("Draw", exact=True).click()
    page.locator("#fg-pad:not(:has(.is-empty)) canvas").wait_for(timeout=PATIENCE_MS)
    page.wait_for_timeout(300)
    drag(visitor, (0.1, 0.2), (0.4, 0.3))
    visitor.press("Box")
    drag(visitor, (0.5, 0.5), (0.9, 0.9))
    drag(visitor, (0.1, 0.8), (0.3, 0.95))
    visitor.press("Undo")
    visitor.press("Score")
    wait_results(visitor)
    expect(page.locator("#fg-scene .fg-box")).to_have_count(2)
    width_px, height_px = Image.open(EXAMPLES / "cat.jpg").size
    rects = page.locator("#fg-scene .fg-box > rect:not(.tag)").evaluate_all(
        "all => all.map(r => ['x', 'y', 'width', 'height'].map(name => Number(r.getAttribute(name))))"
    )
    box = min(rects, key=lambda r: abs(r[0] - width_px / 2))
    expected = [width_px / 2, height_px / 2, width_px * 0.4, height_px * 0.4]
    np.testing.assert_allclose(box, expected, atol=0.02 * width_px)


def test_a_mask_boxes_and_what_cannot_be_used(visit, tmp_path):
    mask = np.zeros((60, 90), dtype=np.uint8)
    mask[5:25, 5:30] = mask[30:55, 40:80] = 1
    Image.fromarray(mask * 255).save(tmp_path / "mask.png")
    Image.fromarray(mask * 0).save(tmp_path / "zero.png")
    (tmp_path / "notes.jpg").write_text("not a photo")
    visitor = visit()
    page = visitor.page
    visitor.tab("Foreground")
    visitor.press("Score")
    visitor.see("There is no photo.")
    visitor.upload("fg-image", [tmp_path / "notes.jpg"])
    visitor.see("This is not an image")
    page.locator("#fg-image button[aria-label*=lear], #fg-image button[aria-label*=emove]").first.click()
    visitor.upload("fg-image", [EXAMPLES / "cat.jpg"])

    page.get_by_text("Mask or JSON", exact=True).click()
    visitor.press("Score")
    visitor.see("There is no mask and no JSON.")
    visitor.upload("fg-file", [tmp_path / "zero.png"])
    page.locator("#fg-file").get_by_text("zero").wait_for()
    visitor.press("Score")
    visitor.see("The mask is empty: every pixel is 0.")

    page.locator("#fg-source").get_by_text("Boxes", exact=True).click()
    page.locator("#fg-boxes textarea").fill("10, 10, 100, 100\n5 5 6 6")
    visitor.press("Score")
    wait_results(visitor)
    expect(page.locator("#fg-scene .fg-box")).to_have_count(1)
    visitor.see("1 component was not scored")
    visitor.see("1 × 1 px is too small")


def test_the_whole_tab_in_chinese_on_a_dark_phone(visit):
    visitor = visit(phone=True, language="zh", dark=True)
    page = visitor.page
    visitor.tab("前景")
    visitor.see("评分将显示在这里")
    page.locator("#fg-examples [data-name='cat.jpg']").click()
    wait_results(visitor)
    visitor.see("没有中性提示词时不会出现")
    assert visitor.overflow_px == 0, "the page can be scrolled sideways"
    assert not re.search(r"\bforeground_|__i18n__", page.inner_text("body")), "a word was not translated"


def test_without_any_clip_the_tab_says_how_to_get_one(browser, tmp_path):
    with harness.serve("--weights_dir", str(tmp_path)) as running:
        visitor = harness.Visitor.arrive(browser, running.url)
        visitor.tab("Foreground")
        visitor.see("No CLIP model's weights are here yet.")
        visitor.see("python -m core models fetch open_clip_vit_b32_laion2b")
        visitor.close()
