"""Components for an image that came without any."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from core.foreground.heatmap import HeatMap
from core.foreground.proposals import ProposalSettings, propose
from core.foreground.request import Picture


def covered(found, box, hw) -> float:
    """The best intersection over union of any proposal with a box."""
    x0, y0, x1, y1 = box
    truth = np.zeros(hw, dtype=bool)
    truth[y0:y1, x0:x1] = True
    masks = [component.mask.crop((0, 0, hw[1], hw[0])) for component in found.components]
    return max(float((truth & mask).sum() / (truth | mask).sum()) for mask in masks)


def heat_over(box, hw) -> HeatMap:
    x0, y0, x1, y1 = box
    values = np.full(hw, 0.1, dtype=np.float32)
    values[y0:y1, x0:x1] = 0.9
    return HeatMap("clearclip", hw, values)


def test_every_plain_thing_is_among_the_proposals_by_colour_alone(scene: Picture):
    found = propose(scene.rgb_HWC)
    for box in ((20, 20, 70, 60), (100, 70, 160, 110), (120, 10, 160, 50)):
        assert covered(found, box, scene.image_hw) > 0.8
    assert "proposals_by_colour" in {notice.code for notice in found.notices}
    assert all(component.score is None for component in found.components)
    areas = [component.area_px for component in found.components]
    assert areas == sorted(areas, reverse=True)


def test_heat_ranks_the_proposals_and_adds_the_warm_parts(scene: Picture):
    box = (100, 70, 160, 110)
    found = propose(scene.rgb_HWC, heat_over(box, scene.image_hw))
    scores = [component.score for component in found.components]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0.8
    x0, y0, x1, y1 = found.components[0].box_xyxy_px
    assert x0 >= 95 and y0 >= 65 and x1 <= 165 and y1 <= 115
    assert covered(found, box, scene.image_hw) > 0.8


def test_two_things_of_one_colour_are_parted_by_their_heat():
    rgb = np.full((100, 200, 3), 120, dtype=np.uint8)
    found = propose(rgb, heat_over((40, 30, 90, 70), (100, 200)))
    assert covered(found, (40, 30, 90, 70), (100, 200)) > 0.6


def test_proposals_have_names_places_and_what_made_them(scene: Picture):
    found = propose(scene.rgb_HWC, heat_over((20, 20, 70, 60), scene.image_hw))
    assert [component.id for component in found.components] == [str(i + 1) for i in range(len(found.components))]
    for component in found.components:
        assert {"id", "bbox", "area", "source", "score"} == set(component.fields)
        assert component.fields["source"] in ("region", "heat")
        x0, y0, x1, y1 = component.box_xyxy_px
        mask = component.mask.crop((x0, y0, x1, y1))
        assert mask.sum() == component.area_px == component.fields["area"]
        assert mask.any(axis=0)[[0, -1]].all() and mask.any(axis=1)[[0, -1]].all()


@pytest.mark.parametrize("hw", [(1, 1), (2, 3), (1, 200), (200, 1), (7, 9), (900, 50)])
def test_tiny_and_odd_images_do_not_break(hw):
    rgb = np.random.default_rng(0).integers(0, 256, (*hw, 3), dtype=np.uint8)
    for heat in (None, HeatMap("clip", hw, np.full((1, 1), 0.5, dtype=np.float32))):
        found = propose(rgb, heat)
        for component in found.components:
            x0, y0, x1, y1 = component.box_xyxy_px
            assert 0 <= x0 < x1 <= hw[1] and 0 <= y0 < y1 <= hw[0]


def test_a_large_image_is_cut_up_on_a_small_copy():
    rgb = np.full((900, 1400, 3), 120, dtype=np.uint8)
    rgb[300:700, 200:800] = (200, 40, 40)
    found = propose(rgb)
    assert covered(found, (200, 300, 800, 700), (900, 1400)) > 0.9


def test_the_same_image_gives_the_same_proposals(scene: Picture):
    first, second = propose(scene.rgb_HWC), propose(scene.rgb_HWC.copy())
    assert [c.box_xyxy_px for c in first.components] == [c.box_xyxy_px for c in second.components]


def test_impossible_settings_are_refused():
    with pytest.raises(InputError):
        ProposalSettings(superpixels=1)
