"""The journal of a long run: what was computed before a kill is not computed again.

Beside the output `F` lies the folder `F.partial/` with one file, `rows.log`, to which each batch is appended and synced
to disk. A frame holds which file each row came from (path, size, time of change), which members were computed (by the
hash of their passports: weights, preprocessing, dtype, library versions) and the raw features. A frame that a kill
tore is cut off; rows of files or models that changed since are not used. When the output stands, the folder goes.
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
from contextlib import ExitStack
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
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        rows = folder / "rows.log"
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
        self._cut_torn_end()

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
            discard(self.folder)
        self._alone.close()

    def _bodies(self) -> Iterator[bytes]:
        """Bodies of whole frames from here on; ends before the first that is not whole."""
        while True:
            frame = self._file.read(_FRAME.size)
            if len(frame) < _FRAME.size:
                return
            magic, length, checksum = _FRAME.unpack(frame)
            body = self._file.read(length) if magic == _MAGIC else b""
            if magic != _MAGIC or len(body) < length or zlib.crc32(body) != checksum:
                return
            yield body

    def _cut_torn_end(self) -> None:
        self._file.seek(0)
        whole_bytes = sum(_FRAME.size + len(body) for body in self._bodies())
        self._file.truncate(whole_bytes)


def journal_folder(output: Path) -> Path:
    """`F.partial` beside the output `F`."""
    return output.with_name(output.name + ".partial")


def discard(folder: Path) -> None:
    """Removes a journal whose output stands. One that is not there is fine."""
    shutil.rmtree(folder, ignore_errors=True)


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
