"""Where runs lie under a root: which files belong together, found without following a link.

What is a run is told in `formats/run_folder.py`. The root is never left: symbolic links are not followed (what they
point to inside the root is found at its own place). A pack is looked into as if it was unpacked where it lies.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..messages import Message, reason_of
from ..words import Common
from .formats import format_of
from .formats.run_folder import COMPANIONS, Log, RunPlace, places_of
from .pack import SUFFIX, PackTree, is_pack
from .parsing import ReadLimits, Unreadable
from .series import Problem, clean_text
from .trees import DiskTree, Tree, TreeEntry, checked_root, opaque_id, shown_path
from .words import Says

SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}


@dataclass(frozen=True)
class RunFolder:
    """A folder directly under a runs root, for people to pick from: `id` is opaque, `name` is shown."""

    id: str
    name: str
    path: Path


def list_folders(root: Path | str) -> tuple[RunFolder, ...]:
    """The root itself (`id` `root`) and the folders directly in it, by name. Symbolic links are left out."""
    root = checked_root(root)
    folders = [RunFolder("root", clean_text(root.name) or "runs", root)]
    for entry in sorted(os.scandir(root), key=lambda item: natural_order(item.name)):
        if entry.is_dir(follow_symlinks=False) and not _is_hidden(entry.name):
            folders.append(RunFolder(opaque_id(entry.name), clean_text(entry.name), Path(entry.path)))
    return tuple(folders)


def resolve_folder(root: Path | str, folder_id: str) -> Path:
    """The folder behind an id of `list_folders`.

    Raises:
        InputError: no folder of this root has the id.
    """
    for folder in list_folders(root):
        if folder.id == folder_id:
            return folder.path
    raise InputError(Common.no_such_runs_folder(), where=str(folder_id)[:60], next_step=Says.pick_of_list())


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in SKIPPED_FOLDERS


def discover(
    root: Path, limits: ReadLimits, open_pack: Callable[[str], PackTree]
) -> tuple[list[RunPlace], list[Problem]]:
    """Every run's files under the root, those in packs too, and what could not be looked into.

    `open_pack`: path under the root → what is in the pack; raises `Unreadable` and `OSError`.
    """
    walk = _Walk(DiskTree(root), limits, limits.max_files).walk()
    places, problems = walk.places, walk.problems
    taken = {place.path for place in places}
    files_left = walk.files_left
    for path in walk.packs:
        try:
            tree = open_pack(path)
        except Unreadable as error:
            problems.append(Problem(shown_path(path), error.code, error.reason))
            continue
        except OSError as error:
            problems.append(Problem(shown_path(path), "unreadable", Says.file_unopened(error=reason_of(error))))
            continue
        inner = _Walk(tree, limits, files_left).walk()
        files_left = inner.files_left
        problems += [*tree.problems, *inner.problems]
        problems += [Problem(tree.shown(one), "pack", Says.pack_in_pack()) for one in inner.packs]
        for place in inner.places:
            place.path = _path_outside(place, path, taken)
            taken.add(place.path)
            places.append(place)
    if files_left < 0:
        problems.append(Problem(".", "too_many", Says.files_too_many(count=-files_left, limit=limits.max_files)))
    return places, problems


def _path_outside(place: RunPlace, pack: str, taken: set[str]) -> str:
    """Where a run of a pack appears: where it would lie if it was unpacked there; under the pack's name if another run
    is there already, and for the run that the pack is itself."""
    folder, _, name = pack.rpartition("/")
    inside = "" if place.path == "." else place.path
    tops = [*([""] if inside else []), name[: -len(SUFFIX)], name]
    tries = ["/".join(filter(None, (folder, top, inside))) for top in tops]
    return next((path for path in tries if path not in taken), tries[-1])


class _Walk:
    """One walk through a tree: its places, the packs in it, and what could not be looked into."""

    def __init__(self, tree: Tree, limits: ReadLimits, files_left: int) -> None:
        self.places: list[RunPlace] = []
        self.packs: list[str] = []
        self.problems: list[Problem] = []
        self.files_left = files_left  # below zero: so many were passed over
        self._tree = tree
        self._limits = limits

    def walk(self) -> _Walk:
        pending = [("", 0)]
        while pending:
            folder, depth = pending.pop()
            subfolders = self._look_into(folder)
            if depth < self._limits.max_depth:
                pending += [(path, depth + 1) for path in reversed(subfolders)]
            elif subfolders:
                self._report(folder, "depth", Says.folders_too_deep(limit=self._limits.max_depth))
        return self

    def _report(self, path: str, code: str, reason: Message) -> None:
        self.problems.append(Problem(self._tree.shown(path), code, reason))

    def _look_into(self, folder: str) -> list[str]:
        """Takes the runs of one folder; returns the folders in it that are to be looked into."""
        try:
            entries = self._tree.entries(folder)
        except OSError as error:
            self._report(folder, "folder", Says.folder_unopened(error=reason_of(error)))
            return []
        subfolders: list[str] = []
        logs: list[Log] = []
        companions: dict[str, str] = {}
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.kind == "link_outside":
                self._report(path, "link", Says.link_outside())
            elif entry.kind == "folder" and not _is_hidden(entry.name):
                subfolders.append(path)
            elif entry.kind in ("file", "special") and not entry.name.startswith("."):
                self._take_file(entry, path, logs, companions)
        self.places += places_of(self._tree, folder, logs, companions)
        return subfolders

    def _take_file(self, entry: TreeEntry, path: str, logs: list[Log], companions: dict[str, str]) -> None:
        if entry.name in COMPANIONS:
            companions[entry.name] = path
            return
        log_format = None if is_pack(entry.name) else format_of(entry.name)
        if log_format is None and not is_pack(entry.name):
            return
        if entry.kind == "special":
            self._report(path, "special", Says.not_regular())
            return
        self.files_left -= 1
        if self.files_left < 0:
            return
        if log_format is None:
            self.packs.append(path)
        else:
            logs.append((log_format, path))


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Sort key: numbers within a name by their value."""
    return [
        (0, int(part), "") if part.isdecimal() and len(part) < 18 else (1, 0, part)
        for part in re.split(r"(\d+)", text)
        if part
    ]
