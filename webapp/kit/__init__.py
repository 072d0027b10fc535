"""What tabs are made of, once for all of them.

    services.py      `Services`: settings, models, folders, the visitor's language
    notices.py       `shown`: an exception becomes a message in the visitor's language
    events.py        what events share: private, at once or in the queue of what computes
    panels.py        fragments of HTML: progress, messages, notes; `html_part`, `heading`, `hint_part`
    running.py       `RunAndStop`: the two buttons of a job, and what they look like while it runs
    uploads.py       what visitors give
    downloads.py     `Handover`: a file goes to the browser that asked for it
    table.py         `ResultTable`: rows that can be sorted and chosen
    examples.py      `PictureStrip`: small pictures to choose from
    model_picker.py  the table of models; `models.py`: a model's line of advice, the choice of a device
    plot.py          the chart; `drawing.py` what it shows
    assets.py        scripts and styles beside the Python that uses them; `kit.css` is on every page

What one tab alone needs stands in its own folder.
"""

from webapp.kit import words as words
