"""Runs → what each arm costs, and quality against cost. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.runs import Report, Run
from core.runs.report import ArmSummary
from webapp.kit.drawing import Drawing, base_layout, literal, shorten
from webapp.runs.traces import GREY, Arms, interval_text
from webapp.text import Language, say


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
    points = [
        _Point(arm, literal(shorten(arm.arm, 24)), cost_value, number in front, colours.get(arm.arm, GREY))
        for number, (arm, cost_value) in enumerate(zip(arms, x, strict=True))
    ]
    places = label_places(x, y, [shorten(arm.arm, 24) for arm in arms], x_range, y_range, ends)
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
    traces += [_point_trace(point, place, report.metric, cost) for point, place in zip(points, places, strict=True)]
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


@dataclass(frozen=True)
class _Point:
    """An arm in the scatter; `name` is fit for a chart."""

    arm: ArmSummary
    name: str
    cost: float
    on_front: bool
    colour: str


def _point_trace(point: _Point, label_place: str, metric: str, cost: str) -> Any:
    """The arm's mean with its interval, and its name where there is room for it."""
    import plotly.graph_objects as go

    mean = point.arm.mean
    low, high = point.arm.interval or (mean, mean)
    hollow = {"color": "rgba(0,0,0,0)", "line": {"color": point.colour, "width": 2}, "size": 10}
    return go.Scatter(
        x=[point.cost],
        y=[mean],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [high - mean],
            "arrayminus": [mean - low],
            "color": point.colour,
            "thickness": 1.2,
            "width": 3,
        },
        mode="markers+text" if label_place else "markers",
        text=[point.name],
        textposition=label_place or None,
        marker={"color": point.colour, "size": 11} if point.on_front else hollow,
        name=point.name,
        showlegend=False,
        hovertemplate=f"{point.name}<br>{literal(metric)} %{{y:.4~g}}{interval_text(low, high)}"
        f"<br>{literal(cost_text(cost, point.cost))}<extra></extra>",
        cliponaxis=False,
    )


def _padded(low: float, high: float, share: float) -> list[float]:
    pad = share * (high - low or abs(high) or 1.0)
    return [low - pad, high + pad]


PLOT_PX = (300, 250)
"""The inside of the scatter at its narrowest, as `label_places` reckons with it."""
_LABEL_HEIGHT_PX, _CHARACTER_PX, _MARKER_PX, _WHISKER_PX = 14, 6.6, 8, 4


def label_places(
    x_N: Sequence[float],
    y_N: Sequence[float],
    names: Sequence[str],
    x_range: Sequence[float],
    y_range: Sequence[float],
    ends_N: Sequence[tuple[float, float]] = (),
) -> list[str]:
    """Where each point's name goes (Plotly's `textposition`), so that none covers another, a point or its interval
    (`ends_N`, of y); empty where there is no room: the pointer then tells it."""
    width, height = PLOT_PX
    points = [
        ((x - x_range[0]) / (x_range[1] - x_range[0]) * width, (y - y_range[0]) / (y_range[1] - y_range[0]) * height)
        for x, y in zip(x_N, y_N, strict=True)
    ]
    taken = [(px - _MARKER_PX, py - _MARKER_PX, px + _MARKER_PX, py + _MARKER_PX) for px, py in points]
    scale = height / (y_range[1] - y_range[0])
    taken += [
        (px - _WHISKER_PX, (low - y_range[0]) * scale, px + _WHISKER_PX, (high - y_range[0]) * scale)
        for (px, _), (low, high) in zip(points, ends_N, strict=False)
    ]
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
