"""Components of a mask image: labels, colours, or the connected parts of a two-valued mask. No torch."""

from __future__ import annotations

import io
import warnings
from typing import Any, Literal

import numpy as np

from ..errors import ImageRejected, InputError
from ..images.decode import decode_header
from ..messages import reason_of
from ..settings import ImageLimits
from ..types import ImageSource, Notice
from ..words import Common
from .components import Collector, ComponentLimits, ComponentSet, resized_notice
from .masks import LabelMask, resize_nearest
from .words import Says

MaskKind = Literal["auto", "binary", "labels", "colours"]
MASK_KINDS: tuple[MaskKind, ...] = ("auto", "binary", "labels", "colours")


def read_mask(source: ImageSource, limits: ImageLimits = ImageLimits()) -> np.ndarray:
    """A mask image as it is stored: bool, uint8 or int32 `[H, W]`, or uint8 `[H, W, 3 or 4]`; EXIF orientation applied.

    A palette whose first colour is black gives label numbers (PASCAL VOC), any other gives its colours.

    Raises:
        ImageRejected: see `core.images.decode`; InputError: pixels that are no labels.
    """
    if source.rgb_HWC is not None:
        return source.rgb_HWC
    decode_header(source, limits)  # checks bytes and pixels before anything is decoded
    from PIL import Image, ImageOps

    data = source.data if source.data is not None else source.path.read_bytes()  # type: ignore[union-attr]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit has been checked
            with Image.open(io.BytesIO(data)) as opened:
                image: Image.Image = ImageOps.exif_transpose(opened)
                image.load()
        if image.mode == "P":
            first_black = (image.getpalette() or [0, 0, 0])[:3] == [0, 0, 0]
            image = image if first_black and "transparency" not in image.info else image.convert("RGBA")
        elif image.mode == "LA":
            image = image.convert("RGBA")
        elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            image = image.convert("RGB")
        pixels = np.asarray(image)
    except ImageRejected:
        raise
    except Exception as error:  # a damaged file raises anything
        raise ImageRejected(Says.mask_unreadable(error=reason_of(error)), where=source.id) from error
    if pixels.dtype.kind == "f":
        raise InputError(Says.mask_fractions(), where=source.id, next_step=Says.save_8_or_16_bit())
    return pixels.astype(np.int32) if pixels.dtype not in (np.bool_, np.uint8) else pixels


def from_mask(
    mask: np.ndarray,
    image_hw: tuple[int, int],
    *,
    kind: MaskKind = "auto",
    limits: ComponentLimits = ComponentLimits(),
) -> ComponentSet:
    """Components of a mask image.

    - two values: foreground is split by connectivity (8 neighbours); the lower value is background.
    - more values: each value but 0 is a component; in colour, each colour but black.
    - with an alpha channel that is not opaque throughout, what is less than half opaque is background.
    - `auto` takes a grey image whose pixels are nearly all black or white for a two-valued one with soft edges.

    Args:
        mask: `[H, W]` bool or integer, or `[H, W, 3 or 4]` uint8. Another size than the image's is
            resized, with a notice.
        kind: how to read it; `binary` splits whatever is above half of the highest value.

    Raises:
        InputError: nothing in it, too many colours, or not a mask at all.
    """
    if kind not in MASK_KINDS:
        raise InputError(Says.mask_kind_unknown(name=kind), next_step=Common.choose(names=", ".join(MASK_KINDS)))
    codes_HW, coloured = _codes(_pixels(mask))
    notices: list[Notice] = []
    if codes_HW.shape != tuple(image_hw):
        notices.append(resized_notice(codes_HW.shape, image_hw))
        codes_HW = resize_nearest(codes_HW, image_hw)
    values, counts = np.unique(codes_HW, return_counts=True)
    if len(values) == 1 and values[0] == 0:
        raise InputError(Says.mask_all_zero(), next_step=Says.paint_a_component())
    binary = kind == "binary" or (kind == "auto" and len(values) <= 2)
    if kind == "auto" and not binary and not coloured and _soft_edged(values, counts):
        binary = True
        notices.append(Notice("mask_soft", Says.mask_soft()))
    if binary:
        labels_HW, about_background = _connected_parts(codes_HW, values, coloured)
        return _from_labels(labels_HW, None, [*notices, *about_background], limits)
    labels_HW, names = _each_value(codes_HW, values, coloured, limits)
    return _from_labels(labels_HW, names, notices, limits)


def _pixels(mask: np.ndarray) -> np.ndarray:
    """The mask, once it is sure to be one."""
    pixels = np.asarray(mask)
    if pixels.dtype.kind not in "bui" or pixels.ndim not in (2, 3) or pixels.size == 0:
        raise InputError(Says.mask_not_labels(dtype=pixels.dtype, shape=list(pixels.shape)))
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4):
        raise InputError(Says.mask_channels(count=pixels.shape[2]))
    return pixels


def _connected_parts(codes_HW: np.ndarray, values: np.ndarray, coloured: bool) -> tuple[np.ndarray, list[Notice]]:
    """Labels 1..n of the connected parts of what is foreground in a two-valued mask."""
    from scipy import ndimage

    background = int(values[0])
    if len(values) == 1:
        inside_HW = np.ones(codes_HW.shape, dtype=bool)  # one value everywhere: the whole image is the component
        background = 0
    elif coloured or len(values) == 2:
        inside_HW = codes_HW != background
    else:
        inside_HW = codes_HW > int(values[-1]) / 2
    labels_HW, _ = ndimage.label(inside_HW, structure=np.ones((3, 3), dtype=int))
    if not background:
        return labels_HW, []
    return labels_HW, [Notice("mask_background", Says.mask_background(value=background))]


def _each_value(
    codes_HW: np.ndarray, values: np.ndarray, coloured: bool, limits: ComponentLimits
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Labels 1..n, one for each value but 0, and what each of them is called."""
    kept = values[values != 0]
    if len(kept) > limits.max_components:
        template = Says.mask_too_many_colours if coloured else Says.mask_too_many_values
        raise InputError(template(count=len(kept), limit=limits.max_components), next_step=Says.save_as_png())
    labels_HW = np.searchsorted(kept, codes_HW, side="right").astype(np.int32)  # 0: below the first
    labels_HW[codes_HW == 0] = 0
    return labels_HW, [{"colour": f"#{value:06x}"} if coloured else {"label": int(value)} for value in kept.tolist()]


def _codes(pixels: np.ndarray) -> tuple[np.ndarray, bool]:
    """One integer for each pixel, 0 where it is background, and whether that integer is a colour 0xRRGGBB."""
    if pixels.ndim == 2:
        return pixels.astype(np.uint8) if pixels.dtype == bool else pixels, False
    if pixels.shape[2] == 1:
        return _codes(pixels[:, :, 0])
    red: np.ndarray = pixels[:, :, 0].astype(np.int32)
    green: np.ndarray = pixels[:, :, 1].astype(np.int32)
    blue: np.ndarray = pixels[:, :, 2].astype(np.int32)
    coloured = not (np.array_equal(red, green) and np.array_equal(green, blue))
    codes_HW = (red << 16) | (green << 8) | blue if coloured else red
    if pixels.shape[2] == 4 and (pixels[:, :, 3] != 255).any():
        opaque = pixels[:, :, 3] > 127
        # Black paint on nothing is paint: it gets a value of its own.
        codes_HW = np.where(opaque, np.where(codes_HW == 0, 1, codes_HW), 0)
    return codes_HW, coloured


def _soft_edged(values: np.ndarray, counts: np.ndarray) -> bool:
    """Whether a grey image is black and white but for a few pixels at the edges."""
    highest = int(values[-1])
    if int(values[0]) != 0 or highest < 128 or len(values) < 4:
        return False
    extreme = counts[(values <= 0.1 * highest) | (values >= 0.9 * highest)].sum()
    return bool(extreme >= 0.9 * counts.sum())


def _from_labels(
    labels_HW: np.ndarray, names: list[dict[str, Any]] | None, notices: list[Notice], limits: ComponentLimits
) -> ComponentSet:
    """Components of labels 1..n."""
    from scipy import ndimage

    areas = np.bincount(labels_HW.ravel())
    boxes = ndimage.find_objects(labels_HW)
    found = [(value, window) for value, window in enumerate(boxes, start=1) if window is not None]
    if len(found) > limits.max_components:
        largest = sorted(found, key=lambda pair: -areas[pair[0]])[: limits.max_components]
        smallest_px = int(areas[largest[-1][0]])
        notices.append(
            Notice(
                "components_limit",
                Says.components_left_out(
                    left_out=len(found) - len(largest), count=len(found), kept=len(largest), smallest=smallest_px
                ),
            )
        )
        found = sorted(largest)
    collector = Collector(limits)
    for number, (value, (rows, columns)) in enumerate(found, start=1):
        box = (columns.start, rows.start, columns.stop, rows.stop)
        brought: dict[str, Any] = {"id": number, **(names[value - 1] if names else {})}
        area_px = int(areas[value])
        collector.add(brought, number, box, LabelMask(labels_HW, value), area_px, area=area_px)
    return collector.result(notices)
