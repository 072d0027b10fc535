"""The Vectorize tab: `tab.py` (layout, then wiring), `job.py` (what a press does), `figures.py`, `api.py`."""

from webapp.vectorize import words as words
