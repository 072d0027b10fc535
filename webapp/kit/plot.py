"""`Plot`: the page's chart component. Give it a `Drawing`; it keeps zoom, camera and theme across updates.

It is a `gr.HTML` whose script, `plot.js`, calls `Plotly.react` on one element for the life of the page, with
the plotly.js of the installed plotly package. The script's head says why gr.Plot would not do.

    chart = Plot(height_px=320, label=label("…"))
    button.click(draw, inputs, chart)        # draw returns a Drawing, or a str: what to do to get one
    chart.select(on_point, None, outputs)    # def on_point(event: gr.EventData): event.keys -> a key of each card
    chart.release(on_zoom, None, chart)      # a Drawing that `refines`: event._data -> {view, x_range}
"""

from __future__ import annotations

import html
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from webapp.kit import assets
from webapp.kit.drawing import Drawing


class Plot(gr.HTML):
    """A Plotly chart.

    Args:
        height_px: of the chart; its width is the column's.
        label: heading of the block; None for none.
        **kwargs: `value`, `elem_id`, `visible`, `scale`, `render`, `key` … of `gr.HTML`.
    """

    def __init__(
        self,
        value: Drawing | str | None = None,
        *,
        height_px: int = 320,
        label: str | I18nData | None = None,
        elem_classes: list[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        plotly_url = html.escape(assets.plotly_url())
        classes = [elem_classes] if isinstance(elem_classes, str) else list(elem_classes or [])
        super().__init__(
            value=value,
            label=label,
            show_label=label is not None,
            container=True,
            padding=True,
            elem_classes=["wb-plot-block", *classes],
            html_template=(
                f'<div class="wb-plot-frame" style="height:{height_px}px">'
                f'<div class="wb-plot" role="img" data-plotly="{plotly_url}"></div>'
                '<p class="wb-plot-empty"></p></div>'
            ),
            head=assets.head(__file__, "plot"),
            js_on_load="WorkbenchPlot.mount(element, props, trigger, watch);",
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> None:
        """A chart is never an input: what a browser sends back is not read."""

    def postprocess(self, value: Drawing | str | None) -> str | None:  # type: ignore[override]
        """A drawing, or the words of the empty state, as JSON."""
        if isinstance(value, str):
            return Drawing.empty_json(value)
        return None if value is None else value.to_json()

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "A chart: Plotly's data and layout as JSON"}
