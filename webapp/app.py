"""The table of contents of the page: the header, one line per tab, the side panel."""

from __future__ import annotations

import gradio as gr

from webapp import side_panel
from webapp.page import SWITCH_LANGUAGE_JS, SWITCH_THEME_JS
from webapp.services import Services
from webapp.tabs import foreground, pose, runs, vectorize
from webapp.text import label

TABS = (
    ("vectorize", vectorize.build),
    ("foreground", foreground.build),
    ("pose", pose.build),
    ("runs", runs.build),
)

CACHE_SWEEP_S = (3600, 6 * 3600)
"""Every hour, uploads and results older than six hours are deleted. Age counts from the upload, hence hours."""


def build(services: Services) -> gr.Blocks:
    """The whole page. `__main__` serves it."""
    with gr.Blocks(
        title="CLIP Workbench", fill_width=True, analytics_enabled=False, delete_cache=CACHE_SWEEP_S
    ) as page:
        _header()
        with gr.Tabs(elem_id="tabs"):
            for name, build_tab in TABS:
                with gr.Tab(label(f"tab_{name}"), id=name, elem_id=f"tab-{name}"):
                    build_tab(services)
        side_panel.build(services)
    # One job computes at a time (each event that computes says concurrency_id=COMPUTE); the rest waits in a short line.
    page.queue(max_size=32, default_concurrency_limit=4, api_open=False)
    return page


def _header() -> None:
    with gr.Row(elem_id="header"):
        with gr.Column(scale=1, min_width=240):
            gr.Markdown("# CLIP Workbench")
            gr.Markdown(label("app_line"))
        language = gr.Button(label("switch_language"), size="sm", scale=0, min_width=84, elem_id="language")
        light_dark = gr.Button(label("switch_theme"), size="sm", scale=0, min_width=84, elem_id="theme")
        language.click(None, js=SWITCH_LANGUAGE_JS, api_visibility="private")
        light_dark.click(None, js=SWITCH_THEME_JS, api_visibility="private")
