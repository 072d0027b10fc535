"""Where log files lie: a folder on the disk, or a pack. The reader asks both the same way.

Paths are relative, with `/` between the parts; the top is the empty path.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from ..errors import InputError
from .series import clean_text
from .words import Says

Stamp = tuple[int, int, int, int]
"""Two numbers that say which file it is, its size and its time of modification (ns): if all are the same, so is it."""


@dataclass(frozen=True)
class TreeEntry:
    """Something in a folder."""

    name: str
    kind: Literal["file", "folder", "link", "link_outside", "special"]


class Tree(Protocol):
    """Files to be read.

    Attributes:
        is_live: whether whoever writes them may be at it, on this machine.
    """

    is_live: bool

    def entries(self, folder: str) -> list[TreeEntry]:
        """What lies directly in a folder, by name. Raises `OSError`."""

    def stamp(self, path: str) -> Stamp:
        """The stamp of a file. Raises `OSError`."""

    def open(self, path: str) -> tuple[BinaryIO, Stamp]:
        """A file to read from, and its stamp. Raises `OSError`."""

    def read_small(self, path: str, most: int) -> tuple[Stamp, bytes]:
        """The first `most` bytes of a file, of which there may be thousands. Raises `OSError`."""

    def on_disk(self, path: str, beside: tuple[str, ...]) -> AbstractContextManager[Path]:
        """The file, and those beside it that are named like it with one of the suffixes, as files of the disk."""

    def key(self, path: str) -> str:
        """Names the file among all files of this machine."""

    def shown(self, path: str) -> str:
        """The path for people, relative to the root."""


def checked_root(root: Path | str) -> Path:
    """The folder of runs, with links resolved.

    Raises:
        InputError: there is none.
    """
    path = Path(root).expanduser()
    try:
        resolved = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise InputError(Says.root_missing(), where=str(root), next_step=Says.give_existing_folder()) from None
    if not resolved.is_dir():
        raise InputError(Says.root_no_folder(), where=str(root), next_step=Says.give_folder_of_file())
    return resolved


class DiskTree:
    """The files under a folder, no link followed and no pipe waited for."""

    is_live = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self, folder: str) -> list[TreeEntry]:
        found = sorted(os.scandir(f"{self.root}/{folder}"), key=lambda item: item.name)
        return [TreeEntry(entry.name, self._kind(entry)) for entry in found]

    def _kind(self, entry: os.DirEntry[str]) -> Literal["file", "folder", "link", "link_outside", "special"]:
        if entry.is_symlink():
            return "link" if _points_inside(Path(entry.path), self.root) else "link_outside"
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "special"

    def stamp(self, path: str) -> Stamp:
        return stamp_of(os.lstat(f"{self.root}/{path}"))

    def open(self, path: str) -> tuple[BinaryIO, Stamp]:
        descriptor, stamp = self._open(path)
        return os.fdopen(descriptor, "rb"), stamp

    def read_small(self, path: str, most: int) -> tuple[Stamp, bytes]:
        descriptor, stamp = self._open(path)
        try:
            return stamp, os.read(descriptor, min(stamp[2], most))
        finally:
            os.close(descriptor)

    def _open(self, path: str) -> tuple[int, Stamp]:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(f"{self.root}/{path}", flags)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise OSError(Says.not_regular())
        return descriptor, stamp_of(status)

    @contextmanager
    def on_disk(self, path: str, beside: tuple[str, ...]) -> Iterator[Path]:
        yield self.root / path

    def key(self, path: str) -> str:
        return f"{self.root}/{path}"

    def shown(self, path: str) -> str:
        return shown_path(path)


def stamp_of(status: os.stat_result) -> Stamp:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _points_inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve(strict=False).is_relative_to(root)
    except (OSError, RuntimeError):  # a loop
        return True


def opaque_id(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def shown_path(path: str) -> str:
    """A path fit to be shown: no control characters, no broken encoding."""
    return clean_text(path.encode("utf-8", "replace").decode("utf-8", "replace"), 400) or "."
