"""Files that are whole or not there, work that only one does at a time, and CSV that no spreadsheet runs.

`replacing` and `write` put a draft beside the target and give it the target's name when it is whole. `only_one` holds a
lock across threads and processes. `csv_text` writes a table that leaves the house.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

BOM = "\ufeff"


@contextmanager
def replacing(*targets: Path, drafts_in: Path | None = None) -> Iterator[tuple[Path, ...]]:
    """Drafts beside the targets, for files or folders; after the block, and only if it succeeded, they take the
    targets' names. Whoever reads meanwhile sees the old one. Drafts of a block that failed are removed.

    Args:
        drafts_in: a folder for the drafts, on the targets' disk, which the caller clears: a kill leaves them there.

    Raises:
        OSError: the disk refuses.
    """
    mark = uuid.uuid4().hex[:12]
    # The end of the name, which holds the suffix: a name of 80 Chinese characters has no room for more.
    drafts = tuple((drafts_in or target.parent) / f".tmp-{mark}-{target.name[-40:]}" for target in targets)
    try:
        yield drafts
        for draft, target in zip(drafts, targets, strict=True):
            if draft.is_dir():
                _swap_folder(draft, target)
            else:
                _sync(draft)
                draft.replace(target)
    finally:
        for draft in drafts:
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """A small file in one piece; text is UTF-8 and its line ends stay as they are. Raises `OSError`."""
    with replacing(path) as (draft,):
        draft.write_bytes(content if isinstance(content, bytes) else content.encode())


def _sync(draft: Path) -> None:
    """On the disk, and readable for whom a new file is: some writers make files for their owner alone."""
    draft.chmod(0o666 & ~_UMASK)
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _current_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_UMASK = _current_umask()
"""Asked once, while there is one thread: to ask is to set it."""


def _swap_folder(draft: Path, target: Path) -> None:
    """A folder cannot be replaced in one step: the old one steps aside and goes when the new one stands."""
    aside = draft.with_name(draft.name + ".old")
    if target.exists():
        target.rename(aside)
    draft.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def only_one(target: Path, *, wait: bool = True) -> Iterator[bool]:
    """Whoever works on `target` works alone, among threads and processes; its lock is `TARGET.lock` beside it, and
    goes when the work is done.

    Yields:
        True; with `wait=False`, False at once where somebody else is at it. The lock goes with the process.
    """
    path = target.with_name(target.name + ".lock")
    held: list[int] = []
    lock = FileLock(path, thread_local=False, on_acquired=held.append)
    while True:
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        if not held or _is_at(path, held.pop()):  # none: a file system without locks, which filelock makes do without
            break
        lock.release()  # whoever held it removed the file: a lock on a file without a name keeps nobody out
    try:
        yield True
    finally:
        with suppress(OSError):  # Windows removes no open file
            path.unlink()
        lock.release()


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


# ---- tables ----


def csv_text(
    headings: Sequence[object], rows: Iterable[Sequence[object]], *, bom: bool = False, line_end: str = "\n"
) -> str:
    """A table as CSV, each cell through `csv_cell`.

    Args:
        bom: for files that people open in a spreadsheet, which then reads UTF-8.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=line_end)
    writer.writerows([csv_cell(cell) for cell in row] for row in (headings, *rows))
    return (BOM if bom else "") + out.getvalue()


def csv_cell(value: Any) -> Any:
    """A cell that a spreadsheet shows and does not run: text that begins like a formula gets a `'` before it."""
    if not isinstance(value, str) or value[:1] not in _RUN or _NUMBER.fullmatch(value):
        return value
    return "'" + value


_RUN = frozenset("=+-@\t\r\n")
_NUMBER = re.compile(r"[+\-]?[\d.,]*\d(\.|([eE][+\-]?\d+)?( ?[%a-zA-Z]{1,3})?)")  # a number may begin with its sign
