"""Golden pixels: computed by hand from the specification's three recipes, in float32, truncated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import InputError
from core.foreground.treatments import TREATMENTS, Treatment, treat

# One row of pixels; inside the mask the first four, outside the last four.
LEVELS = [0, 100, 200, 250, 0, 100, 201, 255]
MASK = np.array([[1, 1, 1, 1, 0, 0, 0, 0]], dtype=bool)
CROP = np.repeat(np.array(LEVELS, dtype=np.uint8)[None, :, None], 3, axis=2)


def levels(treated: np.ndarray) -> list[int]:
    assert treated.dtype == np.uint8 and (treated[..., 0] == treated[..., 2]).all()
    return treated[0, :, 0].tolist()


def test_original_greys_the_outside_and_brightens_the_inside():
    # In float32, as specified, 1.05 is 1.04999995: 100 and 200 give 104.99999 and 209.99998, truncated. 250 is clipped.
    assert levels(treat(CROP, MASK, Treatment("original"))) == [0, 104, 209, 255, 128, 128, 128, 128]


def test_raw_crop_is_untouched():
    assert levels(treat(CROP, MASK, Treatment("raw_crop"))) == LEVELS


def test_soft_mask_fades_the_outside_by_alpha():
    # 0 × 0.6 + 51.2; 100 × 0.6 + 51.2 = 111.2; 201 × 0.6 + 51.2 = 171.8; 255 × 0.6 + 51.2 = 204.2; all truncated
    assert levels(treat(CROP, MASK, Treatment("soft_mask"))) == [0, 104, 209, 255, 51, 111, 171, 204]


def test_alpha_grey_and_gain_are_parameters():
    assert levels(treat(CROP, MASK, Treatment("original", grey=7, gain=1.0))) == [0, 100, 200, 250, 7, 7, 7, 7]
    assert levels(treat(CROP, MASK, Treatment("soft_mask", alpha=1.0)))[4:] == [128] * 4
    assert levels(treat(CROP, MASK, Treatment("soft_mask", alpha=0.0)))[4:] == LEVELS[4:]


def test_a_half_covered_pixel_is_inside_for_original_and_outside_for_soft_mask():
    mask = np.array([[0.5, 0.51, 0.0, 0.01]], dtype=np.float32)
    crop = np.full((1, 4, 3), 100, dtype=np.uint8)
    assert levels(treat(crop, mask, Treatment("original"))) == [104, 104, 128, 104]
    assert levels(treat(crop, mask, Treatment("soft_mask"))) == [111, 104, 111, 111]


def test_a_mask_of_another_size_is_resized_to_the_crop():
    mask = np.array([[1.0, 0.0]], dtype=np.float32)
    crop = np.full((2, 8, 3), 100, dtype=np.uint8)
    # bilinear: 1 1 .875 .625 .375 .125 0 0
    assert levels(treat(crop, mask, Treatment("original"))) == [104] * 6 + [128] * 2
    assert levels(treat(crop, mask, Treatment("soft_mask"))) == [104] * 4 + [111] * 4


def test_blurred_background_keeps_the_inside_sharp_and_smooths_the_outside():
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    mask = np.zeros((40, 40), dtype=bool)
    mask[10:30, 10:30] = True
    treated = treat(crop, mask, Treatment("blur_background", gain=1.0, blur=0.1))
    assert (treated[mask] == crop[mask]).all()
    assert treated[~mask].std() < 0.4 * crop[~mask].std()
    assert abs(float(treated[~mask].mean()) - float(crop[~mask].mean())) < 8


def test_a_float_crop_gives_what_a_uint8_crop_gives():
    for name in TREATMENTS:
        a = treat(CROP, MASK, Treatment(name))
        assert (a == treat(CROP.astype(np.float32), MASK, Treatment(name))).all()


@pytest.mark.parametrize(
    "wrong", [{"name": "blur"}, {"alpha": 1.5}, {"alpha": float("nan")}, {"grey": 300}, {"gain": -1}, {"blur": 2}]
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(InputError):
        Treatment(**wrong)


@settings(deadline=None, max_examples=100)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["original", "soft_mask"]),
)
def test_the_recipe_written_out_pixel_by_pixel(crop, seed, name):
    mask = np.random.default_rng(seed).choice(np.float32([0, 0.3, 0.5, 0.7, 1]), crop.shape[:2])
    treated = treat(crop, mask, Treatment(name))
    for y, x, c in np.ndindex(crop.shape):
        pixel = np.float32(crop[y, x, c])
        if name == "original":
            value = pixel * np.float32(1.05) if mask[y, x] > 0 else np.float32(128)
        elif mask[y, x] > 0.5:
            value = pixel * np.float32(1.05)
        else:
            value = pixel * np.float32(1 - 0.4) + np.float32(128 * 0.4)
        assert treated[y, x, c] == int(min(max(value, 0), 255))
