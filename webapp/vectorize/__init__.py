"""The Vectorize tab.

tab.py        what happens when               layout.py    what is on the page
job.py        one run, downloads              showing.py   a result → the page's parts
figures.py    … charts and table              fragments.py … HTML
api.py        the named endpoint              words.py     English and Chinese; script.js, style.css
"""

from webapp.vectorize import words as words
