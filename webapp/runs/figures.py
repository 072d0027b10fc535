"""Runs → curves. Pure functions; colours follow the arms, everywhere the same. How one metric is drawn: `traces.py`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.runs import Run
from webapp.kit.drawing import Drawing, base_layout, literal, shorten
from webapp.runs.traces import GREY, Arms, CurveStyle, axis_of, band_traces, marks, run_traces
from webapp.runs.view import View
from webapp.text import Language, say

UNIFIED_HOVER_LIMIT = 12
"""Above so many curves one hover text for all of them would cover the chart; then each answers for itself."""


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
    chart = _Chart(view, language)
    for row, metric in enumerate(metrics):
        chart.add_row(metric, shown, arms, CurveStyle(row, view, colours, len(metrics), x_range))
    notes = tuple(chart.notes())
    if not chart.traces:
        return Curves(say(language, "runs_no_curves"), notes)

    _name_once(chart.traces)
    unified = len(chart.traces) <= UNIFIED_HOVER_LIMIT * len(metrics) or not chart.by_run
    layout = _layout(metrics, view, unified, language)
    description = say(
        language, "runs_curves_description", metrics=", ".join(metrics), arms=", ".join(dict.fromkeys(arms.values()))
    )
    drawing = Drawing(
        go.Figure(chart.traces, layout), view=name, description=description, refines=True, x_range=x_range
    )
    return Curves(drawing, notes)


class _Chart:
    """The traces of a drawing while they are gathered, and what has to be said about them."""

    def __init__(self, view: View, language: Language) -> None:
        self.traces: list[Any] = []
        self.by_run = view.draw == "runs" or view.x == "wall"
        self._view = view
        self._language = language
        self._coverages: list[float] = []
        self._log_left_out = 0
        self._without_axis = 0

    def add_row(self, metric: str, runs: Sequence[Run], arms: Arms, style: CurveStyle) -> None:
        there = [(run, run.metrics[metric]) for run in runs if metric in run.metrics and len(run.metrics[metric])]
        drawn = [(run, series) for run, series in there if axis_of(run, series, self._view.x) is not None]
        self._without_axis = max(self._without_axis, len(there) - len(drawn))
        if "y" in self._view.log:
            self._log_left_out += sum(int((series.value <= 0).sum()) for _, series in drawn)
        style = replace(style, curves=len(drawn) * style.curves)
        if self.by_run:
            for run, series in drawn:
                self.traces += run_traces(run, series, arms[run.id], style)
        else:
            for arm in dict.fromkeys(arms[run.id] for run, _ in drawn):
                of_arm = [run for run, _ in drawn if arms[run.id] == arm]
                new, coverage = band_traces(of_arm, metric, arm, style)
                self.traces += new
                self._coverages += [coverage] if math.isfinite(coverage) else []
        self.traces += marks(drawn, metric, arms, style, self._language)

    def notes(self) -> Iterator[str]:
        language, view = self._language, self._view
        if view.x == "wall" and view.draw == "bands":
            yield say(language, "runs_note_wall")
        if self._without_axis:
            axis = say(language, f"runs_x_{view.x}")
            yield say(language, "runs_note_no_axis", count=self._without_axis, axis=axis)
        if self._log_left_out:
            yield say(language, "runs_note_log", count=self._log_left_out)
        if self._coverages:
            key = "runs_note_bootstrap" if view.interval == "bootstrap" else "runs_note_t"
            yield say(language, key, coverage=f"{min(self._coverages):.0%}")


def _name_once(traces: Sequence[Any]) -> None:
    """One entry of the legend for each arm, not for each trace; a faint raw curve does not stand for it."""
    seen: set[str] = set()
    for trace in traces:
        is_curve = trace.mode != "markers" and trace.fill is None and (trace.opacity or 1.0) > 0.5
        trace.update(showlegend=is_curve and trace.legendgroup not in seen)
        if trace.showlegend:
            seen.add(trace.legendgroup)


def _layout(metrics: Sequence[str], view: View, unified: bool, language: Language) -> dict[str, Any]:
    """One row for each metric over the common axis, its name above it."""
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
    return layout
