"""The Runs tab: `tab.py` (layout, then wiring), `job.py` (what a press does), `figures.py`, `words.py`, `api.py`."""

from webapp.runs import words as words
