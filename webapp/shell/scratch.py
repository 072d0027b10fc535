"""The one private folder for everything temporary: uploads, results for download, what libraries put aside.

Fresh at each start, readable by this user alone, swept while the app runs, removed when it ends.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEEP_S = 6 * 3600
"""A file this old is deleted. Hours, because the age counts from the upload, and people leave pages open."""
SWEEP_EVERY_S = 900


@contextmanager
def private_temp_dir() -> Iterator[Path]:
    """Make the folder and point this process, Gradio and every library to it; remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="clip-workbench-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = folder
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder) / "gradio")
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = None


def sweep(
    folder: Path, older_than_s: float = KEEP_S, now_s: float | None = None, keep: frozenset[Path] = frozenset()
) -> int:
    """Delete files below `folder` that are older and not in `keep`, then empty folders of that age.

    Returns how many files went.
    """
    limit_s = (time.time() if now_s is None else now_s) - older_than_s
    deleted = 0
    for root, folders, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(root, name)
            with suppress(OSError):  # gone already, or still held open
                status = path.lstat()
                if path not in keep and max(status.st_mtime, status.st_ctime) < limit_s:
                    path.unlink()
                    deleted += 1
        for name in folders:
            path = Path(root, name)
            with suppress(OSError):  # not empty
                if Path(root) != folder and path.lstat().st_mtime < limit_s:
                    path.rmdir()
    return deleted


def sweep_now_and_then(folder: Path, stop: threading.Event) -> None:
    """`sweep` every quarter of an hour until `stop` is set. For a thread of its own.

    What lies there at the start stays: the page itself shows it.
    """
    keep = frozenset(file for file in folder.rglob("*") if file.is_file())
    while not stop.wait(SWEEP_EVERY_S):
        sweep(folder, keep=keep)


def folder_bytes(folder: Path) -> int:
    """Size of all files below `folder`; files that vanish meanwhile count nothing."""
    total_bytes = 0
    for root, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                total_bytes += Path(root, name).lstat().st_size
    return total_bytes
