"""The journal of a long run: what was computed before a kill is not computed again.

Beside the output `F` lies the folder `F.partial/` with one file, `rows.log`, to which each batch is appended and synced
to disk; the output's drafts lie there too until they are whole. A frame holds which file each row came from (path,
size, time of change), which members were computed (by the hash of their passports: identity, dtype, library versions)
and the raw features. A frame that a kill tore is cut off; a log with a bad frame is set aside, and what stands before
it is used; rows of files or models that changed since are not used. When the output stands, the folder goes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from ..errors import StoreError
from ..files import only_one
from ..messages import reason_of
from ..types import ImageSource
from .words import Says

ROWS = "rows.log"
OUTPUT = "output"  # its lock, `output.lock`, is held by whoever writes the output

_MAGIC = b"ROWS"
_FRAME = struct.Struct("<4sII")  # magic, length of the body, crc32 of the body
_HEAD = struct.Struct("<I")  # length of the JSON that the body starts with


class Identity(NamedTuple):
    """A file as it was when it was read."""

    path: str
    size_bytes: int
    changed_ns: int


def identity(source: ImageSource) -> Identity | None:
    """Of a source that is a file; None for bytes and arrays, and for what cannot be looked at."""
    if source.path is None:
        return None
    try:
        status = source.path.stat()
    except (OSError, ValueError):
        return None
    path = os.fsencode(os.path.abspath(source.path)).decode("utf-8", "backslashreplace")  # noqa: PTH100 - keeps links
    return Identity(path, status.st_size, status.st_mtime_ns)


def passport_key(model_passport: Mapping[str, Any]) -> str:
    """A short hash of everything in a member's passport."""
    return hashlib.sha256(json.dumps(model_passport, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Block:
    """Rows computed together.

    Attributes:
        keys: model id → `passport_key`, in the order of the columns.
        files: one for each row.
        ms_B: milliseconds for each row, float32.
        features: model id → `[B, D_m]` float32.
    """

    keys: dict[str, str]
    files: list[Identity]
    ms_B: np.ndarray
    features: dict[str, np.ndarray]


class Journal:
    """An open journal, locked against a second run into the same output. Thread-safe; a context manager.

    Raises `StoreError` when the folder cannot be made, or another run holds it.

    Attributes:
        set_aside: where the whole log was copied because one of its frames is bad; None where all were good.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set_aside: Path | None = None
        self._lock = threading.Lock()
        rows = folder / ROWS
        self._alone = ExitStack()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            alone = self._alone.enter_context(only_one(rows, wait=False))
            self._file = rows.open("a+b")
        except OSError as error:
            self._alone.close()
            raise StoreError(Says.journal_not_opened(error=reason_of(error)), where=str(folder)) from error
        if not alone:
            self._file.close()
            raise StoreError(Says.output_in_use(), where=str(folder), next_step=Says.wait_or_choose_output())
        self._keep_good_frames()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def blocks(self) -> Iterator[Block]:
        """Every whole block written so far, oldest first."""
        with self._lock:
            self._file.seek(0)
            for body in self._bodies():
                yield _unpacked(body)

    def append(
        self,
        keys: Mapping[str, str],
        files: Sequence[Identity],
        ms_B: np.ndarray,
        features: Mapping[str, np.ndarray],
    ) -> None:
        """Adds rows; when this returns they are on the disk."""
        head = {
            "keys": dict(keys),
            "dims": [features[model_id].shape[1] for model_id in keys],
            "files": [list(file) for file in files],
        }
        packed_head = json.dumps(head).encode()
        parts = [ms_B.astype("<f4").tobytes()] + [features[model_id].astype("<f4").tobytes() for model_id in keys]
        body = _HEAD.pack(len(packed_head)) + packed_head + b"".join(parts)
        try:
            with self._lock:
                self._file.seek(0, os.SEEK_END)
                self._file.write(_FRAME.pack(_MAGIC, len(body), zlib.crc32(body)) + body)
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            raise StoreError(Says.journal_not_written(error=reason_of(error)), where=str(self.folder)) from error

    def close(self) -> None:
        """Keeps what was written, for the next run; nothing written leaves nothing behind."""
        empty = self._file.seek(0, os.SEEK_END) == 0
        self._file.close()
        if empty:
            (self.folder / ROWS).unlink(missing_ok=True)
        self._alone.close()
        if empty:
            _remove_if_empty(self.folder)  # not where somebody else's lock or draft lies in it

    def _bodies(self) -> Iterator[bytes]:
        """Bodies of whole frames from here on; ends at a torn one. Raises `ValueError` at a bad one."""
        while True:
            frame = self._file.read(_FRAME.size)
            if len(frame) < _FRAME.size:
                return
            magic, length, checksum = _FRAME.unpack(frame)
            body = self._file.read(length) if magic == _MAGIC else b""
            if magic == _MAGIC and len(body) < length and _MAGIC not in body:
                return  # the last one, which a kill tore; with another frame inside it is the length that is wrong
            if magic != _MAGIC or zlib.crc32(body) != checksum:
                raise ValueError("a bad frame")
            yield body

    def _keep_good_frames(self) -> None:
        good_bytes = 0
        self._file.seek(0)
        try:
            for body in self._bodies():
                _unpacked(body)
                good_bytes += _FRAME.size + len(body)
        except (ValueError, KeyError, TypeError, struct.error):
            self.set_aside = self.folder.with_name(self.folder.name + ".damaged")
            try:
                shutil.copyfile(self.folder / ROWS, self.set_aside)
            except OSError as error:
                self._file.close()
                self._alone.close()
                raise StoreError(Says.journal_not_written(error=reason_of(error)), where=str(self.set_aside)) from error
        self._file.truncate(good_bytes)


def journal_folder(output: Path) -> Path:
    """`F.partial` beside the output `F`."""
    return output.with_name(output.name + ".partial")


@contextmanager
def alone_at(output: Path) -> Iterator[Path]:
    """The journal folder of an output, for one run at a time: from its first image until the output stands.

    Drafts that a kill left there are removed; a folder that is empty in the end is too. Raises `StoreError`.
    """
    folder = journal_folder(output)
    with ExitStack() as stack:
        stack.callback(_remove_if_empty, folder)  # last, after the lock that lies in it
        try:
            folder.mkdir(parents=True, exist_ok=True)
            alone = stack.enter_context(only_one(folder / OUTPUT, wait=False))
        except OSError as error:
            raise StoreError(Says.journal_not_opened(error=reason_of(error)), where=str(folder)) from error
        if not alone:
            raise StoreError(Says.output_in_use(), where=str(folder), next_step=Says.wait_or_choose_output())
        for draft in folder.glob(".tmp-*"):
            _remove(draft)
        yield folder


def discard(folder: Path) -> None:
    """Removes a journal whose output stands; a lock that is held stays. One that is not there is fine."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name != OUTPUT + ".lock":
            _remove(entry)
    _remove_if_empty(folder)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _unpacked(body: bytes) -> Block:
    (head_bytes,) = _HEAD.unpack_from(body)
    head = json.loads(body[_HEAD.size : _HEAD.size + head_bytes])
    rows = len(head["files"])
    numbers = np.frombuffer(body, dtype="<f4", offset=_HEAD.size + head_bytes)
    at = rows
    features = {}
    for model_id, dim in zip(head["keys"], head["dims"], strict=True):
        features[model_id] = numbers[at : at + rows * dim].reshape(rows, dim)
        at += rows * dim
    files = [Identity(path, size_bytes, changed_ns) for path, size_bytes, changed_ns in head["files"]]
    return Block(dict(head["keys"]), files, numbers[:rows], features)
