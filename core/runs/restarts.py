"""Was a training taken up again at an earlier step, though nothing in its log says so?

A log whose rows go back to a step that the same metrics were already written at, or back over several steps at once,
was restarted there: what the given-up attempt wrote beyond is superseded. A single row that comes late is none, and a
log that has such rows is not looked at in this way from then on.

Read row by row, so that a log gives the same however it is cut into readings.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

ROWS_BACK = 3
"""Going back over so many rows is a restart even if none of the steps is the same as before."""


class _Steps:
    """The steps of metrics that are written together, as far as they count now."""

    def __init__(self, steps: Iterable[int]) -> None:
        self._in_order = list(steps)
        self._late: list[int] = []  # a heap of the negated steps that came after a larger one
        self._are_late: set[int] = set()

    def __contains__(self, step: int) -> bool:
        place = bisect_left(self._in_order, step)
        return step in self._are_late or self._in_order[place : place + 1] == [step]

    def rows_beyond(self, step: int) -> int:
        return len(self._in_order) - bisect_left(self._in_order, step)

    def goes_back(self, step: int) -> bool:
        return bool(self._in_order) and step < self._in_order[-1]

    def add(self, step: int) -> None:
        if not self.goes_back(step):
            if self._in_order[-1:] != [step]:
                self._in_order.append(step)
        elif step not in self:
            heapq.heappush(self._late, -step)
            self._are_late.add(step)

    def cut(self, from_step: int) -> None:
        del self._in_order[bisect_left(self._in_order, from_step) :]
        while self._late and -self._late[0] >= from_step:
            self._are_late.discard(-heapq.heappop(self._late))


def restarts_told(
    together: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], marked: Mapping[int, int], unordered: bool
) -> tuple[list[tuple[int, int]], bool]:
    """Restarts as (row, first step that rows before it lose), and whether the log has late rows.

    Args:
        together: for metrics written on the same rows: the steps read before, the rows read now, and their steps.
        marked: restarts that the log tells itself: row → first step lost.
        unordered: whether late rows were met before.
    """
    if unordered or not any(_goes_back(before, step) for before, _, step in together):
        return [], unordered
    written = [_Steps(before.tolist()) for before, _, _ in together]
    marks = sorted(marked.items())
    found: list[tuple[int, int]] = []
    for row, step, present in _row_by_row(together):
        while marks and marks[0][0] <= row:
            _cut_all(written, marks.pop(0)[1])
        of_row = [written[which] for which in present]
        if all(one.goes_back(step) for one in of_row):
            if all(step in one or one.rows_beyond(step) >= ROWS_BACK for one in of_row):
                found.append((row, step + 1))
                _cut_all(written, step + 1)
            elif not all(step in one for one in of_row):
                return found, True
        for one in of_row:
            one.add(step)
    return found, False


def _row_by_row(
    together: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> Iterator[tuple[int, int, list[int]]]:
    """Each row read now: its number, its step, and which of `together` it has."""
    row = np.concatenate([rows for _, rows, _ in together])
    step = np.concatenate([steps for *_, steps in together])
    which = np.repeat(np.arange(len(together)), [len(rows) for _, rows, _ in together])
    order = np.argsort(row, kind="stable")
    entries = zip(row[order].tolist(), step[order].tolist(), which[order].tolist(), strict=True)
    for (number, at), of_row in itertools.groupby(entries, key=lambda entry: entry[:2]):
        yield number, at, [one for *_, one in of_row]


def _cut_all(written: Sequence[_Steps], from_step: int) -> None:
    for every in written:
        every.cut(from_step)


def _goes_back(before: np.ndarray, step: np.ndarray) -> bool:
    starts_earlier = len(before) > 0 and len(step) > 0 and step[0] < before[-1]
    return bool(starts_earlier or (step[1:] < step[:-1]).any())
