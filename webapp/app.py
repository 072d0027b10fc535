"""The table of contents of the page: the header, one line per tab, the footer, the side panel."""

from __future__ import annotations

import gradio as gr

from webapp import frame, side_panel
from webapp.services import Services
from webapp.tabs import foreground, pose, runs, vectorize
from webapp.text import label

TABS = (
    ("vectorize", vectorize.build),
    ("foreground", foreground.build),
    ("pose", pose.build),
    ("runs", runs.build),
)


def build(services: Services) -> gr.Blocks:
    """The whole page. `__main__` serves it."""
    with gr.Blocks(title="CLIP Workbench", fill_width=True, analytics_enabled=False) as page:
        frame.header(services)
        with gr.Tabs(elem_id="tabs"):
            for name, build_tab in TABS:
                with gr.Tab(label(f"tab_{name}"), id=name, elem_id=f"tab-{name}"):
                    build_tab(services)
        frame.footer()
        side_panel.build(services)
    # COMPUTE_LIMIT jobs compute at a time (each such event says concurrency_id=COMPUTE); the rest wait in line.
    page.queue(max_size=32, default_concurrency_limit=4, api_open=False)
    return page
