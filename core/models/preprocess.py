"""Two ways from an upright RGB image to a model's input.

Reference (fp32): the family's own transform on a PIL image, exactly. Fast (all other dtypes): torch's antialiased
resize on the bytes themselves, one grey level away on a few pixels in a thousand (two on very few: it rounds after
each direction), three times as quick; the division by mean and std then happens on the device.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from .spec import Preprocessing

# Decoded images may be read-only views. They are only read here; torch cannot know that.
warnings.filterwarnings("ignore", message="The given NumPy array is not writ", category=UserWarning)


def resize_crop_uint8(rgb_HWC: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 `rgb_HWC` → uint8 `pixels_CHW`, `crop_px` square, by torch's antialiased uint8 resize.

    The geometry (target size rounded down, crop offset rounded to even) is that of torchvision's `Resize` and
    `CenterCrop`. The bytes of the result lie as the image's do, channels last, which is what the quick kernels want.
    """
    _check(rgb_HWC)
    crop_px = preprocessing.crop_px
    height_px, width_px = resized_size(rgb_HWC.shape[0], rgb_HWC.shape[1], preprocessing)
    image_1CHW = torch.from_numpy(np.ascontiguousarray(rgb_HWC)).permute(2, 0, 1).unsqueeze(0)
    if (height_px, width_px) != rgb_HWC.shape[:2]:
        image_1CHW = torch.nn.functional.interpolate(
            image_1CHW,
            size=(height_px, width_px),
            mode=preprocessing.interpolation,
            antialias=True,
            align_corners=False,
        )
    top, left = round((height_px - crop_px) / 2), round((width_px - crop_px) / 2)
    crop_CHW = image_1CHW[0, :, top : top + crop_px, left : left + crop_px]
    return crop_CHW.permute(1, 2, 0).contiguous().permute(2, 0, 1)


def resized_size(height_px: int, width_px: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Height and width after the resize, before the crop."""
    size_px = preprocessing.resize_px
    if preprocessing.resize_mode == "squash":
        return size_px, size_px
    if height_px <= width_px:
        return size_px, int(size_px * width_px / height_px)
    return int(size_px * height_px / width_px), size_px


class Preprocessor:
    """Images of one model: `rgb_HWC` → `pixels_CHW`, then, on the device, pixels → the model's input.

    Args:
        preprocessing: from the catalogue.
        reference: the family's own transform, PIL image → normalised float32 `[3, H, W]`.
        dtype: float32 uses the reference, everything else the fast path.
    """

    def __init__(
        self, preprocessing: Preprocessing, reference: Callable[[Image.Image], torch.Tensor], dtype: torch.dtype
    ) -> None:
        self._preprocessing = preprocessing
        self._reference = reference
        self._dtype = dtype
        # (x / 255 - mean) / std as one multiplication and one addition
        self._scale_C = torch.tensor([1 / (255 * std) for std in preprocessing.std])
        self._shift_C = torch.tensor([-m / s for m, s in zip(preprocessing.mean, preprocessing.std, strict=True)])

    def __call__(self, rgb_HWC: np.ndarray) -> torch.Tensor:
        """Thread-safe. float32 and normalised in fp32, uint8 otherwise; on the CPU."""
        if self._dtype == torch.float32:
            _check(rgb_HWC)
            return self._reference(Image.fromarray(np.ascontiguousarray(rgb_HWC)))
        return resize_crop_uint8(rgb_HWC, self._preprocessing)

    def to_input(self, pixels_BCHW: torch.Tensor, device: torch.device) -> torch.Tensor:
        """What the module takes: on the device, normalised (uint8 pixels are; floats already are), in the dtype."""
        pixels = pixels_BCHW.to(device, non_blocking=True)
        if pixels.dtype == torch.uint8:
            # in float32 on purpose: eight-bit floats would lose a grey level
            scale, shift = (row_C.to(device).view(1, 3, 1, 1) for row_C in (self._scale_C, self._shift_C))
            pixels = torch.addcmul(shift, pixels.float(), scale)
        return pixels.to(self._dtype)


def _check(rgb_HWC: np.ndarray) -> None:
    assert rgb_HWC.dtype == np.uint8 and rgb_HWC.ndim == 3 and rgb_HWC.shape[2] == 3, (
        f"an upright uint8 RGB image, not {rgb_HWC.dtype} {rgb_HWC.shape}"
    )
