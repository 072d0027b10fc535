"""Tables of vectors on disk. Every format carries ids, vectors, the passport and the rejects, and is written whole or
not at all (a temporary name, then a rename). No pickle anywhere, no torch. `formats` says what lies in each.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import InputError, StoreError
from ..files import replacing
from ..messages import listed, reason_of
from ..types import VectorTable
from ..words import Common
from .formats import FORMATS, LANCE, json_beside, table_of, write_json
from .words import Says

SUFFIXES = tuple(FORMATS)


def check_output(path: Path, *, overwrite: bool = False) -> None:
    """Refuses, before any work, an output that could not be written: another suffix, no folder to write to; and, unless
    `overwrite`, one in whose place lies something that this project did not write.

    Makes the parent folder where it is missing. Raises `InputError`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            Says.output_suffix(suffix=path.suffix or Says.no_suffix()),
            where=str(path),
            next_step=Says.use_one(names=", ".join(SUFFIXES)),
        )
    if path.suffix.lower() == ".lance" and not re.fullmatch(r"[A-Za-z0-9_.-]+", path.stem):
        raise InputError(Says.lance_name(), where=path.name, next_step=Says.choose_lance_name())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Says.output_folder_not_made(error=reason_of(error)), where=str(path.parent)) from error
    if path.is_dir() != (path.suffix.lower() == ".lance") and path.exists():
        says = Common.output_is_folder if path.is_dir() else Says.output_is_file
        raise InputError(says(), where=str(path), next_step=Common.choose_another_name())
    if not os.access(path.parent, os.W_OK):
        raise InputError(Says.output_folder_read_only(), where=str(path.parent))
    if not overwrite:
        _refuse_what_is_not_ours(path)


def _refuse_what_is_not_ours(path: Path) -> None:
    made = FORMATS[path.suffix.lower()]
    beside = json_beside(path)
    there = [place for place in ([path, beside] if made.with_json else [path]) if place.exists()]
    if not there:
        return
    try:
        ours = made.is_ours(path)
    except Exception:  # a damaged file may have been anybody's
        ours = False
    if not ours:
        where = beside if there == [beside] else path
        raise InputError(Says.not_ours(), where=str(where), next_step=Says.another_name_or_overwrite())
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in LANCE) if path.is_dir() else []
    if strangers:
        raise InputError(
            Says.strangers_inside(names=listed(strangers, 5)),
            where=str(path),
            next_step=Says.another_name_or_overwrite(),
        )


def write(table: VectorTable, path: Path, *, overwrite: bool = False, drafts_in: Path | None = None) -> list[Path]:
    """Writes a table in the format that the suffix names, replacing an earlier one. Returns the paths written.

    Args:
        overwrite: replace also what this project did not write.
        drafts_in: see `files.replacing`.

    Raises:
        InputError: the suffix names no format, or something else lies there.
        StoreError: the disk refuses.
    """
    check_output(path, overwrite=overwrite)
    made = FORMATS[path.suffix.lower()]
    paths = [path, json_beside(path)] if made.with_json else [path]
    try:
        # a crash between the renames of a file and its `.json` is told by the hash when they are read
        with replacing(*paths, drafts_in=drafts_in) as drafts:
            made.write(table, drafts[0])
            if made.with_json:
                write_json(table, drafts[1])
    except StoreError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(Says.not_written(error=reason_of(error)), where=str(path)) from error
    return paths


def read(path: Path) -> VectorTable:
    """Reads what `write` wrote.

    Raises:
        InputError: the suffix names no format, or nothing is there.
        StoreError: the file is damaged, of another tool, or of a later version.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(Says.unknown_suffix(), where=str(path), next_step=Says.use_one(names=", ".join(SUFFIXES)))
    if not path.exists():
        raise InputError(Says.no_such_file(), where=str(path))
    try:
        stored = FORMATS[suffix].read(path)
    except StoreError:
        raise
    except Exception as error:  # every library has errors of its own for damaged files
        raise StoreError(Says.damaged_or_other_kind(error=reason_of(error)), where=str(path)) from error
    return table_of(path, stored)
