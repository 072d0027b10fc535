"""`Handover`: a file that was made for a visitor goes to their browser, as a download.

    handover = Handover()
    button.click(write, inputs, handover, **PRIVATE)      # write returns a path

The browser saves the file when its address arrives: there is no link that lies on the page afterwards and could hand
out the file of the run before.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

_numbers = itertools.count()


class Handover(gr.HTML):
    """Shows nothing. Its value is a path of the visitor's own private folder; the next one is saved too, if it is the
    same file."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            value=None,
            html_template="<span hidden></span>",
            js_on_load="WorkbenchKit.mountHandover(props, watch);",
            apply_default_css=False,
            elem_classes="wb-carrier",
            **kwargs,
        )

    def preprocess(self, payload: Any) -> None:
        """What a browser sends back is not read."""

    def postprocess(self, value: str | Path | None) -> dict[str, Any] | None:  # type: ignore[override]
        if value is None:
            return None
        path = Path(value)
        file = FileData(path=str(path), orig_name=path.name)
        return {"file": file.model_dump(), "number": next(_numbers)}

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": "A file to save"}
