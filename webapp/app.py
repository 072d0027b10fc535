"""The table of contents of the page: the header, one line per tab, the footer, the side panel."""

from __future__ import annotations

from importlib import import_module

import gradio as gr

from webapp.kit.services import Services
from webapp.shell import frame, side_panel
from webapp.text import label

TABS = (
    "webapp.vectorize",
    "webapp.foreground",
    "webapp.pose",
    "webapp.runs",
)
"""A tab is a package with `tab.py` (`build(services)`) and `words.py` (with the tab's name under `tab_NAME`)."""


def build(services: Services) -> gr.Blocks:
    """The whole page. `__main__` serves it."""
    with gr.Blocks(title="CLIP Workbench", fill_width=True, analytics_enabled=False) as page:
        frame.header(services)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            for package in TABS:
                name = package.rpartition(".")[2]
                import_module(f"{package}.words")
                tab = import_module(f"{package}.tab")
                with gr.Tab(label(f"tab_{name}"), id=name, elem_id=f"tab-{name}"):
                    tab.build(services)
        frame.footer()
        side_panel.build(services)
    # COMPUTE_LIMIT jobs compute at a time (each such event says concurrency_id=COMPUTE); the rest wait in line.
    page.queue(max_size=32, default_concurrency_limit=4, api_open=False)
    return page
