"""What lies over the photo: boxes, outlines, legend, heat; and the annotated photo."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from skimage.draw import polygon2mask

from core.foreground.annotations import from_boxes
from core.foreground.encoding import FeatureCache
from core.foreground.mask_images import from_mask
from core.foreground.prompts import PromptSet
from core.foreground.request import Extras, ForegroundRequest
from core.foreground.scoring import Rule
from tests.webapp.foreground.conftest import PROMPTS, disc, finished
from webapp.foreground import figures, scene
from webapp.foreground.job import again, run
from webapp.foreground.scene import outline_px


def test_boxes_wear_the_colour_of_their_branch_and_the_legend_counts_them(result):
    which = scene.levels(result.outcome)
    multipliers = result.outcome.scores.multiplier_B.tolist()
    assert [getattr(result.outcome.request.rule, level) for level in which] == multipliers
    shown = json.loads(scene.scene_json(result.outcome, 1, "en"))
    assert shown["chosen"] == 1
    assert {box["row"]: box["level"] for box in shown["boxes"]} == dict(enumerate(which))
    legend = scene.legend(result.outcome, "en")
    assert "cannot occur without neutral prompts" in legend


def test_with_neutral_prompts_no_branch_is_struck(services, result):
    how = {"templates": "none", "mode": "note", "rule": Rule(), "heat_method": "clearclip"}
    after = again(services, FeatureCache(), result, PromptSet(("red",), ("green",), ("a photo",)), **how)
    assert "dead" not in scene.legend(after.outcome, "en")


def test_five_thousand_boxes_are_scored_and_shown_in_part(services, picture):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 60, (5000, 2))
    boxes = np.concatenate([corners, corners + 8], axis=1).tolist()
    request = ForegroundRequest(model="fake", prompts=PROMPTS, batch_size=1024)
    given = from_boxes(boxes, picture.image_hw)
    outcome = finished(run(services, FeatureCache(), "a", picture, given, request, Extras())).outcome
    assert len(outcome.rows) == 5000
    shown = json.loads(scene.scene_json(outcome, outcome.ranked[-1], "en"))
    assert len(shown["boxes"]) == scene.BOXES_SHOWN + 1, "the chosen one is always there"
    assert len(figures.table_rows(outcome, "en").cells) == figures.ROWS_SHOWN


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
    outlines = json.loads(scene.picture_json(picture, "key", mixed))["outlines"]
    assert outlines[0] == "" and outlines[1].startswith("M") and outlines[1].count("Z") == 2


def test_the_annotated_photo_has_the_masks_outline_not_its_box(services, picture):
    mask = disc(picture.image_hw, (60, 90), 40)
    given = from_mask(mask, picture.image_hw)
    request = ForegroundRequest(model="fake", prompts=PROMPTS)
    result = finished(run(services, FeatureCache(), "a", picture, given, request, Extras()))
    image = np.asarray(Image.open(io.BytesIO(scene.annotated(picture, result.outcome))))
    colour = scene.LEVEL_COLOURS[scene.levels(result.outcome)[0]]
    painted = (image == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=2)
    assert painted[97:101, 85:95].any(), "the foot of the disc"
    assert not painted[95:101, 118:131].any(), "the corner of its box"


def test_heat_goes_from_dark_to_light_without_leaving_its_ends():
    colours = scene.heat_colours(np.array([[0.0, 0.5, 1.0, 2.0]]))
    assert colours.dtype == np.uint8
    brightness = colours.astype(int).sum(axis=2)[0]
    assert brightness[0] < brightness[1] < brightness[2] == brightness[3]
