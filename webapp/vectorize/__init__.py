"""The Vectorize tab: `layout.py`, `tab.py` (what happens when), `job.py` (one run), `showing.py`, `api.py`."""

from webapp.vectorize import words as words
