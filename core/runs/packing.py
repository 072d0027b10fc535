"""Runs into one file to hand on, and out of it again. How such a file is read: `formats/pack.py`.

Unpacking gives the same bytes and times. Packing the same files again gives the same pack: members are sorted and bear
one date. Their own times stand in their comments, to the nanosecond, since they decide which of two runs of one seed is
the later.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import replacing
from ..messages import reason_of
from .discover import checked_root
from .formats.pack import SUFFIX, PackTree
from .limits import ReadLimits
from .parsing import Unreadable
from .trees import stamp_of
from .words import Says

_DATE = (1980, 1, 1, 0, 0, 0)
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Packed:
    """What was written: how many files, the pack's bytes, and paths left out (links, hidden files, packs)."""

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
            path = (Path(parent) / name).relative_to(folder).as_posix()
            if (Path(parent) / name).is_symlink() or name.startswith(".") or name.endswith(SUFFIX):
                left_out.append(path)
            elif name in names and not name.endswith(".lock"):  # a lock is no part of a run
                keeps_name = "\\" not in path and path[1:2] != ":" and path == path.encode("utf-8", "replace").decode()
                (paths if keeps_name and (Path(parent) / name).is_file() else left_out).append(path)
        folders[:] = [name for name in folders if not name.startswith(".")]
    return sorted(paths), sorted(left_out)


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
        return tree.files
    except OSError as error:
        raise InputError(
            Says.unpack_unwritten(error=reason_of(error)), where=str(folder), next_step=Says.choose_new_folder()
        ) from None
    finally:
        tree.close()
