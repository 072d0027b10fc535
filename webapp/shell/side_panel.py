"""The side panel: which models are in memory, where, how large, whether they work; buttons that free one or all idle.

The header's button opens it. While it can be seen it asks for the state every few seconds (one small request past the
queue); closed, or in a browser tab in the background, it asks nothing.
"""

from __future__ import annotations

import html

import gradio as gr

from core.types import ModelStatus
from webapp.kit import assets
from webapp.kit.panels import size_text
from webapp.kit.services import Services
from webapp.shell import words as words
from webapp.text import Language, in_both, say


def build(services: Services) -> None:
    """The panel, closed."""

    # Gradio hands a server function what the browser sent first.
    def models_html(_sent: object, request: gr.Request) -> str:
        return render(services.manager.status(), services.language(request))

    def unload_idle(model_id: object, request: gr.Request) -> str:
        """One model if it is idle; all that are, for an empty id."""
        language = services.language(request)
        count = services.manager.unload(str(model_id) if model_id else None)
        note = say(language, "models_unloaded", count=count) if count else say(language, "models_nothing_to_unload")
        return render(services.manager.status(), language, note)

    gr.HTML(
        html_template=(
            '<aside id="models-panel" hidden aria-labelledby="models-title"><div class="top">'
            f'<h2 id="models-title">{in_both("models_title")}</h2>'
            f'<button class="close"><span aria-hidden="true">×</span>{in_both("models_close")}</button></div>'
            f'<div class="list" aria-live="polite"></div><button id="unload" hidden>{in_both("models_unload")}</button>'
            f'<p class="hint">{in_both("models_hint")}</p></aside>'
        ),
        head=assets.head(__file__, "side_panel"),
        js_on_load="WorkbenchSidePanel.mount(element, server);",
        server_functions=[models_html, unload_idle],
        elem_id="side",
        apply_default_css=False,
    )


def render(models: list[ModelStatus], language: Language, note: str = "") -> str:
    """The state of the manager as HTML, every value escaped. `note`: one line above it, what was just done."""
    head = f'<p class="note">{html.escape(note)}</p>' if note else ""
    if not models:
        return f'{head}<p class="none">{html.escape(say(language, "models_none"))}</p>'
    rows = "".join(_row(model, language) for model in models)
    total = say(language, "models_total", size=size_text(sum(m.size_bytes for m in models)), count=len(models))
    return f'{head}<ul>{rows}</ul><p class="total">{html.escape(total)}</p>'


def _row(model: ModelStatus, language: Language) -> str:
    if model.state != "ready":
        kind, state = "moving", say(language, f"models_{model.state}")
    elif model.leases:
        kind, state = "busy", say(language, "models_busy")
    elif model.last_used_s_ago >= 60:
        kind, state = "idle", say(language, "models_idle", minutes=int(model.last_used_s_ago // 60))
    else:
        kind, state = "idle", say(language, "models_ready")
    facts = (model.device, model.dtype, size_text(model.size_bytes))
    name = html.escape(model.model_id)
    unload = html.escape(say(language, "models_unload_one", model=model.model_id))
    button = f'<button data-model="{name}" aria-label="{unload}" title="{unload}">×</button>' if kind == "idle" else ""
    return (
        f'<li class="{kind}"><b>{name}</b><em>{html.escape(state)}</em>'
        f"<span>{html.escape(' · '.join(facts))}</span>{button}</li>"
    )
