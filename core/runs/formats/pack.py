"""Packs: the files of many runs in one, `*.runs.zip`, to hand to somebody or to keep.

A pack is a ZIP of what lies under a folder (`core/runs/packing.py` makes it), so that any archiver opens it. It is read
where it lies, without being unpacked: its runs appear in the folder that it lies in, as if they were unpacked there.
"""

from __future__ import annotations

import calendar
import errno
import io
import os
import shutil
import struct
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ...messages import reason_of
from ..archives import DAMAGED, Parts, members_of
from ..limits import ReadLimits
from ..parsing import Unreadable
from ..series import Problem
from ..trees import Stamp, TreeEntry, shown_path
from ..words import Says
from . import ArchiveFormat, register

SUFFIX = ".runs.zip"
MEMBERS_PER_FILE = 10
"""So many members may a pack have for each log that may be read: a run's small files, and what is no log."""
SMALL_BYTES = 2**20
"""Members up to this size are unpacked in one go."""
_LOCAL_HEADER_BYTES = 30
_CHUNK_BYTES = 2**20


class PackTree:
    """What is in a pack; see `trees.Tree` and `Archive`. `paths`: of all members that can be read."""

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
            raise Unreadable("unreadable", Says.cannot_read(error=reason_of(error))) from None
        self.paths = tuple(self._members)
        self.files = len(self._members)
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
            if fault is None and path in self._members:
                fault = ("twice", Says.member_twice())
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
        try:
            # No more is read than the archive says that there is; so the sums of its sizes can be believed.
            content = self._small_content(member)
            file = io.BytesIO(content) if content is not None else self._opened().open(member)
            return cast(BinaryIO, file), self.stamp(path)
        except DAMAGED as error:
            raise OSError(errno.EIO, reason_of(error)) from None

    def _small_content(self, member: zipfile.ZipInfo) -> bytes | None:
        """A small member, unpacked; None for any other. A pack has thousands, and zipfile takes its time with each."""
        if member.file_size > SMALL_BYTES or member.compress_type != zipfile.ZIP_DEFLATED or not hasattr(os, "pread"):
            return None
        archive = self._opened().fp
        assert archive is not None, "just opened"
        header = os.pread(archive.fileno(), _LOCAL_HEADER_BYTES, member.header_offset)
        if len(header) < _LOCAL_HEADER_BYTES or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("no member where the directory says")
        skipped = sum(struct.unpack("<HH", header[26:30]))  # the name again, and extra fields
        start = member.header_offset + _LOCAL_HEADER_BYTES + skipped
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        content = unpacker.decompress(os.pread(archive.fileno(), member.compress_size, start), member.file_size + 1)
        if zlib.crc32(content) != member.CRC:
            raise zipfile.BadZipFile("its checksum is another")
        return content

    def read_small(self, path: str, most: int) -> tuple[Stamp, bytes]:
        file, stamp = self.open(path)
        with file:
            try:
                return stamp, file.read(most)
            except DAMAGED as error:
                raise OSError(errno.EIO, reason_of(error)) from None

    @contextmanager
    def on_disk(self, path: str, beside: tuple[str, ...]) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="runs-pack-") as folder:
            for suffix in ("", *beside):
                if path + suffix in self._members:
                    self.copy(path + suffix, Path(folder) / f"runs{suffix}")
            yield Path(folder) / "runs"

    def copy(self, path: str, target: Path) -> None:
        """Writes a member to a new file. Raises `OSError`, also for a damaged one."""
        with self.open(path)[0] as source, target.open("xb") as copy:
            try:
                shutil.copyfileobj(source, copy, _CHUNK_BYTES)
            except DAMAGED as error:
                raise OSError(errno.EIO, reason_of(error)) from None

    def key(self, path: str) -> str:
        return f"{self._file}#{path}"

    def shown(self, path: str) -> str:
        return shown_path(f"{self._shown}/{path}")


def _modified_ns(member: zipfile.ZipInfo) -> int:
    """When a member was last written, unix nanoseconds; of archives made elsewhere to two seconds."""
    if member.comment.isdigit() and len(member.comment) < 25:
        return int(member.comment)
    year, month, *rest = member.date_time
    return calendar.timegm((year, min(max(month, 1), 12), *rest, 0, 0, 0)) * 10**9  # a stranger's month may be none


register(ArchiveFormat("pack", PackTree, suffixes=(SUFFIX,)))
