"""What a visitor gives: the photo, and its components drawn, in a file, or as boxes in text. No gradio."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InputError
from core.foreground.annotations import from_boxes, from_json
from core.foreground.components import Component, ComponentLimits, ComponentSet
from core.foreground.mask_images import from_mask
from core.foreground.mask_images import read_mask as read_mask_image
from core.foreground.masks import resize_nearest
from core.foreground.request import Picture
from core.images.decode import decode
from core.settings import ImageLimits
from core.types import ImageSource
from core.words import Common
from webapp.foreground.words import Says
from webapp.kit.uploads import Upload

DRAWING_BYTES = 4 * 2**20
LIMITS = ComponentLimits(max_json_bytes=64 * 2**20)
_DATA_URI = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]*)")


def open_picture(upload: Upload, limits: ImageLimits) -> Picture:
    """The photo, upright. Raises `ImageRejected`."""
    return Picture(decode(ImageSource(upload.name, path=upload.path), limits))


@dataclass(frozen=True)
class Drawn:
    """What a visitor drew over a photo.

    Attributes:
        mask_png: PNG whose opaque pixels are painted; empty if there is none.
        boxes: corners as shares of width and height, 0..1.
    """

    mask_png: bytes = b""
    boxes: tuple[tuple[float, float, float, float], ...] = ()

    @classmethod
    def read(cls, sent: Any) -> Drawn:
        """From what a browser sent. Raises `InputError` for anything that the page does not send itself."""
        if not isinstance(sent, dict):
            return cls()
        try:
            return cls(_png(sent.get("mask") or ""), _corners(sent.get("boxes") or []))
        except (TypeError, ValueError, binascii.Error):
            raise InputError(Says.drawing_unreadable(), next_step=Says.draw_again()) from None

    def components(self, image_hw: tuple[int, int], limits: ImageLimits) -> ComponentSet:
        """Each connected stroke is a component, then each box."""
        sets = []
        if self.mask_png:
            pixels = read_mask_image(ImageSource("drawing", data=self.mask_png), limits)
            painted_HW = pixels[..., 3] > 127 if pixels.ndim == 3 and pixels.shape[2] == 4 else np.zeros((1, 1), bool)
            if painted_HW.any():
                sets.append(from_mask(resize_nearest(painted_HW, image_hw), image_hw, kind="binary", limits=LIMITS))
        if self.boxes:
            height_px, width_px = image_hw
            sets.append(from_boxes(np.array(self.boxes) * ([width_px, height_px] * 2), image_hw, limits=LIMITS))
        if not sets:
            raise InputError(Says.nothing_drawn(), next_step=Says.draw_something())
        return joined(sets)


def _png(data_uri: str) -> bytes:
    """The bytes of a PNG's data URI. Raises `ValueError` or `TypeError` for anything else."""
    if not data_uri:
        return b""
    match = _DATA_URI.fullmatch(data_uri) if len(data_uri) <= DRAWING_BYTES else None
    if match is None:
        raise ValueError("no PNG of a sensible size")
    return base64.b64decode(match[1], validate=True)


def _corners(boxes: list[list[float]]) -> tuple[tuple[float, float, float, float], ...]:
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in boxes)


def joined(sets: Sequence[ComponentSet]) -> ComponentSet:
    """Several sets as one, numbered through."""
    if len(sets) == 1:
        return sets[0]
    components = [component for part in sets for component in part.components]
    renumbered = [
        Component(str(n), c.box_xyxy_px, c.mask, {**c.fields, "id": n}, c.area_px)
        for n, c in enumerate(components, start=1)
    ]
    rejects = tuple(reject for part in sets for reject in part.rejects)
    return ComponentSet(tuple(renumbered), rejects, tuple(notice for part in sets for notice in part.notices))


def parse_boxes(text: str) -> list[list[float]]:
    """`x0, y0, x1, y1` in pixels, one box per line; commas, semicolons or spaces between."""
    boxes = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = [part for part in re.split(r"[\s,;，；()\[\]]+", line) if part]
        if not parts:
            continue
        try:
            values = [float(part) for part in parts]
        except ValueError:
            values = []
        if len(values) != 4 or not all(map(math.isfinite, values)):
            raise InputError(Says.not_a_box(number=number, line=line.strip()[:60]), next_step=Says.write_a_box())
        boxes.append(values)
    if not boxes:
        raise InputError(Says.no_boxes(), next_step=Says.write_boxes())
    return boxes


def from_file(upload: Upload, picture: Picture, image_name: str, limits: ImageLimits) -> ComponentSet:
    """A mask image, or JSON (COCO, SAM, boxes, our own), told apart by the first character."""
    if upload.path.stat().st_size > LIMITS.max_json_bytes:
        raise InputError(Says.file_too_long(), where=upload.name)
    data = upload.path.read_bytes()
    if not data.strip():
        raise InputError(Common.file_empty(), where=upload.name)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return from_json(data, picture.image_hw, image_name=image_name, limits=LIMITS)
    return from_mask(read_mask_image(ImageSource(upload.name, data=data), limits), picture.image_hw, limits=LIMITS)
