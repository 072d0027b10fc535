"""Which runs there are to look at: folders of the runs root, the project's results, and what to ask of those.

A visitor never types a path. `Library` offers folders under opaque ids and reads them, each reader kept, so that the
next reading takes only what is new.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.messages import listed
from core.runs import (
    Conventions,
    Question,
    Run,
    RunReader,
    RunSet,
    conventions_for,
    default_cache_dir,
    known_conventions,
    list_folders,
)
from core.runs.conventions import read_conventions
from core.settings import Settings
from core.words import Common
from webapp.runs.words import Says

log = logging.getLogger("webapp")

UPLOAD_ID = "upload"
READERS_KEPT = 8
QUESTION = "question."
"""Begins the id under which a question is offered beside the folders."""


@dataclass(frozen=True)
class OfferedFolder:
    """A folder of runs on offer.

    Attributes:
        id: opaque.
        name: the folder's own.
        conventions: of the experiment, where the folder came with the project and says so.
        committed: it came with the project.
    """

    id: str
    name: str
    path: Path
    committed: bool = False
    conventions: Conventions | None = None


class Library:
    """The folders on offer, and their runs. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._runs_dir = settings.runs_dir
        self._results_dir = settings.results_dir
        self._readers: OrderedDict[Path, RunReader] = OrderedDict()
        self._lock = threading.Lock()

    def folders(self) -> list[OfferedFolder]:
        """What there is now: the runs root and the folders in it, then the committed results."""
        return [*self._own(), *self._committed()]

    def _own(self) -> list[OfferedFolder]:
        try:
            root, *folders = list_folders(self._runs_dir)
        except (InputError, OSError):  # not made yet: the first training makes it
            return []
        found = [OfferedFolder(f"runs.{root.id}", root.name, root.path)] if _has_something(root.path) else []
        return found + [OfferedFolder(f"runs.{one.id}", one.name, one.path) for one in folders if _is_offered(one.path)]

    def _committed(self) -> list[OfferedFolder]:
        try:
            folders = list_folders(self._results_dir)[1:]
        except (InputError, OSError):
            return []
        return [
            OfferedFolder(f"results.{one.id}", one.name, one.path, True, _conventions_of(one.path))
            for one in folders
            if _is_offered(one.path)
        ]

    def start(self) -> OfferedFolder | None:
        """What to show first: the visitor's own runs if there are any, else the first of the project's experiments."""
        own, committed = self._own(), self._committed()
        if own and len(self.read(own[0])):
            return own[0]
        committed.sort(key=_place)
        return next(iter([*committed, *own]), None)

    def find(self, folder_id: str) -> OfferedFolder:
        """The folder behind an id, or behind the name of a folder on offer.

        Raises:
            InputError: there is none.
        """
        folders = self.folders()
        found = next((one for one in folders if one.id == folder_id), None)
        found = found or next((one for one in folders if one.name == folder_id), None)
        if found is None:
            names = listed([one.name for one in folders], 12) if folders else Says.none_yet()
            where = str(folder_id)[:60]
            raise InputError(Common.no_such_runs_folder(), where=where, next_step=Says.folders_here(names=names))
        return found

    def read(self, folder: OfferedFolder) -> RunSet:
        """The runs of a folder as they are now; only what is new is read."""
        with self._lock:
            reader = self._readers.pop(folder.path, None) or RunReader(folder.path, cache_dir=default_cache_dir())
            self._readers[folder.path] = reader
            while len(self._readers) > READERS_KEPT:
                self._readers.popitem(last=False)
        return reader.read()

    def conventions(self, runs: Iterable[Run]) -> Conventions:
        """What the project's experiments have agreed on, as far as it is about these runs."""
        try:
            return conventions_for(runs, known_conventions(self._results_dir))
        except InputError as error:
            log.warning("%s", error)
            return Conventions()


def _conventions_of(folder: Path) -> Conventions | None:
    """A damaged file takes away the questions, not the results."""
    try:
        return read_conventions(folder)
    except InputError as error:
        log.warning("%s", error)
        return None


def _place(folder: OfferedFolder) -> tuple[float, str]:
    return ((folder.conventions or Conventions()).place, folder.name)


def questions_of(folders: Sequence[OfferedFolder]) -> list[tuple[Question, OfferedFolder]]:
    """The questions whose results are here, in the experiments' own order."""
    with_questions = sorted((one for one in folders if one.conventions is not None), key=_place)
    return [(question, one) for one in with_questions if one.conventions for question in one.conventions.questions]


def _is_offered(folder: Path) -> bool:
    """Whether it is a folder of runs: not a run itself, and not only texts about runs."""
    if any((folder / name).is_file() for name in ("metrics.jsonl", "config.json", "metrics.csv", "status")):
        return False
    return any(entry.is_dir() or entry.suffix not in (".md", ".txt", ".json") for entry in folder.iterdir())


def _has_something(root: Path) -> bool:
    return any(entry.name[:1] != "." for entry in root.iterdir())
