"""One encoded image → `rgb_HWC`, within limits that are checked before anything is decoded.

What comes out is always uint8 `[H, W, 3]`, upright (EXIF orientation applied) and composited on white where there is
transparency. Colour profiles are not applied: the reference libraries of all models ignore them too.

Pixels equal Pillow's. Baseline and progressive JPEGs in 8-bit RGB or grey go through simplejpeg, which wraps the same
libjpeg-turbo algorithms (accurate DCT, smooth upsampling) and gives the same bytes without Pillow's copies; whatever
it refuses or warns about is read again by Pillow, which then decides.

Where Pillow's own conversion would lose or guess:

- 16-bit grey is scaled (65535 → 255, rounded), not clipped. Pillow keeps the high byte of 16-bit colour: at most one
  level away from rounding.
- CMYK JPEGs with Adobe's marker hold inverted ink; those without it do not. Both are read as what they are.
- Float images are read when their values lie in 0..1. Other floats and 32-bit integers have no agreed brightness and
  are rejected as unsupported.
"""

from __future__ import annotations

import errno
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from ..errors import ImageRejected
from ..messages import Message, reason_of
from ..settings import ImageLimits
from ..types import ImageSource
from ..words import Common
from .formats import damaged, open_header
from .words import Says

ALPHA = "white"  # what shines through where a picture is transparent; part of a vector's identity


@dataclass(frozen=True)
class ImageHeader:
    """What the first bytes say. Sizes are as stored, before the EXIF orientation is applied."""

    format: str
    mode: str
    width_px: int
    height_px: int
    file_bytes: int


def decode(source: ImageSource, limits: ImageLimits = ImageLimits()) -> np.ndarray:
    """One image → `rgb_HWC`, uint8, C-contiguous, upright, alpha on white.

    The number of bytes is checked before reading and the number of pixels before decoding. Safe to call from many
    threads at once; the decoders release the GIL.

    Raises:
        ImageRejected: with `code_detail` one of `empty`, `not_an_image`, `truncated`, `too_large`, `unreadable`,
            `unsupported`.
    """
    if source.rgb_HWC is not None:
        return _checked_array(source, limits)
    data = _read(source, limits)
    with open_header(source.id, data, limits) as image:
        rgb_HWC = _decode_plain_jpeg(image, data)
        if rgb_HWC is None:
            rgb_HWC = _load(source.id, image, data)
        return _upright(rgb_HWC, image)


def decode_header(source: ImageSource, limits: ImageLimits = ImageLimits()) -> ImageHeader:
    """Format, mode and size of one encoded image, without decoding it. Raises as `decode` does."""
    if source.rgb_HWC is not None:
        rgb_HWC = _checked_array(source, limits)
        return ImageHeader("array", "RGB", rgb_HWC.shape[1], rgb_HWC.shape[0], rgb_HWC.nbytes)
    data = _read(source, limits)
    with open_header(source.id, data, limits) as image:
        return ImageHeader(image.format or "", image.mode, image.width, image.height, len(data))


def thumbnail(source: ImageSource, size_px: int, limits: ImageLimits = ImageLimits()) -> np.ndarray:
    """One image → `rgb_HWC` whose longer side is at most `size_px`; smaller images keep their size.

    JPEGs are decoded at reduced scale, so these pixels are for the eye, not for a model. Raises as `decode` does.
    """
    if source.rgb_HWC is not None:
        rgb_HWC = _checked_array(source, limits)
    else:
        data = _read(source, limits)
        with open_header(source.id, data, limits) as image:
            if isinstance(image, JpegImageFile):
                image.draft(None, (2 * size_px, 2 * size_px))
            rgb_HWC = _upright(_load(source.id, image, data), image)
    small = Image.fromarray(rgb_HWC)
    small.thumbnail((size_px, size_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.array(small)


# --- bytes ------------------------------------------------------------------------------------------------------------


def _read(source: ImageSource, limits: ImageLimits) -> bytes:
    """The encoded bytes, never more than the limit in memory."""
    if source.data is not None:
        data = source.data
    else:
        assert source.path is not None
        data = _read_file(source.id, source.path, limits)
    if not data:
        raise ImageRejected(Common.file_empty(), where=source.id, code_detail="empty")
    if len(data) > limits.max_file_bytes:
        raise _too_many_bytes(source.id, limits)
    return data


def _read_file(image_id: str, path: Path, limits: ImageLimits) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageRejected(Says.a_folder(), where=image_id)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe or a device could wait for ever
            raise ImageRejected(Says.not_regular(), where=image_id)
        if status.st_size > limits.max_file_bytes:
            raise _too_many_bytes(image_id, limits)
        with path.open("rb") as file:
            return file.read(limits.max_file_bytes + 1)  # one more, so that a file that grew is noticed
    except ImageRejected:
        raise
    except (OSError, ValueError) as error:
        raise ImageRejected(_why_unreadable(error), where=image_id) from error


def _why_unreadable(error: OSError | ValueError) -> Message:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return Says.file_missing()
    if number == errno.ELOOP:
        return Says.link_to_itself()
    if number in (errno.EACCES, errno.EPERM):
        return Says.file_forbidden()
    return Common.file_unreadable(error=reason_of(error))


def _too_many_bytes(image_id: str, limits: ImageLimits) -> ImageRejected:
    return ImageRejected(
        Says.file_too_large(limit=limits.max_file_bytes / 2**20), where=image_id, code_detail="too_large"
    )


# --- pixels -----------------------------------------------------------------------------------------------------------


def _checked_array(source: ImageSource, limits: ImageLimits) -> np.ndarray:
    rgb_HWC = source.rgb_HWC
    assert rgb_HWC is not None
    if rgb_HWC.ndim != 3 or rgb_HWC.shape[2] != 3 or rgb_HWC.dtype != np.uint8:
        raise ImageRejected(
            Says.array_shape(dtype=rgb_HWC.dtype, shape=list(rgb_HWC.shape)), where=source.id, code_detail="unsupported"
        )
    if rgb_HWC.size == 0:
        raise ImageRejected(Says.array_empty(), where=source.id, code_detail="empty")
    if rgb_HWC.shape[0] * rgb_HWC.shape[1] > limits.max_pixels:
        raise ImageRejected(
            Says.too_many_pixels(width=rgb_HWC.shape[1], height=rgb_HWC.shape[0], limit=limits.max_pixels / 1e6),
            where=source.id,
            code_detail="too_large",
        )
    return np.ascontiguousarray(rgb_HWC)


def _decode_plain_jpeg(image: ImageFile, data: bytes) -> np.ndarray | None:
    """simplejpeg for 8-bit RGB and grey JPEGs; None for all else and for whatever it complains about."""
    if not isinstance(image, JpegImageFile) or image.mode not in ("RGB", "L"):
        return None
    try:
        return simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    except (ValueError, RuntimeError):
        return None


def _load(image_id: str, image: ImageFile, data: bytes) -> np.ndarray:
    try:
        image.load()
        return _to_rgb(image_id, image)
    except ImageRejected:
        raise
    except Exception as error:  # as in `open_header`
        assert image.format is not None, "each of the classes that read has its name"
        raise damaged(image_id, image.format, data, error) from error


def _to_rgb(image_id: str, image: Image.Image) -> np.ndarray:
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


def _upright(rgb_HWC: np.ndarray, image: Image.Image) -> np.ndarray:
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
