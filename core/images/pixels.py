"""A loaded Pillow image of any mode → `rgb_HWC`, and turned upright. `decode` says which conversions are our own."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from ..errors import ImageRejected
from .words import Says


def to_rgb(image_id: str, image: Image.Image) -> np.ndarray:
    """A loaded Pillow image of any mode → `rgb_HWC`."""
    if image.mode.startswith("I;16"):
        return _grey16_to_rgb(image)
    if image.mode == "F":
        return _float_to_rgb(image_id, image)
    if image.mode in ("I", "LAB"):
        raise ImageRejected(
            Says.no_brightness(mode=image.mode),
            where=image_id,
            next_step=Says.save_as_8_or_16_bit(),
            code_detail="unsupported",
        )
    if image.mode == "CMYK":
        # Pillow takes every CMYK JPEG for one with Adobe's inversion.
        is_ink = not isinstance(image, JpegImageFile) or "adobe" in image.info
        ink = image if is_ink else Image.fromarray(255 - np.asarray(image), "CMYK")
        return np.array(ink.convert("RGB"))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", rgba.size, (255, 255, 255))
        white.paste(rgba, mask=rgba.getchannel("A"))
        return np.array(white)
    return np.array(image.convert("RGB"))


def _grey16_to_rgb(image: Image.Image) -> np.ndarray:
    """uint16 0..65535 → 0..255, rounded; the one transparent value a PNG may name becomes white."""
    grey_HW = np.asarray(image).astype(np.uint32)
    scaled_HW = ((grey_HW * 255 + 32767) // 65535).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        scaled_HW[grey_HW == transparent] = 255
    return np.repeat(scaled_HW[:, :, None], 3, axis=2)


def _float_to_rgb(image_id: str, image: Image.Image) -> np.ndarray:
    values_HW = np.asarray(image)
    lowest, highest = float(values_HW.min()), float(values_HW.max())
    if not (lowest >= 0.0 and highest <= 1.0):  # NaN fails too
        raise ImageRejected(
            Says.float_range(lowest=lowest, highest=highest),
            where=image_id,
            next_step=Says.scale_or_save(),
            code_detail="unsupported",
        )
    scaled_HW = np.floor(values_HW * 255.0 + 0.5).astype(np.uint8)
    return np.repeat(scaled_HW[:, :, None], 3, axis=2)


def _orientation(image: Image.Image) -> int:
    """EXIF (or XMP) orientation 1..8; 1 where the metadata is missing or damaged. Call after `load` for PNG.

    Pillow turns TIFFs itself while loading and then no longer reports an orientation.
    """
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged metadata must not cost the picture
        return 1


def upright(rgb_HWC: np.ndarray, image: Image.Image) -> np.ndarray:
    """Undoes what the camera noted: 2 mirrored, 3 upside down, 6 turned left, 8 turned right, and their mirrors."""
    orientation = _orientation(image)
    if orientation == 2:
        rgb_HWC = rgb_HWC[:, ::-1]
    elif orientation == 3:
        rgb_HWC = rgb_HWC[::-1, ::-1]
    elif orientation == 4:
        rgb_HWC = rgb_HWC[::-1]
    elif orientation == 5:
        rgb_HWC = rgb_HWC.transpose(1, 0, 2)
    elif orientation == 6:
        rgb_HWC = np.rot90(rgb_HWC, -1)
    elif orientation == 7:
        rgb_HWC = rgb_HWC[::-1, ::-1].transpose(1, 0, 2)
    elif orientation == 8:
        rgb_HWC = np.rot90(rgb_HWC, 1)
    return np.ascontiguousarray(rgb_HWC)
