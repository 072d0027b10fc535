"""Components from boxes and JSON: COCO, SAM's JSON (both shapes it comes in), detectors' output, our own results again.

Every reader returns a `ComponentSet`: what can be scored, what cannot and why, and what was done on the user's behalf.
A damaged annotation is a reject and never stops the others. No torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..images.crops import Box, pixel_box
from ..messages import Message, english, reason_of
from .components import BOX_KEYS, Collector, ComponentLimits, ComponentSet, is_number, resized_notice
from .masks import ArrayMask, BoxMask, Mask, RunMask, from_rle, resize_nearest, tight_box
from .words import Says


def from_boxes(
    boxes_xyxy: Iterable[Sequence[float]],
    image_hw: tuple[int, int],
    *,
    limits: ComponentLimits = ComponentLimits(),
) -> ComponentSet:
    """Components from corner boxes `x0, y0, x1, y1` in pixels. The whole box is the component's mask."""
    return _from_annotations([list(box) for box in boxes_xyxy], image_hw, image_hw, limits)


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
        raise InputError(Says.json_without_components(), next_step=Says.give_annotations())
    if len(annotations) > limits.max_components:
        raise InputError(Says.components_too_many(count=len(annotations), limit=limits.max_components))
    return _from_annotations(list(annotations), image_hw, source_hw, limits)


def _loads(data: str | bytes, limits: ComponentLimits) -> Any:
    if len(data) > limits.max_json_bytes:
        raise InputError(Says.json_too_long(limit=limits.max_json_bytes // 2**20))
    try:
        return json.loads(data)
    except RecursionError:
        raise InputError(Says.json_nested_too_deeply()) from None
    except ValueError as error:  # includes UnicodeDecodeError and absurdly long numbers
        raise InputError(Says.not_json(error=reason_of(error))) from error


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
                Says.coco_image_not_found(count=len(images), named=len(named), name=image_name),
                next_step=Says.give_image_its_name(),
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
            raise InputError(Says.annotations_of_several_images(count=len(ids)), next_step=Says.give_one_image())


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
    def __init__(self, code: str, reason: Message) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def _from_annotations(
    annotations: list[Any], image_hw: tuple[int, int], source_hw: tuple[int, int], limits: ComponentLimits
) -> ComponentSet:
    if len(annotations) > limits.max_components:
        raise InputError(Says.components_too_many(count=len(annotations), limit=limits.max_components))
    collector = Collector(limits)
    odd_sizes: dict[tuple[int, int], int] = {}
    if source_hw != tuple(image_hw):
        odd_sizes[source_hw] = len(annotations)
    for number, annotation in enumerate(annotations, start=1):
        brought = annotation
        if isinstance(annotation, (list, tuple, np.ndarray)):  # a bare corner box
            brought = {"box_xyxy_px": list(annotation)}
        try:
            if not isinstance(brought, Mapping):
                raise _BadAnnotationError("wrong_type", Says.component_kind(kind=_kind(annotation)))
            box, mask, area_px, mask_hw, was_cut = _place(brought, image_hw, source_hw)
        except _BadAnnotationError as bad:
            collector.reject(brought, number, bad.code, bad.reason)
            continue
        collector.cut += was_cut
        if mask_hw not in (tuple(image_hw), source_hw):
            odd_sizes[mask_hw] = odd_sizes.get(mask_hw, 0) + 1
        collector.add(brought, number, box, mask, area_px)
    notices = [resized_notice(size, image_hw, count) for size, count in odd_sizes.items()]
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
        raise _BadAnnotationError("degenerate", Says.mask_empty())
    x0, y0, x1, y1 = box
    same = run_mask.size_hw == tuple(image_hw)
    area_px = run_mask.area if same else int(np.count_nonzero(run_mask.crop(box)))
    return (x0, y0, x1, y1), run_mask, area_px, run_mask.size_hw, False


def _place_box(
    brought: Mapping[str, Any], image_hw: tuple[int, int], source_hw: tuple[int, int]
) -> tuple[Box, Mask, int, tuple[int, int], bool]:
    key = next((key for key in ("bbox", *BOX_KEYS) if brought.get(key) is not None), None)
    if key is None:
        raise _BadAnnotationError("no_place", Says.no_place())
    values = brought[key]
    values = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(values, (list, tuple)) or len(values) != 4 or not all(is_number(value) for value in values):
        raise _BadAnnotationError("wrong_type", Says.not_four_numbers(key=key))
    try:
        x0, y0, x1, y1 = (float(value) for value in values)
    except OverflowError:
        raise _BadAnnotationError("not_finite", Says.number_endless(key=key)) from None
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        raise _BadAnnotationError("not_finite", Says.number_not_finite(key=key))
    if key == "bbox":
        x1, y1 = x0 + x1, y0 + y1
    if x1 <= x0 or y1 <= y0:
        raise _BadAnnotationError("degenerate", Says.box_without_area(width=x1 - x0, height=y1 - y0))
    scale_y, scale_x = image_hw[0] / source_hw[0], image_hw[1] / source_hw[1]
    x0, x1, y0, y1 = x0 * scale_x, x1 * scale_x, y0 * scale_y, y1 * scale_y
    box = pixel_box(x0, y0, x1, y1, image_hw)
    if box is None:
        raise _BadAnnotationError(
            "outside", Says.box_outside(x0=x0, y0=y0, x1=x1, y1=y1, width=image_hw[1], height=image_hw[0])
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
        raise _BadAnnotationError("damaged", Says.rle_size())
    try:
        return from_rle(counts, (size[0], size[1]), (image_hw[0], image_hw[1]))  # type: ignore[arg-type]
    except ValueError as error:
        raise _BadAnnotationError("damaged", english(error.args[0])) from error


def _as_array(segmentation: Any, source_hw: tuple[int, int]) -> np.ndarray | None:
    """A mask given as rows of pixels (SAM's `binary_mask` output), or None."""
    if isinstance(segmentation, np.ndarray):
        if segmentation.ndim != 2 or segmentation.size == 0 or segmentation.dtype.kind not in "buif":
            raise _BadAnnotationError(
                "wrong_type", Says.mask_array_kind(dtype=segmentation.dtype, shape=list(segmentation.shape))
            )
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
            raise _BadAnnotationError("not_finite", Says.soft_mask_range())
        mask = mask.astype(np.float32)
    else:
        mask = mask != 0
    if size_hw != tuple(image_hw):
        mask = resize_nearest(mask, image_hw)
    box = tight_box(mask)
    if box is None:
        raise _BadAnnotationError("degenerate", Says.mask_empty())
    x0, y0, x1, y1 = box
    inside = mask[y0:y1, x0:x1].copy()
    return box, ArrayMask(inside, box), int(np.count_nonzero(inside)), size_hw, False


MAX_POLYGON_EDGE_PX = 2_000_000  # length of one component's outlines; drawing them takes memory in proportion


def _polygon_mask(segmentation: Any, image_hw: tuple[int, int], source_hw: tuple[int, int]) -> RunMask:
    """COCO's polygons `[[x, y, x, y, …], …]`, drawn as pycocotools draws them; `[[x, y], …]` pairs are read too."""
    if not isinstance(segmentation, (list, tuple)):
        raise _BadAnnotationError("wrong_type", Says.segmentation_kind(kind=_kind(segmentation)))
    if all(is_number(value) for value in segmentation):
        segmentation = [segmentation]  # one polygon without its list
    height_px, width_px = image_hw
    scale = np.array([width_px / source_hw[1], height_px / source_hw[0]])
    outlines = []
    length_px = 0.0
    for polygon in segmentation:
        try:
            points = np.asarray(polygon, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise _BadAnnotationError("wrong_type", Says.polygon_kind()) from None
        if points.size < 6 or points.size % 2 or (points.ndim != 1 and points.shape[-1] != 2):
            raise _BadAnnotationError("degenerate", Says.polygon_too_few_points())
        points = points.reshape(-1, 2) * scale
        if not np.isfinite(points).all():
            raise _BadAnnotationError("not_finite", Says.polygon_not_finite())
        far = np.abs(points) > 4.0 * np.array([width_px, height_px]) + 100
        if far.any():
            raise _BadAnnotationError("outside", Says.polygon_outside())
        length_px += float(np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1).sum())
        if length_px > MAX_POLYGON_EDGE_PX:
            raise _BadAnnotationError("too_large", Says.polygons_too_long())
        outlines.append(points.ravel().tolist())
    from pycocotools import mask as coco_mask

    merged = coco_mask.merge(coco_mask.frPyObjects(outlines, height_px, width_px))
    return from_rle(merged["counts"], (height_px, width_px), (height_px, width_px))


def _kind(value: Any) -> Message:
    if is_number(value):
        return Says.kind_number()
    known = _KINDS.get(type(value))
    return known() if known is not None else english(type(value).__name__)


_KINDS = {
    dict: Says.kind_object,
    list: Says.kind_list,
    str: Says.kind_text,
    bool: Says.kind_flag,
    type(None): Says.kind_null,
}
