"""Three dials with their sliders and number boxes. They, and the head that turns with them, live in `script.js`."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from core.pose.text import PITCH_EDGES_DEG, PITCH_WORDS, ROLL_EDGE_DEG, ROLL_WORDS, YAW_EDGES_DEG, YAW_WORDS
from webapp.kit import assets
from webapp.text import in_both

FIRST_POSE = {"yaw": 30.0, "pitch": 10.0, "roll": -5.0}


class PoseDials(gr.HTML):
    """Three dials with their sliders and number boxes. As an input it gives a dict for `Pose.read` to judge.

    `input` fires when the hand rests, `select` once, when the tab is first seen."""

    def __init__(self, value: dict[str, float], **kwargs: Any) -> None:
        faces = "".join(
            f'<div class="ps-dial" data-angle="{name}"><h4>{in_both(f"pose_{name}")}'
            f'<small>{in_both(f"pose_{name}_seen")}</small></h4><svg aria-hidden="true"></svg>'
            f'<div class="ps-bin" role="status"></div></div>'
            for name in FIRST_POSE
        )
        lines = "".join(
            f'<label class="ps-line" data-angle="{name}"><span>{in_both(f"pose_{name}")}</span>'
            f'<input type="range" min="-180" max="180" step="1" aria-label="{name}">'
            f'<input type="number" step="any" aria-label="{name}"></label>'
            for name in FIRST_POSE
        )
        bins = html.escape(json.dumps(dial_bins(), ensure_ascii=False), quote=True)
        super().__init__(
            value=value,
            html_template=(
                f'<div class="ps-dials" data-bins="{bins}"><div class="ps-faces">{faces}</div>{lines}'
                f'<button type="button" class="ps-reset">{in_both("pose_reset")}</button></div>'
            ),
            head=assets.head(__file__),
            js_on_load="WorkbenchPose.mountDials(element, props, trigger, watch);",
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> Any:
        return payload  # `Pose.read` judges it, where its error can be shown

    def postprocess(self, value: dict[str, float] | None) -> dict[str, float] | None:  # type: ignore[override]
        return value

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": "{yaw, pitch, roll} in degrees"}


def dial_bins() -> dict[str, list[dict[str, Any]]]:
    """For the dials' script: each angle's bins as {words, from, to, from_in, to_in}; `*_in`: the edge belongs to it."""

    def between(words: Sequence[str], edges: Sequence[float], upper_owns: Sequence[bool]) -> list[dict[str, Any]]:
        limits = [-180.0, *edges, 180.0]
        owned = [True, *upper_owns, False]
        return [
            {"words": word, "from": low, "to": high, "from_in": owned[place], "to_in": not owned[place + 1]}
            for place, (word, low, high) in enumerate(zip(words, limits[:-1], limits[1:], strict=True))
        ]

    return {
        "yaw": between(YAW_WORDS, YAW_EDGES_DEG, [True] * 4),
        "pitch": between(PITCH_WORDS, PITCH_EDGES_DEG, [True] * 2),
        "roll": between(ROLL_WORDS, (-ROLL_EDGE_DEG, ROLL_EDGE_DEG), [False, True]),
    }
