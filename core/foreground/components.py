"""What a component is, and the set of those found in one image. No torch.

`mask_images.py` and `annotations.py` read components from what a user has; `proposals.py` makes some where nothing is
given. Whatever an annotation brought (ids, scores, anything) stays in `Component.fields`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..images.crops import Box
from ..messages import Message
from ..types import Notice, Reject
from .masks import Mask
from .words import Says

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
            if is_number(value) and math.isfinite(value):
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
        reasons = [Says.reject(id=reject.id, reason=reject.reason) for reject in self.rejects[:3]]
        what = Says.no_component_because(reasons=reasons) if reasons else Says.no_component()
        raise InputError(what, next_step=Says.give_components())


# --- for those who read components -----------------------------------------------------------------------------------


@dataclass
class Collector:
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
                Says.component_too_small(width=x1 - x0, height=y1 - y0, limit=self.limits.min_side_px),
            )
            return
        self.pixels += (x1 - x0) * (y1 - y0)
        if self.pixels > self.limits.max_total_pixels:
            raise InputError(
                Says.components_too_large(limit=self.limits.max_total_pixels), next_step=Says.give_fewer_components()
            )
        fields = dict(brought)
        fields.setdefault("id", number)
        if not any(key in fields for key in ("bbox", *BOX_KEYS)):
            fields["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        for key, value in extra.items():
            fields.setdefault(key, value)
        self.components.append(Component(self.name(fields, number), box, mask, fields, area_px))

    def reject(self, brought: Any, number: int, code: str, reason: Message) -> None:
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
            notices.append(Notice("box_cut", Says.boxes_cut(count=self.cut)))
        return ComponentSet(tuple(self.components), tuple(self.rejects), tuple(notices))


def resized_notice(size_hw: tuple[int, ...], image_hw: tuple[int, int], count: int | None = None) -> Notice:
    """That a mask image, or `count` components, were made for another size and have been resized to the image's."""
    stretched = abs(math.log((size_hw[1] / size_hw[0]) / (image_hw[1] / image_hw[0]))) > 0.02
    sizes = {"old_width": size_hw[1], "old_height": size_hw[0], "width": image_hw[1], "height": image_hw[0]}
    if count is None:
        text = (Says.mask_stretched if stretched else Says.mask_resized)(**sizes)
    else:
        text = (Says.components_stretched if stretched else Says.components_resized)(count=count, **sizes)
    return Notice("mask_resized", text)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_))
