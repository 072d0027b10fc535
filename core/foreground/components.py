"""Where components come from: mask images, boxes, COCO JSON, SAM's JSON (both shapes), and our own results again.

Every reader returns a `ComponentSet`: what can be scored, what cannot and why, and what was done on the user's behalf.
Whatever an annotation brought (ids, scores, anything) stays in `Component.fields`. No torch; for images without
components, `core.foreground.proposals` makes some.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from core.errors import ImageRejected, InputError
from core.foreground.masks import ArrayMask, BoxMask, LabelMask, Mask, RunMask, from_rle, resize_nearest, tight_box
from core.images.crops import Box, pixel_box
from core.images.decode import decode_header
from core.settings import ImageLimits
from core.types import ImageSource, Notice, Reject

MaskKind = Literal["auto", "binary", "labels", "colours"]
MASK_KINDS: tuple[MaskKind, ...] = ("auto", "binary", "labels", "colours")
BOX_KEYS = ("box_xyxy_px", "box_xyxy", "xyxy", "box")  # corners; `bbox` is x, y, width, height, as in COCO and SAM


@dataclass(frozen=True)
class ComponentLimits:
    """Bounds on what one image's components may cost.

    Attributes:
        max_components: of a mask image the largest are kept, of a list more are an error.
        max_json_bytes: length of a JSON file.
        max_total_pixels: sum of all boxes' areas; every one of these pixels is cropped and treated once.
        min_side_px: a box with a shorter side is a reject.
    """

    max_components: int = 10_000
    max_json_bytes: int = 512 * 2**20
    max_total_pixels: int = 20_000_000_000
    min_side_px: int = 2


@dataclass(frozen=True, eq=False)
class Component:
    """One component of an image.

    Attributes:
        id: unique in its set; names it in tables, rejects and messages.
        box_xyxy_px: around it, inside the image.
        mask: its pixels.
        fields: what it brought, and `id`, `bbox` (x, y, width, height) where it brought none.
        area_px: number of its pixels.
    """

    id: str
    box_xyxy_px: Box
    mask: Mask
    fields: Mapping[str, Any]
    area_px: int

    @property
    def score(self) -> float | None:
        """Its own score: `score`, else SAM's `predicted_iou`; None without a finite one."""
        for key in ("score", "predicted_iou"):
            value: Any = self.fields.get(key)
            if _is_number(value) and math.isfinite(value):
                return float(value)
        return None

    @cached_property
    def digest(self) -> bytes:
        """Of the box and the pixels; equal for components that give the same crops."""
        pixels = self.mask.crop(self.box_xyxy_px)
        packed = np.packbits(pixels) if pixels.dtype == bool else np.ascontiguousarray(pixels)
        return hashlib.sha256(repr((self.box_xyxy_px, str(pixels.dtype))).encode() + packed.tobytes()).digest()


@dataclass(frozen=True)
class ComponentSet:
    """What was found in one image.

    Attributes:
        components: in the order given.
        rejects: what cannot be scored, by the same ids.
        notices: resized masks, cut boxes and the like.
    """

    components: tuple[Component, ...] = ()
    rejects: tuple[Reject, ...] = ()
    notices: tuple[Notice, ...] = ()

    def require(self) -> ComponentSet:
        """Itself; raises `InputError` that gives the reasons if there is no component."""
        if self.components:
            return self
        reasons = "; ".join(f"{reject.id}: {reject.reason}" for reject in self.rejects[:3])
        raise InputError(
            f"No component found{f' ({reasons})' if reasons else ''}.",
            next_step="Draw one, give a mask, boxes or JSON, or let the app propose some.",
        )


# --- mask images ------------------------------------------------------------------------------------------------------


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
        raise ImageRejected(f"The mask cannot be read ({error}).", where=source.id) from error
    if pixels.dtype.kind == "f":
        raise InputError("The mask holds fractions, not labels.", where=source.id, next_step="Save it as 8 or 16 bit.")
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
        raise InputError(f"There is no kind of mask {kind!r}.", next_step=f"Choose {', '.join(MASK_KINDS)}.")
    pixels = np.asarray(mask)
    if pixels.dtype.kind not in "bui" or pixels.ndim not in (2, 3) or pixels.size == 0:
        raise InputError(f"A mask is an image of labels; this is {pixels.dtype} {list(pixels.shape)}.")
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4):
        raise InputError(f"A mask has 1, 3 or 4 channels; this one has {pixels.shape[2]}.")
    notices: list[Notice] = []
    codes_HW, coloured = _codes(pixels)
    if codes_HW.shape != tuple(image_hw):
        notices.append(_resized_notice("The mask", codes_HW.shape, image_hw))
        codes_HW = resize_nearest(codes_HW, image_hw)
    values, counts = np.unique(codes_HW, return_counts=True)
    if len(values) == 1:
        if values[0] == 0:
            raise InputError("The mask is empty: every pixel is 0.", next_step="Paint at least one component.")
        background = None  # one value everywhere: the whole image is the component
    else:
        background = int(values[0])
    binary = kind == "binary" or (kind == "auto" and len(values) <= 2)
    if kind == "auto" and not binary and not coloured and _soft_edged(values, counts):
        binary = True
        notices.append(Notice("mask_soft", "The mask has soft edges; pixels above half of the highest value count."))
    if binary:
        highest = int(values[-1])
        if background is None:
            inside_HW = np.ones(codes_HW.shape, dtype=bool)
        elif coloured or len(values) == 2:
            inside_HW = codes_HW != background
        else:
            inside_HW = codes_HW > highest / 2
        labels_HW, _ = ndimage.label(inside_HW, structure=np.ones((3, 3), dtype=int))
        if background:
            notices.append(
                Notice("mask_background", f"0 is not in the mask: its lower value {background} is background.")
            )
        names: list[dict[str, Any]] | None = None
    else:
        kept = values[values != 0]
        if len(kept) > limits.max_components:
            raise InputError(
                f"The mask has {len(kept):,} different {'colours' if coloured else 'values'}; "
                f"{limits.max_components:,} are allowed.",
                next_step="Save label masks as PNG (JPEG blurs the labels), or read it as `binary`.",
            )
        labels_HW = np.searchsorted(kept, codes_HW, side="right").astype(np.int32)  # 0: below the first
        labels_HW[codes_HW == 0] = 0
        names = [{"colour": f"#{value:06x}"} if coloured else {"label": int(value)} for value in kept.tolist()]
    return _from_labels(labels_HW, names, notices, limits)


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
    areas = np.bincount(labels_HW.ravel())
    boxes = ndimage.find_objects(labels_HW)
    found = [(value, window) for value, window in enumerate(boxes, start=1) if window is not None]
    if len(found) > limits.max_components:
        largest = sorted(found, key=lambda pair: -areas[pair[0]])[: limits.max_components]
        smallest_px = int(areas[largest[-1][0]])
        notices.append(
            Notice(
                "components_limit",
                f"{len(found) - len(largest):,} of {len(found):,} components were left out: the {len(largest):,} "
                f"largest are kept (from {smallest_px} px).",
            )
        )
        found = sorted(largest)
    collector = _Collector(limits)
    for number, (value, (rows, columns)) in enumerate(found, start=1):
        box = (columns.start, rows.start, columns.stop, rows.stop)
        brought: dict[str, Any] = {"id": number, **(names[value - 1] if names else {})}
        area_px = int(areas[value])
        collector.add(brought, number, box, LabelMask(labels_HW, value), area_px, area=area_px)
    return collector.result(notices)


# --- boxes ------------------------------------------------------------------------------------------------------------


def from_boxes(
    boxes_xyxy: Iterable[Sequence[float]],
    image_hw: tuple[int, int],
    *,
    limits: ComponentLimits = ComponentLimits(),
) -> ComponentSet:
    """Components from corner boxes `x0, y0, x1, y1` in pixels. The whole box is the component's mask."""
    return _from_annotations([list(box) for box in boxes_xyxy], image_hw, image_hw, limits)


# --- JSON -------------------------------------------------------------------------------------------------------------


def from_json(
    data: str | bytes | Mapping[str, Any] | Sequence[Any],
    image_hw: tuple[int, int],
    *,
    image_name: str | None = None,
    limits: ComponentLimits = ComponentLimits(),
) -> ComponentSet:
    """Components from JSON, or from the same structure in Python.

    Understood: COCO (`images`, `annotations`), COCO results (a list), SAM's `generate()` (a list with arrays or RLE),
    SA-1B (`image`, `annotations`), `{"components": […]}` as this project writes it, `{"boxes": […]}`, a list of
    corner boxes.

    Args:
        image_name: picks the image out of a COCO file that has several.

    Raises:
        InputError: not JSON, none of these shapes, or the image is not in it. A damaged annotation is a reject.
    """
    if isinstance(data, (str, bytes)):
        data = _loads(data, limits)
    source_hw = image_hw
    annotations: Any
    if isinstance(data, Mapping):
        if isinstance(data.get("images"), list) and "annotations" in data:
            annotations, source_hw = _coco_of_one_image(data, image_hw, image_name)
        elif "annotations" in data:
            annotations = data["annotations"]
            source_hw = _size_of(data.get("image"), image_hw)
        elif "components" in data:
            annotations = data["components"]
        elif "boxes" in data:
            annotations = _boxes_with_fields(data)
        elif "segmentation" in data or "bbox" in data:
            annotations = [data]
        else:
            annotations = None
    else:
        annotations = data
        _one_image_only(annotations)
    if not isinstance(annotations, (list, tuple)):
        raise InputError(
            "This JSON holds no components.",
            next_step="Give COCO or SAM annotations, a list of components, or a list of boxes [x0, y0, x1, y1].",
        )
    if len(annotations) > limits.max_components:
        raise InputError(f"{len(annotations):,} components are too many; {limits.max_components:,} are allowed.")
    return _from_annotations(list(annotations), image_hw, source_hw, limits)


def _loads(data: str | bytes, limits: ComponentLimits) -> Any:
    if len(data) > limits.max_json_bytes:
        raise InputError(f"The JSON is longer than {limits.max_json_bytes // 2**20} MiB.")
    try:
        return json.loads(data)
    except RecursionError:
        raise InputError("The JSON is nested too deeply.") from None
    except ValueError as error:  # includes UnicodeDecodeError and absurdly long numbers
        raise InputError(f"This is not JSON: {error}.") from error


def _coco_of_one_image(
    data: Mapping[str, Any], image_hw: tuple[int, int], image_name: str | None
) -> tuple[Any, tuple[int, int]]:
    images = [image for image in data["images"] if isinstance(image, Mapping)]
    annotations = data["annotations"]
    if not isinstance(annotations, list):
        return None, image_hw
    if len(images) > 1:
        named = [image for image in images if image_name and _same_name(image.get("file_name"), image_name)]
        if len(named) != 1:
            raise InputError(
                f"The COCO file has {len(images):,} images, and {len(named)} of them is called {image_name!r}.",
                next_step="Give the image under the name it has in the file.",
            )
        images = named
    if not images:
        return annotations, image_hw
    chosen = images[0]
    own = [
        a for a in annotations if not isinstance(a, Mapping) or a.get("image_id", chosen.get("id")) == chosen.get("id")
    ]
    return own, _size_of(chosen, image_hw)


def _same_name(file_name: Any, image_name: str) -> bool:
    return isinstance(file_name, str) and file_name.split("/")[-1] == image_name.replace("\\", "/").split("/")[-1]


def _one_image_only(annotations: Any) -> None:
    if isinstance(annotations, (list, tuple)):
        ids = {str(a["image_id"]) for a in annotations if isinstance(a, Mapping) and "image_id" in a}
        if len(ids) > 1:
            raise InputError(
                f"These annotations belong to {len(ids):,} images.",
                next_step="Give those of one image, or a COCO file that lists the images by name.",
            )


def _size_of(image: Any, image_hw: tuple[int, int]) -> tuple[int, int]:
    """The size the annotations were made for."""
    if isinstance(image, Mapping):
        height, width = image.get("height"), image.get("width")
        if type(height) is int and type(width) is int and 0 < height <= 1_000_000 and 0 < width <= 1_000_000:
            return height, width
    return image_hw


def _boxes_with_fields(data: Mapping[str, Any]) -> Any:
    """`{"boxes": [[x0, y0, x1, y1]], "scores": [...], "labels": [...]}`: detectors' usual output."""
    boxes = data["boxes"]
    if not isinstance(boxes, list):
        return None
    columns = {
        singular: data[plural]
        for plural, singular in (("scores", "score"), ("labels", "label"), ("ids", "id"))
        if isinstance(data.get(plural), list) and len(data[plural]) == len(boxes)
    }
    return [
        {"box_xyxy_px": box, **{name: values[row] for name, values in columns.items()}} for row, box in enumerate(boxes)
    ]


class _BadAnnotationError(Exception):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass
class _Collector:
    """Gathers components and rejects, gives each its id, and counts what was done."""

    limits: ComponentLimits
    components: list[Component] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    pixels: int = 0
    cut: int = 0

    def add(self, brought: Mapping[str, Any], number: int, box: Box, mask: Mask, area_px: int, **extra: Any) -> None:
        """A component that lies inside the image; `number` counts from 1."""
        x0, y0, x1, y1 = box
        shortest_px = min(x1 - x0, y1 - y0)
        if shortest_px < self.limits.min_side_px:
            self.reject(
                brought,
                number,
                "too_small",
                f"{x1 - x0} × {y1 - y0} px is too small to show anything (from {self.limits.min_side_px} px a side)",
            )
            return
        self.pixels += (x1 - x0) * (y1 - y0)
        if self.pixels > self.limits.max_total_pixels:
            raise InputError(
                f"The components cover more than {self.limits.max_total_pixels:,} pixels in all.",
                next_step="Give fewer components, or a smaller image.",
            )
        fields = dict(brought)
        fields.setdefault("id", number)
        if not any(key in fields for key in ("bbox", *BOX_KEYS)):
            fields["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        for key, value in extra.items():
            fields.setdefault(key, value)
        self.components.append(Component(self.name(fields, number), box, mask, fields, area_px))

    def reject(self, brought: Any, number: int, code: str, reason: str) -> None:
        self.rejects.append(Reject(self.name(brought, number), code, reason))

    def name(self, brought: Any, number: int) -> str:
        given = brought.get("id") if isinstance(brought, Mapping) else None
        base = str(given)[:80] if isinstance(given, (str, int)) and str(given) else str(number)
        name, again = base, 1
        while name in self.used:
            again += 1
            name = f"{base}#{again}"
        self.used.add(name)
        return name

    def result(self, notices: Iterable[Notice]) -> ComponentSet:
        notices = list(notices)
        if self.cut:
            notices.append(Notice("box_cut", f"{self.cut:,} box(es) reach past the image and were cut at its edge."))
        return ComponentSet(tuple(self.components), tuple(self.rejects), tuple(notices))


def _from_annotations(
    annotations: list[Any], image_hw: tuple[int, int], source_hw: tuple[int, int], limits: ComponentLimits
) -> ComponentSet:
    if len(annotations) > limits.max_components:
        raise InputError(f"{len(annotations):,} components are too many; {limits.max_components:,} are allowed.")
    collector = _Collector(limits)
    odd_sizes: dict[tuple[int, int], int] = {}
    if source_hw != tuple(image_hw):
        odd_sizes[source_hw] = len(annotations)
    for number, annotation in enumerate(annotations, start=1):
        brought = annotation
        if isinstance(annotation, (list, tuple, np.ndarray)):  # a bare corner box
            brought = {"box_xyxy_px": list(annotation)}
        try:
            if not isinstance(brought, Mapping):
                raise _BadAnnotationError("wrong_type", f"a component is an object or a box, not {_kind(annotation)}")
            box, mask, area_px, mask_hw, was_cut = _place(brought, image_hw, source_hw)
        except _BadAnnotationError as bad:
            collector.reject(brought, number, bad.code, bad.reason)
            continue
        collector.cut += was_cut
        if mask_hw not in (tuple(image_hw), source_hw):
            odd_sizes[mask_hw] = odd_sizes.get(mask_hw, 0) + 1
        collector.add(brought, number, box, mask, area_px)
    notices = [_resized_notice(f"{count:,} component(s)", size, image_hw) for size, count in odd_sizes.items()]
    return collector.result(notices[:5])


def _place(
    brought: Mapping[str, Any], image_hw: tuple[int, int], source_hw: tuple[int, int]
) -> tuple[Box, Mask, int, tuple[int, int], bool]:
    """(box, mask, area in pixels, size the mask was made for, whether a box was cut at the edge)."""
    segmentation = brought.get("segmentation")
    if segmentation is None or (isinstance(segmentation, (list, dict, str)) and not segmentation):
        return _place_box(brought, image_hw, source_hw)
    if isinstance(segmentation, Mapping):
        run_mask = _run_mask(segmentation, image_hw)
    else:
        array = _as_array(segmentation, source_hw)
        if array is not None:
            return _place_array(array, image_hw)
        run_mask = _polygon_mask(segmentation, image_hw, source_hw)
    box = run_mask.box()
    if box is None:
        raise _BadAnnotationError("degenerate", "its mask is empty")
    x0, y0, x1, y1 = box
    same = run_mask.size_hw == tuple(image_hw)
    area_px = run_mask.area if same else int(np.count_nonzero(run_mask.crop(box)))
    return (x0, y0, x1, y1), run_mask, area_px, run_mask.size_hw, False


def _place_box(
    brought: Mapping[str, Any], image_hw: tuple[int, int], source_hw: tuple[int, int]
) -> tuple[Box, Mask, int, tuple[int, int], bool]:
    key = next((key for key in ("bbox", *BOX_KEYS) if brought.get(key) is not None), None)
    if key is None:
        raise _BadAnnotationError("no_place", "it has neither `segmentation` nor `bbox`")
    values = brought[key]
    values = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(values, (list, tuple)) or len(values) != 4 or not all(_is_number(value) for value in values):
        raise _BadAnnotationError("wrong_type", f"`{key}` is not four numbers")
    try:
        x0, y0, x1, y1 = (float(value) for value in values)
    except OverflowError:
        raise _BadAnnotationError("not_finite", f"`{key}` holds an endless number") from None
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        raise _BadAnnotationError("not_finite", f"`{key}` holds NaN or infinity")
    if key == "bbox":
        x1, y1 = x0 + x1, y0 + y1
    if x1 <= x0 or y1 <= y0:
        raise _BadAnnotationError("degenerate", f"its box has no area ({x1 - x0:g} × {y1 - y0:g} px)")
    scale_y, scale_x = image_hw[0] / source_hw[0], image_hw[1] / source_hw[1]
    x0, x1, y0, y1 = x0 * scale_x, x1 * scale_x, y0 * scale_y, y1 * scale_y
    box = pixel_box(x0, y0, x1, y1, image_hw)
    if box is None:
        raise _BadAnnotationError(
            "outside", f"its box {x0:g}, {y0:g}, {x1:g}, {y1:g} lies outside the {image_hw[1]} × {image_hw[0]} image"
        )
    was_cut = x0 < -0.5 or y0 < -0.5 or x1 > image_hw[1] + 0.5 or y1 > image_hw[0] + 0.5
    return box, BoxMask(box), (box[2] - box[0]) * (box[3] - box[1]), source_hw, was_cut


def _run_mask(segmentation: Mapping[str, Any], image_hw: tuple[int, int]) -> RunMask:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if (
        not isinstance(size, (list, tuple))
        or len(size) != 2
        or not all(type(side) is int and 0 < side <= 1_000_000 for side in size)
    ):
        raise _BadAnnotationError("damaged", "the RLE's size is not [height, width]")
    try:
        return from_rle(counts, (size[0], size[1]), (image_hw[0], image_hw[1]))  # type: ignore[arg-type]
    except ValueError as error:
        raise _BadAnnotationError("damaged", str(error)) from error


def _as_array(segmentation: Any, source_hw: tuple[int, int]) -> np.ndarray | None:
    """A mask given as rows of pixels (SAM's `binary_mask` output), or None."""
    if isinstance(segmentation, np.ndarray):
        if segmentation.ndim != 2 or segmentation.size == 0 or segmentation.dtype.kind not in "buif":
            raise _BadAnnotationError("wrong_type", f"its mask is {segmentation.dtype} {list(segmentation.shape)}")
        return segmentation
    rows = segmentation
    if (
        isinstance(rows, list)
        and len(rows) == source_hw[0]
        and all(isinstance(row, list) and len(row) == source_hw[1] for row in rows)
        and all(value in (0, 1) and not isinstance(value, float) for row in rows for value in row)
    ):
        return np.array(rows, dtype=bool)
    return None


def _place_array(mask: np.ndarray, image_hw: tuple[int, int]) -> tuple[Box, Mask, int, tuple[int, int], bool]:
    size_hw = (mask.shape[0], mask.shape[1])
    if mask.dtype.kind == "f":
        if not (np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1):
            raise _BadAnnotationError("not_finite", "a soft mask has values from 0 to 1")
        mask = mask.astype(np.float32)
    else:
        mask = mask != 0
    if size_hw != tuple(image_hw):
        mask = resize_nearest(mask, image_hw)
    box = tight_box(mask)
    if box is None:
        raise _BadAnnotationError("degenerate", "its mask is empty")
    x0, y0, x1, y1 = box
    inside = mask[y0:y1, x0:x1].copy()
    return box, ArrayMask(inside, box), int(np.count_nonzero(inside)), size_hw, False


MAX_POLYGON_EDGE_PX = 2_000_000  # length of one component's outlines; drawing them takes memory in proportion


def _polygon_mask(segmentation: Any, image_hw: tuple[int, int], source_hw: tuple[int, int]) -> RunMask:
    """COCO's polygons `[[x, y, x, y, …], …]`, drawn as pycocotools draws them; `[[x, y], …]` pairs are read too."""
    if not isinstance(segmentation, (list, tuple)):
        raise _BadAnnotationError("wrong_type", f"`segmentation` is {_kind(segmentation)}")
    if all(_is_number(value) for value in segmentation):
        segmentation = [segmentation]  # one polygon without its list
    height_px, width_px = image_hw
    scale = np.array([width_px / source_hw[1], height_px / source_hw[0]])
    outlines = []
    length_px = 0.0
    for polygon in segmentation:
        try:
            points = np.asarray(polygon, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise _BadAnnotationError("wrong_type", "a polygon is a list of numbers x, y, x, y, …") from None
        if points.size < 6 or points.size % 2 or (points.ndim != 1 and points.shape[-1] != 2):
            raise _BadAnnotationError("degenerate", "a polygon needs three points or more, x and y of each")
        points = points.reshape(-1, 2) * scale
        if not np.isfinite(points).all():
            raise _BadAnnotationError("not_finite", "a polygon holds NaN or infinity")
        far = np.abs(points) > 4.0 * np.array([width_px, height_px]) + 100
        if far.any():
            raise _BadAnnotationError("outside", "a polygon reaches far outside the image")
        length_px += float(np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1).sum())
        if length_px > MAX_POLYGON_EDGE_PX:
            raise _BadAnnotationError("too_large", "its polygons have an absurdly long outline")
        outlines.append(points.ravel().tolist())
    from pycocotools import mask as coco_mask

    merged = coco_mask.merge(coco_mask.frPyObjects(outlines, height_px, width_px))
    return from_rle(merged["counts"], (height_px, width_px), (height_px, width_px))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_))


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if _is_number(value) else type(value).__name__)


def _resized_notice(what: str, size_hw: tuple[int, ...], image_hw: tuple[int, int]) -> Notice:
    stretched = abs(math.log((size_hw[1] / size_hw[0]) / (image_hw[1] / image_hw[0]))) > 0.02
    return Notice(
        "mask_resized",
        f"{what} made for {size_hw[1]} × {size_hw[0]} px, resized to the image's {image_hw[1]} × {image_hw[0]}"
        f"{'; the proportions differ, so look whether it fits' if stretched else ''}.",
    )
