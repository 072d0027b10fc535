"""What the Foreground tab shows, and what it makes of what visitors give, without a browser."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.draw import polygon2mask

from core.errors import InputError
from core.foreground.annotations import from_boxes
from core.foreground.components import ComponentSet
from core.foreground.mask_images import from_mask
from core.foreground.pipeline import FeatureCache, ForegroundRequest, Picture
from core.foreground.prompts import PRESETS, PromptSet, preset
from core.foreground.scoring import FIELDS, Rule
from core.foreground.treatments import TREATMENTS
from core.models.manager import ModelManager
from core.settings import ImageLimits, Settings
from core.types import Notice
from tests.fakes import COLOURS, FakeEncoder, fake_spec
from webapp.foreground import figures
from webapp.foreground.job import Drawn, Result, Shelf, again, download_file, from_file, leak, look, parse_boxes, run
from webapp.foreground.outlines import outline_px
from webapp.foreground.tab import with_presets
from webapp.kit.services import Services
from webapp.kit.uploads import Upload

HOSTILE = "<img src=x onerror=alert(1)>"
PROMPTS = PromptSet(("red", "blue"), ("green", "grey"), ())


@pytest.fixture
def encoder() -> FakeEncoder:
    """Its `batch_sizes` count the image tower's calls."""
    return FakeEncoder(fake_spec("fake", input_px=32))


@pytest.fixture
def services(encoder: FakeEncoder, tmp_path: Path) -> Iterator[Services]:
    settings = Settings(weights_dir=tmp_path)
    manager = ModelManager(settings, load=lambda *_: encoder, find=lambda _: encoder.spec)
    yield Services(settings, manager, tmp_path)
    manager.close()


@pytest.fixture
def picture() -> Picture:
    rgb = np.full((120, 180, 3), 110, dtype=np.uint8)
    rgb[20:60, 20:70] = COLOURS["red"]
    rgb[70:110, 100:160] = COLOURS["green"]
    return Picture(rgb)


@pytest.fixture
def things(picture: Picture) -> ComponentSet:
    return from_boxes([(20, 20, 70, 60), (100, 70, 160, 110)], picture.image_hw)


def finished(steps) -> Result:
    result = list(steps)[-1]
    assert isinstance(result, Result)
    return result


@pytest.fixture
def result(services: Services, picture: Picture, things: ComponentSet) -> Result:
    request = ForegroundRequest(model="fake", prompts=PROMPTS)
    return finished(run(services, FeatureCache(), "scene.png", picture, things, request))


# ------------------------------------------------------------------ the work


def test_another_prompt_is_scored_without_the_image_tower(services, picture, things, encoder):
    """A changed prompt took as long as the first run."""
    cache = FeatureCache()
    before = finished(run(services, cache, "a.png", picture, things, ForegroundRequest(model="fake", prompts=PROMPTS)))
    calls = list(encoder.batch_sizes)
    assert sum(calls) >= len(things.components), "the first run needs the tower"

    other = PromptSet(("red", "a lamp"), ("green",), ("grey",))
    how = {"templates": "one", "mode": "balanced", "rule": Rule(negative_above=0.3), "heat_method": "clearclip"}
    after = again(services, cache, before, other, **how)

    assert encoder.batch_sizes == calls, "the image tower was called again"
    assert after.outcome.encoded == 0
    fresh = ForegroundRequest(
        model="fake", prompts=other, templates="one", mode="balanced", rule=Rule(negative_above=0.3)
    )
    direct = finished(run(services, FeatureCache(), "a.png", picture, things, fresh))
    np.testing.assert_allclose(after.outcome.scores.p_pos_sum_B, direct.outcome.scores.p_pos_sum_B, atol=1e-9)
    assert after.outcome.notices == direct.outcome.notices, "nothing is left over from the prompts before"


def test_without_components_some_are_proposed_and_a_model_without_patches_says_so(services, picture):
    result = finished(
        run(services, FeatureCache(), "a.png", picture, None, ForegroundRequest(model="fake", prompts=PROMPTS))
    )
    assert len(result.outcome.components) >= 3, "red, green and the ground"
    assert result.heat is None
    assert "patch tokens" in result.no_heat
    assert json.loads(figures.heat_json(None, result.no_heat))["src"] == ""


def test_a_component_is_looked_at_under_every_treatment_as_the_model_sees_it(services, result, encoder):
    looks = look(services, FeatureCache(), result, 0)
    assert {one.treatment.name for one in looks} == set(TREATMENTS)
    assert looks[0].treatment.name == "original"
    for one in looks:
        assert one.input_HWC.shape == (32, 32, 3)
    assert looks[0].fields == result.outcome.scores.fields(0)
    np.testing.assert_allclose(
        looks[0].input_HWC.mean(axis=(0, 1)), np.minimum(np.array(COLOURS["red"]) * 1.05, 255), atol=2
    )


def test_the_explanation_of_one_component_adds_up_to_its_score(result):
    for row in range(2):
        explanation = result.explanation(row)
        assert explanation.share_BK.shape == (1, 4)
        assert 0.5 + explanation.share_BK.sum() == pytest.approx(result.outcome.scores.p_pos_sum_B[row], abs=1e-9)


def test_the_shelf_forgets_the_oldest_and_its_files(result):
    shelf = Shelf(max_bytes=1)
    first = shelf.put(result)
    assert shelf.get(first) is result, "the newest stays however large it is"
    assert result.folder.is_dir()
    second = shelf.put(result)
    assert shelf.get(first) is None
    assert not result.folder.exists()
    assert shelf.put(result, second) == second
    shelf.forget(second)
    assert shelf.get(second) is None
    assert shelf.get(None) is None


# ------------------------------------------------------------------ what visitors give


def png(painted: np.ndarray) -> str:
    rgba = np.zeros((*painted.shape, 4), dtype=np.uint8)
    rgba[painted] = 255
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def test_strokes_and_boxes_become_components_in_the_photos_own_pixels():
    painted = np.zeros((50, 100), dtype=bool)  # the photo is twice as large
    painted[5:15, 10:30] = painted[30:40, 60:80] = True
    drawn = Drawn.read({"mask": png(painted), "boxes": [[0.5, 0.1, 0.75, 0.5]]})
    found = drawn.components((100, 200), ImageLimits()).components
    assert [c.box_xyxy_px for c in found] == [(20, 10, 60, 30), (120, 60, 160, 80), (100, 10, 150, 50)]
    assert [c.id for c in found] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "sent",
    [
        {"mask": "data:image/svg+xml;base64,AAAA"},
        {"mask": "http://elsewhere/x.png"},
        {"mask": 3},
        {"boxes": "all"},
        {"boxes": [[0, 0, 1]]},
        {"boxes": [["a", 0, 1, 1]]},
    ],
)
def test_a_drawing_that_the_page_would_not_send_is_refused(sent):
    with pytest.raises(InputError, match="cannot be read"):
        Drawn.read(sent)


@pytest.mark.parametrize("sent", [None, {}, {"mask": "", "boxes": []}, {"mask": png(np.zeros((4, 4), dtype=bool))}])
def test_nothing_drawn_is_said(sent):
    with pytest.raises(InputError, match="Nothing is drawn"):
        Drawn.read(sent).components((40, 40), ImageLimits())


def test_boxes_are_read_with_commas_spaces_and_brackets():
    assert parse_boxes("1, 2, 3, 4\n\n [5 6;7 8.5]\n") == [[1, 2, 3, 4], [5, 6, 7, 8.5]]


@pytest.mark.parametrize(
    ("text", "says"), [("", "no boxes"), ("1 2 3", "Line 1"), ("1 2 3 4\n1 2 x 4", "Line 2"), ("0 0 nan 4", "Line 1")]
)
def test_what_is_no_box_is_named_with_its_line(text, says):
    with pytest.raises(InputError, match=says):
        parse_boxes(text)


def test_a_mask_and_json_are_told_apart_by_what_is_in_them(picture, tmp_path):
    mask = np.zeros((60, 90), dtype=np.uint8)
    mask[10:30, 10:35] = 255
    Image.fromarray(mask).save(tmp_path / "mask.json", "PNG")  # the wrong ending
    (tmp_path / "boxes.png").write_text('\ufeff {"boxes": [[1, 2, 30, 40]]}', encoding="utf-8")
    by_mask = from_file(Upload("mask.json", tmp_path / "mask.json"), picture, "a.png", ImageLimits())
    assert by_mask.components[0].box_xyxy_px == (20, 20, 70, 60)
    assert [notice.code for notice in by_mask.notices] == ["mask_resized"]
    by_json = from_file(Upload("boxes.png", tmp_path / "boxes.png"), picture, "a.png", ImageLimits())
    assert by_json.components[0].box_xyxy_px == (1, 2, 30, 40)


def test_presets_come_and_go_and_own_lines_stay():
    text = "\n".join(preset("note negative").prompts) + "\na lamp post"
    more = with_presets(text, ["note negative", "stuff"], "negative").splitlines()
    assert set(preset("stuff").prompts) <= set(more)
    assert "a lamp post" in more
    assert len(more) == len(set(more))
    assert with_presets("\n".join(more), [], "negative") == "a lamp post"
    assert all(each.name for each in PRESETS)


# ------------------------------------------------------------------ what is shown


def test_boxes_wear_the_colour_of_their_branch_and_the_legend_counts_them(result):
    which = figures.levels(result.outcome)
    multipliers = result.outcome.scores.multiplier_B.tolist()
    assert [getattr(result.outcome.request.rule, level) for level in which] == multipliers
    scene = json.loads(figures.scene_json(result.outcome, 1, "en"))
    assert scene["chosen"] == 1
    assert {box["row"]: box["level"] for box in scene["boxes"]} == dict(enumerate(which))
    legend = figures.legend(result.outcome, "en")
    assert "cannot occur without neutral prompts" in legend


def test_with_neutral_prompts_no_branch_is_struck(services, result):
    how = {"templates": "none", "mode": "note", "rule": Rule(), "heat_method": "clearclip"}
    after = again(services, FeatureCache(), result, PromptSet(("red",), ("green",), ("a photo",)), **how)
    assert "dead" not in figures.legend(after.outcome, "en")


def test_five_thousand_boxes_are_scored_and_shown_in_part(services, picture):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 60, (5000, 2))
    boxes = np.concatenate([corners, corners + 8], axis=1).tolist()
    request = ForegroundRequest(model="fake", prompts=PROMPTS, batch_size=1024)
    given = from_boxes(boxes, picture.image_hw)
    outcome = finished(run(services, FeatureCache(), "a", picture, given, request, want_heat=False)).outcome
    assert len(outcome.rows) == 5000
    scene = json.loads(figures.scene_json(outcome, outcome.ranked[-1], "en"))
    assert len(scene["boxes"]) == figures.BOXES_SHOWN + 1, "the chosen one is always there"
    assert len(figures.frame(outcome, "en")) == figures.ROWS_SHOWN


def test_the_table_has_every_field_and_what_was_brought(services, picture):
    given = from_mask(np.pad(np.ones((20, 20), np.uint8), 5), (30, 30))
    component = given.components[0]
    component.fields["note"] = HOSTILE  # type: ignore[index]
    component.fields["segmentation"] = {"size": [30, 30], "counts": "x" * 900}  # type: ignore[index]
    request = ForegroundRequest(model="fake", prompts=PROMPTS)
    outcome = finished(run(services, FeatureCache(), "a", picture, given, request, want_heat=False)).outcome
    frame = figures.frame(outcome, "en")
    assert set(FIELDS) <= set(frame.columns)
    assert frame.columns[0] == "id"
    assert frame["note"][0] == HOSTILE
    assert len(frame["segmentation"][0]) <= 60
    old_way = figures.frame(outcome, "en", cosine=True)
    assert frame.columns[1] == old_way.columns[1] == "score × mult.", "what the rows are sorted by"
    assert list(old_way.columns[2:7]) == ["cos_pos", "cos_pos_text", "cos_neg", "cos_neg_text", "cos_margin"]


def test_no_prompt_and_no_name_is_read_as_markup(services, picture, things):
    prompts = PromptSet((HOSTILE, "red"), ("green",))
    named = [{"id": HOSTILE, "box_xyxy_px": [0, 0, 40, 40]}, {"id": HOSTILE + "2", "box_xyxy_px": [0, 0, 1, 1]}]
    from core.foreground.annotations import from_json

    given = from_json(named, picture.image_hw)
    result = finished(
        run(services, FeatureCache(), HOSTILE, picture, given, ForegroundRequest(model="fake", prompts=prompts))
    )
    looks = look(services, FeatureCache(), result, 0)
    shown = [
        figures.detail(result.outcome, 0, looks, result.explanation(0), "en"),
        figures.treatments(result.outcome, looks, "en"),
        figures.legend(result.outcome, "zh"),
        figures.summary(result.outcome, "en"),
        figures.notes(result.outcome.rejects, [HOSTILE], [HOSTILE], "en"),
        figures.lists_panel((1, 1, 1), [Notice("x", HOSTILE)], "en"),
        figures.examples_panel([(HOSTILE, HOSTILE)], "en"),
    ]
    assert all("<img src=x" not in fragment for fragment in shown)
    assert "&lt;img src=x" in shown[0]
    assert "too small" in shown[4]


def disc(image_hw: tuple[int, int], middle: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: image_hw[0], : image_hw[1]] + 0.5
    return (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < radius**2


@pytest.mark.parametrize(
    ("image_hw", "middle", "radius"),
    [((60, 90), (30, 40), 11.0), ((60, 90), (5, 88), 30.0), ((900, 1400), (450, 700), 400.0)],
)
def test_an_outline_encloses_what_the_mask_does(image_hw, middle, radius):
    mask = disc(image_hw, middle, radius)
    (component,) = from_mask(mask, image_hw).components
    (polygon,) = outline_px(component)
    enclosed = polygon2mask(image_hw, polygon[:, ::-1] - 0.5)  # scikit-image's pixels lie at whole numbers
    assert (enclosed & mask).sum() / (enclosed | mask).sum() > 0.95
    x0, y0, x1, y1 = component.box_xyxy_px
    assert (polygon >= [x0, y0]).all() and (polygon <= [x1, y1]).all()


def test_a_mask_with_a_hole_has_two_outlines_and_a_box_none(picture):
    ring = disc((60, 90), (30, 40), 20) & ~disc((60, 90), (30, 40), 10)
    assert len(outline_px(from_mask(ring, (60, 90)).components[0])) == 2
    sieve = np.random.default_rng(0).random((300, 300)) < 0.7
    polygons = outline_px(max(from_mask(sieve, (300, 300)).components, key=lambda each: each.area_px))
    assert sum(map(len, polygons)) <= 1500
    mixed = [*from_boxes([(2, 2, 30, 30)], picture.image_hw).components, *from_mask(ring, (60, 90)).components]
    outlines = json.loads(figures.picture_json(picture, "key", mixed))["outlines"]
    assert outlines[0] == "" and outlines[1].startswith("M") and outlines[1].count("Z") == 2


def test_the_annotated_photo_has_the_masks_outline_not_its_box(services, picture):
    mask = disc(picture.image_hw, (60, 90), 40)
    given = from_mask(mask, picture.image_hw)
    request = ForegroundRequest(model="fake", prompts=PROMPTS)
    result = finished(run(services, FeatureCache(), "a", picture, given, request, want_heat=False))
    image = np.asarray(Image.open(io.BytesIO(figures.annotated(picture, result.outcome))))
    colour = figures.LEVEL_COLOURS[figures.levels(result.outcome)[0]]
    painted = (image == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=2)
    assert painted[97:101, 85:95].any(), "the foot of the disc"
    assert not painted[95:101, 118:131].any(), "the corner of its box"


def test_the_leak_of_one_component_stands_under_each_treatment(services, picture):
    given = from_mask(disc(picture.image_hw, (40, 45), 15), picture.image_hw)
    request = ForegroundRequest(model="fake", prompts=PROMPTS, margin=0.5)
    cache = FeatureCache()
    result = finished(run(services, cache, "a", picture, given, request, want_heat=False))
    leaks = leak(services, result, 0).leaks
    assert [one.treatment for one in leaks] == list(TREATMENTS)
    looks = look(services, cache, result, 0)
    shown = figures.treatments(result.outcome, looks, "en", leaks)
    assert shown.count("outside moves it by") == 4
    assert "<b>outside moves it by 0</b>" in shown.split("<figure")[1], "original hides the outside"
    assert "fg-leak" not in figures.treatments(result.outcome, looks, "en")


def test_what_would_change_it_is_said_in_words(result):
    changed = [row for row in range(2) if result.explanation(row).changes(0)]
    for row in range(2):
        panel = figures.detail(result.outcome, row, [_look(result)], result.explanation(row), "en")
        assert ("Without “" in panel) == (row in changed)
        assert ("No single prompt decides" in panel) == (row not in changed)


def _look(result: Result):
    from webapp.foreground.job import Look

    return Look(result.outcome.request.treatment, np.zeros((4, 4, 3), np.uint8), result.outcome.scores.fields(0))


def test_heat_goes_from_dark_to_light_without_leaving_its_ends():
    colours = figures.heat_colours(np.array([[0.0, 0.5, 1.0, 2.0]]))
    assert colours.dtype == np.uint8
    brightness = colours.astype(int).sum(axis=2)[0]
    assert brightness[0] < brightness[1] < brightness[2] == brightness[3]


def test_downloads_hold_what_the_page_shows(result):
    made = json.loads(download_file(result, "json").read_text())
    assert [row["semantic_multiplier"] for row in made["components"]] == result.outcome.scores.multiplier_B.tolist()
    assert len(made["explanations"]) == 2
    lines = download_file(result, "csv").read_text().splitlines()
    assert len(lines) == 3
    assert set(FIELDS) <= set(lines[0].split(","))
    image = np.asarray(Image.open(download_file(result, "png")))
    assert image.shape == result.picture.rgb_HWC.shape
    level = figures.levels(result.outcome)[1]
    colour = tuple(int(figures.LEVEL_COLOURS[level][i : i + 2], 16) for i in (1, 3, 5))
    assert tuple(image[109, 130]) == colour, "the lower edge of the second box"
