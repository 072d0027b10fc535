"""Which number represents a run: the reported metric at the checkpoint that validation chose.

The names of metrics say which is a test metric, which is its validation twin, and (`directions.py`) what is better.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..messages import Message
from .directions import direction_of
from .report import RunValue
from .series import Run, Series
from .words import Says


class Chooser:
    """Which number a run is represented by."""

    def __init__(
        self,
        runs: Sequence[Run],
        metric: str,
        select_metric: str | None,
        at: str | int,
        direction: str | None,
    ) -> None:
        self.metric = metric
        self.at = at
        self.select_metric: str | None = None
        self.notes: list[Message] = []
        self._select_lower = False
        if at != "best":
            return
        names = {name for run in runs for name in run.metrics}
        if select_metric is not None and select_metric not in names:
            raise InputError(Says.no_select_metric(), where=select_metric, next_step=Says.give_select_metric())
        twin = select_metric or next((name for name in _val_twins(metric) if name in names), None)
        is_test = _split_of(metric) == "test"
        if twin is None and not is_test:
            twin = metric
            if _split_of(metric) != "val":
                self.notes.append(Says.no_val_twin(metric=metric))
        self.select_metric = twin
        if twin is not None:
            self._select_lower = _direction_to_select(twin, metric, direction) == "min"

    def value_of(self, run: Run, arm: str, seed: str) -> RunValue | Message:
        """The run's value, or why it has none. The value may be NaN or infinite."""
        reported = run.metrics.get(self.metric)
        if reported is None or len(reported) == 0:
            return Says.no_metric(metric=self.metric)
        index = self._index(run, reported)
        if isinstance(index, Message):
            return index
        return RunValue(run.id, run.name, arm, seed, float(reported.value[index]), int(reported.step[index]))

    def _index(self, run: Run, reported: Series) -> int | Message:
        if self.at == "last":
            return len(reported) - 1
        if isinstance(self.at, int):
            index = int(np.searchsorted(reported.step, self.at))
            if index < len(reported) and reported.step[index] == self.at:
                return index
            first, last = int(reported.step[0]), int(reported.step[-1])
            return Says.no_metric_at_step(metric=self.metric, step=self.at, first=first, last=last)
        if self.select_metric is None:  # a test metric without a twin
            if len(reported) == 1:
                return 0
            return Says.many_values(count=len(reported), metric=self.metric)
        selecting = run.metrics.get(self.select_metric)
        logged_once = len(reported) == 1 and self.select_metric != self.metric
        if selecting is None or len(selecting) == 0:
            return 0 if logged_once else Says.no_choosing_metric(metric=self.select_metric)
        finite = np.flatnonzero(np.isfinite(selecting.value))
        if not len(finite):
            return Says.throughout(metric=self.select_metric, value=number_word(float(selecting.value[-1])))
        if logged_once:
            return 0  # evaluated at the end, by a training that had chosen its checkpoint
        values = selecting.value[finite]
        best = int(finite[values.argmin() if self._select_lower else values.argmax()])
        return self._reported_at(selecting, best, reported)

    def _reported_at(self, selecting: Series, best: int, reported: Series) -> int | Message:
        """Where the reported metric was logged for the chosen checkpoint: the same step, else the same epoch."""
        step = int(selecting.step[best])
        index = int(np.searchsorted(reported.step, step))
        if index < len(reported) and reported.step[index] == step:
            return index
        if selecting.epoch is not None and reported.epoch is not None and math.isfinite(selecting.epoch[best]):
            same_epoch = np.flatnonzero(reported.epoch == selecting.epoch[best])
            if len(same_epoch):
                return int(same_epoch[-1])
        return Says.no_metric_at_chosen(metric=self.metric, step=step, select=self.select_metric)


_SPLITS = {
    "test": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "eval": "val",
    "dev": "val",
    "train": "train",
}
_SPLIT = re.compile(r"^(test|validation|valid|val|eval|dev|train)([/_.\-])", re.IGNORECASE)


def _split_of(metric: str) -> str | None:
    match = _SPLIT.match(metric)
    return _SPLITS[match[1].lower()] if match else None


def _without_split(metric: str) -> str:
    return _SPLIT.sub("", metric)


def _val_twins(metric: str) -> list[str]:
    """Names under which the same quantity may have been logged on validation data; the metric itself if it is one."""
    if _split_of(metric) == "val":
        return [metric]
    match = _SPLIT.match(metric)
    separators = dict.fromkeys([match[2] if match else "/", "/", "_", "."])
    bare = _without_split(metric)
    return [
        f"{split}{separator}{bare}"
        for separator in separators
        for split in ("val", "valid", "validation", "eval", "dev")
    ]


def _direction_to_select(select_metric: str, metric: str, given: str | None) -> str:
    """A given direction is about the reported metric; another metric's own name goes before it."""
    if _without_split(select_metric) == _without_split(metric):
        return direction_of(select_metric, given)
    try:
        return direction_of(select_metric)
    except InputError:
        return direction_of(select_metric, given)


def number_word(value: float) -> str | Message:
    return "NaN" if math.isnan(value) else Says.infinite() if math.isinf(value) else f"{value:g}"
