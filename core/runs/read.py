"""Finds and reads training runs: whatever lies under a root, in any of five formats, and again when it has grown.

    found = RunReader(root, cache_dir=default_cache_dir())
    runs = found.read()      # a RunSet; call it again and only new bytes are read

What counts as a run is told in `discover.py`.
Nothing that cannot be read hides anything else: it becomes a `Problem` with its reason.
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .cache import SeriesCache
from .discover import Place, ReadLimits, checked_root, discover, natural_order, opaque_id, shown_path
from .exports import runs_of_chart, with_tag_of_name
from .growing import GrowingDatabase, GrowingLog, read_small
from .process import recorded_status
from .series import LazySeries, Problem, Rows, Run, RunSet, Series, SeriesBuilder, clean_run_name, clean_text
from .tables import UNIX_FROM_S, Memory
from .words import Says

COMPANION_MAX_BYTES = 4 * 2**20
MAX_CONFIG_KEYS = 10_000


def read_runs(
    root: Path | str, *, cache_dir: Path | None = None, limits: ReadLimits | None = None, workers: int | None = None
) -> RunSet:
    """Reads everything under `root` once. See `RunReader`."""
    return RunReader(root, cache_dir=cache_dir, limits=limits, workers=workers).read()


@dataclass(frozen=True)
class _Companion:
    """A small file beside a log: its parsed content or None, its device, inode, size and mtime, and what is wrong."""

    value: Any
    stamp: tuple[int, int, int, int] | None
    fault: str


class RunReader:
    """Reads the runs under one root, and on every later call only what is new.

    Args:
        root: a folder.
        cache_dir: where long logs are kept as Arrow files; None keeps nothing on disk. See `core.runs.cache`.
        limits: bounds on what is read.
        workers: runs read at the same time; default: one more than cores, nine at most (while one waits for the disk,
            the others parse).

    Raises:
        InputError: the root is not a folder.

    Safe to call from several threads. A `Run` that has not changed is the same object on the next reading.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        cache_dir: Path | None = None,
        limits: ReadLimits | None = None,
        workers: int | None = None,
    ) -> None:
        self.root = checked_root(root)
        self._cache = SeriesCache(Path(cache_dir)) if cache_dir is not None else None
        self._limits = limits or ReadLimits()
        self._workers = workers or min(8, os.cpu_count() or 1) + 1
        self._logs: dict[str, GrowingLog] = {}
        self._databases: dict[str, GrowingDatabase] = {}
        self._companions: dict[str, _Companion] = {}
        self._runs: dict[str, tuple[Any, Run]] = {}
        self._charts: dict[str, tuple[Run, tuple[Run, ...]]] = {}
        self._renamed: dict[str, tuple[Run, Run]] = {}
        self._lock = threading.Lock()

    def read(self) -> RunSet:
        """Everything there is now."""
        with self._lock:
            places, problems = discover(self.root, self._limits)
            self._update_files(places)
            runs: list[Run] = []
            for place in places:
                if place.sources and place.sources[0][0] == "trackio":
                    runs += self._trackio_runs(place, problems)
                else:
                    run = self._folder_run(place, problems)
                    if run is not None:
                        runs.append(run)
            self._runs = {run.id: self._runs[run.id] for run in runs}
            runs = self._charts_taken_apart(runs)
            runs.sort(key=lambda run: natural_order(run.path))
            present = {path for place in places for path in place.companions.values()}
            self._companions = {path: known for path, known in self._companions.items() if path in present}
            return RunSet(self._with_unique_names(runs), tuple(problems))

    def _update_files(self, places: list[Place]) -> None:
        logs: dict[str, GrowingLog] = {}
        databases: dict[str, GrowingDatabase] = {}
        for place in places:
            for kind, path in place.sources:
                if kind == "trackio":
                    databases[path] = self._databases.get(path) or GrowingDatabase(self.root, path)
                else:
                    logs[path] = self._logs.get(path) or GrowingLog(self.root, path, kind)
        self._logs, self._databases = logs, databases
        with ThreadPoolExecutor(self._workers) as pool:
            # In parts: a thousand small runs are read faster than a thousand tasks are handed over.
            parts = [places[start :: self._workers * 8] for start in range(self._workers * 8)]
            list(pool.map(self._update_places, parts))
        for database in databases.values():
            database.update(self._limits)

    def _update_places(self, places: list[Place]) -> None:
        for place in places:
            for kind, path in place.sources:
                if kind != "trackio":
                    self._logs[path].update(self._cache, self._limits)
            for name, path in place.companions.items():
                self._companions[path] = self._read_companion(path, _COMPANION_PARSERS[name])

    def _read_companion(self, path: str, parse: Callable[[bytes], Any]) -> _Companion:
        """A small file beside a log; what was read before if it has not changed."""
        name = path.rpartition("/")[2]
        stamp = None
        try:
            known = self._companions.get(path)
            if known is not None:
                stamp = _stamp(os.lstat(f"{self.root}/{path}"))
                if known.stamp == stamp:
                    return known
            status, data = read_small(f"{self.root}/{path}", COMPANION_MAX_BYTES)
            stamp = _stamp(status)
            if status.st_size > COMPANION_MAX_BYTES:
                fault = Says.larger_than_bytes_not_read(name=name, limit=COMPANION_MAX_BYTES)
                return _Companion(None, stamp, fault)
            return _Companion(parse(data), stamp, "")
        except OSError as error:
            return _Companion(None, stamp, f"{name} cannot be opened: {error.strerror}")
        except (ValueError, TypeError, RecursionError) as error:
            return _Companion(None, stamp, f"{name} cannot be read: {clean_text(str(error)) or type(error).__name__}")

    def _folder_run(self, place: Place, problems: list[Problem]) -> Run | None:
        logs = [self._logs[path] for _, path in place.sources]
        problems += [log.problem for log in logs if log.problem is not None]
        good = [log for log in logs if log.problem is None]
        if not good and not place.companions:
            problems += [Problem(shown_path(place.path), "left_out", note) for note in place.notes]
            return None
        companions = {name: self._companions[path] for name, path in place.companions.items()}
        config, hparams, environment, process, word = (
            companions[name].value if name in companions else None
            for name in ("config.json", "hparams.yaml", "environment.json", "process.json", "status")
        )
        beat_stamp = companions["status"].stamp if "status" in companions else None
        beat_s = beat_stamp[3] / 1e9 if beat_stamp else 0.0
        newest_s = max([log.modified_s for log in logs], default=beat_s)
        status, status_note = recorded_status(word, process, max(beat_s, newest_s))
        run_id = opaque_id(place.path)
        # Everything that the Run is made of: if none of it has changed, the last Run still holds.
        made_of = (
            tuple((log.path, log.version) for log in logs),
            # the heartbeat alone, a new time stamp of `status`, changes nothing that a Run says
            tuple((name, one.stamp) for name, one in companions.items() if name != "status"),
            *(status, status_note, tuple(place.notes)),
        )
        known = self._runs.get(run_id)
        if known is not None and known[0] == made_of:
            return known[1]

        notes = [*place.notes, *(one.fault for one in companions.values() if one.fault)]
        merged_config: dict[str, Any] = {}
        for log in good:
            merged_config.update(log.memory.get("facts", {}))
        merged_config = _flat_config({**merged_config, **(hparams or {}), **(config or {})})
        started = _number((environment or {}).get("started_unix_s"))
        metrics, started, metric_notes = _metrics_of(good, started, place.path if not place.is_folder else "")
        notes += metric_notes
        for log in good:
            notes += _notes_of(log.memory)
            if log.unused_bytes and status not in ("running",):
                notes.append(
                    Says.ends_within_line_record_bytes(name=log.path.rpartition("/")[2], bytes=log.unused_bytes)
                )
        if good and not metrics:
            if not place.companions:
                problems.append(Problem(shown_path(place.path), "no_metrics", "; ".join(notes) or Says.no_numbers()))
                return None
            notes.append(Says.no_metric_logged_yet())
        if status_note:
            notes.append(status_note)
        changes = (process or {}).get("config_changes")
        for key, change in changes.items() if isinstance(changes, dict) else ():
            if isinstance(change, list):
                notes.append(clean_text(f"config changed on resuming: {key} {' → '.join(map(str, change))}"))
        name = clean_run_name(place.path if place.path != "." else self.root.name)
        run = Run(
            id=run_id,
            name=name if place.is_folder else name.rpartition(".")[0] or name,
            path=shown_path(place.path),
            formats=tuple(dict.fromkeys(log.kind for log in good)),
            config=MappingProxyType(merged_config),
            metrics=metrics,
            environment=MappingProxyType(environment or {}),
            status=status,
            started_unix_s=started,
            updated_unix_s=max(newest_s, 0.0),
            notes=tuple(dict.fromkeys(notes)),
        )
        self._runs[run_id] = (made_of, run)
        return run

    def _trackio_runs(self, place: Place, problems: list[Problem]) -> list[Run]:
        database = self._databases[place.path]
        if database.problem is not None:
            problems.append(database.problem)
        runs = []
        for one in database.runs.values():
            run_id = opaque_id(place.path, one.key)
            known = self._runs.get(run_id)
            made_of = (one.last_id, database.version)
            if known is None or known[0] != made_of:
                metrics, started = _with_relative_time(one.series, None)
                run = Run(
                    id=run_id,
                    name=one.name,
                    path=f"{shown_path(place.path)}#{one.name}",
                    formats=("trackio",),
                    config=MappingProxyType(_flat_config(one.config)),
                    metrics=metrics,
                    started_unix_s=started,
                    updated_unix_s=database.modified_s,
                    notes=tuple(_notes_of(one.memory)),
                )
                self._runs[run_id] = (made_of, run)
            runs.append(self._runs[run_id][1])
        return runs

    def _charts_taken_apart(self, runs: list[Run]) -> list[Run]:
        """A chart that holds several runs in its place gives those; the same objects as long as it is the same."""
        charts: dict[str, tuple[Run, tuple[Run, ...]]] = {}
        apart: list[Run] = []
        for run in runs:
            known = self._charts.get(run.id)
            parts = known[1] if known is not None and known[0] is run else runs_of_chart(run)
            if parts != (run,):
                charts[run.id] = (run, parts)
            apart += parts
        self._charts = charts
        return apart

    def _with_unique_names(self, runs: list[Run]) -> tuple[Run, ...]:
        """Two runs of one name are told apart by a number, in the order of their places."""
        count: dict[str, int] = {}
        for run in runs:
            count[run.name] = count.get(run.name, 0) + 1
        seen: dict[str, int] = {}
        unique = []
        renamed: dict[str, tuple[Run, Run]] = {}
        for run in runs:
            if count[run.name] > 1:
                seen[run.name] = seen.get(run.name, 0) + 1
                name = f"{run.name} ({seen[run.name]})"
                before = self._renamed.get(run.id)
                same = before is not None and before[0] is run and before[1].name == name
                renamed[run.id] = before if same and before else (run, replace(run, name=name))
                run = renamed[run.id][1]
            unique.append(run)
        self._renamed = renamed
        return tuple(unique)


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


# ------------------------------------------------------------------------------------------------ parts of a Run


def _metrics_of(
    logs: list[GrowingLog], started: float | None, lone_file: str
) -> tuple[LazySeries, float | None, list[str]]:
    """The series of all sources of a run. Event files follow each other; other sources of one name do not mix."""
    notes: list[str] = []
    events = [log for log in logs if log.kind == "events"]
    groups: list[Mapping[str, Series]] = [log.series for log in logs if log.kind != "events"]
    if len(events) == 1:
        groups.append(events[0].series)
    elif events:
        groups.append(_chained(events))
    series: dict[str, Series] = {}
    for group in groups:
        for name, one in group.items():
            if name in series:
                notes.append(Says.several_logs_run_first_shown(name=name))
            else:
                series[name] = one
    series = with_tag_of_name(series, lone_file)
    epochs = series.pop("epoch", None) if events else None
    metrics, started = _with_relative_time(series, started, epochs)
    return metrics, started, notes


def _chained(events: list[GrowingLog]) -> dict[str, Series]:
    """Several event files of one run, in the order of their names (which begin with their time): later values win."""
    builder = SeriesBuilder()
    for log in sorted(events, key=lambda log: log.path):
        for name, one in log.series.items():
            builder.add(Rows(one.step, {name: (None, one.value)}, time=one.time_s))
    return builder.finish()


def _with_relative_time(
    series: Mapping[str, Series], started: float | None, epochs: Series | None = None
) -> tuple[LazySeries, float | None]:
    """Series whose `time_s` counts from the run's start, and that start (unix seconds) where it is known."""
    firsts = [float(one.time_s[0]) for one in series.values() if one.time_s is not None and len(one.time_s)]
    dates = [first for first in firsts if math.isfinite(first) and first >= UNIX_FROM_S]
    zero = min(dates) if dates else None
    started = zero if started is None else started

    def view(one: Series) -> Series:
        time_s = one.time_s
        if zero is not None and time_s is not None:
            time_s = time_s - zero
        epoch = one.epoch
        if epoch is None and epochs is not None:
            epoch = _epochs_at(one.step, epochs)
        return one if time_s is one.time_s and epoch is one.epoch else Series(one.step, one.value, epoch, time_s)

    return LazySeries({name: partial(view, one) for name, one in series.items()}), started


def _epochs_at(step: Any, epochs: Series) -> Any:
    """The epoch that was logged at each step (Lightning logs it as a metric of its own); NaN where none was."""
    at = np.minimum(np.searchsorted(epochs.step, step), len(epochs.step) - 1)
    return np.where(epochs.step[at] == step, epochs.value[at], np.nan)


def _notes_of(memory: Memory) -> list[str]:
    return [text.replace("{n}", f"{count:,}") for text, count in memory.get("notes", {}).items()]


def _flat_config(nested: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Nested keys joined by `.`; lists and other values as JSON text."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = clean_text(f"{prefix}{key}")
        if len(flat) >= MAX_CONFIG_KEYS:
            break
        if value is None or isinstance(value, (bool, int, float)):
            flat[name] = value
        elif isinstance(value, str):
            flat[name] = clean_text(value, 2_000)
        elif isinstance(value, Mapping) and depth < 8:
            flat.update(_flat_config(value, f"{name}.", depth + 1))
        else:
            flat[name] = clean_text(json.dumps(_trimmed(value, [1_000]), default=str), 2_000)
    return flat


def _trimmed(value: Any, left: list[int], depth: int = 0) -> Any:
    """A nested value cut to so many parts: YAML's aliases make huge ones out of a few bytes."""
    left[0] -= 1
    if left[0] < 0 or depth > 8:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _trimmed(one, left, depth + 1) for key, one in list(value.items())[: left[0] + 1]}
    if isinstance(value, (list, tuple)):
        return [_trimmed(one, left, depth + 1) for one in value[: left[0] + 1]]
    return value


def _json_object(data: bytes) -> dict[str, Any]:
    value = json.loads(data.decode("utf-8-sig"))
    if not isinstance(value, dict):
        raise ValueError("it does not hold an object")
    return value


def _yaml_object(data: bytes) -> dict[str, Any]:
    """Lightning's hparams.yaml. Tags of Python objects are read as plain values, never built."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def plain(loader: Any, _suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Loader.add_multi_constructor("", plain)
    try:
        value = yaml.load(data.decode("utf-8-sig"), Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("it does not hold a mapping")
    return {str(key): one for key, one in value.items()}


def _status_word(data: bytes) -> str:
    text = data[:4096].decode("utf-8", "replace").strip()
    if text.startswith("{"):
        fields = json.loads(text)
        text = str(fields.get("status") or fields.get("state") or "")
    return text.split()[0].lower() if text else ""


_COMPANION_PARSERS: dict[str, Callable[[bytes], Any]] = {
    "config.json": _json_object,
    "hparams.yaml": _yaml_object,
    "environment.json": _json_object,
    "process.json": _json_object,
    "status": _status_word,
}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
