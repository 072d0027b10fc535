"""Long logs, kept as Arrow files that are mapped into memory instead of parsed again.

One cache file for each log file. Its name is made of the log's identity (path, device, inode); inside, beside the
arrays, stand the length up to which the log was read, its time stamp and fingerprints, so that a log that has grown is
read from where it ended and one that was replaced is read anew. A cache that is damaged or from another version is no
error: it is made again.

Layout: one row a metric; the columns `step`, `epoch`, `time` and `value` hold lists. Metrics written on the same rows
share their axes: the schema's metadata name, for each metric, the row that holds them.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replacing
from . import arrow
from .series import Series

CACHE_FORMAT = 4  # raise it when what is read from a log changes
SMALLEST_CACHED_BYTES = 256 * 2**10  # shorter logs are parsed faster than a cache file is opened
DEFAULT_MAX_BYTES = 4 * 2**30
COLUMNS = ("step", "epoch", "time", "value")


def default_cache_dir() -> Path:
    """The user's own cache folder: `$XDG_CACHE_HOME/clip-workbench/runs`, by default under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "clip-workbench" / "runs"


class SeriesCache:
    """A folder of cache files, bounded in bytes; the least recently used go first. Safe with several processes."""

    def __init__(self, folder: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None  # None until the folder was looked through

    def load(self, key: str) -> tuple[dict[str, Any], dict[str, Series]] | None:
        """What was stored under `key`: (state, series), the arrays mapped from disk. None if there is nothing sound."""
        import pyarrow as pa

        path = self._folder / f"{key}.arrow"
        try:
            with pa.memory_map(str(path)) as mapped:
                reader = pa.ipc.open_file(mapped)
                metadata = reader.schema.metadata or {}
                header = json.loads(metadata[b"header"])
                if header["format"] != CACHE_FORMAT:
                    return None
                batch = reader.get_batch(0)
                batch.validate()
                series = _series_of(batch, header["names"], header["axes"])
            os.utime(path)
        except (OSError, pa.ArrowInvalid, KeyError, ValueError, IndexError):
            return None
        return header["state"], series

    def store(self, key: str, state: Mapping[str, Any], series: Mapping[str, Series]) -> bool:
        """Writes a cache file, whole or not at all. False if it could not be written; that costs time, not results."""
        import pyarrow as pa

        batch, axes = _batch_of(series)
        header = {"format": CACHE_FORMAT, "state": dict(state), "names": list(series), "axes": axes}
        batch = batch.replace_schema_metadata({b"header": json.dumps(header).encode()})
        target = self._folder / f"{key}.arrow"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with replacing(target) as (draft,), pa.ipc.new_file(str(draft), batch.schema) as writer:
                writer.write_batch(batch)
            size = target.stat().st_size
        except OSError:
            return False
        self._make_room(size)
        return True

    def _make_room(self, added: int) -> None:
        with self._lock:
            if self._bytes is not None:
                self._bytes += added
            if self._bytes is not None and self._bytes <= self._max_bytes:
                return
            files = []
            for entry in os.scandir(self._folder):
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    files.append((status.st_mtime, status.st_size, entry.path))
            self._bytes = sum(size for _, size, _ in files)
            for _, size, path in sorted(files):
                if self._bytes <= self._max_bytes * 0.8:
                    break
                with contextlib.suppress(OSError):
                    Path(path).unlink()
                    self._bytes -= size


def _batch_of(series: Mapping[str, Series]) -> tuple[Any, list[int]]:
    """The arrays as one record batch, and for each metric the row that holds its axes."""
    import pyarrow as pa

    rows: dict[tuple[int, int, int], int] = {}
    axes: list[int] = []
    lists: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    nothing = np.empty(0)
    for row, one in enumerate(series.values()):
        axes.append(rows.setdefault((id(one.step), id(one.epoch), id(one.time_s)), row))
        holds_axes = axes[-1] == row
        lists["step"].append(one.step if holds_axes else nothing)
        lists["epoch"].append(one.epoch if holds_axes and one.epoch is not None else nothing)
        lists["time"].append(one.time_s if holds_axes and one.time_s is not None else nothing)
        lists["value"].append(one.value)
    columns = [arrow.list_array(arrays, "<i8" if name == "step" else "<f8") for name, arrays in lists.items()]
    return pa.RecordBatch.from_arrays(columns, names=list(COLUMNS)), axes


def _series_of(batch: Any, names: list[str], axes: list[int]) -> dict[str, Series]:
    step, epoch, time, value = (arrow.arrays_of(batch.column(position)) for position in range(len(COLUMNS)))
    shared: dict[int, tuple[np.ndarray, np.ndarray | None, np.ndarray | None]] = {}
    series = {}
    for name, axis, values in zip(names, axes, value, strict=True):
        if axis not in shared:
            rows = len(step[axis])
            shared[axis] = (
                step[axis],
                epoch[axis] if len(epoch[axis]) == rows else None,
                time[axis] if len(time[axis]) == rows else None,
            )
        steps, epochs, times = shared[axis]
        if len(steps) != len(values):
            raise ValueError("the arrays of a metric differ in length")
        series[name] = Series(steps, values, epochs, times)
    return series
