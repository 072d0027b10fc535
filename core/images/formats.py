"""Which format an encoded image is in, its header within the limits, and why a damaged one cannot be read."""

from __future__ import annotations

import io
import struct

from PIL import BmpImagePlugin, GifImagePlugin, Image, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from ..errors import ImageRejected
from ..messages import english, reason_of
from ..settings import ImageLimits
from .words import Says

# The formats read, in the order tried. Nothing else of Pillow's many parsers is reachable from an upload.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# What a rejected file may be instead: (bytes, where they stand, name).
_OTHER_KINDS = (
    (b"ftypavif", 4, english("AVIF")),
    (b"ftypheic", 4, english("HEIC")),
    (b"ftypheix", 4, english("HEIC")),
    (b"ftypmif1", 4, english("HEIF")),
    (b"ftyp", 4, Says.film()),
    (b"\x00\x00\x00\x0cjP  ", 0, english("JPEG 2000")),
    (b"\xff\x0a", 0, english("JPEG XL")),
    (b"\x00\x00\x00\x0cJXL ", 0, english("JPEG XL")),
    (b"8BPS", 0, Says.photoshop()),
    (b"%PDF", 0, english("PDF")),
    (b"<svg", 0, english("SVG")),
    (b"PK\x03\x04", 0, Says.zip_or_office()),
    (b"\x1f\x8b", 0, Says.gzip()),
)

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


def open_header(image_id: str, data: bytes, limits: ImageLimits) -> ImageFile:
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
        raise damaged(image_id, kind, data, error) from error
    if image.width * image.height > limits.max_pixels:
        image.close()
        raise ImageRejected(
            Says.too_many_pixels(width=image.width, height=image.height, limit=limits.max_pixels / 1e6),
            where=image_id,
            code_detail="too_large",
        )
    return image


def _not_an_image(image_id: str, data: bytes) -> ImageRejected:
    for signature, offset, name in _OTHER_KINDS:
        if data[offset : offset + len(signature)] == signature:
            return ImageRejected(
                Says.other_kind(kind=name), where=image_id, next_step=Says.convert(), code_detail="unsupported"
            )
    return ImageRejected(Says.not_an_image(), where=image_id, code_detail="not_an_image")


def damaged(image_id: str, kind: str, data: bytes, error: BaseException) -> ImageRejected:
    if isinstance(error, (MemoryError, Image.DecompressionBombError)):
        return ImageRejected(Says.not_enough_memory(), where=image_id, code_detail="too_large")
    if _ends_early(kind, data):
        return ImageRejected(Says.file_truncated(kind=kind), where=image_id, code_detail="truncated")
    if "cannot handle" in str(error) or "nsupported" in str(error):
        return ImageRejected(
            Says.kind_not_read(kind=kind, error=reason_of(error)),
            where=image_id,
            next_step=Says.save_as_jpeg_or_png(),
            code_detail="unsupported",
        )
    return ImageRejected(Says.file_damaged(kind=kind, error=reason_of(error)), where=image_id, code_detail="unreadable")


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
