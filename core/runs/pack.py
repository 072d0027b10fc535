"""Packs: the files of many runs in one, `*.runs.zip`, to hand to somebody or to keep.

A pack is a ZIP of what lies under a folder, so that any archiver opens it. It is read where it lies, without being
unpacked: its runs appear in the folder that it lies in, as if they were unpacked there.

Unpacking gives the same bytes and times. Packing the same files again gives the same pack: members are sorted and bear
one date. Their own times stand in their comments, to the nanosecond, since they decide which of two runs of one seed is
the later.
"""

from __future__ import annotations

import calendar
import errno
import io
import lzma
import math
import os
import re
import shutil
import stat
import struct
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import InputError
from ..files import replacing
from ..messages import Message, reason_of
from .parsing import ReadLimits, Unreadable
from .series import Problem
from .trees import Stamp, TreeEntry, checked_root, shown_path, stamp_of
from .words import Says

SUFFIX = ".runs.zip"
MEMBERS_PER_FILE = 10
"""So many members may a pack have for each log that may be read: a run's small files, and what is no log."""
SMALL_BYTES = 2**20
"""Members up to this size are unpacked in one go."""
_MOST_UNPACKED = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1_033}
"""How much larger than packed a member can be."""
_LOCAL_HEADER_BYTES = 30
_CHUNK_BYTES = 2**20
_DATE = (1980, 1, 1, 0, 0, 0)


def is_pack(file_name: str) -> bool:
    return file_name.lower().endswith(SUFFIX)


# -------------------------------------------------------------------------------------------------- strangers' archives

# What zipfile and its decompressors raise on damaged, encrypted or exotic archives.
DAMAGED = (
    *(OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(NotImplementedError, RuntimeError, EOFError, ValueError),
)
Parts = tuple[str, ...]
_OUTSIDE = re.compile(r"[A-Za-z]:|[/\\]")  # begins an absolute path


def members_of(
    archive: zipfile.ZipFile, max_depth: int
) -> Iterator[tuple[zipfile.ZipInfo, Parts, tuple[str, Message] | None]]:
    """Every file of an archive: the parts of its name, and why it cannot be taken (a code and a reason) or None.

    A name never decides where something is written: what leads out of the archive is refused, links too.
    """
    for member in archive.infolist():
        if not member.is_dir():
            name = member.filename.replace("\\", "/")
            parts = tuple(part for part in name.split("/") if part not in ("", "."))
            yield member, parts, _fault_of(archive, member, parts, max_depth)


def _fault_of(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, parts: Parts, max_depth: int
) -> tuple[str, Message] | None:
    if stat.S_ISLNK(member.external_attr >> 16):
        return "link", Says.member_is_link()
    if not parts or ".." in parts or _OUTSIDE.match(member.filename):
        return "path", Says.member_leads_out()
    if len(parts) > max_depth:
        return "depth", Says.member_too_deep(limit=max_depth)
    if member.flag_bits & 0x1:
        return "encrypted", Says.member_encrypted()
    if member.header_offset + member.compress_size > archive.start_dir:  # no offset, no size is believed from here on
        return "unreadable", Says.member_beyond_end()
    if member.file_size > member.compress_size * _MOST_UNPACKED.get(member.compress_type, math.inf) + 64:
        return "unreadable", Says.damaged()  # such a size would count against all the others
    return None


# -------------------------------------------------------------------------------------------------------------- reading


class PackTree:
    """What is in a pack; see `trees.Tree`.

    Attributes:
        problems: members that are not read, with reasons.
        paths: of all that are.
        bytes: their sum, unpacked.

    Raises:
        Unreadable: damaged, or beyond the limits.
    """

    is_live = False  # whoever wrote these runs did it elsewhere, or before

    def __init__(self, file: Path, shown: str, limits: ReadLimits) -> None:
        self._file = file
        self._shown = shown
        self._lock = threading.Lock()
        self._archive: zipfile.ZipFile | None = None
        self.problems: list[Problem] = []
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._folders: dict[str, dict[str, TreeEntry]] = {"": {}}
        try:
            self._inode = file.stat().st_ino
            self._index(limits)
        except DAMAGED as error:
            self.close()
            raise Unreadable("unreadable", Says.file_unread(error=reason_of(error))) from None
        self.paths = tuple(self._members)
        self.bytes = sum(member.file_size for member in self._members.values())
        if self.bytes > limits.max_pack_bytes:
            self.close()
            raise Unreadable("too_large", Says.unpacked_too_large(limit=limits.max_pack_bytes))

    def _index(self, limits: ReadLimits) -> None:
        archive = self._opened()
        most = limits.max_files * MEMBERS_PER_FILE
        if len(archive.infolist()) > most:
            raise Unreadable("too_many", Says.members_too_many(limit=most))
        for member, parts, fault in members_of(archive, limits.max_depth + 1):
            path = "/".join(parts)
            above = ("/".join(parts[:end]) for end in range(1, len(parts)))
            if fault is None and (path in self._members or path in self._folders):
                fault = ("twice", Says.member_twice())
            if fault is None and any(folder in self._members for folder in above):
                fault = ("path", Says.member_below_file())
            if fault is not None:
                self.problems.append(Problem(shown_path(f"{self._shown}/{member.filename}"), *fault))
                continue
            self._members[path] = member
            self._folder(parts[:-1])[parts[-1]] = TreeEntry(parts[-1], "file")

    def _folder(self, parts: Parts) -> dict[str, TreeEntry]:
        """What lies in a folder, by name; the folder is known to those above it from now on."""
        path = "/".join(parts)
        if path not in self._folders:
            self._folders[path] = {}
            self._folder(parts[:-1])[parts[-1]] = TreeEntry(parts[-1], "folder")
        return self._folders[path]

    def _opened(self) -> zipfile.ZipFile:
        with self._lock:
            if self._archive is None:
                self._archive = zipfile.ZipFile(self._file)
            return self._archive

    def close(self) -> None:
        with self._lock:
            if self._archive is not None:
                self._archive.close()
                self._archive = None

    def entries(self, folder: str) -> list[TreeEntry]:
        return sorted(self._folders.get(folder, {}).values(), key=lambda entry: entry.name)

    def _member(self, path: str) -> zipfile.ZipInfo:
        if path not in self._members:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._members[path]

    def stamp(self, path: str) -> Stamp:
        member = self._member(path)
        return (self._inode, member.CRC, member.file_size, _modified_ns(member))

    def open(self, path: str) -> tuple[BinaryIO, Stamp]:
        member = self._member(path)
        with _damage_told():
            # No more is read than the archive says that there is; so the sums of its sizes can be believed.
            content = self._small_content(member)
            file = io.BytesIO(content) if content is not None else self._opened().open(member)
        return cast(BinaryIO, file), self.stamp(path)

    def _small_content(self, member: zipfile.ZipInfo) -> bytes | None:
        """A small member, unpacked; None for any other. A pack has thousands, and zipfile takes its time with each."""
        if member.file_size > SMALL_BYTES or member.compress_type != zipfile.ZIP_DEFLATED or not hasattr(os, "pread"):
            return None
        archive = self._opened().fp
        assert archive is not None, "just opened"
        header = os.pread(archive.fileno(), _LOCAL_HEADER_BYTES, member.header_offset)
        if len(header) < _LOCAL_HEADER_BYTES or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile(Says.damaged())
        skipped = sum(struct.unpack("<HH", header[26:30]))  # the name again, and extra fields
        start = member.header_offset + _LOCAL_HEADER_BYTES + skipped
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        content = unpacker.decompress(os.pread(archive.fileno(), member.compress_size, start), member.file_size + 1)
        if zlib.crc32(content) != member.CRC:
            raise zipfile.BadZipFile(Says.damaged())
        return content

    def read_small(self, path: str, most: int) -> tuple[Stamp, bytes]:
        file, stamp = self.open(path)
        with file, _damage_told():
            return stamp, file.read(most)

    @contextmanager
    def on_disk(self, path: str, beside: tuple[str, ...]) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="runs-pack-") as folder:
            for suffix in ("", *beside):
                if path + suffix in self._members:
                    self.copy(path + suffix, Path(folder) / f"runs{suffix}")
            yield Path(folder) / "runs"

    def copy(self, path: str, target: Path) -> None:
        """Writes a member to a new file. Raises `OSError`, also for a damaged one."""
        with self.open(path)[0] as source, target.open("xb") as copy, _damage_told():
            shutil.copyfileobj(source, copy, _CHUNK_BYTES)

    def key(self, path: str) -> str:
        return f"{self._file}#{path}"

    def shown(self, path: str) -> str:
        return shown_path(f"{self._shown}/{path}")


@contextmanager
def _damage_told() -> Iterator[None]:
    """Damage as what a tree raises: an `OSError` with the reason and no number. What the disk says stays as it is."""
    try:
        yield
    except OSError:
        raise
    except DAMAGED as error:
        raise OSError(reason_of(error)) from None


def _modified_ns(member: zipfile.ZipInfo) -> int:
    """When a member was last written, unix nanoseconds; of archives made elsewhere to two seconds."""
    if member.comment.isdigit() and len(member.comment) < 25:
        return int(member.comment)
    year, month, *rest = member.date_time
    return calendar.timegm((year, min(max(month, 1), 12), *rest, 0, 0, 0)) * 10**9  # a stranger's month may be none


# -------------------------------------------------------------------------------------------------------------- writing


@dataclass(frozen=True)
class Packed:
    """What was written: how many files, the pack's bytes, and paths left out (links, hidden files, packs, what
    lies too deep or bears a name that no archive keeps)."""

    files: int
    bytes: int
    left_out: tuple[str, ...]


def pack_runs(folder: Path | str, file: Path) -> Packed:
    """Writes all files under `folder` into one pack; an older one of this name is replaced when the new one is whole.

    Raises:
        InputError: no such folder, a name that is not that of a pack, nothing to pack, or the disk refuses.
    """
    if not file.name.endswith(SUFFIX) or file.name == SUFFIX:
        raise InputError(Says.pack_name(suffix=SUFFIX), where=str(file), next_step=Says.choose_pack_name(suffix=SUFFIX))
    folder = checked_root(folder)
    paths, left_out = _packable(folder)
    if not paths:
        raise InputError(Says.pack_nothing(), where=str(folder), next_step=Says.give_runs_folder())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as (draft,), zipfile.ZipFile(draft, "w") as archive:
            for path in paths:
                _add(archive, folder / path, path)
        return Packed(len(paths), file.stat().st_size, tuple(left_out))
    except OSError as error:
        raise InputError(
            Says.pack_unwritten(error=reason_of(error)), where=str(file), next_step=Says.give_writable_folder()
        ) from None


def _packable(folder: Path) -> tuple[list[str], list[str]]:
    """Paths under the folder, sorted: those that go into a pack and those that do not."""
    paths: list[str] = []
    left_out: list[str] = []
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            file = Path(parent) / name
            path = file.relative_to(folder).as_posix()
            if file.is_symlink() or name.startswith(".") or is_pack(name):
                left_out.append(path)
            elif name in names and not name.endswith(".lock"):  # a lock is no part of a run
                (paths if file.is_file() and _comes_back(path) else left_out).append(path)
        folders[:] = [name for name in folders if not name.startswith(".")]
    return sorted(paths), sorted(left_out)


def _comes_back(path: str) -> bool:
    """Whether the path would be the same out of a pack, and be taken from one."""
    is_plain = "\\" not in path and path[1:2] != ":" and path == path.encode("utf-8", "replace").decode()
    return is_plain and path.count("/") <= ReadLimits().max_depth


def _add(archive: zipfile.ZipFile, source: Path, path: str) -> None:
    with source.open("rb") as file:
        stamp = stamp_of(os.fstat(file.fileno()))
        member = zipfile.ZipInfo(path, _DATE)
        member.create_system = 3  # the same on every system
        member.external_attr = 0o100644 << 16
        member.compress_type = zipfile.ZIP_DEFLATED
        member.comment = str(stamp[3]).encode()
        member.file_size = stamp[2]  # so that zipfile knows whether it needs 64-bit sizes
        with archive.open(member, "w") as target:
            shutil.copyfileobj(file, target, _CHUNK_BYTES)


def unpack_runs(file: Path, folder: Path, limits: ReadLimits | None = None) -> int:
    """Writes the files of a pack under a new folder, with their bytes and times; returns how many.

    The folder appears when all of them are written.

    Raises:
        InputError: no pack, one that holds what leads out of it, one beyond the limits, or a folder that is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(Says.unpack_not_empty(), where=str(folder), next_step=Says.choose_new_folder())
    try:
        tree = PackTree(file, file.name, limits or ReadLimits())
    except Unreadable as error:
        raise InputError(
            Says.pack_unread(error=error.reason), where=str(file), next_step=Says.ask_for_pack_again()
        ) from None
    try:
        if tree.problems:  # it would be unpacked in part: then not at all
            refused = Says.pack_refused(reason=tree.problems[0].reason)
            raise InputError(refused, where=tree.problems[0].path, next_step=Says.ask_for_pack_again())
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder) as (draft,):
            for path in tree.paths:
                target = draft / path
                target.parent.mkdir(parents=True, exist_ok=True)
                tree.copy(path, target)
                modified_ns = tree.stamp(path)[3]
                os.utime(target, ns=(modified_ns, modified_ns))
        return len(tree.paths)
    except OSError as error:
        raise InputError(
            Says.unpack_unwritten(error=reason_of(error)),
            where=str(folder),
            next_step=Says.choose_new_folder()
            if error.filename
            else Says.ask_for_pack_again(),  # the disk, or the pack
        ) from None
    finally:
        tree.close()
