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
import io
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import BmpImagePlugin, GifImagePlugin, Image, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from ..errors import ImageRejected
from ..settings import ImageLimits
from ..types import ImageSource
from ..words import Common
from .words import Says

# The formats read, in the order tried. Nothing else of Pillow's many parsers is reachable from an upload.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# What a rejected file may be instead: (bytes, where they stand, name).
_OTHER_KINDS = (
    (b"ftypavif", 4, "AVIF"),
    (b"ftypheic", 4, "HEIC"),
    (b"ftypheix", 4, "HEIC"),
    (b"ftypmif1", 4, "HEIF"),
    (b"ftyp", 4, "an MP4 or QuickTime film"),
    (b"\x00\x00\x00\x0cjP  ", 0, "JPEG 2000"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", 0, "JPEG XL"),
    (b"8BPS", 0, "a Photoshop document"),
    (b"%PDF", 0, "PDF"),
    (b"<svg", 0, "SVG"),
    (b"PK\x03\x04", 0, "a ZIP archive or an Office document"),
    (b"\x1f\x8b", 0, "a gzip archive"),
)


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
    with _open(source.id, data, limits) as image:
        rgb_HWC = _decode_plain_jpeg(image, data)
        if rgb_HWC is None:
            rgb_HWC = _load(source.id, image, data)
        return _upright(rgb_HWC, _orientation(image))


def decode_header(source: ImageSource, limits: ImageLimits = ImageLimits()) -> ImageHeader:
    """Format, mode and size of one encoded image, without decoding it. Raises as `decode` does."""
    if source.rgb_HWC is not None:
        rgb_HWC = _checked_array(source, limits)
        return ImageHeader("array", "RGB", rgb_HWC.shape[1], rgb_HWC.shape[0], rgb_HWC.nbytes)
    data = _read(source, limits)
    with _open(source.id, data, limits) as image:
        return ImageHeader(image.format or "", image.mode, image.width, image.height, len(data))


def thumbnail(source: ImageSource, size_px: int, limits: ImageLimits = ImageLimits()) -> np.ndarray:
    """One image → `rgb_HWC` whose longer side is at most `size_px`; smaller images keep their size.

    JPEGs are decoded at reduced scale, so these pixels are for the eye, not for a model. Raises as `decode` does.
    """
    if source.rgb_HWC is not None:
        rgb_HWC = _checked_array(source, limits)
    else:
        data = _read(source, limits)
        with _open(source.id, data, limits) as image:
            if isinstance(image, JpegImageFile):
                image.draft(None, (2 * size_px, 2 * size_px))
            rgb_HWC = _upright(_load(source.id, image, data), _orientation(image))
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
            raise ImageRejected(Says.folder_not_file(), where=image_id)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe or a device could wait for ever
            raise ImageRejected(Says.not_regular_file(), where=image_id)
        if status.st_size > limits.max_file_bytes:
            raise _too_many_bytes(image_id, limits)
        with path.open("rb") as file:
            return file.read(limits.max_file_bytes + 1)  # one more, so that a file that grew is noticed
    except ImageRejected:
        raise
    except (OSError, ValueError) as error:
        raise ImageRejected(_why_unreadable(error), where=image_id) from error


def _why_unreadable(error: OSError | ValueError) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return Says.there_no_such_file_link()
    if number == errno.ELOOP:
        return Says.symbolic_link_leads_back_itself()
    if number in (errno.EACCES, errno.EPERM):
        return Says.file_may_not_read_permission()
    return Common.file_cannot_read(error=getattr(error, "strerror", None) or error)


def _too_many_bytes(image_id: str, limits: ImageLimits) -> ImageRejected:
    return ImageRejected(
        Says.file_larger_than_mib(limit=limits.max_file_bytes / 2**20), where=image_id, code_detail="too_large"
    )


# --- header -----------------------------------------------------------------------------------------------------------

_PLUGINS = {
    "JPEG": (JpegImageFile, lambda head: head.startswith(b"\xff\xd8\xff")),
    "PNG": (PngImagePlugin.PngImageFile, lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    "WEBP": (WebPImagePlugin.WebPImageFile, lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP"),
    "GIF": (GifImagePlugin.GifImageFile, lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
    "BMP": (BmpImagePlugin.BmpImageFile, lambda head: head.startswith(b"BM")),
    "TIFF": (
        TiffImagePlugin.TiffImageFile,
        lambda head: head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
    ),
}


def _open(image_id: str, data: bytes, limits: ImageLimits) -> ImageFile:
    """Parses the header lazily and checks the size.

    Not `Image.open`: that one warns, or raises, by the process-wide `Image.MAX_IMAGE_PIXELS`, which is not ours to
    change. The format classes themselves only read the header; our own limit follows at once.
    """
    kind = next((name for name in FORMATS if _PLUGINS[name][1](data[:16])), None)
    if kind is None:
        raise _not_an_image(image_id, data)
    try:
        image: ImageFile = _PLUGINS[kind][0](io.BytesIO(data))
    except Exception as error:  # damaged headers raise anything: SyntaxError, struct.error, IndexError, OSError …
        raise _damaged(image_id, kind, data, error) from error
    if image.width * image.height > limits.max_pixels:
        image.close()
        raise ImageRejected(
            Says.px_more_than_limit_megapixels(width=image.width, height=image.height, limit=limits.max_pixels / 1e6),
            where=image_id,
            code_detail="too_large",
        )
    return image


def _not_an_image(image_id: str, data: bytes) -> ImageRejected:
    for signature, offset, name in _OTHER_KINDS:
        if data[offset : offset + len(signature)] == signature:
            return ImageRejected(
                Says.which_not_read(kind=name),
                where=image_id,
                next_step=Says.convert_jpeg_png_webp_gif(),
                code_detail="unsupported",
            )
    return ImageRejected(Says.not_image_jpeg_png_webp(), where=image_id, code_detail="not_an_image")


def _damaged(image_id: str, kind: str, data: bytes, error: BaseException) -> ImageRejected:
    if isinstance(error, (MemoryError, Image.DecompressionBombError)):
        return ImageRejected(Says.there_not_enough_memory_image(), where=image_id, code_detail="too_large")
    if _ends_early(kind, data):
        return ImageRejected(Says.file_ends_before_image_does(kind=kind), where=image_id, code_detail="truncated")
    if "cannot handle" in str(error) or "nsupported" in str(error):
        return ImageRejected(
            Says.kind_not_read(kind=kind, error=error),
            where=image_id,
            next_step=Says.save_again_8_bit_jpeg(),
            code_detail="unsupported",
        )
    return ImageRejected(Says.file_damaged(kind=kind, error=error), where=image_id, code_detail="unreadable")


def _ends_early(kind: str, data: bytes) -> bool:
    """Whether a file that could not be read lacks its end. Only asked after a failure."""
    if kind == "JPEG":
        return not data.rstrip(b"\0").endswith(b"\xff\xd9")
    if kind == "PNG":
        return b"IEND" not in data[-64:]
    if kind == "GIF":
        return not data.rstrip(b"\0").endswith(b";")
    if kind == "WEBP":
        return len(data) < 12 or struct.unpack_from("<I", data, 4)[0] + 8 > len(data)
    if kind == "BMP":
        return len(data) < 54 or struct.unpack_from("<I", data, 2)[0] > len(data)
    return _tiff_ends_early(data)


def _tiff_ends_early(data: bytes) -> bool:
    """Whether the directory, or any strip or tile it names, lies beyond the end."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        stream = io.BytesIO(data)
        if directory.next >= len(data):
            return True
        stream.seek(directory.next)
        directory.load(stream)
        offsets = directory.get(TiffImagePlugin.STRIPOFFSETS) or directory.get(TiffImagePlugin.TILEOFFSETS) or ()
        lengths = directory.get(TiffImagePlugin.STRIPBYTECOUNTS) or directory.get(TiffImagePlugin.TILEBYTECOUNTS) or ()
        return not offsets or any(start + size > len(data) for start, size in zip(offsets, lengths, strict=False))
    except Exception:  # the directory itself is cut or damaged
        return False


# --- pixels -----------------------------------------------------------------------------------------------------------


def _checked_array(source: ImageSource, limits: ImageLimits) -> np.ndarray:
    rgb_HWC = source.rgb_HWC
    assert rgb_HWC is not None
    if rgb_HWC.ndim != 3 or rgb_HWC.shape[2] != 3 or rgb_HWC.dtype != np.uint8:
        raise ImageRejected(
            Says.array_uint8_shape_h_w(dtype=rgb_HWC.dtype, shape=list(rgb_HWC.shape)),
            where=source.id,
            code_detail="unsupported",
        )
    if rgb_HWC.size == 0:
        raise ImageRejected(Says.array_no_pixels(), where=source.id, code_detail="empty")
    if rgb_HWC.shape[0] * rgb_HWC.shape[1] > limits.max_pixels:
        raise ImageRejected(
            Says.px_more_than_limit_megapixels(
                width=rgb_HWC.shape[1], height=rgb_HWC.shape[0], limit=limits.max_pixels / 1e6
            ),
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
    kind = "JPEG" if isinstance(image, JpegImageFile) else image.format or "image"
    try:
        image.load()
        return _to_rgb(image_id, image)
    except ImageRejected:
        raise
    except Exception as error:  # as in _open
        raise _damaged(image_id, kind, data, error) from error


def _to_rgb(image_id: str, image: Image.Image) -> np.ndarray:
    """A loaded Pillow image of any mode → `rgb_HWC`."""
    if image.mode.startswith("I;16"):
        return _grey16_to_rgb(image)
    if image.mode == "F":
        return _float_to_rgb(image_id, image)
    if image.mode in ("I", "LAB"):
        raise ImageRejected(
            Says.pixels_mode_32_bit_integers(mode=image.mode),
            where=image_id,
            next_step=Says.save_8_bit_16_bit(),
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
            Says.float_pixels_lie_0_1(lowest=lowest, highest=highest),
            where=image_id,
            next_step=Says.scale_them_save_8_bit(),
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


def _upright(rgb_HWC: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes what the camera noted: 2 mirrored, 3 upside down, 6 turned left, 8 turned right, and their mirrors."""
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
