"""A stranger's logs, laid out in a folder of their own so that the ordinary reader can read them.

Taken: `.csv`, `.jsonl`, TensorBoard event files, the small files that belong to a run, and zip archives of those.
Nothing in a name or an archive decides where a file is written: names are cut to safe parts, links are refused, and
bytes are counted as they are written, not as the archive claims. Read the folder with `UPLOAD_LIMITS`.
"""

from __future__ import annotations

import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .discover import COMPANIONS
from .series import Problem, clean_text
from .words import Says

# `process.json` names a process of the machine where the run was made; here it would ask about a process of ours.
_TAKEN_BESIDE_LOGS = tuple(name for name in COMPANIONS if name != "process.json")
_LOG_SUFFIXES = (".csv", ".jsonl", ".ndjson")
_CHUNK_BYTES = 2**20
# What zipfile and its decompressors raise on damaged, encrypted or exotic archives.
_DAMAGED = (
    *(OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(NotImplementedError, RuntimeError, EOFError, ValueError),
)


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
            if file.name.lower().endswith(".zip"):
                _unpack(file, into, limits, room, problems)
            elif not _is_taken(file.name):
                problems.append(Problem(clean_text(file.name), "format", Says.not_csv_jsonl_event_file()))
            else:
                # Event files that come without their folders are runs of their own: those of one folder would be one.
                parts = (file.name, file.name) if "tfevents" in file.name.lower() else (file.name,)
                with file.open("rb") as source:
                    _copy(source, into, parts, room)
        except _Full:
            problems.append(_full(clean_text(file.name), limits))
            break
        except _DAMAGED as error:
            problems.append(Problem(clean_text(file.name), "unreadable", clean_text(Says.cannot_read(error=error))))
    return tuple(problems)


def _full(name: str, limits: UploadLimits) -> Problem:
    most = f"{limits.max_total_bytes / 2**20:,.0f} MB and {limits.max_files:,} files"
    return Problem(name, "too_large", f"more than {most} together; the rest was not taken")


def _unpack(file: Path, into: Path, limits: UploadLimits, room: _Room, problems: list[Problem]) -> None:
    top = file.name[: -len(".zip")]
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > limits.max_members:
            problems.append(
                Problem(clean_text(file.name), "too_many", Says.more_than_members(limit=limits.max_members))
            )
            return
        skipped = 0
        for member in members:
            if member.is_dir():
                continue
            shown = clean_text(f"{file.name}/{member.filename}")
            parts = tuple(part for part in re.split(r"[/\\]+", member.filename) if part)
            if stat.S_ISLNK(member.external_attr >> 16):
                problems.append(Problem(shown, "link", Says.link_not_followed()))
            elif not parts or ".." in parts or re.match(r"[A-Za-z]:|[/\\]", member.filename):
                problems.append(Problem(shown, "path", Says.name_leads_out_archive()))
            elif len(parts) > limits.max_depth:
                problems.append(Problem(shown, "depth", Says.more_than_folders_deep(limit=limits.max_depth)))
            elif "__MACOSX" in parts or not _is_taken(parts[-1]):
                skipped += 1
            elif member.flag_bits & 0x1:
                problems.append(Problem(shown, Says.encrypted(), Says.encrypted()))
            else:
                try:
                    with archive.open(member) as source:
                        _copy(source, into, (top, *parts), room)  # type: ignore[arg-type]
                except _DAMAGED as error:
                    problems.append(Problem(shown, "unreadable", clean_text(Says.cannot_unpacked(error=error))))
        if skipped:
            problems.append(Problem(clean_text(file.name), "format", Says.members_no_logs_left_out(count=skipped)))


def _is_taken(name: str) -> bool:
    lower = name.lower()
    return "tfevents" in lower or lower.endswith(_LOG_SUFFIXES) or name in _TAKEN_BESIDE_LOGS


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
    """One part of a path: letters, digits and a few signs, never hidden, never empty, never long."""
    kept = re.sub(r"[^\w.=+@ -]", "_", clean_text(part, 120), flags=re.UNICODE).lstrip(". ")
    return kept or "_"
