"""What one browser window looks at, on the server."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.runs import Problem, RunReader, RunSet
from webapp.runs.figures import Zoom
from webapp.runs.library import QUESTION, UPLOAD_ID, Library, questions_of
from webapp.runs.view import View, settled, view_of_question


@dataclass(frozen=True)
class Uploaded:
    """A visitor's own logs: their private folder, its reader, and what was not taken."""

    folder: Path
    reader: RunReader
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Window:
    """What one browser window looks at, on the server.

    Attributes:
        folder_id: the folder, or `upload`.
        picked: what the list of questions and folders shows: `folder_id`, or the question that was picked.
        runs: as last read.
        upload: this visitor's own logs, or None.
        choices: what the dropdowns offer now.
        zoom: what of the curves is looked at; None for everything.
        message: a lasting line above everything.
        directions: metric → min or max, where the visitor had to say it, or wanted to.
    """

    folder_id: str = ""
    picked: str = ""
    runs: RunSet = field(default_factory=lambda: RunSet(()))
    upload: Uploaded | None = None
    choices: tuple[tuple[str, ...], ...] = ()
    zoom: Zoom | None = None
    message: str = ""
    directions: Mapping[str, str] = field(default_factory=dict)

    def read(self, library: Library) -> RunSet:
        """The runs of its folder, or of this visitor's upload, as they are now."""
        if self.folder_id != UPLOAD_ID or self.upload is None:
            return library.read(library.find(self.folder_id))
        found = self.upload.reader.read()
        return RunSet(found.runs, (*self.upload.problems, *found.problems))

    def forget(self) -> None:
        if self.upload is not None:
            shutil.rmtree(self.upload.folder, ignore_errors=True)


def picked(window: Window, picked_id: str, library: Library) -> tuple[Window, View]:
    """A folder, an upload or a question from the list, and the view of it to begin with."""
    offered = {f"{QUESTION}{one.id}": (one, folder) for one, folder in questions_of(library.folders())}
    question, folder = offered.get(picked_id, (None, None))
    folder_id = folder.id if folder else picked_id
    window = replace(window, folder_id=folder_id, picked=picked_id)
    window = replace(window, runs=window.read(library))
    runs = window.runs.runs
    view = View(folder=folder_id) if question is None else view_of_question(question, folder_id, runs)
    view, _ = settled(view, runs, library.conventions(runs))
    return replace(window, directions={view.metric: view.direction}), view
