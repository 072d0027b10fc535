"""How a crop is shown to the model: `original`, `raw_crop`, `soft_mask` as specified, and a blurred background.

`treat` is the whole of it: a crop and its mask in, the uint8 picture the model sees out. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import InputError
from ..words import Common
from .words import Says

TreatmentName = Literal["original", "raw_crop", "soft_mask", "blur_background"]
TREATMENTS: tuple[TreatmentName, ...] = ("original", "raw_crop", "soft_mask", "blur_background")


@dataclass(frozen=True)
class Treatment:
    """A treatment and its parameters; hashable, so that it can be part of a cache key.

    Attributes:
        name: see `treat`.
        alpha: `soft_mask`: how far the outside moves towards grey, 0..1.
        grey: the level the outside is painted with, 0..255.
        gain: what the inside is multiplied by.
        blur: `blur_background`: sigma of the Gaussian, as a part of the crop's shorter side, 0..1.
    """

    name: TreatmentName = "original"
    alpha: float = 0.4
    grey: float = 128.0
    gain: float = 1.05
    blur: float = 0.05

    def __post_init__(self) -> None:
        if self.name not in TREATMENTS:
            raise InputError(
                Says.treatment_unknown(name=self.name), next_step=Common.choose(names=", ".join(TREATMENTS))
            )
        for field, low, high in (("alpha", 0, 1), ("grey", 0, 255), ("gain", 0, 10), ("blur", 0, 1)):
            value = getattr(self, field)
            if not low <= value <= high:  # also false for NaN
                raise InputError(
                    Says.parameter_range(name=field, low=low, high=high, value=value), where=f"treatment {self.name}"
                )


def treat(crop_HWC: np.ndarray, mask_HW: np.ndarray, treatment: Treatment) -> np.ndarray:
    """The picture that the model sees.

    - `original`: mask = 0 becomes grey; mask > 0 is × gain.
    - `raw_crop`: untouched; neither mask nor gain matter.
    - `soft_mask`: mask ≤ 0.5 is pixel × (1 − α) + grey × α; mask > 0.5 is × gain.
    - `blur_background`: mask ≤ 0.5 is a Gaussian blur of the crop; mask > 0.5 is × gain.

    Args:
        crop_HWC: 0..255, uint8 or float.
        mask_HW: bool, or float 0..1; another size is resized to the crop's (bilinear, so it may become fractional).

    Returns:
        uint8 `[H, W, 3]`: clipped to 0..255, then truncated, not rounded.
    """
    crop = np.asarray(crop_HWC, dtype=np.float32)
    mask = _resized(np.asarray(mask_HW, dtype=np.float32), crop.shape[:2])[..., None]
    # Python floats keep the arithmetic in float32, as the recipe has it: 100 × 1.05 is 104.99999, hence 104.
    alpha, grey, gain = float(treatment.alpha), float(treatment.grey), float(treatment.gain)
    if treatment.name == "raw_crop":
        treated = crop
    elif treatment.name == "original":
        treated = np.where(mask > 0, crop * gain, np.float32(grey))
    elif treatment.name == "soft_mask":
        faded = crop * (1 - alpha) + grey * alpha
        treated = np.where(mask > 0.5, crop * gain, faded)
    else:
        from scipy import ndimage

        sigma_px = treatment.blur * min(crop.shape[:2])
        blurred = ndimage.gaussian_filter(crop, (sigma_px, sigma_px, 0), mode="nearest", truncate=3)
        treated = np.where(mask > 0.5, crop * gain, blurred)
    return np.clip(treated, 0, 255).astype(np.uint8)


def _resized(mask_HW: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    if mask_HW.shape == size_hw:
        return mask_HW
    from PIL import Image

    height_px, width_px = size_hw
    return np.asarray(Image.fromarray(mask_HW).resize((width_px, height_px), Image.Resampling.BILINEAR))
