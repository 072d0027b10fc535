"""Where runs lie under a root: which files belong together, found without following a link.

What is a run:

* a folder with `metrics.jsonl` (the recorder's), `metrics.csv` (Lightning's) or TensorBoard event files, alone or
  together; its `config.json`, `hparams.yaml`, `environment.json`, `status` and `process.json` belong to it. A subfolder
  that is named after a moment in time and holds event files (`add_hparams` makes such) belongs to its parent;
* a folder with `config.json`, `hparams.yaml` or `status` and any other `.csv` or `.jsonl`;
* any other `.csv` or `.jsonl` by itself, also beside event files;
* every run inside a trackio database (`.db`, `.sqlite`, `.sqlite3`).

The root is never left: symbolic links are not followed (what they point to inside the root is found at its own place).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..words import Common
from .series import Problem, clean_text
from .words import Says

COMPANIONS = ("config.json", "hparams.yaml", "environment.json", "status", "process.json")
SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}
_MOMENT = re.compile(r"\d{9,11}(\.\d+)?")  # the subfolders that torch's add_hparams makes


@dataclass(frozen=True)
class ReadLimits:
    """Bounds on what is read. The defaults suit one's own disk; `UPLOAD_LIMITS` suit a stranger's files.

    Attributes:
        max_files: log files under one root; more are listed as a problem.
        max_depth: folders below the root.
        max_file_bytes: one log file.
        max_metrics: names in one file.
        block_bytes: how much is parsed at a time; bounds the memory of one worker to about thirty times it.
        max_block_bytes: the longest line or record.
        max_database_rows: rows of one trackio database.
    """

    max_files: int = 100_000
    max_depth: int = 32
    max_file_bytes: int = 16 * 2**30
    max_metrics: int = 5_000
    block_bytes: int = 8 * 2**20
    max_block_bytes: int = 256 * 2**20
    max_database_rows: int = 20_000_000


UPLOAD_LIMITS = ReadLimits(
    max_files=2_000,
    max_depth=12,
    max_file_bytes=256 * 2**20,
    max_metrics=1_000,
    block_bytes=2 * 2**20,
    max_block_bytes=16 * 2**20,
    max_database_rows=1_000_000,
)


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
    raise InputError(Common.there_no_such_folder_runs(), where=str(folder_id)[:60], next_step=Says.pick_one_list())


@dataclass
class Place:
    """One run's files before they are read. `path` is relative to the root, `/` between parts, `.` for the root."""

    path: str
    sources: list[tuple[str, str]] = field(default_factory=list)  # (format, path relative to the root)
    companions: dict[str, str] = field(default_factory=dict)  # file name → path relative to the root
    notes: list[str] = field(default_factory=list)
    is_folder: bool = True


def checked_root(root: Path | str) -> Path:
    path = Path(root).expanduser()
    try:
        resolved = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise InputError(
            Says.folder_runs_does_not_exist(), where=str(root), next_step=Says.give_existing_folder()
        ) from None
    if not resolved.is_dir():
        raise InputError(Says.runs_must_folder(), where=str(root), next_step=Says.give_folder_holds_file())
    return resolved


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in SKIPPED_FOLDERS


_FORMATS = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "db": "trackio",
    "sqlite": "trackio",
    "sqlite3": "trackio",
}


def _format_of(name: str) -> str | None:
    lower = name.lower()
    return "events" if "tfevents" in lower else _FORMATS.get(lower.rpartition(".")[2]) if "." in lower else None


def discover(root: Path, limits: ReadLimits) -> tuple[list[Place], list[Problem]]:
    """Walks the root without following a link; every run's files, and what could not be looked into."""
    places: list[Place] = []
    problems: list[Problem] = []
    by_path: dict[str, Place] = {}
    files_left = limits.max_files
    pending: list[tuple[str, int]] = [("", 0)]
    while pending:
        folder, depth = pending.pop()
        logs: list[tuple[str, str]] = []
        companions: dict[str, str] = {}
        subfolders: list[str] = []
        try:
            entries = sorted(os.scandir(f"{root}/{folder}"), key=lambda item: item.name)
        except OSError as error:
            problems.append(Problem(folder or ".", "folder", Says.folder_cannot_opened(error=error.strerror)))
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                if not _points_inside(Path(entry.path), root):
                    problems.append(Problem(shown_path(path), "link", Says.link_out_folder_not_followed()))
            elif entry.is_dir(follow_symlinks=False):
                if not _is_hidden(entry.name):
                    subfolders.append(path)
            elif not entry.name.startswith("."):
                kind = _format_of(entry.name)
                if entry.name in COMPANIONS:
                    companions[entry.name] = path
                elif kind and not entry.is_file(follow_symlinks=False):
                    problems.append(Problem(shown_path(path), "special", Says.not_regular_file()))
                elif kind and files_left > 0:
                    files_left -= 1
                    logs.append((kind, path))
                elif kind:
                    files_left -= 1
        if depth < limits.max_depth:
            pending += [(path, depth + 1) for path in reversed(subfolders)]
        elif subfolders:
            problems.append(
                Problem(shown_path(folder), "depth", Says.more_than_folders_deep_not(limit=limits.max_depth))
            )
        for place in _places_of(folder, logs, companions):
            parent = by_path.get(folder.rpartition("/")[0] if folder else "\x00")
            if place.is_folder and parent is not None and _is_hparams_of(place, parent):
                parent.sources += place.sources
                continue
            places.append(place)
            if place.is_folder:
                by_path[folder] = place
    if files_left < 0:
        problems.append(
            Problem(".", "too_many", Says.files_beyond_first_not_read(count=-files_left, limit=limits.max_files))
        )
    return places, problems


def _points_inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve(strict=False).is_relative_to(root)
    except (OSError, RuntimeError):  # a loop
        return True


def _places_of(folder: str, logs: list[tuple[str, str]], companions: dict[str, str]) -> Iterator[Place]:
    """Which of a folder's logs make up one run, and which stand alone."""
    databases = [log for log in logs if log[0] == "trackio"]
    tables = [log for log in logs if log[0] in ("jsonl", "csv")]
    events = [log for log in logs if log[0] == "events"]
    own = [log for log in tables if log[1].rpartition("/")[2] in ("metrics.jsonl", "metrics.csv")]
    for log in databases:
        yield Place(log[1], [log], is_folder=False)
    if not (own or companions):  # event files tell nothing about a table beside them
        for log in tables:
            yield Place(log[1], [log], is_folder=False)
        if events:
            yield Place(folder or ".", events)
        return
    if not (own or events or tables or "status" in companions):
        return
    place = Place(folder or ".", own + events or tables, companions)
    others = [path for kind, path in tables if (kind, path) not in place.sources]
    if others:
        names = ", ".join(clean_text(path.rpartition("/")[2], 60) for path in others[:5])
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        place.notes.append(f"also in the folder, not read as logs: {names}{more}")
    yield place


def _is_hparams_of(place: Place, parent: Place) -> bool:
    only_events = bool(place.sources) and all(kind == "events" for kind, _ in place.sources)
    parent_has_events = any(kind == "events" for kind, _ in parent.sources)
    return only_events and parent_has_events and bool(_MOMENT.fullmatch(place.path.rpartition("/")[2]))


def opaque_id(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def shown_path(path: str) -> str:
    """A path fit to be shown: no control characters, no broken encoding."""
    return clean_text(path.encode("utf-8", "replace").decode("utf-8", "replace"), 400) or "."


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Sort key: numbers within a name by their value."""
    return [
        (0, int(part), "") if part.isdecimal() and len(part) < 18 else (1, 0, part)
        for part in re.split(r"(\d+)", text)
        if part
    ]
