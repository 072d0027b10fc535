"""One metric of runs → the lines, bands and marks of one row of the chart. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.runs import Band, Run, Series, band, downsample_around
from webapp.kit.drawing import COLOURS, literal, shorten
from webapp.runs.view import View
from webapp.text import Language, say

POINTS_IN_ALL = 60_000
"""Points of one drawing; each curve gets its share."""
MOST_POINTS, FEWEST_POINTS = 1_500, 60
MARKS_LIMIT = 200
GREY = "#94a3b8"
DASHES = ("solid", "dash", "dot", "dashdot")
"""When there are more arms than colours, the colours come again in another line."""

Arms = Mapping[str, str]
"""Run id → arm."""


def colours_of(arms: Arms) -> dict[str, str]:
    """Each arm's colour, by order of appearance, so that it stays when others are filtered out."""
    labels = list(dict.fromkeys(arms.values()))
    return {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}


def dash_of(arm: str, colours: Mapping[str, str]) -> str:
    """The line of an arm in a chart: solid for as many arms as there are colours."""
    place = list(colours).index(arm) if arm in colours else 0
    return DASHES[place // len(COLOURS) % len(DASHES)]


def smoothed(value_N: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving average without its bias towards the first value; what is not finite stays and is passed over.

    `s = w·s + (1 − w)·v`, divided by `1 − wⁿ` (Kingma & Ba, arXiv:1412.6980, section 3).
    """
    from scipy.signal import lfilter

    finite_N = np.isfinite(value_N)
    values = value_N[finite_N]
    if weight <= 0 or not len(values):
        return value_N
    average = lfilter([1 - weight], [1, -weight], values)
    result = value_N.astype(np.float64, copy=True)
    result[finite_N] = average / (1 - weight ** np.arange(1, len(values) + 1))
    return result


def axis_of(run: Run, series: Series, x: str) -> np.ndarray | None:
    """The values of `x` (step, epoch, time in seconds since the run's start, wall: unix milliseconds), or None."""
    if x == "step":
        return series.step.astype(np.float64)
    if x == "epoch":
        return series.epoch
    if series.time_s is None or (x == "wall" and run.started_unix_s is None):
        return None
    return series.time_s if x == "time" else (series.time_s + (run.started_unix_s or 0.0)) * 1000.0


@dataclass(frozen=True)
class CurveStyle:
    """Where and how the curves of one metric are drawn; `curves`: how many the whole drawing has."""

    row: int
    view: View
    colours: Mapping[str, str]
    curves: int
    x_range: tuple[float, float] | None

    @property
    def points(self) -> int:
        return int(np.clip(POINTS_IN_ALL / max(self.curves, 1), FEWEST_POINTS, MOST_POINTS))

    def trace(self, **parts: Any) -> Any:
        import plotly.graph_objects as go

        return go.Scatter(xaxis="x", yaxis=f"y{self.row + 1}" if self.row else "y", **parts)

    @property
    def log_x(self) -> bool:
        return "x" in self.view.log and self.view.x != "wall"

    def kept(self, x_N: np.ndarray, y_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is drawn of a curve: in order, without what a logarithm cannot take, no more points than can be seen."""
        usable_N = np.isfinite(x_N) & ((x_N > 0) if self.log_x else True)
        x, y = x_N[usable_N], y_N[usable_N]
        order = np.argsort(x, kind="stable")
        x, y = x[order], np.where(np.isfinite(y[order]), y[order], np.nan)
        if "y" in self.view.log:
            y = np.where(y > 0, y, np.nan)
        picked = downsample_around(x, y, self.points, self.x_range, log_x=self.log_x)
        return x[picked], y[picked]

    def band(self, runs: Sequence[Run], metric: str, interval: str) -> Band:
        return band(runs, metric, x=self.view.x, interval=interval, x_range=self.x_range, log_x=self.log_x)


def run_traces(run: Run, series: Series, arm: str, style: CurveStyle) -> list[Any]:
    colour = style.colours.get(arm, GREY)
    axis = axis_of(run, series, style.view.x)
    assert axis is not None, "the caller has left such runs out"
    common = {"mode": "lines", "legendgroup": arm, "connectgaps": False}
    traces = []
    if style.view.smooth > 0:
        x, y = style.kept(axis, series.value)
        faint = {"color": colour, "width": 1}
        traces.append(style.trace(x=x, y=y, line=faint, opacity=0.22, hoverinfo="skip", name=literal(arm), **common))
    x, y = style.kept(axis, smoothed(series.value, style.view.smooth))
    name = literal(shorten(run.name, 32))
    traces.append(
        style.trace(
            x=x,
            y=y,
            line={"color": colour, "width": 1.4, "dash": dash_of(arm, style.colours)},
            opacity=0.9,
            name=literal(shorten(arm, 32)),
            hovertemplate=f"{name}: %{{y:.4~g}}<extra></extra>",
            **common,
        )
    )
    if len(x) == 1:
        traces[-1].update(mode="lines+markers")
    return traces


def band_traces(runs: Sequence[Run], metric: str, arm: str, style: CurveStyle) -> tuple[list[Any], float]:
    """Mean and interval of one arm; the mean before smoothing stays to be seen, faintly."""
    view = style.view
    colour = style.colours.get(arm, GREY)
    # Each run is smoothed before they are averaged: the band is then an interval of the curve that is drawn.
    smooth = [_smooth_run(run, metric, view.smooth) for run in runs] if view.smooth > 0 else runs
    drawn = style.band(smooth, metric, view.interval)
    if not len(drawn.x_S):
        return [], math.nan
    name = literal(shorten(arm, 32))
    common = {"legendgroup": arm, "name": name}
    traces = []
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    usable = np.isfinite(drawn.low_S) & np.isfinite(drawn.high_S)
    low_S = drawn.low_S
    if "y" in view.log:
        usable &= drawn.high_S > 0
        low_S = np.maximum(low_S, np.nanmin(np.where(drawn.mean_S > 0, drawn.mean_S, np.nan), initial=1.0) * 1e-2)
    for start, stop in _stretches(usable):
        x = drawn.x_S[start:stop]
        traces.append(
            style.trace(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([drawn.high_S[start:stop], low_S[start:stop][::-1]]),
                mode="lines",
                fill="toself",
                fillcolor=f"rgba({red},{green},{blue},0.16)",
                line={"width": 0, "color": colour},
                hoverinfo="skip",
                **common,
            )
        )
    if view.smooth > 0:
        raw = style.band(runs, metric, "t")  # only its mean is drawn
        x, y = style.kept(raw.x_S, raw.mean_S)
        faint = {"color": colour, "width": 1}
        traces.append(style.trace(x=x, y=y, mode="lines", line=faint, opacity=0.3, hoverinfo="skip", **common))
    x, y = style.kept(drawn.x_S, drawn.mean_S)
    spread = {float(at): (low, high) for at, low, high in zip(drawn.x_S, drawn.low_S, drawn.high_S, strict=True)}
    about = [interval_text(*spread[float(at)]) for at in x]
    hover = f"{name}: %{{y:.4~g}}%{{customdata}}<extra></extra>"
    line = {"color": colour, "width": 2, "dash": dash_of(arm, style.colours)}
    mode = "lines+markers" if len(x) == 1 else "lines"
    traces.append(style.trace(x=x, y=y, mode=mode, line=line, customdata=about, hovertemplate=hover, **common))
    return traces, drawn.coverage


def interval_text(low: float, high: float) -> str:
    """Both ends of an interval for a hover text; empty where there is none."""
    return f" ({low:.4g} – {high:.4g})" if math.isfinite(low) and math.isfinite(high) else ""


def _smooth_run(run: Run, metric: str, weight: float) -> Run:
    series = run.metrics[metric]
    return replace(run, metrics={metric: replace(series, value=smoothed(series.value, weight))})


def _stretches(usable_S: np.ndarray) -> list[tuple[int, int]]:
    """Where True begins and ends, each as a slice's bounds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], usable_S, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def marks(
    drawn: Sequence[tuple[Run, Series]], metric: str, arms: Arms, style: CurveStyle, language: Language
) -> list[Any]:
    """A cross where a run is NaN or infinite, at the height of its last finite value."""
    traces = []
    left = MARKS_LIMIT
    for run, series in drawn:
        bad = np.flatnonzero(series.not_finite_N)[:left]
        axis = axis_of(run, series, style.view.x)
        if not len(bad) or axis is None:
            continue
        left -= len(bad)
        finite = np.flatnonzero(np.isfinite(series.value))
        before = np.searchsorted(finite, bad) - 1
        height = series.value[finite[np.maximum(before, 0)]] if len(finite) else np.zeros(len(bad))
        words = [
            say(
                language,
                "runs_not_finite",
                run=run.name,
                value=_number_word(series.value[at]),
                step=int(series.step[at]),
            )
            for at in bad
        ]
        traces.append(
            style.trace(
                x=axis[bad],
                y=height,
                mode="markers",
                marker={"symbol": "x", "size": 8, "color": style.colours.get(arms[run.id], GREY)},
                hovertext=[literal(word) for word in words],
                hoverinfo="text",
                legendgroup=arms[run.id],
                name=literal(metric),
            )
        )
        if left <= 0:
            break
    return traces


def _number_word(value: float) -> str:
    return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
