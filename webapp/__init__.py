"""The page: a Gradio app over `core`. `python -m webapp` serves it; `app.py` is its table of contents."""

from webapp.shell import quick_import

quick_import.install()
