"""Scripts and styles of our own components, served from this machine. Each lies beside the Python that uses it.

Addresses are relative to the page, so that they also hold behind a proxy's prefix.
"""

from __future__ import annotations

import html
from functools import cache
from pathlib import Path

import gradio as gr

PHOTOS_DIR = Path(__file__).resolve().parent.parent / "examples"
"""The example photos."""


def head(beside: str, name: str = "") -> str:
    """The `head=` of a component: loads `script.js` and `style.css` that lie beside the module (`NAME.js` and
    `NAME.css` with a name); once per page, however many components ask for it.

    Args:
        beside: the module's `__file__`.
    """
    folder = Path(beside).resolve().parent
    files = (folder / f"{name or 'script'}.js", folder / f"{name or 'style'}.css")
    return "".join(_tag(file) for file in files if file.is_file())


def plotly_url() -> str:
    """plotly.js as the installed Python package ships it: the one version that its figures are written for."""
    import plotly

    return _url(Path(plotly.__file__).resolve().parent / "package_data" / "plotly.min.js")


def _tag(file: Path) -> str:
    url = html.escape(_url(file))
    return f'<script src="{url}"></script>' if file.suffix == ".js" else f'<link rel="stylesheet" href="{url}">'


@cache
def _url(file: Path) -> str:
    """Where the page finds the file; from now on Gradio serves this one file of the folder, and no other."""
    gr.set_static_paths([file])
    return f"gradio_api/file={file.as_posix()}"
