"""Files that grow while they are read: what was read of each is remembered, and only the rest is read next time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import BinaryIO

from ..messages import Message, english, reason_of
from .cache import SMALLEST_CACHED_BYTES, SeriesCache
from .formats import DatabaseFormat, DatabaseRun, LogFormat
from .parsing import Memory, ReadAgain, ReadLimits, Unreadable, note
from .series import Problem, Series, SeriesBuilder, clean_text
from .trees import Stamp, Tree
from .words import Says


class GrowingLog:
    """One log file and everything read from it so far. `update` reads what is new."""

    def __init__(self, tree: Tree, path: str, log_format: LogFormat) -> None:
        self.path = path
        self.format = log_format
        self.problem: Problem | None = None
        self.series: Mapping[str, Series] = {}
        self.memory: Memory = {}
        self.modified_s = 0.0
        self.version = 0  # grows with every change
        self.tree = tree
        self._stamp: Stamp | None = None
        self._offset = 0
        self._prints = ("", "")  # of the bytes at the start, and of those before the offset
        self._cached_offset = 0
        self._tried_cache = False

    def update(self, cache: SeriesCache | None, limits: ReadLimits) -> None:
        """Reads what is new; a file that was replaced or cut is read again. Never raises for a bad file."""
        try:
            if self._stamp is not None and self.tree.stamp(self.path) == self._stamp:
                return
            file, stamp = self.tree.open(self.path)
        except OSError as error:
            self._fail("unreadable", Says.file_unopened(error=reason_of(error)))
            self._stamp = None  # to be tried again, whatever the file looks like then
            return
        with file:
            self.version += 1
            self.modified_s = stamp[3] / 1e9
            try:
                if stamp[2] == 0:
                    raise Unreadable("empty", Says.file_empty())
                if stamp[2] > limits.max_file_bytes:
                    raise Unreadable("too_large", Says.file_too_large(limit=limits.max_file_bytes))
                self._read(file, stamp, cache, limits)
            except Unreadable as error:
                self._forget()
                self._fail(error.code, error.reason)
            except OSError as error:
                self._fail("unreadable", Says.file_unread(error=reason_of(error)))
            except Exception as error:  # a fault of a parser must not hide the other files
                self._forget()
                said = english(clean_text(str(error)))
                self._fail("unreadable", Says.parser_failed(kind=type(error).__name__, error=said))
            self._stamp = stamp

    def _fail(self, code: str, reason: Message) -> None:
        problem = Problem(self.tree.shown(self.path), code, reason)
        self.version += problem != self.problem
        self.problem = problem

    def _forget(self) -> None:
        self.series, self.memory, self._offset, self._prints, self._cached_offset = {}, {}, 0, ("", ""), 0

    def _read(self, file: BinaryIO, stamp: Stamp, cache: SeriesCache | None, limits: ReadLimits) -> None:
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
        self.problem = None
        # A file that keeps growing is stored again only when it has grown by a quarter: cheap in sum.
        worth_it = self._offset >= SMALLEST_CACHED_BYTES and self._offset >= self._cached_offset * 1.25
        if cache is not None and worth_it:
            state = {"stamp": stamp, "offset": self._offset, "prints": self._prints, "memory": self.memory}
            key = self._cache_key(stamp)
            if cache.store(key, state, self.series):
                self._load(cache, key)  # mapped arrays take the place of those in memory

    def _cache_key(self, stamp: Stamp) -> str:
        identity = f"{self.tree.key(self.path)}\0{stamp[0]}\0{stamp[1]}"
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
        builder = SeriesBuilder(self.series, unordered=self.memory.get("unordered", False))
        block_bytes = limits.block_bytes
        offset, rest = self._offset, b""
        file.seek(offset)
        while offset < size:
            fresh = file.read(min(block_bytes, size - offset - len(rest)))
            if not fresh:
                break  # cut while it was read; noticed on the next update
            block = rest + fresh
            at_end = offset + len(block) >= size
            used = self.format.parse(block, at_end, self.memory, builder, limits.max_metrics)
            offset, rest = offset + used, block[used:]
            if at_end:
                break
            if used == 0:
                block_bytes *= 2
                if block_bytes > limits.max_block_bytes:
                    raise Unreadable("line_too_long", Says.line_too_long(limit=limits.max_block_bytes))
        self.series = builder.finish()
        self.memory["unordered"] = builder.unordered
        self._offset = offset
        if self.tree.is_live:
            self._prints = _fingerprints(file, offset)
        if builder.repeated_steps:
            note(self.memory, Says.steps_repeated, builder.repeated_steps)
        if builder.superseded:
            note(self.memory, Says.values_superseded, builder.superseded)

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
    """One file of many runs, and its runs as read so far."""

    def __init__(self, tree: Tree, path: str, database_format: DatabaseFormat) -> None:
        self.path = path
        self.format = database_format
        self.problem: Problem | None = None
        self.runs: dict[str, DatabaseRun] = {}
        self.modified_s = 0.0
        self.version = 0
        self.tree = tree
        self._stamps: list[Stamp] = []

    def update(self, limits: ReadLimits) -> None:
        """Reads the rows that are new. Never raises for a bad file."""
        try:
            stamps = self._stamps_now(limits)
            if stamps == self._stamps:
                return
            self.version += 1
            self.modified_s = max(stamp[3] / 1e9 for stamp in stamps)
            with self.tree.on_disk(self.path, self.format.beside) as file:
                self.runs = self.format.read(file, self.runs, limits)
            self._stamps, self.problem = stamps, None
        except Unreadable as error:
            self.runs, self.problem = {}, Problem(self.tree.shown(self.path), error.code, error.reason)
        except OSError as error:
            reason = Says.file_unopened(error=reason_of(error))
            self.problem = Problem(self.tree.shown(self.path), "unreadable", reason)
        except Exception as error:  # a fault of a reader must not hide the other files
            self.runs, self.problem = {}, self._failed(error)

    def _failed(self, error: Exception) -> Problem:
        said = Says.parser_failed(kind=type(error).__name__, error=english(clean_text(str(error))))
        return Problem(self.tree.shown(self.path), "unreadable", said)

    def _stamps_now(self, limits: ReadLimits) -> list[Stamp]:
        """The stamps of the file and of those that belong to it."""
        folder, _, name = self.path.rpartition("/")
        there = {entry.name: entry.kind for entry in self.tree.entries(folder)}
        stamps = []
        for one in (name, *(name + suffix for suffix in self.format.beside)):
            if one != name and one not in there:
                continue
            if there.get(one, "file") != "file":
                raise Unreadable("special", Says.not_regular())
            stamp = self.tree.stamp(f"{folder}/{one}" if folder else one)
            if stamp[2] > limits.max_file_bytes:
                raise Unreadable("too_large", Says.file_too_large(limit=limits.max_file_bytes))
            stamps.append(stamp)
        return stamps
