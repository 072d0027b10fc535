"""The Foreground tab.

tab.py        what happens when               layout.py    what is on the page; draw_pad.py
given.py      what a visitor gives            reading.py   what stands on the page → a request
job.py        what a press does               showing.py   a result → the page's parts
scene.py      … over the photo                figures.py   … told and tabulated
api.py        the named endpoint              words.py     English and Chinese; script.js, style.css
"""

from webapp.foreground import words as words
