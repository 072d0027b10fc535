"""The Runs tab's own components: the bar (live, link), the table of runs, and the buttons that save.

Their scripts are in `script.js`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from webapp.kit import assets
from webapp.text import in_both

MAX_HIDDEN = 5_000


class _Scripted(gr.HTML):
    """HTML whose value is a dict for its script; nothing that comes back is believed but what `preprocess` picks."""

    def __init__(self, template: str, mount: str, **kwargs: Any) -> None:
        super().__init__(
            value=None,
            html_template=template,
            head=assets.head(__file__),
            js_on_load=f"WorkbenchRuns.{mount};",
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> Any:
        return None

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | None:  # type: ignore[override]
        return value

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": "What the page's own script shows"}


class LiveBar(_Scripted):
    """Live or paused, and the link to this view.

    `select` fires once, when the tab is first seen; `click` at each look."""

    def __init__(self, **kwargs: Any) -> None:
        template = (
            '<div class="rn-bar"><button type="button" class="rn-live" aria-pressed="true"><i></i>'
            f'<span class="when-live">{in_both("runs_live")}</span>'
            f'<span class="when-paused">{in_both("runs_paused")}</span></button>'
            f'<button type="button" class="rn-link"><span class="when-not-copied">{in_both("runs_link")}</span>'
            f'<span class="when-copied" role="status">{in_both("runs_copied")}</span></button></div>'
        )
        super().__init__(template, "bar(element, props, trigger, watch)", **kwargs)


class RunTable(_Scripted):
    """The runs. As an input it gives `tuple[str, ...]`: the ids that are ticked off.

    `select` fires when one changes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('<div class="rn-runs"></div>', "table(element, props, trigger, watch)", **kwargs)

    def preprocess(self, payload: Any) -> tuple[str, ...]:
        hidden = payload.get("hidden") if isinstance(payload, dict) else None
        if not isinstance(hidden, list):
            return ()
        return tuple(dict.fromkeys(str(run_id)[:100] for run_id in hidden[:MAX_HIDDEN]))


class SaveButtons(_Scripted):
    """PNG, SVG and HTML of the chart `#plot_id` (made by the browser), or CSV, Markdown and LaTeX of a table, for which
    `click` fires with `kind`."""

    def __init__(self, *, plot_id: str = "", **kwargs: Any) -> None:
        kinds = (("png", "PNG"), ("svg", "SVG"), ("html", "HTML"))
        if not plot_id:
            kinds = (("csv", "CSV"), ("md", "Markdown"), ("tex", "LaTeX"))
        buttons = "".join(f'<button type="button" data-save="{kind}">{name}</button>' for kind, name in kinds)
        mount = f"saves(element, '{plot_id}')" if plot_id else "files(element, trigger)"
        super().__init__(
            f'<div class="rn-saves"><span class="what">{in_both("runs_save_as")}</span>{buttons}</div>', mount, **kwargs
        )
