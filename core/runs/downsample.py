"""Curves of any length to as many points as a screen can show, by MinMaxLTTB (tsdownsample; arXiv:2305.00332)."""

from __future__ import annotations

import math

import numpy as np


def downsample(
    x_N: np.ndarray, y_N: np.ndarray, most_points: int = 2_000, x_range: tuple[float, float] | None = None
) -> np.ndarray:
    """Which points of a curve to draw.

    Args:
        x_N: not decreasing, no NaN (steps, epochs, seconds; the logarithm of them for a logarithmic axis).
        y_N: values; NaN and infinities allowed.
        most_points: about how many finite points to return, at least 4; twice the width in pixels is plenty.
        x_range: what is in view; None for everything. One point beyond each edge is kept, so that lines reach it.
            Fewer points in view means a finer picture: zooming refines.

    Returns:
        int64 positions, ascending. Always among them: the first and the last point, the smallest and the largest
        finite value in view, and the first and last of every stretch that is not finite (up to `most_points` of
        those), so that a diverged run is seen to have diverged and no line is drawn across the gap.
    """
    from tsdownsample import MinMaxLTTBDownsampler

    assert len(x_N) == len(y_N), "one y for each x"
    assert most_points >= 4, "a curve needs four points"
    start, stop = 0, len(x_N)
    if x_range is not None:
        start = max(0, int(np.searchsorted(x_N, x_range[0], "left")) - 1)
        stop = min(len(x_N), int(np.searchsorted(x_N, x_range[1], "right")) + 1)
    x, y = x_N[start:stop], np.asarray(y_N[start:stop], dtype=np.float64)
    if len(x) <= most_points:
        return np.arange(start, stop, dtype=np.int64)

    finite = np.isfinite(y)
    kept = [np.array([0, len(x) - 1])]
    if not finite.all():
        edges = np.flatnonzero(np.diff(finite, prepend=True, append=True))  # starts and ends of stretches, in turn
        stretches = np.unique(np.concatenate([edges[::2], edges[1::2] - 1]))
        if len(stretches) > most_points:
            stretches = stretches[np.linspace(0, len(stretches) - 1, most_points).astype(np.int64)]
        kept.append(stretches)
    where = np.flatnonzero(finite)
    if len(where):
        values = np.ascontiguousarray(y[where])
        kept.append(where[[int(values.argmin()), int(values.argmax())]])
        if len(where) > most_points:
            picked = MinMaxLTTBDownsampler().downsample(np.ascontiguousarray(x[where]), values, n_out=most_points)
            where = where[picked.astype(np.int64)]
        kept.append(where)
    return np.unique(np.concatenate(kept)).astype(np.int64) + start


def downsample_around(
    x_N: np.ndarray, y_N: np.ndarray, most_points: int, x_range: tuple[float, float] | None, *, log_x: bool = False
) -> np.ndarray:
    """As `downsample`, but what is outside `x_range` stays as coarse as it would be without it, so that whoever zooms
    out again sees the curve at once. Up to twice as many points.

    Args:
        log_x: x, all positive, is drawn on a logarithmic axis: points are spread evenly over that.
    """
    if log_x:
        x_N = np.log10(x_N)
        x_range = (
            None if x_range is None else (math.log10(max(x_range[0], 1e-300)), math.log10(max(x_range[1], 1e-300)))
        )
    whole = downsample(x_N, y_N, most_points)
    return whole if x_range is None else np.union1d(whole, downsample(x_N, y_N, most_points, x_range))
