"""Finds images: one file, a folder, a folder and everything below it. Nothing is opened here.

In a folder the file name's suffix decides; a file named directly is tried whatever it is called. Whatever is passed
over is counted and named in `Found.left_out`, so that forty files in a folder are forty rows, rejects and names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..messages import Message, listed, reason_of
from ..types import ImageSource, Notice, Reject
from .words import Says

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a path holds.

    Attributes:
        sources: images by suffix, sorted by id; ids are POSIX paths relative to the folder.
        left_out: files that are not images by their suffix, or hidden, relative to the folder, sorted.
        not_entered: folders that were not searched (not asked for, or a link to a folder), sorted.
        rejects: folders that could not be read.
    """

    sources: tuple[ImageSource, ...]
    left_out: tuple[str, ...] = ()
    not_entered: tuple[str, ...] = ()
    rejects: tuple[Reject, ...] = ()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was passed over, in words with names."""
        notices = []
        if self.left_out:
            says = Says.file_left_out if len(self.left_out) == 1 else Says.files_left_out
            notices.append(Notice("left_out", says(count=len(self.left_out), names=_some(self.left_out))))
        if self.not_entered:
            says = Says.folder_not_entered if len(self.not_entered) == 1 else Says.folders_not_entered
            notices.append(Notice("not_entered", says(count=len(self.not_entered), names=_some(self.not_entered))))
        return tuple(notices)


def find(path: Path, recursive: bool = False) -> Found:
    """The images at `path`: the file itself, or a folder's (flat; with `recursive` everything below too).

    Links to files are followed; links to folders are not, so that a circle of links ends.

    Raises:
        InputError: nothing is there, or the folder may not be read.
    """
    try:
        is_folder = path.is_dir()
        is_there = is_folder or os.path.lexists(path)
    except (OSError, ValueError) as error:
        raise InputError(Says.path_unreadable(error=reason_of(error)), where=_printable(str(path))) from error
    if not is_there:
        raise InputError(Says.nothing_there(), where=str(path), next_step=Says.check_image_path())
    if not is_folder:
        return Found((ImageSource(_printable(path.name), path=path),))
    return _find_in_folder(path, recursive)


def with_unique_ids(sources: Sequence[ImageSource]) -> tuple[list[ImageSource], list[Notice]]:
    """The same sources, later ones of the same name called `name (2)`, `name (3)` …, and a notice if that happened."""
    taken = {source.id for source in sources}
    seen: set[str] = set()
    unique, renamed = [], []
    for source in sources:
        image_id = source.id
        if image_id in seen:
            image_id = numbered(image_id, taken)
            taken.add(image_id)
            renamed.append(image_id)
        seen.add(image_id)
        unique.append(source if image_id == source.id else replace(source, id=image_id))
    notices = [Notice("renamed", Says.names_numbered(names=_some(renamed)))] if renamed else []
    return unique, notices


def numbered(name: str, taken: Iterable[str]) -> str:
    """`name (2)` or the next number that is free; the suffix stays at the end: `a (2).jpg`."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or "/" in suffix:
        stem, dot, suffix = name, "", ""
    number = 2
    while f"{stem} ({number}){dot}{suffix}" in taken:
        number += 1
    return f"{stem} ({number}){dot}{suffix}"


def is_image_name(name: str) -> bool:
    """Whether the last part of a path looks like an image: a known suffix, not hidden."""
    last = name.rpartition("/")[2]
    return not last.startswith(".") and os.path.splitext(last)[1].lower() in SUFFIXES  # noqa: PTH122 - not a path


def _find_in_folder(folder: Path, recursive: bool) -> Found:
    sources: list[ImageSource] = []
    left_out: list[str] = []
    not_entered: list[str] = []
    rejects: list[Reject] = []
    waiting = [(folder, "")]
    while waiting:
        place, prefix = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            if place == folder:
                raise InputError(Says.folder_unreadable(error=reason_of(error)), where=str(folder)) from error
            rejects.append(Reject(prefix, "unreadable", Says.folder_unreadable(error=reason_of(error))))
            continue
        for entry in entries:
            image_id = prefix + _printable(entry.name)
            if _leads_to_folder(entry):
                hidden = entry.name.startswith(".")
                if recursive and not hidden and not entry.is_symlink():
                    waiting.append((Path(entry.path), image_id + "/"))
                else:
                    not_entered.append(image_id + "/")
            elif is_image_name(entry.name):
                sources.append(ImageSource(image_id, path=Path(entry.path)))
            else:
                left_out.append(image_id)
    sources.sort(key=lambda source: source.id)
    rejects.sort(key=lambda reject: reject.id)
    return Found(tuple(sources), tuple(sorted(left_out)), tuple(sorted(not_entered)), tuple(rejects))


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: a file by its name, rejected when it is read
        return False


def _printable(name: str) -> str:
    r"""A file name as text that any file format can hold: bytes that are no UTF-8 become `\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _some(names: Sequence[str]) -> Message:
    return listed(names, 5)
