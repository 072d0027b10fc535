"""What is foreground according to a person: COCO's panoptic format (a JSON and a folder of PNGs; `isthing` says what is
foreground), or any COCO-like JSON whose annotations carry `foreground` (or whose categories carry `isthing` or
`foreground`). No torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ..errors import InputError
from ..messages import reason_of
from ..types import ImageSource, Notice, Reject
from .annotations import from_json
from .components import Component, ComponentLimits, ComponentSet
from .mask_images import read_mask
from .masks import LabelMask, resize_nearest
from .words import Says

Categories = dict[Any, dict[str, Any]]
"""COCO's categories by their id."""


@dataclass(frozen=True)
class TruthImage:
    """One image and the segments whose side is known.

    Attributes:
        id: its file name in the truth.
        path: of the image.
        load: image size → components, each with a bool field `foreground`; rejects for what cannot be used.
    """

    id: str
    path: Path
    load: Callable[[tuple[int, int]], ComponentSet]


@dataclass(frozen=True)
class Truth:
    """All images of a truth file; `notices` say what was left out and why."""

    images: tuple[TruthImage, ...]
    notices: tuple[Notice, ...] = ()


def read_truth(
    truth_json: Path,
    images_dir: Path,
    masks_dir: Path | None = None,
    *,
    limits: ComponentLimits = ComponentLimits(),
) -> Truth:
    """Reads either format; see the module's first lines.

    Args:
        masks_dir: panoptic truth: the folder of its PNGs; default: a folder named as the JSON file without `.json`.

    Raises:
        InputError: not readable, neither format, or no image of it is in `images_dir`.
    """
    data = _read_json(truth_json, limits)
    images, annotations = data.get("images"), data.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise InputError(Says.truth_without_lists(), where=str(truth_json), next_step=Says.give_truth())
    categories = {c.get("id"): c for c in data.get("categories") or [] if isinstance(c, dict)}
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for annotation in annotations:
        if isinstance(annotation, dict):
            by_image.setdefault(annotation.get("image_id"), []).append(annotation)
    panoptic_dir = None
    if any(isinstance(annotation, dict) and "segments_info" in annotation for annotation in annotations):
        panoptic_dir = masks_dir or truth_json.with_suffix("")
        if not panoptic_dir.is_dir():
            raise InputError(
                Says.panoptic_folder_missing(), where=str(panoptic_dir), next_step=Says.name_masks_folder()
            )

    found: list[TruthImage] = []
    missing: list[str] = []
    bare: list[str] = []
    for image in images:
        name = image.get("file_name") if isinstance(image, dict) else None
        if not isinstance(name, str):
            continue
        own = by_image.get(image.get("id"), [])
        path = _inside(images_dir, name)
        if path is None:
            missing.append(name)
        elif not own:
            bare.append(name)
        elif panoptic_dir is not None:
            found.append(TruthImage(name, path, _panoptic_loader(own[0], panoptic_dir, categories, limits)))
        else:
            found.append(TruthImage(name, path, _flagged_loader(image, own, categories, limits)))
    if not found:
        raise InputError(
            Says.truth_unusable(count=len(images)), where=str(images_dir), next_step=Says.check_images_folder()
        )
    return Truth(tuple(found), _left_out(missing, bare))


def _left_out(missing: list[str], bare: list[str]) -> tuple[Notice, ...]:
    notices = []
    if missing:
        notices.append(Notice("images_missing", Says.images_missing(count=len(missing), names=_some(missing))))
    if bare:
        notices.append(Notice("images_bare", Says.images_bare(count=len(bare), names=_some(bare))))
    return tuple(notices)


def _read_json(path: Path, limits: ComponentLimits) -> dict[str, Any]:
    try:
        if path.stat().st_size > limits.max_json_bytes:
            raise InputError(Says.file_too_long(limit=limits.max_json_bytes // 2**20), where=str(path))
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(Says.truth_unreadable(error=reason_of(error)), where=str(path)) from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(Says.truth_not_json(), where=str(path)) from error
    return data if isinstance(data, dict) else {}


def _inside(folder: Path, name: str) -> Path | None:
    """The file of that name, if it is there. A name cannot lead out of the folder; the user's own links may."""
    parts = PurePath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in name:
        return None
    path = folder / parts
    return path if path.is_file() else None


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _flag(value: Any) -> bool | None:
    return bool(value) if value in (0, 1, True, False) else None


def _side_of(annotation: dict[str, Any], categories: Categories) -> bool | None:
    """Whether a segment is foreground; None if nothing says so."""
    category = categories.get(annotation.get("category_id"), {})
    for holder, key in (
        (annotation, "foreground"),
        (annotation, "isthing"),
        (category, "foreground"),
        (category, "isthing"),
    ):
        side = _flag(holder.get(key))
        if side is not None:
            return side
    return None


def _flagged_loader(
    image: dict[str, Any],
    annotations: list[dict[str, Any]],
    categories: Categories,
    limits: ComponentLimits,
) -> Callable[[tuple[int, int]], ComponentSet]:
    def load(image_hw: tuple[int, int]) -> ComponentSet:
        rejects: list[Reject] = []
        usable = []
        for number, annotation in enumerate(annotations, start=1):
            side = _side_of(annotation, categories)
            name = str(annotation.get("id", number))
            if annotation.get("iscrowd") == 1:
                rejects.append(Reject(name, "crowd", Says.crowd()))
            elif side is None:
                rejects.append(Reject(name, "no_side", Says.no_side()))
            else:
                usable.append({**annotation, "foreground": side})
        # The size in `images` lets boxes and polygons be scaled where the image has another.
        parsed = from_json({"images": [image], "annotations": usable}, image_hw, limits=limits)
        return ComponentSet(parsed.components, (*rejects, *parsed.rejects), parsed.notices)

    return load


def _panoptic_loader(
    annotation: dict[str, Any], masks_dir: Path, categories: Categories, limits: ComponentLimits
) -> Callable[[tuple[int, int]], ComponentSet]:
    def load(image_hw: tuple[int, int]) -> ComponentSet:
        name = annotation.get("file_name")
        path = _inside(masks_dir, name) if isinstance(name, str) else None
        if path is None:
            raise InputError(Says.panoptic_png_missing(), where=str(name))
        rgb_HWC: np.ndarray = read_mask(ImageSource(path.name, path=path)).astype(np.int32)
        if rgb_HWC.ndim != 3:
            raise InputError(Says.panoptic_png_channels(), where=str(name))
        ids_HW = rgb_HWC[..., 0] + 256 * rgb_HWC[..., 1] + 65536 * rgb_HWC[..., 2]
        notices = []
        if ids_HW.shape != image_hw:
            notices.append(Notice("mask_resized", Says.panoptic_resized(name=name)))
            ids_HW = resize_nearest(ids_HW, image_hw)
        return _panoptic_components(annotation.get("segments_info"), ids_HW, categories, limits, notices)

    return load


def _panoptic_components(
    segments: Any,
    ids_HW: np.ndarray,
    categories: Categories,
    limits: ComponentLimits,
    notices: list[Notice],
) -> ComponentSet:
    components: list[Component] = []
    rejects: list[Reject] = []
    present, inverse, counts = np.unique(ids_HW, return_inverse=True, return_counts=True)
    places_HW = inverse.reshape(ids_HW.shape).astype(np.int32)
    from scipy import ndimage

    windows = dict(zip(present.tolist(), ndimage.find_objects(places_HW + 1), strict=True))
    areas = dict(zip(present.tolist(), counts.tolist(), strict=True))
    for number, segment in enumerate(segments if isinstance(segments, list) else [], start=1):
        segment_id: Any = segment.get("id") if isinstance(segment, dict) else None
        name = str(segment_id if segment_id is not None else number)
        if not isinstance(segment, dict) or segment_id not in windows:
            rejects.append(Reject(name, "degenerate", Says.segment_without_pixel()))
            continue
        side = _side_of(segment, categories)
        rows, columns = windows[segment_id]
        box = (columns.start, rows.start, columns.stop, rows.stop)
        if segment.get("iscrowd") == 1:
            rejects.append(Reject(name, "crowd", Says.crowd()))
        elif side is None:
            rejects.append(Reject(name, "no_side", Says.category_without_side()))
        elif min(box[2] - box[0], box[3] - box[1]) < limits.min_side_px:
            rejects.append(
                Reject(name, "too_small", Says.segment_too_small(width=box[2] - box[0], height=box[3] - box[1]))
            )
        else:
            fields = {**segment, "foreground": side}
            components.append(Component(name, box, LabelMask(ids_HW, segment_id), fields, areas[segment_id]))
    return ComponentSet(tuple(components), tuple(rejects), tuple(notices))
