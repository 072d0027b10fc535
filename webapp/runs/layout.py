"""What is on the Runs tab, from top to bottom: what to look at, the verdict, curves beside cost, the table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from core.runs.duplicates import RULES
from webapp.kit.downloads import Handover
from webapp.kit.panels import heading, html_part
from webapp.kit.plot import Plot
from webapp.kit.uploads import UploadOne
from webapp.runs.parts import LiveBar, RunTable, SaveButtons
from webapp.runs.view import CHECKPOINTS, DIRECTIONS, DRAWINGS, INTERVALS, MAX_CURVES, X_AXES, View
from webapp.text import label


class Parts:
    """The components that the wiring connects, by their place on the page."""

    folder: gr.Dropdown
    upload: UploadOne
    bar: LiveBar
    message: gr.HTML
    empty: gr.HTML
    body: gr.Column
    group_by: gr.Dropdown
    metric: gr.Dropdown
    baseline: gr.Dropdown
    select: gr.Dropdown
    at: gr.Radio
    direction: gr.Radio
    duplicates: gr.Radio
    verdict: gr.HTML
    verdict_files: SaveButtons
    curve_metrics: gr.Dropdown
    x: gr.Radio
    smooth: gr.Slider
    log: gr.CheckboxGroup
    draw: gr.Radio
    interval: gr.Radio
    curves: Plot
    curve_notes: gr.HTML
    cost: gr.Radio
    scatter: Plot
    cost_table: gr.HTML
    cost_files: SaveButtons
    search: gr.Textbox
    table: RunTable
    table_files: SaveButtons
    problems: gr.HTML
    handover: Handover
    window: gr.State  # Window

    @property
    def choices(self) -> list[Any]:
        """The inputs that make a `View`, in its own order."""
        return [
            *(self.folder, self.group_by, self.metric, self.select, self.at, self.baseline, self.direction),
            self.duplicates,
            *(self.curve_metrics, self.x, self.smooth, self.log, self.draw, self.interval, self.cost, self.search),
            self.table,
        ]

    def view(self, choices: Sequence[Any]) -> View:
        """What stands in `choices`."""
        folder, group_by, metric, select, at, baseline, direction, duplicates, *rest = choices
        curves, x, smooth, log, draw, interval, cost, search, hidden = rest
        return View(
            folder=folder or "",
            group_by=tuple(group_by or ()),
            metric=metric or "",
            select=select or "",
            at=at,
            baseline=baseline or "",
            direction=direction,
            duplicates=duplicates,
            curves=tuple(curves or ()),
            x=x,
            smooth=float(smooth),
            log=tuple(log or ()),
            draw=draw,
            interval=interval,
            cost=cost or "",
            search=(search or "")[:500],
            hidden=hidden,
        ).plausible()

    @property
    def shown(self) -> list[Any]:
        """Everything that a change may change."""
        return [
            *self.choices,
            *(self.window, self.bar, self.message, self.empty, self.body, self.verdict, self.curves),
            *(self.curve_notes, self.scatter, self.cost_table, self.problems),
        ]


def lay_out(parts: Parts) -> None:
    with gr.Column(elem_id="rn"):
        _lay_out_top(parts)
        parts.body = gr.Column(visible=False)
        with parts.body:
            _lay_out_verdict(parts)
            with gr.Row(equal_height=False):
                with gr.Column(scale=8, min_width=340, elem_classes="wb-card"):
                    _lay_out_curves(parts)
                with gr.Column(scale=4, min_width=320, elem_classes="wb-card"):
                    _lay_out_cost(parts)
            with gr.Column(elem_classes="wb-card"):
                _lay_out_table(parts)
        parts.handover = Handover()


def _lay_out_top(parts: Parts) -> None:
    with gr.Row(elem_id="rn-top"):
        parts.folder = gr.Dropdown(
            [], label=label("runs_folder"), min_width=400, scale=0, filterable=False, elem_id="rn-folder"
        )
        parts.upload = UploadOne(
            label("runs_upload"), file_count="multiple", min_width=150, scale=0, elem_id="rn-upload"
        )
        parts.bar = LiveBar(elem_id="rn-bar")
    parts.message = html_part("rn-message")
    parts.problems = html_part("rn-problems")
    parts.empty = html_part("rn-empty")


def _lay_out_verdict(parts: Parts) -> None:
    with gr.Column(elem_classes="wb-card"):
        with gr.Row(elem_id="rn-choices"):
            parts.group_by = gr.Dropdown(
                [], multiselect=True, label=label("runs_group"), min_width=200, scale=3, elem_id="rn-group"
            )
            parts.metric = gr.Dropdown([], label=label("runs_metric"), min_width=180, scale=2, elem_id="rn-metric")
            parts.baseline = gr.Dropdown([], label=label("runs_baseline"), min_width=150, scale=2, elem_id="rn-base")
        with gr.Accordion(label("runs_more"), open=False, elem_id="rn-judging"), gr.Row():
            parts.at = gr.Radio(
                [(label(f"runs_at_{at}"), at) for at in CHECKPOINTS],
                value="best", label=label("runs_at"), min_width=150, scale=0,
            )  # fmt: skip
            parts.select = gr.Dropdown([], label=label("runs_select"), min_width=200, elem_id="rn-select")
            parts.direction = gr.Radio(
                [(label(f"runs_direction_{way}"), way) for way in DIRECTIONS],
                value="auto", label=label("runs_direction"), min_width=260, elem_id="rn-direction",
            )  # fmt: skip
            parts.duplicates = gr.Radio(
                [(label(f"runs_duplicates_{rule}"), rule) for rule in RULES],
                value="latest", label=label("runs_duplicates"), min_width=300, elem_id="rn-duplicates",
            )  # fmt: skip
    with gr.Column(elem_id="rn-judged"):
        parts.verdict = html_part("rn-verdict")
        parts.verdict_files = SaveButtons(elem_id="rn-save-verdict")


def _lay_out_curves(parts: Parts) -> None:
    with gr.Row(elem_classes="wb-card-head"):
        heading("runs_curves")
        SaveButtons(plot_id="rn-curves", elem_id="rn-save-curves")
    with gr.Row(elem_id="rn-controls"):
        parts.curve_metrics = gr.Dropdown(
            [], multiselect=True, max_choices=MAX_CURVES, label=label("runs_curves_metrics"), elem_id="rn-metrics"
        )
        parts.smooth = gr.Slider(0, 0.99, value=0, step=0.01, label=label("runs_smooth"), elem_id="rn-smooth")
        parts.x = _radio("x", X_AXES)
        parts.draw = _radio("draw", DRAWINGS)
        parts.interval = _radio("band", INTERVALS)
        parts.log = gr.CheckboxGroup(
            [(label(f"runs_log_{axis}"), axis) for axis in ("x", "y")], label=label("runs_log"), elem_id="rn-log"
        )
    parts.curves = Plot(height_px=470, elem_id="rn-curves")
    parts.curve_notes = html_part("rn-curve-notes")


def _radio(name: str, options: Sequence[str]) -> gr.Radio:
    named = [(label(f"runs_{name}_{option}"), option) for option in options]
    return gr.Radio(named, value=options[0], label=label(f"runs_{name}"), elem_id=f"rn-{name}")


def _lay_out_cost(parts: Parts) -> None:
    with gr.Row(elem_classes="wb-card-head"):
        heading("runs_scatter")
        SaveButtons(plot_id="rn-scatter", elem_id="rn-save-scatter")
    parts.cost = gr.Dropdown([], label=label("runs_cost_axis"), filterable=False, elem_id="rn-cost")
    parts.scatter = Plot(height_px=330, elem_id="rn-scatter")
    with gr.Row(elem_classes="wb-card-head"):
        heading("runs_cost")
        parts.cost_files = SaveButtons(elem_id="rn-save-cost")
    parts.cost_table = html_part("rn-costs")


def _lay_out_table(parts: Parts) -> None:
    with gr.Row(elem_classes="wb-card-head"):
        heading("runs_table")
        parts.table_files = SaveButtons(elem_id="rn-save-table")
    parts.search = gr.Textbox(
        label=label("runs_search"),
        placeholder=label("runs_search_placeholder"),
        max_lines=1,
        elem_id="rn-search",
    )
    parts.table = RunTable(elem_id="rn-table")
