"""Files that grow while they are read: what was read of each is remembered, and only the rest is read next time."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from .cache import SMALLEST_CACHED_BYTES, SeriesCache
from .discover import ReadLimits, shown_path
from .events import parse_events
from .series import Problem, Series, SeriesBuilder, clean_text
from .tables import Memory, ReadAgain, Unreadable, parse_csv, parse_jsonl
from .trackio import TrackioRun, read_trackio
from .words import Says

Parser = Callable[[bytes, bool, Memory, SeriesBuilder, int], int]
_PARSERS: dict[str, Parser] = {"jsonl": parse_jsonl, "csv": parse_csv, "events": parse_events}


def open_regular(path: str) -> BinaryIO:
    """Opens a file for reading; not through a link in its last part, and never waiting for a pipe.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    return os.fdopen(_open_regular(path)[0], "rb")


def read_small(path: str, most: int) -> tuple[os.stat_result, bytes]:
    """The first `most` bytes of a file and its status; opened as by `open_regular`, of which there may be thousands."""
    descriptor, status = _open_regular(path)
    try:
        return status, os.read(descriptor, min(status.st_size, most))
    finally:
        os.close(descriptor)


def _open_regular(path: str) -> tuple[int, os.stat_result]:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, Says.not_regular_file())
    return descriptor, status


class GrowingLog:
    """One log file and everything read from it so far. `update` reads what is new."""

    def __init__(self, root: Path, path: str, kind: str) -> None:
        self.path = path
        self.kind = kind
        self.problem: Problem | None = None
        self.series: Mapping[str, Series] = {}
        self.memory: Memory = {}
        self.modified_s = 0.0
        self.version = 0  # grows with every change
        self._file = f"{root}/{path}"
        self._stamp: tuple[int, int, int, int] | None = None  # device, inode, size, mtime
        self._offset = 0
        self._prints = ("", "")  # of the bytes at the start, and of those before the offset
        self._cached_offset = 0
        self._tried_cache = False

    def update(self, cache: SeriesCache | None, limits: ReadLimits) -> None:
        """Reads what is new; a file that was replaced or cut is read again. Never raises for a bad file."""
        try:
            file = open_regular(self._file)
        except OSError as error:
            self._fail("unreadable", Says.file_cannot_opened(error=error.strerror))
            return
        with file:
            status = os.fstat(file.fileno())
            stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if stamp == self._stamp:
                return
            self.version += 1
            self.modified_s = status.st_mtime
            if status.st_size == 0:
                self._forget()
                self._fail("empty", Says.file_empty_0_bytes())
            elif status.st_size > limits.max_file_bytes:
                self._fail("too_large", Says.larger_than_bytes(limit=limits.max_file_bytes))
            else:
                try:
                    self._read(file, stamp, cache, limits)
                except Unreadable as error:
                    self._forget()
                    self._fail(error.code, error.reason)
                except OSError as error:
                    self._fail("unreadable", Says.file_cannot_read(error=error.strerror))
                except Exception as error:  # a fault of a parser must not hide the other files
                    self._forget()
                    self._fail("unreadable", clean_text(Says.could_not_read(kind=type(error).__name__, error=error)))
            self._stamp = stamp

    def _fail(self, code: str, reason: str) -> None:
        problem = Problem(shown_path(self.path), code, reason)
        self.version += problem != self.problem
        self.problem = problem

    def _forget(self) -> None:
        self.series, self.memory, self._offset, self._prints, self._cached_offset = {}, {}, 0, ("", ""), 0

    def _read(
        self, file: BinaryIO, stamp: tuple[int, int, int, int], cache: SeriesCache | None, limits: ReadLimits
    ) -> None:
        size = stamp[2]
        if cache is not None and size >= SMALLEST_CACHED_BYTES and not self._tried_cache:
            self._tried_cache = True
            self._load(cache, self._cache_key(stamp))
            if self._stamp == stamp:
                self.problem = None
                return
        grown = (
            self._stamp is not None
            and stamp[:2] == self._stamp[:2]
            and size > self._stamp[2]
            and not self.memory.get("unfinished_line")
            and self._prints == _fingerprints(file, self._offset)
        )
        if not grown:
            self._forget()
        try:
            self._parse(file, size, limits)
        except ReadAgain as again:
            self._forget()
            self.memory = dict(again.memory)
            self._parse(file, size, limits)
        self._prints = _fingerprints(file, self._offset)
        self.problem = None
        # A file that keeps growing is stored again only when it has grown by a quarter: cheap in sum.
        worth_it = self._offset >= SMALLEST_CACHED_BYTES and self._offset >= self._cached_offset * 1.25
        if cache is not None and worth_it:
            state = {"stamp": stamp, "offset": self._offset, "prints": self._prints, "memory": self.memory}
            key = self._cache_key(stamp)
            if cache.store(key, state, self.series):
                self._load(cache, key)  # mapped arrays take the place of those in memory

    def _cache_key(self, stamp: tuple[int, int, int, int]) -> str:
        identity = f"{self._file}\0{stamp[0]}\0{stamp[1]}"  # path, device, inode
        return hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    def _load(self, cache: SeriesCache, key: str) -> None:
        found = cache.load(key)
        if found is None:
            return
        state, series = found
        self.series, self.memory, self._offset = series, state["memory"], state["offset"]
        self._prints = tuple(state["prints"])
        self._stamp = tuple(state["stamp"])
        self._cached_offset = self._offset

    def _parse(self, file: BinaryIO, size: int, limits: ReadLimits) -> None:
        parse = _PARSERS[self.kind]
        builder = SeriesBuilder(self.series)
        block_bytes = limits.block_bytes
        offset = self._offset
        while offset < size:
            file.seek(offset)
            block = file.read(min(block_bytes, size - offset))
            if not block:
                break  # cut while it was read; noticed on the next update
            at_end = offset + len(block) >= size
            used = parse(block, at_end, self.memory, builder, limits.max_metrics)
            offset += used
            if at_end:
                break
            if used == 0:
                block_bytes *= 2
                if block_bytes > limits.max_block_bytes:
                    raise Unreadable("line_too_long", Says.line_record_longer_than_bytes(limit=limits.max_block_bytes))
        self.series = builder.finish()
        self._offset = offset
        for text, count in (
            ("{n} steps were written more than once; the later value counts", builder.repeated_steps),
            ("{n} values of an attempt that was resumed before them were replaced", builder.superseded),
        ):
            if count:
                self.memory.setdefault("notes", {})
                self.memory["notes"][text] = self.memory["notes"].get(text, 0) + count

    @property
    def unused_bytes(self) -> int:
        """Bytes after the last whole line or record."""
        return (self._stamp[2] - self._offset) if self._stamp else 0


def _fingerprints(file: BinaryIO, offset: int) -> tuple[str, str]:
    file.seek(0)
    head = file.read(min(256, offset))
    file.seek(max(0, offset - 64))
    tail = file.read(min(64, offset))
    return (
        hashlib.blake2b(head, digest_size=12).hexdigest(),
        hashlib.blake2b(tail, digest_size=12).hexdigest(),
    )


class GrowingDatabase:
    """One trackio database and its runs as read so far."""

    def __init__(self, root: Path, path: str) -> None:
        self.path = path
        self.problem: Problem | None = None
        self.runs: dict[str, TrackioRun] = {}
        self.modified_s = 0.0
        self.version = 0
        self._file = root / path
        self._stamp: tuple[tuple[int, ...], ...] | None = None

    def update(self, limits: ReadLimits) -> None:
        """Reads the rows that are new. Never raises for a bad file."""
        try:
            stamps = []
            for suffix in ("", "-wal"):
                file = self._file.with_name(self._file.name + suffix)
                if not suffix or file.exists():
                    status = file.lstat()
                    if not stat.S_ISREG(status.st_mode):
                        raise Unreadable("special", Says.not_regular_file())
                    if status.st_size > limits.max_file_bytes:
                        raise Unreadable("too_large", Says.larger_than_bytes(limit=limits.max_file_bytes))
                    stamps.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
                    self.modified_s = max(self.modified_s, status.st_mtime)
            if tuple(stamps) == self._stamp:
                return
            self.version += 1
            self.runs = read_trackio(self._file, self.runs, limits.max_metrics, limits.max_database_rows)
            self._stamp, self.problem = tuple(stamps), None
        except Unreadable as error:
            self.runs, self.problem = {}, Problem(shown_path(self.path), error.code, error.reason)
        except OSError as error:
            self.problem = Problem(shown_path(self.path), "unreadable", Says.file_cannot_opened(error=error.strerror))
