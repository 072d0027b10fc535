"""The outline of a component's mask as polygons, fine enough for a screen. Pure functions; no gradio."""

from __future__ import annotations

import math

import numpy as np

from core.foreground.components import Component
from core.foreground.masks import BoxMask

SIDE = 128
"""A mask is looked at in at most so many steps a side; an outline is then out by at most one step."""
POINTS = 1500
"""Of all the polygons of one mask; of a mask like a sieve the longest outlines are kept."""


def outline_px(component: Component) -> list[np.ndarray]:
    """Closed polygons `[N, 2]` of x, y in pixels of the photo, the longest first; none for a box, which is its own."""
    if isinstance(component.mask, BoxMask):
        return []
    from skimage.measure import approximate_polygon, find_contours

    x0, y0, x1, y1 = component.box_xyxy_px
    step = max(1, math.ceil(max(x1 - x0, y1 - y0) / SIDE))
    inside_hw = component.mask.crop(component.box_xyxy_px)[step // 2 :: step, step // 2 :: step] > 0
    if not inside_hw.any():  # thinner than a step everywhere
        inside_hw = np.ones_like(inside_hw)
    # Doubled, since contours cut corners by half a pixel.
    contours = find_contours(np.kron(np.pad(inside_hw, 1), np.ones((2, 2), dtype=np.float32)), 0.5)
    polygons: list[np.ndarray] = []
    left = POINTS
    for contour in sorted(contours, key=len, reverse=True):
        points = approximate_polygon(contour, 1.1)
        if len(points) < 4:
            continue
        left -= len(points)
        if left < 0 and polygons:
            break
        # 1.5 of the doubled mask is where its padding ends.
        yx_px = (points - 1.5) / 2 * step
        xy_px = np.clip(yx_px[:, ::-1] + [x0, y0], [x0, y0], [x1, y1])
        polygons.append(xy_px)
    return polygons


def svg_path(polygons: list[np.ndarray]) -> str:
    """The polygons as an SVG path, in pixels of the photo."""
    return "".join(f"M{' '.join(f'{x:g},{y:g}' for x, y in np.round(polygon, 1))}Z" for polygon in polygons)
