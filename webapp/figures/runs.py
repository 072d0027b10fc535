"""Runs → curves, cost, and tables as files. Pure functions; colours follow the arms, everywhere the same."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.runs import Band, Report, Run, Series, band, downsample_around
from webapp.figures.drawing import COLOURS, Drawing, base_layout, literal, shorten
from webapp.text import Language, say

if TYPE_CHECKING:
    from webapp.comparing import View

POINTS_IN_ALL = 60_000
"""Points of one drawing; each curve gets its share."""
MOST_POINTS, FEWEST_POINTS = 1_500, 60
UNIFIED_HOVER_LIMIT = 12
"""Above so many curves one hover text for all of them would cover the chart; then each answers for itself."""
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


# ------------------------------------------------------------------ curves


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
class Zoom:
    """What of x somebody looks at, in the drawing that bears the name `view`; in units of the axis, see `axis_of`."""

    view: str
    low: float
    high: float


@dataclass(frozen=True)
class Curves:
    """The drawing, and in words what is not in it or has to be known about it."""

    drawing: Drawing | str
    notes: tuple[str, ...]


def curves(
    runs: Sequence[Run],
    arms: Arms,
    colours: Mapping[str, str],
    view: View,
    language: Language,
    zoom: Zoom | None = None,
) -> Curves:
    """One chart below the other for each metric, over one common axis: the pointer reads all of them at once.

    `zoom`: drawn finely from the full logs; ignored if it is of a drawing with another view.
    """
    import plotly.graph_objects as go

    shown = [run for run in runs if run.id in arms]
    metrics = [name for name in view.curves if any(name in run.metrics for run in shown)]
    if not metrics:
        return Curves(say(language, "runs_no_curves"), ())
    # Zoom stays while these stay: refreshing, smoothing, ticking runs on and off do not move the window.
    name = "|".join([view.folder, view.x, *view.log, *metrics])
    x_range = (zoom.low, zoom.high) if zoom is not None and zoom.view == name else None
    by_run = view.draw == "runs" or view.x == "wall"
    notes: list[str] = []
    if view.x == "wall" and view.draw == "bands":
        notes.append(say(language, "runs_note_wall"))
    traces: list[Any] = []
    coverages: dict[str, float] = {}
    log_left_out = without_axis = 0
    for row, metric in enumerate(metrics):
        drawn = [(run, run.metrics[metric]) for run in shown if metric in run.metrics]
        drawn = [(run, series) for run, series in drawn if len(series)]
        lacking = [run for run, series in drawn if axis_of(run, series, view.x) is None]
        without_axis = max(without_axis, len(lacking))
        drawn = [(run, series) for run, series in drawn if axis_of(run, series, view.x) is not None]
        if "y" in view.log:
            log_left_out += sum(int((series.value <= 0).sum()) for _, series in drawn)
        style = _Style(row, view, colours, len(drawn) * len(metrics), x_range)
        if by_run:
            for run, series in drawn:
                traces += _run_traces(run, series, arms[run.id], style, language)
        else:
            for arm in dict.fromkeys(arms[run.id] for run, _ in drawn):
                of_arm = [run for run, _ in drawn if arms[run.id] == arm]
                new, coverage = _band_traces(of_arm, metric, arm, style)
                traces += new
                if math.isfinite(coverage):
                    coverages[arm] = coverage
        traces += _marks(drawn, metric, arms, style, language)
    if without_axis:
        notes.append(say(language, "runs_note_no_axis", count=without_axis, axis=say(language, f"runs_x_{view.x}")))
    if log_left_out:
        notes.append(say(language, "runs_note_log", count=log_left_out))
    if coverages:
        key = "runs_note_bootstrap" if view.interval == "bootstrap" else "runs_note_t"
        worst = min(coverages.values())
        notes.append(say(language, key, coverage=f"{worst:.0%}"))
    if not traces:
        return Curves(say(language, "runs_no_curves"), tuple(notes))

    seen: set[str] = set()
    for trace in traces:  # one entry of the legend for each arm, not for each trace
        trace.update(showlegend=trace.legendgroup not in seen and trace.mode != "markers" and trace.fill is None)
        if trace.showlegend:
            seen.add(trace.legendgroup)
    unified = len(traces) <= UNIFIED_HOVER_LIMIT * len(metrics) or not by_run
    unit = {"time": f" ({say(language, 'runs_seconds')})", "wall": " (UTC)"}.get(view.x, "")
    title = say(language, f"runs_x_{view.x}") + unit
    layout = base_layout(
        margin={"l": 52, "r": 10, "t": 30, "b": 40},
        hovermode="x unified" if unified else "closest",
        hoversubplots="axis",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={
            "title": {"text": title, "standoff": 6},
            "type": "date" if view.x == "wall" else "log" if "x" in view.log else "linear",
            "anchor": "y" if len(metrics) == 1 else f"y{len(metrics)}",
            "showspikes": True,
            "spikemode": "across",
            "spikethickness": 1,
            "spikedash": "dot",
            "spikecolor": GREY,
            **({} if view.x == "wall" else {"hoverformat": ",d" if view.x == "step" else ".4~g"}),
        },
        annotations=[],
    )
    gap = 0.11
    height = (1.0 - gap * (len(metrics) - 1)) / len(metrics)
    for row, metric in enumerate(metrics):
        top = 1.0 - row * (height + gap)
        layout[f"yaxis{row + 1 if row else ''}"] = {
            "domain": [max(0.0, top - height), top],
            "type": "log" if "y" in view.log else "linear",
            "anchor": "x",
            "nticks": 6,
            "zeroline": False,
        }
        layout["annotations"].append(
            {
                "text": f"<b>{literal(shorten(metric, 48))}</b>",
                "showarrow": False,
                "xref": "paper",
                "x": 1,
                "yref": "paper",
                "y": top,
                "xanchor": "right",
                "yanchor": "bottom",
                "font": {"size": 12},
            }
        )
    description = say(
        language, "runs_curves_description", metrics=", ".join(metrics), arms=", ".join(dict.fromkeys(arms.values()))
    )
    drawing = Drawing(go.Figure(traces, layout), view=name, description=description, refines=True, x_range=x_range)
    return Curves(drawing, tuple(notes))


@dataclass(frozen=True)
class _Style:
    """Where and how the curves of one metric are drawn."""

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


def _run_traces(run: Run, series: Series, arm: str, style: _Style, language: Language) -> list[Any]:
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


def _band_traces(runs: Sequence[Run], metric: str, arm: str, style: _Style) -> tuple[list[Any], float]:
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
    about = [_interval_text(*spread[float(at)]) for at in x]
    hover = f"{name}: %{{y:.4~g}}%{{customdata}}<extra></extra>"
    line = {"color": colour, "width": 2, "dash": dash_of(arm, style.colours)}
    mode = "lines+markers" if len(x) == 1 else "lines"
    traces.append(style.trace(x=x, y=y, mode=mode, line=line, customdata=about, hovertemplate=hover, **common))
    return traces, drawn.coverage


def _interval_text(low: float, high: float) -> str:
    return f" ({low:.4g} – {high:.4g})" if math.isfinite(low) and math.isfinite(high) else ""


def _smooth_run(run: Run, metric: str, weight: float) -> Run:
    series = run.metrics[metric]
    return replace(run, metrics={metric: replace(series, value=smoothed(series.value, weight))})


def _stretches(usable_S: np.ndarray) -> list[tuple[int, int]]:
    """Where True begins and ends, each as a slice's bounds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], usable_S, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _marks(
    drawn: Sequence[tuple[Run, Series]], metric: str, arms: Arms, style: _Style, language: Language
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


# ------------------------------------------------------------------ cost


@dataclass(frozen=True)
class ArmCost:
    """What an arm costs, each the mean over its runs; None where no run says it.

    Attributes:
        seconds_per_epoch, samples_per_s, peak_memory_bytes, parameters: as named.
    """

    arm: str
    runs: int
    seconds_per_epoch: float | None
    samples_per_s: float | None
    peak_memory_bytes: float | None
    parameters: float | None


_SPEED = re.compile(
    r"(^|[/_.])(samples?|images?|frames?|items?|faces?)(_per_|_?/_?|_p)(s|sec|second)$|throughput", re.I
)
_EPOCH_SECONDS = re.compile(
    r"(^|[/_.])(s|sec|secs|seconds|time)_per_epoch(_s)?$|(^|[/_.])epoch_(time|seconds|s)$", re.I
)
_MEMORY = re.compile(r"(peak|max).*(mem|vram)|(mem|vram).*(peak|max)|(^|[/_.])memory", re.I)
_PARAMETERS = re.compile(r"(^|[/_.])(n_|num_|total_|trainable_)?param(eter)?s(_m)?$", re.I)
_UNITS = {"gib": 2**30, "gb": 2**30, "mib": 2**20, "mb": 2**20, "kib": 2**10, "kb": 2**10}


def costs(runs: Sequence[Run], arms: Arms) -> list[ArmCost]:
    """The cost of every arm, from what its runs logged or have in their config under the usual names."""
    found: list[ArmCost] = []
    for arm in dict.fromkeys(arms[run.id] for run in runs if run.id in arms):
        of_arm = [run for run in runs if arms.get(run.id) == arm]
        found.append(
            ArmCost(
                arm,
                len(of_arm),
                _mean(_seconds_per_epoch(run) for run in of_arm),
                _mean(_told(run, _SPEED, np.mean) for run in of_arm),
                _mean(_told(run, _MEMORY, np.max) for run in of_arm),
                _mean(_told(run, _PARAMETERS, np.max) for run in of_arm),
            )
        )
    return found


def _mean(values: Any) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def _seconds_per_epoch(run: Run) -> float | None:
    """As logged; else from the longest series that knows both: the time from its first epoch to its last, by their
    number."""
    logged = _told(run, _EPOCH_SECONDS, np.median)
    if logged is not None:
        return logged
    best: tuple[int, float] | None = None
    for name in run.metrics:
        series = run.metrics[name]
        if series.epoch is None or series.time_s is None or len(series) < 2:
            continue
        known = np.isfinite(series.epoch) & np.isfinite(series.time_s)
        epochs, seconds = series.epoch[known], series.time_s[known]
        if len(epochs) >= 2 and epochs[-1] > epochs[0] and (best is None or len(epochs) > best[0]):
            best = (len(epochs), float((seconds[-1] - seconds[0]) / (epochs[-1] - epochs[0])))
    return None if best is None else best[1]


def _told(run: Run, pattern: re.Pattern[str], summary: Any) -> float | None:
    for name in run.metrics:
        if pattern.search(name):
            values = run.metrics[name].value
            values = values[np.isfinite(values)]
            if len(values):
                return _in_units(name, float(summary(values)))
    for name, value in run.config.items():
        if pattern.search(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
            return _in_units(name, float(value)) if math.isfinite(value) else None
    return None


def _in_units(name: str, value: float) -> float:
    """Memory in bytes, parameters one by one, whatever unit the name says."""
    unit = re.split(r"[/_.]", name.lower())[-1]
    if unit == "m" and _PARAMETERS.search(name):
        return value * 1e6
    return value * _UNITS.get(unit, 1)


def cost_text(name: str, value: float | None) -> str:
    """A cost with its unit; `–` where it is not known."""
    if value is None:
        return "–"
    if name == "seconds_per_epoch":
        return f"{value:.3g} s" if value < 600 else f"{value / 60:,.0f} min"
    if name == "samples_per_s":
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    if name == "peak_memory_bytes":
        return f"{value / 2**30:.2f} GB" if value >= 2**30 else f"{value / 2**20:,.0f} MB"
    if value >= 1e4:
        scaled, unit = (value / 1e6, "M") if value >= 1e6 else (value / 1e3, "k")
        return f"{scaled:,.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"
    return f"{value:,.0f}"


def pareto_front(
    cost_N: Sequence[float], quality_N: Sequence[float], *, more_cost: bool, lower_quality: bool
) -> list[int]:
    """Which points no other beats in both: at least as good in each and better in one. By ascending cost value.

    Args:
        more_cost: a larger cost value is the better one (samples per second).
        lower_quality: a smaller quality value is the better one (an error).
    """
    costs_N = [-cost if more_cost else cost for cost in cost_N]
    worth_N = [value if lower_quality else -value for value in quality_N]
    front = [
        one
        for one in range(len(costs_N))
        if not any(
            costs_N[other] <= costs_N[one]
            and worth_N[other] <= worth_N[one]
            and (costs_N[other] < costs_N[one] or worth_N[other] < worth_N[one])
            for other in range(len(costs_N))
        )
    ]
    return sorted(front, key=lambda point: cost_N[point])


def scatter(
    report: Report | None, arm_costs: Sequence[ArmCost], cost: str, colours: Mapping[str, str], language: Language
) -> Drawing | str:
    """Quality against cost, one point for each arm with the interval of its mean; the Pareto front is a line."""
    import plotly.graph_objects as go

    if report is None or not cost:
        return say(language, "runs_no_scatter")
    value_of = {one.arm: getattr(one, cost) for one in arm_costs}
    arms = [arm for arm in report.arms if value_of.get(arm.arm) is not None]
    if not arms:
        return say(language, "runs_no_scatter")
    x = [float(value_of[arm.arm]) for arm in arms]
    y = [arm.mean for arm in arms]
    lower = report.direction == "min"
    front = pareto_front(x, y, more_cost=cost == "samples_per_s", lower_quality=lower)
    ends = [arm.interval or (arm.mean, arm.mean) for arm in arms]
    x_range = _padded(min(x), max(x), 0.18)
    y_range = _padded(min(low for low, _ in ends), max(high for _, high in ends), 0.14)
    names = [shorten(arm.arm, 24) for arm in arms]
    places = label_places(x, y, names, x_range, y_range)
    traces: list[Any] = [
        go.Scatter(
            x=[x[point] for point in front],
            y=[y[point] for point in front],
            mode="lines",
            line={"color": GREY, "width": 1.5, "dash": "dot"},
            name=say(language, "runs_pareto"),
            hoverinfo="skip",
        )
    ]
    for number, arm in enumerate(arms):
        low, high = ends[number]
        name = literal(names[number])
        colour = colours.get(arm.arm, GREY)
        hollow = {"color": "rgba(0,0,0,0)", "line": {"color": colour, "width": 2}, "size": 10}
        traces.append(
            go.Scatter(
                x=[x[number]],
                y=[y[number]],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [high - arm.mean],
                    "arrayminus": [arm.mean - low],
                    "color": colour,
                    "thickness": 1.2,
                    "width": 3,
                },
                mode="markers+text" if places[number] else "markers",
                text=[name],
                textposition=places[number] or None,
                marker={"color": colour, "size": 11} if number in front else hollow,
                name=name,
                showlegend=False,
                hovertemplate=f"{name}<br>{literal(report.metric)} %{{y:.4~g}}{_interval_text(low, high)}"
                f"<br>{literal(cost_text(cost, x[number]))}<extra></extra>",
                cliponaxis=False,
            )
        )
    better = say(language, "runs_lower_better" if lower else "runs_higher_better")
    y_title = literal(f"{shorten(report.metric, 30)}, {better}")
    layout = base_layout(
        margin={"l": 52, "r": 14, "t": 24, "b": 40},
        xaxis={
            "title": {"text": say(language, f"runs_cost_{cost}"), "standoff": 6},
            "zeroline": False,
            "nticks": 6,
            "range": x_range,
        },
        yaxis={"title": {"text": y_title, "standoff": 4}, "zeroline": False, "range": y_range},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    description = say(language, "runs_scatter_description", metric=report.metric)
    return Drawing(go.Figure(traces, layout), view=f"{report.metric}|{cost}", description=description)


def _padded(low: float, high: float, share: float) -> list[float]:
    pad = share * (high - low or abs(high) or 1.0)
    return [low - pad, high + pad]


PLOT_PX = (300, 250)
"""The inside of the scatter at its narrowest, as `label_places` reckons with it."""
_LABEL_HEIGHT_PX, _CHARACTER_PX, _MARKER_PX = 14, 6.6, 8


def label_places(
    x_N: Sequence[float], y_N: Sequence[float], names: Sequence[str], x_range: Sequence[float], y_range: Sequence[float]
) -> list[str]:
    """Where each point's name goes (Plotly's `textposition`), so that none covers another or a point; empty where
    there is no room: the pointer then tells it."""
    width, height = PLOT_PX
    points = [
        ((x - x_range[0]) / (x_range[1] - x_range[0]) * width, (y - y_range[0]) / (y_range[1] - y_range[0]) * height)
        for x, y in zip(x_N, y_N, strict=True)
    ]
    taken = [(px - _MARKER_PX, py - _MARKER_PX, px + _MARKER_PX, py + _MARKER_PX) for px, py in points]
    places = []
    for (px, py), name in zip(points, names, strict=True):
        half = len(name) * _CHARACTER_PX / 2
        place = ""
        for vertical, side in ((v, s) for s in ("center", "right", "left") for v in ("top", "bottom", "middle")):
            if (vertical, side) == ("middle", "center"):
                continue
            x = px + {"center": 0.0, "right": half + _MARKER_PX, "left": -half - _MARKER_PX}[side]
            y = py + {"top": 1, "middle": 0, "bottom": -1}[vertical] * (_MARKER_PX + _LABEL_HEIGHT_PX / 2)
            box = (x - half, y - _LABEL_HEIGHT_PX / 2, x + half, y + _LABEL_HEIGHT_PX / 2)
            inside = box[0] >= -10 and box[2] <= width + 10 and box[1] >= 0 and box[3] <= height
            if inside and not any(_overlap(box, other) for other in taken):
                place = f"{vertical} {side}"
                taken.append(box)
                break
        places.append(place)
    return places


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


# ------------------------------------------------------------------ tables as files


def table_text(headings: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    """A table as `csv`, `md` (Markdown) or `tex` (LaTeX, booktabs), with everything in its cells taken literally."""
    if kind == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerows([[_csv_cell(cell) for cell in row] for row in [headings, *rows]])
        return "\ufeff" + out.getvalue()  # spreadsheets then read it as UTF-8
    if kind == "md":
        lines = [[_markdown_cell(cell) for cell in row] for row in [headings, *rows]]
        lines.insert(1, ["---"] + ["---:"] * (len(headings) - 1))
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)
    assert kind == "tex", kind
    body = [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in [headings, *rows]]
    columns = "l" + "r" * (len(headings) - 1)
    return (
        "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule"])
        + "\n\\end{tabular}\n"
    )


def _csv_cell(cell: str) -> str:
    """A spreadsheet would run a text that begins like a formula; numbers may begin with a sign."""
    cell = cell.replace("−", "-")
    number = re.fullmatch(r"[+\-]?[\d.,]+(e[+\-]?\d+)?( ?[%a-zA-Z]{1,3})?", cell)
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not number else cell


def _markdown_cell(cell: str) -> str:
    cell = cell.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", cell)


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def _latex_cell(cell: str) -> str:
    return "".join(_LATEX.get(char, char) for char in cell.replace("\n", " "))
