"""Columns of a row format to `LogRows`: which columns are the axes, which are metrics, which are configuration.

Which columns are the axes is told from their names, in this order:

* step: `step`, `global_step`, `_step`, `trainer/global_step`, `iteration`, `iter`. Without one, `epoch` is the step;
  without that, the number of the row. A row without a step belongs to the step before it.
* epoch: `epoch`, `_epoch`, `trainer/epoch`.
* time: `time`, `time_s`, `wall_time`, `_timestamp`, `timestamp`, `wall time`, `relative_time`, `elapsed`, `elapsed_s`.
  Seconds since the start, unix seconds (also in milliseconds), or a date.

Every other numeric column is a metric. A text column that holds one value throughout, and a column `seed` that does,
is configuration; any other text is named in the notes and not shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arrow
from ..parsing import Memory, ReadAgain, note
from ..series import LogRows, SeriesBuilder, clean_metric, clean_text
from ..words import Says

STEP_NAMES = ("step", "global_step", "_step", "trainer/global_step", "iteration", "iter")
EPOCH_NAMES = ("epoch", "_epoch", "trainer/epoch")
TIME_NAMES = (
    *("time", "time_s", "wall_time", "_timestamp", "timestamp", "wall time", "relative_time", "elapsed", "elapsed_s"),
)
RESUMED_KEY = "_resumed"  # written by the recorder when it takes a run up again
NAMELESS = "\x00"  # begins a column's name that can be no metric's: dropped

UNIX_FROM_S = 3e8  # a larger time is a date: 300 million seconds are nine years of training, or the year 1979
UNIX_MS_FROM = 3e11

NUMBERS_IN_WORDS = {
    **dict.fromkeys(("nan", "-nan", "+nan"), math.nan),
    **dict.fromkeys(("inf", "+inf", "infinity", "+infinity"), math.inf),
    **dict.fromkeys(("-inf", "-infinity"), -math.inf),
}

# A column: positions of its rows (None: every row) and their values, or rows and texts where it has any.
Numbers = tuple["np.ndarray | None", np.ndarray]
Texts = list[tuple[int, str]]
Columns = dict[str, "Numbers | Texts"]


def columns_of_table(table: Any) -> tuple[Columns, int]:
    """An Arrow table as columns, and its number of rows."""
    columns: Columns = {}
    same_rows: dict[bytes, np.ndarray] = {}
    for name, chunked in zip(table.column_names, table.columns, strict=True):
        array = chunked.combine_chunks()
        index = arrow.valid_rows(array)
        if index is not None and not len(index):
            continue
        if index is not None:
            index = same_rows.setdefault(index.tobytes(), index)
        is_date = str(array.type).startswith("timestamp") and name.lower() in TIME_NAMES
        if is_date or arrow.is_number(array.type):
            values = arrow.values_of(array.cast("timestamp[us]") if is_date else array)
            values = values if index is None else values[index]
            columns[name] = (index, values / 1e6 if is_date else values)
        else:
            rows = range(table.num_rows) if index is None else index.tolist()
            cells = [str(cell) for cell in array.to_pylist() if cell is not None]
            words = [NUMBERS_IN_WORDS.get(cell.strip().lower()) for cell in cells]
            columns[name] = (
                list(zip(rows, cells, strict=True)) if None in words else (index, np.asarray(words, dtype=np.float64))
            )
    return columns, table.num_rows


def admits(memory: Memory, metric: str, max_metrics: int) -> bool:
    """Whether a metric of this name is shown; names beyond the limit are counted."""
    known = memory.setdefault("metrics", {})
    if metric not in known:
        if len(known) >= max_metrics:
            note(memory, Says.metrics_too_many, limit=max_metrics)
            return False
        known[metric] = True
    return True


@dataclass(frozen=True)
class _Axes:
    """Names of the columns that are axes, None where there is none."""

    step: str | None
    epoch: str | None
    time: str | None


def add_columns(columns: Columns, count: int, memory: Memory, builder: SeriesBuilder, max_metrics: int) -> None:
    """Finds the axes among the columns of `count` rows and adds the rest to the builder as metrics."""
    axes = _axes_of(columns)
    rows_before = memory.get("rows", 0)
    step = _steps(columns, axes, count, rows_before, memory)
    epoch = None if axes.epoch is None else _dense(columns[axes.epoch], count)
    time = None if axes.time is None else _times(columns[axes.time], count)
    values: dict[str, Numbers] = {}
    for name, column in columns.items():
        if name.startswith(NAMELESS) or name in (axes.epoch, axes.time) or name.lower() in STEP_NAMES:
            continue
        if isinstance(column, list):
            _remember_text(name, column, count, memory)
        elif name == RESUMED_KEY:
            _mark_restarts(column[0], step, memory, builder)
        elif name.lower() != "seed" or not _is_fact(name, column[1], memory):
            _take_metric(clean_metric(name), column, values, memory, max_metrics)
    if memory.pop("resumed_before", False):  # the marker was the last line of the block before
        builder.restart(builder.rows, int(step[0]) + 1)
    if memory.pop("resumed_at_end", False):
        memory["resumed_before"] = True
    builder.may_go_back = True
    builder.add(LogRows(step, values, epoch, time))
    memory["rows"] = rows_before + count
    memory["last_step"] = int(step[-1])


def _axes_of(columns: Columns) -> _Axes:
    by_lower = {name.lower(): name for name in reversed(list(columns))}
    numeric = {lower: name for lower, name in by_lower.items() if not isinstance(columns[name], list)}
    return _Axes(
        step=_first_of(STEP_NAMES, numeric), epoch=_first_of(EPOCH_NAMES, numeric), time=_first_of(TIME_NAMES, by_lower)
    )


def _first_of(names: tuple[str, ...], there: Mapping[str, str]) -> str | None:
    return next((there[name] for name in names if name in there), None)


def _mark_restarts(index: np.ndarray | None, step: np.ndarray, memory: Memory, builder: SeriesBuilder) -> None:
    """The recorder's marks: the row after each says at which step the run was taken up again."""
    marked = np.arange(len(step)) if index is None else index
    for row in marked.tolist():
        if row + 1 < len(step):
            # What the dead attempt wrote at that very step stays, unless it is written again.
            builder.restart(builder.rows + row, int(step[row + 1]) + 1)
    if len(marked) and marked[-1] == len(step) - 1:
        memory["resumed_at_end"] = True
    note(memory, Says.resumed, len(marked))


def _is_fact(name: str, numbers: np.ndarray, memory: Memory) -> bool:
    """Whether the column holds one number throughout, which then is configuration."""
    facts = memory.setdefault("facts", {})
    distinct = np.unique(numbers)
    if len(distinct) != 1 or facts.get(name, float(distinct[0])) != float(distinct[0]):
        return False
    facts[name] = float(distinct[0])
    return True


def _take_metric(name: str, column: Numbers, values: dict[str, Numbers], memory: Memory, max_metrics: int) -> None:
    if not admits(memory, name, max_metrics):
        return
    if name in values:
        note(memory, Says.blocks_of_one_name, name=name)
        return
    index, numbers = column
    values[name] = (index, numbers.astype(np.float64, copy=False))


def _steps(columns: Columns, axes: _Axes, count: int, rows_before: int, memory: Memory) -> np.ndarray:
    """int64 `[count]`: the step of every row, by the rule that the whole file follows (`memory["axis"]`)."""
    rule = memory.setdefault("axis", "step" if axes.step else "epoch" if axes.epoch else "row")
    if axes.step and rule != "step":
        raise ReadAgain({"axis": "step"})
    if rule == "row":
        return np.arange(rows_before, rows_before + count)
    name = axes.step if rule == "step" else axes.epoch
    last = memory.get("last_step", 0)
    if name is None:
        return np.full(count, last, dtype=np.int64)
    column = columns[name]
    assert not isinstance(column, list), "an axis of steps or epochs is one of numbers"
    index, numbers = column
    if index is None:
        with np.errstate(invalid="ignore"):  # NaN and infinity become some number, which then is not equal
            whole = numbers.astype(np.int64, copy=False)
        if np.array_equal(whole, numbers):
            return whole
    present = np.arange(count) if index is None else index
    if numbers.dtype.kind == "f":
        usable = np.isfinite(numbers) & (np.abs(numbers) < 2**62)
        whole = np.round(np.where(usable, numbers, 0.0))
        if not np.array_equal(whole[usable], numbers[usable]):
            if rule == "epoch":  # fractions of an epoch, as some trainers log them: they order nothing exactly
                raise ReadAgain({"axis": "row"})
            note(memory, Says.steps_rounded)
        present, numbers = present[usable], whole[usable]
    # A row without a step belongs to the step before it.
    position: np.ndarray = np.full(count, -1, dtype=np.int64)
    position[present] = np.arange(len(present))
    position = np.maximum.accumulate(position)
    steps: np.ndarray = np.append(numbers.astype(np.int64), last)  # position -1 picks `last`
    return steps[position]


def _dense(column: Any, count: int) -> np.ndarray:
    """float64 `[count]`, NaN where the column has nothing."""
    index, numbers = column
    if index is None:
        return numbers.astype(np.float64, copy=False)
    dense = np.full(count, np.nan)
    dense[index] = numbers
    return dense


def _times(column: Any, count: int) -> np.ndarray | None:
    """float64 `[count]`, seconds, from numbers (milliseconds since 1970 are told by their size) or dates."""
    if isinstance(column, list):
        rows = np.asarray([row for row, _ in column])
        column = (rows, np.asarray([seconds_of_date(text) for _, text in column]))
    dense = _dense(column, count)
    in_ms = dense > UNIX_MS_FROM
    return np.where(in_ms, dense / 1000.0, dense) if in_ms.any() else dense


def seconds_of_date(text: str) -> float:
    """Unix seconds of an ISO 8601 date (UTC where it names no zone); NaN if it is none."""
    from datetime import datetime, timezone

    try:
        date = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return math.nan
    return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()


def _remember_text(name: str, cells: Texts, count: int, memory: Memory) -> None:
    """One text throughout is configuration; several are named in the notes."""
    facts = memory.setdefault("facts", {})
    varying = memory.setdefault("texts", [])
    distinct = {text for _, text in cells}
    if name in varying:
        return
    if len(distinct) == 1 and len(cells) == count and facts.get(name, cells[0][1]) == cells[0][1]:
        facts[name] = cells[0][1]
        return
    facts.pop(name, None)
    varying.append(name)
    note(memory, Says.text_not_shown, name=clean_text(name))
