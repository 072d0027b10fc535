"""The photo to draw on: brush, box and eraser. What it does in the browser stands in `script.js`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from webapp.kit import assets
from webapp.text import in_both


class DrawPad(gr.HTML):
    """The photo to draw on. As an input it gives a `Drawn`."""

    def __init__(self, **kwargs: Any) -> None:
        tools = "".join(
            f'<button type="button" data-tool="{tool}" aria-pressed="false">'
            f"{in_both(f'foreground_pad_{tool}')}</button>"
            for tool in ("brush", "box", "eraser")
        )
        acts = "".join(
            f'<button type="button" data-do="{act}">{in_both(f"foreground_pad_{act}")}</button>'
            for act in ("undo", "clear")
        )
        width = '<input type="range" min="1" max="20" value="5">'
        super().__init__(
            value=None,
            html_template=(
                f'<div class="fg-pad is-empty"><div class="fg-tools">{tools}{acts}'
                f"<label>{in_both('foreground_pad_size')} {width}</label></div>"
                '<div class="fg-paper"><img alt="" draggable="false"><canvas></canvas></div>'
                f"<p>{in_both('foreground_pad_empty')}</p></div>"
            ),
            head=assets.head(__file__),
            js_on_load="WorkbenchForeground.mountPad(element, props);",
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> Any:
        return payload  # `Drawn.read` judges it, where its error can be shown

    def postprocess(self, value: Any) -> None:  # type: ignore[override]
        """Nothing is ever sent to the pad but its picture, by a carrier."""

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": "{mask: PNG data URI, boxes: corners 0..1}"}
