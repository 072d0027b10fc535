"""A foreground result over its photo: boxes, outlines, heat map, legend, and the annotated photo. Pure functions.

Style: `style.css`; what moves in the browser: `script.js`.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.foreground.masks import BoxMask
from core.foreground.scoring import LEVELS, Level
from webapp.kit.panels import data_uri, text
from webapp.text import Language, say

if TYPE_CHECKING:
    from core.foreground.components import Component
    from core.foreground.heatmap import HeatMap
    from core.foreground.pipeline import ForegroundResult
    from core.foreground.request import Picture

LEVEL_COLOURS: dict[Level, str] = {
    "foreground": "#0d9488",
    "likely": "#4f6df5",
    "ambiguous": "#d97706",
    "background": "#dc2626",
}
SCENE_PX = 1024
HEAT_PX = 224
BOXES_SHOWN = 400
"""Boxes on the picture: the best ranked. More would hide the photo."""
TAGS_FOR_ALL = 16
"""Up to so many components each has its tag on the picture; of more, background has none."""
OUTLINES_SHOWN = 1000
"""Masks whose outline is drawn; the others show their box."""
OUTLINE_STEPS = 128
"""A mask is looked at in at most so many steps a side; an outline is then out by at most one step."""
OUTLINE_POINTS = 1500
"""Of all the polygons of one mask; of a mask like a sieve the longest outlines are kept."""
# Dark to light, told apart by people who see colours differently; the same in light and dark.
_HEAT_STOPS = np.array([[38, 16, 92], [52, 80, 160], [32, 144, 141], [120, 205, 90], [253, 231, 37]], dtype=np.float64)


def levels(outcome: ForegroundResult) -> list[Level]:
    """Which branch of the rule each component took."""
    scores = outcome.scores
    places_B = outcome.request.rule.level(scores.p_pos_sum_B, scores.p_neg_sum_B)
    return [LEVELS[place] for place in places_B.tolist()]


def picture_json(picture: Picture, key: str, components: Sequence[Component] = ()) -> str:
    """The photo for the page, its longer side at most `SCENE_PX`, with its real size; and the components' outlines."""
    height_px, width_px = picture.image_hw
    made = {"src": data_uri(_at_most(picture.rgb_HWC, SCENE_PX)), "width": width_px, "height": height_px, "key": key}
    outlines = [_svg_path(outline_px(component)) for component in components[:OUTLINES_SHOWN]]
    return json.dumps({**made, "outlines": outlines})


def _at_most(rgb_HWC: np.ndarray, side_px: int) -> np.ndarray:
    from PIL import Image

    longest_px = max(rgb_HWC.shape[:2])
    if longest_px <= side_px:
        return rgb_HWC
    scale = side_px / longest_px
    size = (max(1, round(rgb_HWC.shape[1] * scale)), max(1, round(rgb_HWC.shape[0] * scale)))
    return np.asarray(Image.fromarray(rgb_HWC).resize(size, Image.Resampling.BOX))


def scene_json(outcome: ForegroundResult, chosen: int, language: Language) -> str:
    """The boxes over the photo, the largest first, so that a small one lies on top and can be clicked."""
    which = levels(outcome)
    shown = outcome.ranked[:BOXES_SHOWN]
    if chosen not in shown:
        shown = [*shown, chosen]
    boxes = [
        {
            "row": row,
            "box": list(outcome.components[row].box_xyxy_px),
            "level": which[row],
            "multiplier": f"{float(outcome.scores.multiplier_B[row]):g}",
            "name": say(
                language,
                "foreground_box_name",
                id=outcome.ids[row],
                multiplier=f"{float(outcome.scores.multiplier_B[row]):g}",
                p=f"{float(outcome.scores.p_pos_sum_B[row]):.2f}",
            ),
        }
        for row in sorted(shown, key=lambda row: -_box_area(outcome, row))
    ]
    return json.dumps({"boxes": boxes, "chosen": chosen})


def _box_area(outcome: ForegroundResult, row: int) -> int:
    x0, y0, x1, y1 = outcome.components[row].box_xyxy_px
    return (x1 - x0) * (y1 - y0)


def heat_colours(p_HW: np.ndarray) -> np.ndarray:
    """0..1 → uint8 `[H, W, 3]`."""
    places = np.clip(p_HW, 0, 1) * (len(_HEAT_STOPS) - 1)
    low = np.minimum(places.astype(int), len(_HEAT_STOPS) - 2)
    share = (places - low)[..., None]
    return np.round(_HEAT_STOPS[low] * (1 - share) + _HEAT_STOPS[low + 1] * share).astype(np.uint8)


def heat_json(heat: HeatMap | None) -> str:
    """The heat map as a picture to lay over the photo, or nothing."""
    if heat is None:
        return json.dumps({"src": ""})
    scale = min(1.0, HEAT_PX / max(heat.image_hw))
    height_px, width_px = (max(1, round(side * scale)) for side in heat.image_hw)
    return json.dumps({"src": data_uri(heat_colours(heat.resized((height_px, width_px))))})


def legend(outcome: ForegroundResult, language: Language) -> str:
    """Colours, multipliers, what they mean, how many components have each; a branch that cannot occur is struck."""
    rule = outcome.request.rule
    which = levels(outcome)
    dead = any(notice.code == "branch_dead" for notice in outcome.notices)
    items = []
    for level in LEVELS:
        struck = ' class="dead"' if dead and level == "ambiguous" else ""
        note = f" <small>{text(say(language, 'foreground_dead'))}</small>" if struck else ""
        items.append(
            f'<li{struck}><i class="fg-{level}"></i><b>{getattr(rule, level):g}</b> '
            f"{text(say(language, f'foreground_level_{level}'))} <em>{which.count(level)}</em>{note}</li>"
        )
    return f'<ul class="fg-legend">{"".join(items)}</ul>'


def annotated(picture: Picture, outcome: ForegroundResult) -> bytes:
    """The photo with every outline or box in its colour, its id and multiplier, as PNG, at its own size."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(picture.rgb_HWC)
    draw = ImageDraw.Draw(image)
    unit_px = max(2, round(max(image.size) / 400))
    font = ImageFont.load_default(size=8 + 3 * unit_px)
    which = levels(outcome)
    for row in sorted(range(len(outcome.components)), key=lambda row: -_box_area(outcome, row)):
        x0, y0, x1, y1 = outcome.components[row].box_xyxy_px
        colour = LEVEL_COLOURS[which[row]]
        outlines = outline_px(outcome.components[row])
        if not outlines:
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=colour, width=unit_px)
        for polygon in outlines:
            draw.line(
                list(map(tuple, np.minimum(polygon, [x1 - 1, y1 - 1]))), fill=colour, width=unit_px, joint="curve"
            )
        if len(which) > TAGS_FOR_ALL and which[row] == "background":
            continue  # dozens of tags would hide the photo
        name = outcome.ids[row][:24].encode("ascii", "replace").decode()  # the built-in font has no other letters
        words = f"{name} x{float(outcome.scores.multiplier_B[row]):g}"
        left, top, right, bottom = draw.textbbox((x0 + unit_px, y0 + unit_px), words, font=font)
        draw.rectangle((left - unit_px, top - unit_px, right + unit_px, bottom + unit_px), fill=colour)
        draw.text((x0 + unit_px, y0 + unit_px), words, fill="white", font=font)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


# ------------------------------------------------------------------ outlines


def outline_px(component: Component) -> list[np.ndarray]:
    """Closed polygons `[N, 2]` of x, y in pixels of the photo, the longest first; none for a box, which is its own."""
    if isinstance(component.mask, BoxMask):
        return []
    from skimage.measure import approximate_polygon, find_contours

    x0, y0, x1, y1 = component.box_xyxy_px
    step = max(1, math.ceil(max(x1 - x0, y1 - y0) / OUTLINE_STEPS))
    inside_hw = component.mask.crop(component.box_xyxy_px)[step // 2 :: step, step // 2 :: step] > 0
    if not inside_hw.any():  # thinner than a step everywhere
        inside_hw = np.ones_like(inside_hw)
    # Doubled, since contours cut corners by half a pixel.
    contours = find_contours(np.kron(np.pad(inside_hw, 1), np.ones((2, 2), dtype=np.float32)), 0.5)
    polygons: list[np.ndarray] = []
    left = OUTLINE_POINTS
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


def _svg_path(polygons: list[np.ndarray]) -> str:
    """The polygons as an SVG path, in pixels of the photo."""
    return "".join(f"M{' '.join(f'{x:g},{y:g}' for x, y in np.round(polygon, 1))}Z" for polygon in polygons)
