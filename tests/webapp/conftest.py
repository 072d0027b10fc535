"""Gradio asks its maker's server for news unless told not to, already when it is imported."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
