"""`PictureStrip`: a row of small pictures; a click on one fires `click` with its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from webapp.kit.panels import text


class PictureStrip(gr.HTML):
    """The row; its value comes from `strip`.

    `click` fires for any element inside that carries `data-name`: `chosen_name(event)` says which.
    """

    def __init__(self, elem_id: str, **kwargs: Any) -> None:
        super().__init__(
            elem_id=elem_id,
            js_on_load="WorkbenchKit.mountNames(element, trigger);",
            apply_default_css=False,
            **kwargs,
        )


def strip(title: str, pictures: Sequence[tuple[str, str, str]]) -> str:
    """The row as HTML.

    Args:
        title: what stands before it.
        pictures: (name, data URI, what it is called) of each.
    """
    buttons = "".join(
        f'<button type="button" data-name="{text(name)}" title="{text(spoken)}" aria-label="{text(spoken)}">'
        f'<img src="{text(uri)}" alt=""></button>'
        for name, uri, spoken in pictures
    )
    return f'<div class="wb-examples"><span>{text(title)}</span>{buttons}</div>'


def chosen_name(event: gr.EventData) -> str:
    """What was clicked, as the browser says it: to be looked up, not believed. Empty for nonsense."""
    name = event._data.get("name") if isinstance(event._data, dict) else None
    return name if isinstance(name, str) else ""
