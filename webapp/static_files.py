"""Scripts and styles of our own components, served from this machine. Addresses are relative to the page, so that
they also hold behind a proxy's prefix."""

from __future__ import annotations

import html
from pathlib import Path

import gradio as gr

STATIC_DIR = Path(__file__).resolve().parent / "static"


def plotly_js() -> Path:
    """plotly.js as the installed Python package ships it: the one version that its figures are written for."""
    import plotly

    return Path(plotly.__file__).resolve().parent / "package_data" / "plotly.min.js"


def declare() -> None:
    """Let Gradio serve `webapp/static/` and plotly.js. Harmless when called again."""
    gr.set_static_paths([STATIC_DIR, plotly_js()])


def url(path: Path) -> str:
    return f"gradio_api/file={path.as_posix()}"


def style(name: str) -> str:
    """The `head=` that loads `static/NAME.css`; once per page, however many components ask for it."""
    return f'<link rel="stylesheet" href="{html.escape(url(STATIC_DIR / f"{name}.css"))}">'


def script_and_style(name: str) -> str:
    """The `head=` of a component whose script and style are `static/NAME.js` and `static/NAME.css`."""
    return f'<script src="{html.escape(url(STATIC_DIR / f"{name}.js"))}"></script>{style(name)}'
