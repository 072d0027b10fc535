"""The mean curve of several runs with an interval around it, for drawing.

Runs rarely log at the same steps, and never at the same seconds. So the mean is computed at every x that any run has
(of long curves, where each run has its extremes), and from those the points to draw are picked so that the mean's own
extremes stay. Only there is the interval computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from . import statistics
from .downsample import downsample_around
from .series import Run
from .words import Says

MOST_CANDIDATES = 20_000
"""So many x's of all curves together are looked at, or `points` of each curve where that is more."""


@dataclass(frozen=True, eq=False)
class Band:
    """Mean curve of an arm with an interval around it.

    Attributes:
        x_S: float64, ascending.
        mean_S, low_S, high_S: NaN where no run, or for the interval fewer than two, reach.
        runs_S: how many runs reach each x.
        interval: `bootstrap` or `t`.
        coverage: what the interval truly covers where fewest runs reach (at least two): measured for the bootstrap,
            0.95 for t; NaN if there is no interval.
    """

    x_S: np.ndarray
    mean_S: np.ndarray
    low_S: np.ndarray
    high_S: np.ndarray
    runs_S: np.ndarray
    interval: str
    coverage: float


def band(
    runs: Sequence[Run],
    metric: str,
    *,
    x: str = "step",
    interval: str = "bootstrap",
    points: int = 400,
    x_range: tuple[float, float] | None = None,
    log_x: bool = False,
) -> Band:
    """The mean of `metric` over runs (seeds), at every x that any of them reaches.

    Args:
        runs: of one arm; those without the metric do not take part.
        x: `step`, `epoch` or `time`.
        interval: `bootstrap` (percentile, over runs) or `t` (Student, of the mean).
        points: about so many x at most, the mean's extremes among them. Between its own points a run is interpolated,
            beyond its end it takes no part, and where it is NaN or infinite it takes no part either.
        x_range: what is in view, drawn as finely as so many points again allow; None for everything.
        log_x: for a logarithmic axis: only x above zero, and points spread evenly over the logarithm.

    Raises:
        InputError: `x` or `interval` is none of those.
    """
    if x not in ("step", "epoch", "time") or interval not in ("bootstrap", "t"):
        raise InputError(Says.band_over(), where=f"{x}, {interval}")
    curves = [curve for run in runs if (curve := _curve(run, metric, x, above=0.0 if log_x else -math.inf)) is not None]
    # Ascending x's at which the mean is looked at: all there are, unless that is too many.
    share = max(points, MOST_CANDIDATES // max(len(curves), 1))
    picked = [axis[downsample_around(axis, value, share, x_range, log_x=log_x)] for axis, value in curves]
    grid = np.unique(np.concatenate(picked)) if picked else np.empty(0)
    grid = grid[downsample_around(grid, _mean_at(curves, grid), points, x_range, log_x=log_x)]
    values_NS = np.stack([_at(curve, grid) for curve in curves]) if curves else np.empty((0, len(grid)))

    present_NS = np.isfinite(values_NS)
    mean, low, high = (np.full(len(grid), np.nan) for _ in range(3))
    fewest = 0
    for rows, here in _same_runs(present_NS):
        some = values_NS[np.ix_(rows, here)]
        mean[here] = some.mean(axis=0)
        if len(rows) >= 2:
            fewest = len(rows) if fewest == 0 else min(fewest, len(rows))
            bounds = statistics.bootstrap_interval(some) if interval == "bootstrap" else statistics.t_interval(some.T)
            low[here], high[here] = bounds
    coverage = math.nan
    if fewest:
        coverage = statistics.measured_coverage("mean", fewest) if interval == "bootstrap" else statistics.CONFIDENCE
    return Band(grid, mean, low, high, present_NS.sum(axis=0), interval, coverage)


Curve = tuple[np.ndarray, np.ndarray]
"""x, not decreasing and finite, and the value at each; NaN where it is not finite."""


def _curve(run: Run, metric: str, x: str, above: float) -> Curve | None:
    series = run.metrics.get(metric)
    axis = None if series is None else {"step": series.step, "epoch": series.epoch, "time": series.time_s}[x]
    if series is None or axis is None:
        return None
    axis = axis.astype(np.float64)
    usable = np.isfinite(axis) & (axis > above)
    order = np.argsort(axis[usable], kind="stable")
    value = series.value[usable][order]
    return (axis[usable][order], np.where(np.isfinite(value), value, np.nan)) if len(order) else None


def _at(curve: Curve, grid: np.ndarray) -> np.ndarray:
    return np.interp(grid, *curve, left=np.nan, right=np.nan)


def _mean_at(curves: Sequence[Curve], grid: np.ndarray) -> np.ndarray:
    """Mean over the curves that reach each x, curve by curve: a thousand of them side by side would not fit."""
    total, count = np.zeros(len(grid)), np.zeros(len(grid))
    for curve in curves:
        value = _at(curve, grid)
        present = np.isfinite(value)
        total += np.where(present, value, 0.0)
        count += present
    return np.divide(total, count, out=np.full(len(grid), np.nan), where=count > 0)


def _same_runs(present_NS: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions by which runs reach them: [(runs, positions)], positions that none reaches left out."""
    if not present_NS.size:
        return []
    patterns, pattern_of = np.unique(present_NS, axis=1, return_inverse=True)
    groups = [
        (np.flatnonzero(patterns[:, number]), np.flatnonzero(pattern_of.ravel() == number))
        for number in range(patterns.shape[1])
    ]
    return [(rows, here) for rows, here in groups if len(rows)]
