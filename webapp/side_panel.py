"""The side panel: which models are in memory, where, how large, whether they work, and a button that frees the idle ones.

It looks after itself: while it can be seen it asks for the state every few seconds (one small request past the queue);
folded away, or in a browser tab in the background, it asks nothing.
"""

from __future__ import annotations

import html

import gradio as gr

from core.types import ModelStatus
from webapp.services import Services
from webapp.text import Language, label, say

REFRESH_MS = 4000

_WATCH_JS = f"""
const seen = () => {{
  const box = element.getBoundingClientRect();
  return !document.hidden && box.width > 0 && box.right > 0 && box.left < innerWidth;
}};
const refresh = async () => {{ if (seen()) props.value = await server.models_html(); }};
const timer = setInterval(() => element.isConnected ? refresh() : clearInterval(timer), {REFRESH_MS});
document.addEventListener('visibilitychange', refresh);
refresh();
"""


def build(services: Services) -> None:
    """The panel, inside its own `gr.Sidebar`."""

    def models_html(request: gr.Request) -> str:
        return render(services.manager.status(), services.language(request))

    def unload(request: gr.Request) -> str:
        language = services.language(request)
        count = services.manager.unload()
        gr.Info(say(language, "models_unloaded", count=count) if count else say(language, "models_nothing_to_unload"))
        return models_html(request)

    with gr.Sidebar(open=False, width=300, position="right", elem_id="side"):
        gr.Markdown(label("models_title"), elem_classes="panel-title")
        panel = gr.HTML(elem_id="models", server_functions=[models_html], js_on_load=_WATCH_JS)
        button = gr.Button(label("models_unload"), size="sm", elem_id="unload")
        button.click(unload, outputs=panel, queue=False, show_progress="hidden", api_visibility="private")


def render(models: list[ModelStatus], language: Language) -> str:
    """The state of the manager as HTML, every value escaped."""
    if not models:
        return f'<p class="none">{html.escape(say(language, "models_none"))}</p>'
    rows = "".join(_row(model, language) for model in models)
    total = say(language, "models_total", size=size_text(sum(m.size_bytes for m in models)), count=len(models))
    return f'<ul class="models">{rows}</ul><p class="total">{html.escape(total)}</p>'


def _row(model: ModelStatus, language: Language) -> str:
    if model.state != "ready":
        state, kind = say(language, f"models_{model.state}"), "moving"
    elif model.leases:
        state, kind = say(language, "models_busy"), "busy"
    elif model.last_used_s_ago >= 60:
        state, kind = say(language, "models_idle", minutes=int(model.last_used_s_ago // 60)), "idle"
    else:
        state, kind = say(language, "models_fresh"), "idle"
    where = f"{model.device} · {model.dtype} · {size_text(model.size_bytes)}"
    return (
        f'<li class="{kind}"><b>{html.escape(model.model_id)}</b>'
        f"<span>{html.escape(where)}</span><em>{html.escape(state)}</em></li>"
    )


def size_text(size_bytes: int) -> str:
    """Bytes for people: `605 MB`, `1.2 GB`."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
