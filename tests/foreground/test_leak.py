"""Repainting the outside: `original` cannot leak, the others tell how much they do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Unsupported
from core.foreground.annotations import from_boxes, from_json
from core.foreground.leak import REPAINTS, LeakReport, mask_leak, repaint_outside
from core.foreground.prompts import PromptSet
from core.foreground.request import ForegroundRequest, Picture
from core.foreground.treatments import TREATMENTS, Treatment, treat
from core.types import Progress

COLOURED = PromptSet(("red", "blue"), ("green", "grey"))


def report(picture, components, manager, **more) -> LeakReport:
    *progress, last = mask_leak(picture, components, ForegroundRequest("fake", COLOURED, margin=0.3), manager, **more)
    assert all(isinstance(item, Progress) for item in progress) and isinstance(last, LeakReport)
    return last


def test_original_reads_exactly_zero_and_the_raw_crop_does_not(scene, things, fakes):
    leaks = report(scene, things, fakes).leaks
    assert len(leaks) == 3 * len(TREATMENTS)
    for leak in leaks:
        assert set(leak.moved) == set(REPAINTS)
        if leak.treatment == "original":
            assert list(leak.moved.values()) == [0.0, 0.0] and leak.largest == 0.0
            assert list(leak.multipliers.values()) == [leak.multiplier] * 2
    by_name = {leak.treatment: leak for leak in leaks if leak.component_id == "2"}
    assert by_name["raw_crop"].largest > 0.01
    assert by_name["raw_crop"].largest > by_name["soft_mask"].largest > 0


def test_the_measure_sees_a_treatment_that_lets_the_outside_through(scene, things, fakes, monkeypatch):
    def leaky(crop, mask, treatment):
        treated = treat(crop, mask, treatment)
        treated[0] = crop[0]  # one row of the outside
        return treated

    monkeypatch.setattr("core.foreground.leak.treat", leaky)
    moved = [leak.largest for leak in report(scene, things, fakes, treatments=["original"]).leaks]
    assert max(moved) > 0


def test_moved_is_the_difference_of_two_scores(scene, things, fakes):
    """The same figure by painting the picture itself and scoring it anew."""
    from core.foreground.pipeline import score_all

    red = things.components[1]
    leak = next(
        one for one in report(scene, things, fakes).leaks if (one.component_id, one.treatment) == ("2", "raw_crop")
    )
    x0, y0, x1, y1 = red.box_xyxy_px
    repainted = 255 - scene.rgb_HWC
    repainted[y0:y1, x0:x1] = scene.rgb_HWC[y0:y1, x0:x1]
    request = ForegroundRequest("fake", COLOURED, treatment=Treatment("raw_crop"), margin=0.3)
    before = score_all(scene, things, request, fakes).rows[1]["p_pos_sum"]
    after = score_all(Picture(repainted), things, request, fakes).rows[1]["p_pos_sum"]
    assert leak.p_pos_sum == pytest.approx(before, abs=1e-6)
    assert leak.moved["inverted"] == pytest.approx(after - before, abs=1e-5)


def test_a_component_that_fills_its_crop_has_no_outside_and_it_is_said(scene, fakes):
    found = from_boxes([(20, 20, 70, 60)], scene.image_hw)
    *_, last = mask_leak(scene, found, ForegroundRequest("fake", COLOURED), fakes)
    assert all(leak.largest == 0.0 for leak in last.leaks)
    assert [notice.code for notice in last.notices] == ["no_outside"]


def test_a_model_without_words_is_refused(scene, things, fakes):
    with pytest.raises(Unsupported):
        list(mask_leak(scene, things, ForegroundRequest("mute", COLOURED), fakes))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.integers(2, 12), st.integers(2, 12))
def test_repainting_touches_the_outside_alone_and_original_hides_it(seed, height, width):
    rng = np.random.default_rng(seed)
    crop = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = rng.choice(np.float32([0, 0.2, 0.5, 1]), (height, width))
    for how in REPAINTS:
        painted = repaint_outside(crop, mask, how)
        assert (painted[mask > 0] == crop[mask > 0]).all()
        assert (treat(painted, mask, Treatment("original")) == treat(crop, mask, Treatment("original"))).all()
    inverted = repaint_outside(crop, mask, "inverted")
    assert (inverted[mask == 0] == 255 - crop[mask == 0]).all()


def test_soft_edges_count_as_inside(scene, fakes):
    soft = np.zeros(scene.image_hw, dtype=np.float32)
    soft[20:60, 20:70] = 0.4
    found = from_json([{"segmentation": soft}], scene.image_hw)
    *_, last = mask_leak(scene, found, ForegroundRequest("fake", COLOURED, margin=0.2), fakes, treatments=["original"])
    assert last.leaks[0].largest == 0.0
