"""ZIP archives of strangers: which of their members can be taken, and how they fail."""

from __future__ import annotations

import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator

from ..messages import Message
from .words import Says

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
            yield member, parts, _fault_of(member, parts, max_depth)


def _fault_of(member: zipfile.ZipInfo, parts: Parts, max_depth: int) -> tuple[str, Message] | None:
    if stat.S_ISLNK(member.external_attr >> 16):
        return "link", Says.member_is_link()
    if not parts or ".." in parts or _OUTSIDE.match(member.filename):
        return "path", Says.member_leads_out()
    if len(parts) > max_depth:
        return "depth", Says.member_too_deep(limit=max_depth)
    if member.flag_bits & 0x1:
        return "encrypted", Says.member_encrypted()
    return None
