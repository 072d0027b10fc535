"""The Foreground tab. Its work is not here yet; it says what it will be."""

from __future__ import annotations

import gradio as gr

from webapp.services import Services
from webapp.text import label


def build(services: Services) -> None:
    """One sentence, no controls."""
    gr.Markdown(label("foreground_will"), elem_classes="will")
