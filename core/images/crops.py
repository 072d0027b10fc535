"""Boxes and crops: half-open `box_xyxy_px` in an image of `image_hw` pixels. Plain integers, no torch."""

from __future__ import annotations

import math

import numpy as np

Box = tuple[int, int, int, int]

# A crop much longer than wide would blow up when its shorter side is resized to the model's input (1 × 10,000 px to
# 224 px is half a gigapixel), although the centre crop then throws nearly all of it away.
MAX_ASPECT = 16


def pixel_box(x0: float, y0: float, x1: float, y1: float, image_hw: tuple[int, int]) -> Box | None:
    """The whole pixels that a box of real coordinates touches inside the image; None where it lies outside of it.

    Coordinates have to be finite. An edge within a millionth of a pixel border counts as lying on it, so that boxes
    that were scaled do not gain a row.
    """
    height_px, width_px = image_hw
    slack = 1e-6
    left, top = max(0, math.floor(x0 + slack)), max(0, math.floor(y0 + slack))
    right, bottom = min(width_px, math.ceil(x1 - slack)), min(height_px, math.ceil(y1 - slack))
    if right <= left or bottom <= top:
        return None
    return left, top, right, bottom


def expand(box_xyxy_px: Box, margin: float, image_hw: tuple[int, int]) -> Box:
    """The box with `margin` × its longer side added on every side, cut at the image's edges."""
    x0, y0, x1, y1 = box_xyxy_px
    extra_px = round(margin * max(x1 - x0, y1 - y0))
    height_px, width_px = image_hw
    return max(0, x0 - extra_px), max(0, y0 - extra_px), min(width_px, x1 + extra_px), min(height_px, y1 + extra_px)


def middle(box_xyxy_px: Box, max_aspect: int = MAX_ASPECT) -> Box:
    """The box, or its middle part where it is more than `max_aspect` times as long as wide."""
    x0, y0, x1, y1 = box_xyxy_px
    width_px, height_px = x1 - x0, y1 - y0
    longest_px = max_aspect * min(width_px, height_px)
    if width_px > longest_px:
        x0 += (width_px - longest_px) // 2
        return x0, y0, x0 + longest_px, y1
    if height_px > longest_px:
        y0 += (height_px - longest_px) // 2
        return x0, y0, x1, y0 + longest_px
    return box_xyxy_px


def crop(rgb_HWC: np.ndarray, box_xyxy_px: Box) -> np.ndarray:
    """The pixels inside the box: a view."""
    x0, y0, x1, y1 = box_xyxy_px
    return rgb_HWC[y0:y1, x0:x1]
