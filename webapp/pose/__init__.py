"""The Pose tab: `tab.py` (layout, then wiring), `job.py` (what a press does), `figures.py`, `words.py`, `api.py`."""

from webapp.pose import words as words
