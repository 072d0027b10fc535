"""What every format carries, and how a table is made of it again.

The three JSON texts are `passport` (what made the vectors), `rejects` (what has no row, and why) and `details`
(members, notices, seconds, and a hash of ids and vectors by which a damaged file is told when it is read).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from ...errors import StoreError
from ...messages import english, reason_of
from ...types import Member, Notice, Reject, VectorTable
from ..words import Says

FORMAT = 1
TEXTS = ("passport", "rejects", "details")


class Stored(NamedTuple):
    """A file's content. `texts` by the names of `TEXTS`; none of them: the file was not written by this project."""

    ids: list[str]
    vectors_ND: np.ndarray
    ms_N: np.ndarray | None
    texts: dict[str, str]


class Format(Protocol):
    """What a module of this package offers. Reading may raise whatever its library does."""

    def write(self, table: VectorTable, place: Path) -> None: ...

    def read(self, path: Path) -> Stored: ...


FOREIGN = Stored([], np.empty((0, 0), np.float32), None, {})


def texts_of(table: VectorTable) -> dict[str, str]:
    """The three JSON texts."""
    details = {
        "format": FORMAT,
        "members": [asdict(member) for member in table.members],
        "notices": [asdict(notice) for notice in table.notices],
        "seconds": table.seconds,
        "sha256": _content_hash(table.ids, table.vectors_ND),
    }
    rejects = [asdict(reject) for reject in table.rejects]
    return {
        "passport": json.dumps(table.passport, ensure_ascii=False),
        "rejects": json.dumps(rejects, ensure_ascii=False),
        "details": json.dumps(details, ensure_ascii=False),
    }


def table_of(path: Path, stored: Stored) -> VectorTable:
    """The table that was written. Raises `StoreError`: not this project's, of a later version, or damaged."""
    ids, vectors_ND, ms_N, texts = stored
    missing = [name for name in TEXTS if name not in texts]
    if missing:
        raise StoreError(Says.no_passport(), where=str(path), next_step=Says.vectorize_again_output())
    try:
        details = json.loads(texts["details"])
        if details["format"] > FORMAT:
            raise StoreError(Says.later_version(), where=str(path), next_step=Says.update())
        table = VectorTable(
            ids=tuple(ids),
            vectors_ND=vectors_ND,
            members=tuple(Member(**member) for member in details["members"]),
            passport=json.loads(texts["passport"]),
            rejects=tuple(_reject(reject) for reject in json.loads(texts["rejects"])),
            ms_N=ms_N,
            seconds=details["seconds"],
            notices=tuple(_notice(notice) for notice in details["notices"]),
        )
        whole = vectors_ND.dtype == np.float32 and details["sha256"] == _content_hash(ids, vectors_ND)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise StoreError(Says.file_damaged(error=reason_of(error)), where=str(path)) from error
    if not whole:
        raise StoreError(Says.hash_differs(), where=str(path), next_step=Says.vectorize_again())
    return table


def _content_hash(ids: tuple[str, ...] | list[str], vectors_ND: np.ndarray) -> str:
    digest = hashlib.sha256("\0".join(ids).encode())
    digest.update(f"\0{vectors_ND.shape}\0".encode())
    digest.update(np.ascontiguousarray(vectors_ND, dtype="<f4").data)
    return digest.hexdigest()


def _reject(kept: Mapping[str, str]) -> Reject:
    """A sentence in a file stays in the words that it was written in."""
    return Reject(**{**kept, "reason": english(kept["reason"])})  # type: ignore[arg-type]


def _notice(kept: Mapping[str, str]) -> Notice:
    return Notice(**{**kept, "text": english(kept["text"])})  # type: ignore[arg-type]
