"""A ZIP of images → sources, without trusting a word of it.

Member names are shown, never used as paths: members lie in memory, or in a folder given, under numbers. The number of
members is checked before the directory is parsed, bytes and compression ratio while streaming, because the sizes that
an archive states may be lies. One bad member is a reject; an archive that breaks a limit as a whole is refused.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..messages import Message, reason_of
from ..settings import ImageLimits
from ..types import ImageSource, Reject
from ..words import Common
from .sources import is_image_name, numbered
from .words import Says

_CHUNK_BYTES = 2**16
_RATIO_FREE_BYTES = 2**20  # a small flat picture may compress very well
_READ_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ARCHIVE_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")
_MACOS_OWN = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|\._[^/]*$)")


@dataclass(frozen=True)
class ArchiveLimits:
    """Bounds of one archive.

    Attributes:
        max_members: files of any kind inside.
        max_unpacked_bytes: of all members together.
        max_ratio: unpacked over packed, of one member (by its stated size) and of all together (by the file's true
            size); the first MiB is free.
    """

    max_members: int = 2_000
    max_unpacked_bytes: int = 2**30
    max_ratio: float = 200.0


def from_zip(
    path: Path,
    limits: ArchiveLimits = ArchiveLimits(),
    image_limits: ImageLimits = ImageLimits(),
    *,
    into: Path | None = None,
) -> tuple[list[ImageSource], list[Reject]]:
    """The images of a ZIP in the archive's order, and a reject for every member that is none.

    Args:
        path: the archive.
        limits: of the archive as a whole.
        image_limits: `max_file_bytes` bounds each member.
        into: an existing private folder for the unpacked members, named by number; None keeps them in memory.

    Returns:
        Sources whose ids are the members' names made safe to show and unique; rejects with the codes `not_an_image`,
        `unsupported` (encrypted, an archive inside, a rare compression), `too_large`, `unreadable`, `truncated`,
        `empty`.

    Raises:
        InputError: not a ZIP, damaged as a whole, or beyond `limits`.
    """
    try:
        reader = _BoundedReader(path, limits)
    except OSError as error:
        raise InputError(Says.archive_unreadable(error=reason_of(error)), where=str(path)) from error
    with reader:
        try:
            archive = zipfile.ZipFile(reader)
        except InputError:
            raise
        except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError, OSError) as error:
            raise InputError(Says.archive_damaged(error=reason_of(error)), where=path.name) from error
        with archive:
            members = [
                member for member in archive.infolist() if not member.filename.endswith("/")
            ]  # a name may be empty
            if len(members) > limits.max_members:
                raise _too_many_members(path.name, limits)
            return _unpack(archive, members, path, limits, image_limits, into)


def _unpack(
    archive: zipfile.ZipFile,
    members: list[zipfile.ZipInfo],
    path: Path,
    limits: ArchiveLimits,
    image_limits: ImageLimits,
    into: Path | None,
) -> tuple[list[ImageSource], list[Reject]]:
    sources: list[ImageSource] = []
    rejects: list[Reject] = []
    taken: set[str] = set()
    macos_count = unpacked_bytes = kept_bytes = 0
    archive_bytes = path.stat().st_size
    for number, member in enumerate(members):
        shown = _shown_name(member)
        if _MACOS_OWN.search(shown):
            macos_count += 1
            continue
        image_id = numbered(shown, taken) if shown in taken else shown
        taken.add(image_id)
        refused = _refused_by_directory(member, shown)
        if refused is not None:
            rejects.append(Reject(image_id, *refused))
            continue
        room_bytes = limits.max_unpacked_bytes - unpacked_bytes
        data, refused, read_bytes = _read_member(archive, member, room_bytes, limits, image_limits)
        unpacked_bytes += read_bytes
        kept_bytes += len(data)
        if unpacked_bytes > limits.max_unpacked_bytes:
            raise InputError(
                Says.archive_too_large(limit=limits.max_unpacked_bytes / 2**20),
                where=path.name,
                next_step=Says.split_archive(),
            )
        if _ratio_exceeded(kept_bytes, archive_bytes, limits):
            raise InputError(Says.archive_packed_too_well(ratio=limits.max_ratio), where=path.name)
        if refused is not None:
            rejects.append(Reject(image_id, *refused))
        elif into is None:
            sources.append(ImageSource(image_id, data=data))
        else:
            place = into / f"member-{number:06d}"
            place.write_bytes(data)
            sources.append(ImageSource(image_id, path=place))
    if macos_count:
        rejects.append(Reject("__MACOSX", "not_an_image", Says.macos_files(count=macos_count)))
    return sources, rejects


def _refused_by_directory(member: zipfile.ZipInfo, shown: str) -> tuple[str, Message] | None:
    """(code, reason) for what need not be unpacked."""
    if shown.lower().endswith(_ARCHIVE_SUFFIXES):
        return "unsupported", Says.archive_inside()
    if not is_image_name(shown):
        return "not_an_image", Says.not_image_by_name()
    if member.flag_bits & 0x1:
        return "unsupported", Says.member_encrypted()
    if member.compress_type not in _READ_METHODS:
        return "unsupported", Says.rare_compression()
    return None


def _read_member(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    room_bytes: int,
    limits: ArchiveLimits,
    image_limits: ImageLimits,
) -> tuple[bytes, tuple[str, Message] | None, int]:
    """(bytes, refusal or None, bytes unpacked): stops at the first limit met, `room_bytes` included."""
    parts: list[bytes] = []
    read_bytes = 0
    try:
        with archive.open(member) as stream:
            while part := stream.read(_CHUNK_BYTES):
                read_bytes += len(part)
                if read_bytes > room_bytes:
                    return b"", None, read_bytes  # the caller refuses the archive
                if read_bytes > image_limits.max_file_bytes:
                    reason = Says.member_too_large(limit=image_limits.max_file_bytes / 2**20)
                    return b"", ("too_large", reason), read_bytes
                if _ratio_exceeded(read_bytes, member.compress_size, limits):
                    reason = Says.member_packed_too_well(ratio=limits.max_ratio)
                    return b"", ("too_large", reason), read_bytes
                parts.append(part)
    except EOFError:
        return b"", ("truncated", Says.member_ends_too_early()), read_bytes
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError) as error:
        return b"", ("unreadable", Says.member_damaged(error=reason_of(error))), read_bytes
    if not read_bytes:
        return b"", ("empty", Common.file_empty()), 0
    return b"".join(parts), None, read_bytes


def _ratio_exceeded(unpacked_bytes: int, packed_bytes: int, limits: ArchiveLimits) -> bool:
    return unpacked_bytes > _RATIO_FREE_BYTES and unpacked_bytes > limits.max_ratio * max(packed_bytes, 1)


def _shown_name(member: zipfile.ZipInfo) -> str:
    """The member's name made safe to show and to store: no drive, root, `.` or `..`, control or direction marks."""
    name = member.filename
    if not member.flag_bits & 0x800:  # not marked UTF-8: macOS writes UTF-8 all the same, zipfile assumed cp437
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = member.filename
    name = re.sub(r"^[A-Za-z]:", "", name.replace("\\", "/"))
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in "/".join(parts))
    return shown[-200:].lstrip("/") or "unnamed"


class _BoundedReader(io.BufferedReader):
    """A file that refuses large single reads.

    `zipfile` reads the directory in one piece and makes an object of each entry, which could be millions; all its
    other reads are small. Refusing that one read bounds the memory whatever sizes and counts the archive states.
    """

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        super().__init__(io.FileIO(path))
        self._refusal = _too_many_members(path.name, limits)
        self._most_bytes = limits.max_members * 1024 + 2**17

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = min(self._most_bytes + 1, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        if size > self._most_bytes:
            raise self._refusal
        return super().read(size)


def _too_many_members(name: str, limits: ArchiveLimits) -> InputError:
    return InputError(Says.too_many_members(limit=limits.max_members), where=name, next_step=Says.split_archive())
