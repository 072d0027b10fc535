"""A stranger's logs, laid out in a folder of their own so that the ordinary reader can read them.

Taken: logs of every format of one run a file, the small files that belong to a run, packs as they are, and zip
archives of those, unpacked.
Nothing in a name or an archive decides where a file is written: names are cut to safe parts, links are refused, and
bytes are counted as they are written, not as the archive claims. Read the folder with `UPLOAD_LIMITS`.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from ..messages import reason_of
from .formats import LogFormat, format_of
from .formats.run_folder import COMPANIONS
from .pack import DAMAGED, PackTree, is_pack, members_of
from .parsing import UPLOAD_LIMITS, Unreadable
from .series import Problem, clean_text
from .words import Says

# `process.json` names a process of the machine where the run was made; here it would ask about a process of ours.
_TAKEN_BESIDE_LOGS = tuple(name for name in COMPANIONS if name != "process.json")
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class UploadLimits:
    """Bounds on one visitor's upload.

    Attributes:
        max_total_bytes: everything together, unpacked.
        max_files: files taken, members of archives counted one by one.
        max_members: members looked at in one archive.
        max_depth: folders within an archive.
    """

    max_total_bytes: int = 256 * 2**20
    max_files: int = 2_000
    max_members: int = 20_000
    max_depth: int = 12


class _Full(Exception):
    pass


@dataclass
class _Room:
    """What is left of the limits."""

    bytes_left: int
    files_left: int


def stage_upload(files: Sequence[Path], into: Path, limits: UploadLimits | None = None) -> tuple[Problem, ...]:
    """Copies the logs among `files` into the empty folder `into`, archives unpacked.

    Args:
        files: uploaded files, named as the visitor named them.
        into: made if missing; the caller removes it.
        limits: bounds on the whole.

    Returns:
        What was not taken, with reasons. What was taken lies under `into`.
    """
    limits = limits or UploadLimits()
    room = _Room(limits.max_total_bytes, limits.max_files)
    problems: list[Problem] = []
    into.mkdir(parents=True, exist_ok=True)
    for file in files:
        try:
            _stage(file, into, limits, room, problems)
        except _Full:
            size = limits.max_total_bytes / 2**20
            full = Says.upload_full(size=size, files=limits.max_files)
            problems.append(Problem(clean_text(file.name), "too_large", full))
            break
        except Unreadable as error:
            problems.append(Problem(clean_text(file.name), error.code, error.reason))
        except DAMAGED as error:
            problems.append(Problem(clean_text(file.name), "unreadable", Says.cannot_read(error=reason_of(error))))
    return tuple(problems)


def _stage(file: Path, into: Path, limits: UploadLimits, room: _Room, problems: list[Problem]) -> None:
    if is_pack(file.name):
        # Read as it is; what it holds takes room as if it lay there unpacked.
        tree = PackTree(file, file.name, replace(UPLOAD_LIMITS, max_pack_bytes=room.bytes_left))
        tree.close()
        room.bytes_left -= tree.bytes
        room.files_left -= len(tree.paths)
        with file.open("rb") as source:
            _copy(source, into, (file.name,), room)
    elif file.name.lower().endswith(".zip"):
        _unpack(file, into, limits, room, problems)
    elif not _is_taken(file.name):
        problems.append(Problem(clean_text(file.name), "format", Says.upload_no_log()))
    else:
        # Event files that come without their folders are runs of their own: those of one folder would be one.
        parts = (file.name, file.name) if "tfevents" in file.name.lower() else (file.name,)
        with file.open("rb") as source:
            _copy(source, into, parts, room)


def _unpack(file: Path, into: Path, limits: UploadLimits, room: _Room, problems: list[Problem]) -> None:
    top = file.name[: -len(".zip")]
    with zipfile.ZipFile(file) as archive:
        if len(archive.infolist()) > limits.max_members:
            reason = Says.members_too_many(limit=limits.max_members)
            problems.append(Problem(clean_text(file.name), "too_many", reason))
            return
        skipped = 0
        for member, parts, fault in members_of(archive, limits.max_depth):
            shown = clean_text(f"{file.name}/{member.filename}")
            if fault is not None:
                problems.append(Problem(shown, *fault))
            elif is_pack(parts[-1]):
                problems.append(Problem(shown, "pack", Says.pack_in_pack()))
            elif "__MACOSX" in parts or not _is_taken(parts[-1]):
                skipped += 1
            else:
                try:
                    with archive.open(member) as source:
                        _copy(cast(BinaryIO, source), into, (top, *parts), room)
                except DAMAGED as error:
                    problems.append(Problem(shown, "unreadable", Says.member_damaged(error=reason_of(error))))
        if skipped:
            problems.append(Problem(clean_text(file.name), "format", Says.members_no_logs(count=skipped)))


def _is_taken(name: str) -> bool:
    return name in _TAKEN_BESIDE_LOGS or isinstance(format_of(name), LogFormat)


def _copy(source: BinaryIO, into: Path, parts: tuple[str, ...], room: _Room) -> None:
    if room.files_left <= 0:
        raise _Full
    room.files_left -= 1
    target = into.joinpath(*(_safe(part) for part in parts))
    target.parent.mkdir(parents=True, exist_ok=True)
    number = 2
    while target.exists():
        target = target.with_name(f"{number}-{_safe(parts[-1])}")
        number += 1
    try:
        with target.open("xb") as copy:
            while chunk := source.read(_CHUNK_BYTES):
                room.bytes_left -= len(chunk)
                if room.bytes_left < 0:
                    raise _Full
                copy.write(chunk)
    except BaseException:  # half a file is none
        target.unlink(missing_ok=True)
        raise


def _safe(part: str) -> str:
    """One part of a path: letters, digits and a few signs, never hidden, never empty, never long: the end, which says
    the format, stays."""
    kept = re.sub(r"[^\w.=+@ -]", "_", clean_text(part, 1_000), flags=re.UNICODE).lstrip(". ") or "_"
    return kept if len(kept) <= 120 else f"{kept[:60]}{kept[-60:]}"
