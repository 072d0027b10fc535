"""What a run is once it has been read: named series of numbers on a step axis, and what is known about it.

Also the one rule that every format shares: how rows, in the order in which they were written, become a series. Steps
end up strictly increasing; where one step was written twice the later row wins; and where a run was resumed, what the
dead attempt had written beyond gives way to the resumed rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np

from ..messages import Message
from .restarts import restarts_told

STATUSES = ("running", "finished", "failed", "killed", "unknown")


@dataclass(frozen=True, eq=False)
class Series:
    """One metric of one run.

    Attributes:
        step: int64 `[N]`, strictly increasing.
        value: float64 `[N]`. NaN and infinities are kept as they were logged.
        epoch: float64 `[N]` or None; NaN where a row had none.
        time_s: float64 `[N]` or None, seconds since the run started; NaN where a row had none.
    """

    step: np.ndarray
    value: np.ndarray
    epoch: np.ndarray | None = None
    time_s: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.step)

    @property
    def not_finite_N(self) -> np.ndarray:
        """bool `[N]`, True where the value is NaN or infinite: drawn as marks, never joined by a line."""
        return ~np.isfinite(self.value)


class LazySeries(Mapping[str, Series]):
    """Metric name → Series, each built when it is first asked for (a run may hold hundreds of metrics)."""

    def __init__(self, builders: Mapping[str, Callable[[], Series]]) -> None:
        self._builders = dict(builders)
        self._built: dict[str, Series] = {}

    def __getitem__(self, name: str) -> Series:
        series = self._built.get(name)
        if series is None:
            series = self._built[name] = self._builders[name]()
        return series

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def __len__(self) -> int:
        return len(self._builders)

    def __contains__(self, name: object) -> bool:
        return name in self._builders


@dataclass(frozen=True, eq=False)
class Run:
    """One training run.

    Attributes:
        id: opaque and stable: made of the place under the root, the same on every read.
        name: for people; unique within one reading.
        path: where it lies, relative to the root, with `/`; for a run inside a database, `FILE#RUN`.
        formats: names of the formats it was read from (`jsonl`, `csv`, `events`, `trackio`).
        config: flat; nested keys are joined by `.`.
        metrics: name → Series.
        environment: what `environment.json` says; empty for other formats.
        status: one of STATUSES; `unknown` where the format does not say.
        started_unix_s: when it started, or None.
        updated_unix_s: when its newest file was last written.
        notes: what was repaired, passed over or doubtful.
    """

    id: str
    name: str
    path: str
    formats: tuple[str, ...]
    config: Mapping[str, Any]
    metrics: Mapping[str, Series]
    environment: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    status: str = "unknown"
    started_unix_s: float | None = None
    updated_unix_s: float = 0.0
    notes: tuple[Message, ...] = ()

    @property
    def last_step(self) -> int:
        """The last that any metric was logged at; 0 without one."""
        return max((int(series.step[-1]) for series in self.metrics.values() if len(series)), default=0)


@dataclass(frozen=True)
class Problem:
    """A file or folder that could not be read, or not wholly. `code` is stable, `reason` is for people."""

    path: str
    code: str
    reason: Message


@dataclass(frozen=True, eq=False)
class RunSet:
    """Everything found under one root, runs sorted by path (numbers within it by their value)."""

    runs: tuple[Run, ...]
    problems: tuple[Problem, ...] = ()

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of all metrics of all runs, sorted."""
        return tuple(sorted({name for run in self.runs for name in run.metrics}))


def config_differences(runs: Sequence[Run]) -> tuple[str, ...]:
    """Config keys that are not the same in every run, in the order of their first appearance.

    A key that only some runs have is a difference. Keys starting with `_` (bookkeeping of other trackers) are left out.
    """
    seen: dict[str, set[str]] = {}
    count: dict[str, int] = {}
    for run in runs:
        for key, value in run.config.items():
            if not key.startswith("_"):
                seen.setdefault(key, set()).add(config_text(value))
                count[key] = count.get(key, 0) + 1
    return tuple(key for key, values in seen.items() if len(values) > 1 or count[key] < len(runs))


def config_text(value: Any) -> str:
    """A config value as a label: `8`, not `8.0` in one file and `8` in another; `true` as JSON and YAML write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).strip()


@dataclass
class LogRows:
    """A block of rows in the order in which they were written.

    Attributes:
        step: int64 `[N]`.
        values: metric → (positions of the rows that have it, or None for all of them; float64 values).
        epoch, time: float64 `[N]` or None.
        row: int64 `[N]`, each row's place in its file if the rows of several blocks interleave; None: they follow on.
    """

    step: np.ndarray
    values: dict[str, tuple[np.ndarray | None, np.ndarray]]
    epoch: np.ndarray | None = None
    time: np.ndarray | None = None
    row: np.ndarray | None = None


@dataclass
class _Part:
    """Entries of one metric from one block."""

    step: np.ndarray
    value: np.ndarray
    epoch: np.ndarray | None
    time: np.ndarray | None
    row: np.ndarray | None  # position in the whole file; None: before all of them


class SeriesBuilder:
    """Gathers blocks of rows of one file and makes series of them, on top of the series read before."""

    def __init__(self, before: Mapping[str, Series] | None = None, *, unordered: bool = False) -> None:
        """`unordered`: whether the rows read before were, see `restarts.py`; afterwards, whether all of them are."""
        self._before = before or {}
        self.unordered = unordered
        self.may_go_back = False  # set where a row with an earlier step means that training began again there
        self._parts: dict[str, list[_Part]] = {}
        self._restarts: list[tuple[int, int]] = []
        self.rows = 0
        self._picked: dict[tuple[int, int], np.ndarray] = {}
        self._joins: dict[tuple[int, ...], np.ndarray] = {}
        self._kept_alive: list[Any] = []  # the ids that are keys above stay unique as long as their arrays live
        self.repeated_steps = 0
        self.superseded = 0

    def add(self, rows: LogRows) -> None:
        """Takes one block; blocks come in file order."""
        count = len(rows.step)
        all_rows = np.arange(self.rows, self.rows + count) if rows.row is None else rows.row
        for name, (index, value) in rows.values.items():
            part = _Part(
                step=self._pick(rows.step, index),
                value=value,
                epoch=None if rows.epoch is None else self._pick(rows.epoch, index),
                time=None if rows.time is None else self._pick(rows.time, index),
                row=self._pick(all_rows, index),
            )
            self._parts.setdefault(name, []).append(part)
        self.rows += count

    def restart(self, row: int, step: int) -> None:
        """What rows before `row` say about `step` and beyond is superseded: the run was taken up again."""
        self._restarts.append((row, step))

    def _add_untold_restarts(self) -> None:
        together: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        for name, parts in self._parts.items():
            before = self._before.get(name)
            steps = np.empty(0, dtype=np.int64) if before is None else before.step
            # What is written on the same rows shares its axes (`_pick`).
            key = (0 if before is None else id(steps), *(id(part.row) for part in parts))
            if key not in together:
                row, step = (self._joined([getattr(part, axis) for part in parts]) for axis in ("row", "step"))
                together[key] = (steps, row, step)
        marked = dict(sorted(self._restarts, reverse=True))  # of several at one row, the earliest step
        found, self.unordered = restarts_told(list(together.values()), marked, self.unordered)
        self._restarts += found

    def finish(self) -> dict[str, Series]:
        """The series of everything read so far. Metrics written on the same rows share their axis arrays."""
        names = dict.fromkeys([*self._before, *self._parts])
        if self.may_go_back:
            self._add_untold_restarts()
        if self._restarts:
            merged = {name: self._merge(name) for name in names}
            return {name: one for name, one in merged.items() if len(one)}
        untouched = {name: self._before[name] for name in names if name in self._before and name not in self._parts}
        return {name: untouched[name] if name in untouched else self._merge(name) for name in names}

    def _pick(self, array: np.ndarray, index: np.ndarray | None) -> np.ndarray:
        """`array[index]`, the same object for the same question, so that axes stay shared."""
        if index is None:
            return array
        key = (id(array), id(index))
        if key not in self._picked:
            self._picked[key] = array[index]
            self._kept_alive += [array, index]
        return self._picked[key]

    def _merge(self, name: str) -> Series:
        parts = list(self._parts.get(name, ()))
        before = self._before.get(name)
        if before is not None:
            parts.insert(0, _Part(before.step, before.value, before.epoch, before.time_s, None))
        step = self._joined([part.step for part in parts])
        value = np.concatenate([part.value for part in parts]) if len(parts) > 1 else parts[0].value
        epoch = self._joined_optional([part.epoch for part in parts], [len(part.step) for part in parts])
        time = self._joined_optional([part.time for part in parts], [len(part.step) for part in parts])

        if self._restarts:
            row = np.concatenate([np.full(len(part.step), -1) if part.row is None else part.row for part in parts])
            keep: np.ndarray = np.ones(len(step), dtype=bool)
            for restart_row, restart_step in self._restarts:
                keep &= (row >= restart_row) | (step < restart_step)
            if not keep.all():
                self.superseded += int((~keep).sum())
                step, value, epoch, time = _take(keep, step, value, epoch, time)

        if len(step) > 1 and not bool(np.all(step[1:] > step[:-1])):
            order = np.argsort(step, kind="stable")
            ordered = step[order]
            last_of_step: np.ndarray = np.append(ordered[1:] != ordered[:-1], True)
            self.repeated_steps += int((~last_of_step).sum())
            step, value, epoch, time = _take(order[last_of_step], step, value, epoch, time)
        return Series(step, value, epoch, time)

    def _joined(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Concatenation, the same object for the same arrays."""
        if len(arrays) == 1:
            return arrays[0]
        key = tuple(id(array) for array in arrays)
        joined = self._joins.get(key)
        if joined is None:
            joined = self._joins[key] = np.concatenate(arrays)
            self._kept_alive.append(arrays)
        return joined

    def _joined_optional(self, arrays: list[np.ndarray | None], lengths: list[int]) -> np.ndarray | None:
        if all(array is None for array in arrays):
            return None
        filled = [
            np.full(length, np.nan) if array is None else array for array, length in zip(arrays, lengths, strict=True)
        ]
        return self._joined(filled)


def _take(pick: np.ndarray, *arrays: np.ndarray | None) -> Any:
    return tuple(None if array is None else array[pick] for array in arrays)


def clean_text(text: str, most: int = 200) -> str:
    """A name fit for a page and a terminal: no control or direction-changing characters, single spaces, not endless."""
    if len(text) <= most and text.isprintable() and "  " not in text and text == text.strip():
        return text
    kept = "".join(character if character.isprintable() else " " for character in text)
    kept = " ".join(kept.split())
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def clean_metric(name: str) -> str:
    """A metric's name, `clean_text`; of a long one its start and its end, and a sign of the whole, so that names that
    are alike in what is shown stay two."""
    if len(name) <= 200:
        return clean_text(name)
    sign = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{clean_text(name[:140])}…{clean_text(name[-45:])} #{sign}"


def clean_run_name(relative_path: str) -> str:
    """A run's name from its place: the folders that every run of a tracker lies in say nothing and are dropped."""
    noise = {"lightning_logs", "tb_logs", "tensorboard", "."}
    parts = [part for part in PurePosixPath(relative_path).parts if part not in noise]
    return clean_text("/".join(parts)) or clean_text(relative_path) or "run"
