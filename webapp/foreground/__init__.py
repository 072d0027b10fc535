"""The Foreground tab: `tab.py` (layout, then wiring), `job.py` (what a press does), `figures.py`, `api.py`."""

from webapp.foreground import words as words
