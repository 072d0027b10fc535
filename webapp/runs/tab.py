"""The Runs tab: is one training better than another, or is that noise?

`build` lays out what is on the page, then `_wire` says what happens when. What is shown is made in `webapp/figures/`
(`runs.py` charts, `run_panels.py` fragments), what a visitor may choose in `webapp/runs/job.py`, the numbers in
`core/runs/`. The same verdict without the page: `webapp/runs/api.py`, and `python -m core runs compare`.

Nothing is read before the tab is first seen. From then on the page asks at every beat whether something is new; the
reader then reads only that, and the page is drawn again only if there was something.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from core.errors import WorkbenchError
from core.runs import (
    UPLOAD_LIMITS,
    Problem,
    Report,
    Run,
    RunReader,
    RunSet,
    config_differences,
    stage_upload,
)
from webapp.kit.notices import sentence, shown
from webapp.kit.plot import Plot
from webapp.kit.services import Services
from webapp.kit.uploads import Upload, UploadOne
from webapp.runs import api, figures, panels
from webapp.runs import costs as run_costs
from webapp.runs import job as comparing
from webapp.runs.job import COSTS, MAX_CURVES, PRESET, UPLOAD_ID, Library, View
from webapp.runs.parts import LiveBar, RunTable, SaveButtons
from webapp.runs.table_files import table_text
from webapp.text import Language, label, say, translated

WINDOW_LIFE_S = 6 * 3600
"""What a window holds is forgotten as late as uploads are."""
EVERY_S, EVERY_S_IDLE = 2, 6
"""Between two looks: while a training runs, and else."""
CHOICES_LIMIT = 2_000

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
FOLLOWING: dict[str, Any] = {**PRIVATE, "trigger_mode": "always_last"}
"""For what may change again while the last change is being answered."""

OPEN_FROM_LINK_JS = """() => {  // the tab's own scripts are not there before it is opened
    if (!new URLSearchParams(location.search).has('runs')) return;
    const open = (tries) => {
        const tab = document.querySelector('#tab-runs-button');
        if (tab) setTimeout(() => tab.click(), 300);
        else if (tries) setTimeout(() => open(tries - 1), 100);
    };
    open(50);
}"""

Updates = dict[Any, Any]
"""Component → its new value or properties."""


@dataclass(frozen=True)
class Uploaded:
    """A visitor's own logs: their private folder, its reader, and what was not taken."""

    folder: Path
    reader: RunReader
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Window:
    """What one browser window looks at, on the server.

    Attributes:
        source_id: the folder, or `upload`.
        picked: what the list of experiments and folders shows: `source_id`, or the preset that was picked.
        runs: as last read.
        upload: this visitor's own logs, or None.
        choices: what the dropdowns offer now.
        zoom: what of the curves is looked at; None for everything.
        message: a lasting line above everything.
    """

    source_id: str = ""
    picked: str = ""
    runs: RunSet = field(default_factory=lambda: RunSet(()))
    upload: Uploaded | None = None
    choices: tuple[tuple[str, ...], ...] = ()
    zoom: figures.Zoom | None = None
    message: str = ""


class Parts:
    """The components that `_wire` connects, by their place on the page."""

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
    download: gr.DownloadButton
    window: gr.State  # Window

    @property
    def choices(self) -> list[Any]:
        """The inputs that make a `View`, in its own order."""
        return [
            *(self.folder, self.group_by, self.metric, self.select, self.at, self.baseline, self.direction),
            *(self.curve_metrics, self.x, self.smooth, self.log, self.draw, self.interval, self.cost, self.search),
            self.table,
        ]

    @property
    def shown(self) -> list[Any]:
        """Everything that a change may change."""
        return [
            *self.choices,
            *(self.window, self.bar, self.message, self.empty, self.body, self.verdict, self.curves),
            *(self.curve_notes, self.scatter, self.cost_table, self.problems),
        ]


def build(services: Services) -> None:
    """The whole tab, inside its own `gr.Tab`."""
    parts = Parts()
    library = Library(services.settings)
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
        parts.download = gr.DownloadButton(visible="hidden", elem_id="rn-download")
    parts.window = gr.State(Window(), time_to_live=WINDOW_LIFE_S, delete_callback=_forget)

    _wire_looking(parts, services, library)
    _wire_choices(parts, services)
    _wire_upload(parts, services)
    _wire_files(parts, services)
    api.build(services, library)


# ------------------------------------------------------------------ layout


def _html(elem_id: str) -> gr.HTML:
    """A place for one of our own fragments, without Gradio's styles for prose."""
    return gr.HTML(elem_id=elem_id, apply_default_css=False)


def _lay_out_top(parts: Parts) -> None:
    with gr.Row(elem_id="rn-top"):
        parts.folder = gr.Dropdown(
            [], label=label("runs_folder"), min_width=400, scale=0, filterable=False, elem_id="rn-folder"
        )
        parts.upload = UploadOne(
            label("runs_upload"), file_count="multiple", min_width=150, scale=0, elem_id="rn-upload"
        )
        parts.bar = LiveBar(elem_id="rn-bar")
    parts.message = _html("rn-message")
    parts.problems = _html("rn-problems")
    parts.empty = _html("rn-empty")


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
                [(label(f"runs_at_{at}"), at) for at in comparing.CHECKPOINTS],
                value="best", label=label("runs_at"), min_width=150, scale=0,
            )  # fmt: skip
            parts.select = gr.Dropdown([], label=label("runs_select"), min_width=200, elem_id="rn-select")
            parts.direction = gr.Radio(
                [(label(f"runs_direction_{way}"), way) for way in comparing.DIRECTIONS],
                value="auto", label=label("runs_direction"), min_width=260, elem_id="rn-direction",
            )  # fmt: skip
    with gr.Column(elem_id="rn-judged"):
        parts.verdict = _html("rn-verdict")
        parts.verdict_files = SaveButtons(elem_id="rn-save-verdict")


def _lay_out_curves(parts: Parts) -> None:
    with gr.Row(elem_classes="wb-card-head"):
        gr.Markdown(label("runs_curves"), elem_classes="wb-heading")
        SaveButtons(plot_id="rn-curves", elem_id="rn-save-curves")
    with gr.Row(elem_id="rn-controls"):
        parts.curve_metrics = gr.Dropdown(
            [], multiselect=True, max_choices=MAX_CURVES, label=label("runs_curves_metrics"), elem_id="rn-metrics"
        )
        parts.smooth = gr.Slider(0, 0.99, value=0, step=0.01, label=label("runs_smooth"), elem_id="rn-smooth")
        parts.x = _radio("x", comparing.X_AXES)
        parts.draw = _radio("draw", comparing.DRAWINGS)
        parts.interval = _radio("band", comparing.INTERVALS)
        parts.log = gr.CheckboxGroup(
            [(label(f"runs_log_{axis}"), axis) for axis in ("x", "y")], label=label("runs_log"), elem_id="rn-log"
        )
    parts.curves = Plot(height_px=470, elem_id="rn-curves")
    parts.curve_notes = _html("rn-curve-notes")


def _radio(name: str, options: Sequence[str]) -> gr.Radio:
    named = [(label(f"runs_{name}_{option}"), option) for option in options]
    return gr.Radio(named, value=options[0], label=label(f"runs_{name}"), elem_id=f"rn-{name}")


def _lay_out_cost(parts: Parts) -> None:
    with gr.Row(elem_classes="wb-card-head"):
        gr.Markdown(label("runs_scatter"), elem_classes="wb-heading")
        SaveButtons(plot_id="rn-scatter", elem_id="rn-save-scatter")
    parts.cost = gr.Dropdown([], label=label("runs_cost_axis"), filterable=False, elem_id="rn-cost")
    parts.scatter = Plot(height_px=330, elem_id="rn-scatter")
    with gr.Row(elem_classes="wb-card-head"):
        gr.Markdown(label("runs_cost"), elem_classes="wb-heading")
        parts.cost_files = SaveButtons(elem_id="rn-save-cost")
    parts.cost_table = _html("rn-costs")


def _lay_out_table(parts: Parts) -> None:
    with gr.Row(elem_classes="wb-card-head"):
        gr.Markdown(label("runs_table"), elem_classes="wb-heading")
        parts.table_files = SaveButtons(elem_id="rn-save-table")
    parts.search = gr.Textbox(
        label=label("runs_search"),
        placeholder=label("runs_search_placeholder"),
        max_lines=1,
        elem_id="rn-search",
    )
    parts.table = RunTable(elem_id="rn-table")


# ------------------------------------------------------------------ wiring: opening, looking again, another folder


def _wire_looking(parts: Parts, services: Services, library: Library) -> None:
    def opened(window: Window, event: gr.EventData, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            query = event._data.get("query") if isinstance(event._data, dict) else ""
            view = View.from_query(query if isinstance(query, str) else "")
            notes = []
            source = None
            if view.folder == UPLOAD_ID:
                notes.append(say(language, "runs_link_upload"))
            elif view.folder:
                source = next((one for one in library.sources() if one.id == view.folder), None)
                if source is None:
                    notes.append(say(language, "runs_link_missing", names=view.folder))
            if source is None:
                source = library.start()
                if source is None:
                    return _nothing(parts, window, library, language)
                presets = comparing.presets_of([source])
                if view == View() and presets:
                    window, view = _picked(window, f"{PRESET}{presets[0][0].id}", library)
                    return _all(parts, window, view, library, language, anew=True)
            window = replace(window, source_id=source.id, picked=source.id, runs=library.read(source))
            view, missing = comparing.settled(replace(view, folder=source.id), window.runs.runs)
            if missing:
                notes.append(say(language, "runs_link_missing", names=", ".join(missing)))
            return _all(parts, replace(window, message=" ".join(notes)), view, library, language, anew=True)

    def chosen(window: Window, request: gr.Request, *choices: Any) -> Updates:
        language = services.language(request)
        with shown(language):
            before = _view(choices)
            window, view = _picked(replace(window, message=""), before.folder, library)
            # How curves are drawn stays as it was.
            view = replace(view, x=before.x, smooth=before.smooth, draw=before.draw, interval=before.interval)
            return _all(parts, window, view, library, language, anew=True)

    def looked(window: Window, request: gr.Request, *choices: Any) -> Updates:
        language = services.language(request)
        with shown(language):
            if not window.source_id:
                source = library.start()
                if source is None:
                    return {parts.bar: _bar(window, View())}
                window = replace(window, source_id=source.id, picked=source.id)
            runs = _read(window, window.source_id, library)
            view = replace(_view(choices), folder=window.source_id)
            same = len(runs) == len(window.runs) and all(new is old for new, old in zip(runs, window.runs, strict=True))
            if same and runs.problems == window.runs.problems:
                return {parts.bar: _bar(window, view)}
            settled_view, _ = comparing.settled(view, runs.runs)
            window = replace(window, runs=runs)
            return _all(parts, window, settled_view, library, language, anew=settled_view != view)

    gr.on(None, None, js=OPEN_FROM_LINK_JS, **PRIVATE)
    parts.bar.select(opened, parts.window, parts.shown, **PRIVATE)
    parts.bar.click(looked, [parts.window, *parts.choices], parts.shown, **PRIVATE)
    parts.folder.input(chosen, [parts.window, *parts.choices], parts.shown, **PRIVATE)


def _picked(window: Window, picked: str, library: Library) -> tuple[Window, View]:
    """A folder, an upload or a preset from the list, and the view of it to begin with."""
    preset = None
    source_id = picked
    if picked.startswith(PRESET):
        offered = {f"{PRESET}{one.id}": (one, source) for one, source in comparing.presets_of(library.sources())}
        if picked in offered:
            preset, source = offered[picked]
            source_id = source.id
    runs = _read(window, source_id, library)
    view = View(folder=source_id) if preset is None else preset.view(source, runs.runs)
    view, _ = comparing.settled(view, runs.runs)
    return replace(window, source_id=source_id, picked=picked, runs=runs), view


def _read(window: Window, source_id: str, library: Library) -> RunSet:
    """The runs of a folder on offer, or of this visitor's upload, as they are now."""
    if source_id != UPLOAD_ID or window.upload is None:
        return library.read(library.find(source_id))
    found = window.upload.reader.read()
    return RunSet(found.runs, (*window.upload.problems, *found.problems))


def _view(choices: Sequence[Any]) -> View:
    """What stands in the controls, in the order of `Parts.choices`."""
    folder, group_by, metric, select, at, baseline, direction, *rest = choices
    curves, x, smooth, log, draw, interval, cost, search, hidden = rest
    return View(
        folder=folder or "",
        group_by=tuple(group_by or ()),
        metric=metric or "",
        select=select or "",
        at=at,
        baseline=baseline or "",
        direction=direction,
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


def _bar(window: Window, view: View) -> dict[str, Any]:
    running = any(run.status == "running" for run in window.runs)
    return {"query": view.query(), "every_s": EVERY_S if running else EVERY_S_IDLE, "beat": time.monotonic_ns()}


def _nothing(parts: Parts, window: Window, library: Library, language: Language) -> Updates:
    """No runs anywhere: what to do."""
    names = _folders(window, library, language)
    return {
        parts.window: window,
        parts.bar: _bar(window, View()),
        parts.folder: gr.Dropdown(choices=names, value=None),
        parts.empty: panels.empty_panel(language),
        parts.body: gr.Column(visible=False),
    }


def _folders(window: Window, library: Library, language: Language) -> list[tuple[str, str]]:
    sources = library.sources()
    names = [(say(language, f"runs_preset_{one.id}"), f"{PRESET}{one.id}") for one, _ in comparing.presets_of(sources)]
    names += [
        (say(language, "runs_committed", name=source.name) if source.committed else source.name, source.id)
        for source in sources
    ]
    return names + ([(say(language, "runs_uploaded"), UPLOAD_ID)] if window.upload else [])


def _all(parts: Parts, window: Window, view: View, library: Library, language: Language, *, anew: bool) -> Updates:
    """The whole tab for a settled view. `anew`: sets the controls too, else only what they offer, if that changed."""
    runs = window.runs.runs
    updates: Updates = {
        parts.message: panels.message(window.message) if window.message else "",
        parts.problems: panels.problems_panel(window.runs.problems, runs, language),
        parts.empty: "" if runs else panels.empty_panel(language),
        parts.body: gr.Column(visible=bool(runs)),
    }
    costs = [one for one in COSTS if any(getattr(arm, one) for arm in _costs(runs, view))]
    view = replace(view, cost=view.cost if view.cost in costs else next(iter(costs), ""))
    choices = _choices(runs, view, costs)
    if anew or choices != window.choices:
        window = replace(window, choices=choices)
        updates.update(_controls(parts, window, view, language, anew=anew))
    if anew:
        folders = _folders(window, library, language)
        updates[parts.folder] = gr.Dropdown(choices=folders, value=window.picked)
    return {**updates, parts.window: window, **_judged(parts, window, view, language)}


def _choices(runs: Sequence[Run], view: View, costs: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What the dropdowns offer: config keys (those that differ first), metrics, arms, costs."""
    keys = dict.fromkeys([*config_differences(runs), *(key for run in runs[:200] for key in run.config)])
    arms = dict.fromkeys(comparing.arms_of(runs, view.group_by).values())
    names = RunSet(tuple(runs)).metric_names
    return tuple(keys)[:CHOICES_LIMIT], names[:CHOICES_LIMIT], tuple(arms)[:CHOICES_LIMIT], tuple(costs)


def _controls(parts: Parts, window: Window, view: View, language: Language, *, anew: bool) -> Updates:
    keys, metrics, arms, costs = window.choices
    automatic = (say(language, "runs_automatic"), "")
    offers: dict[Any, list[Any]] = {
        parts.group_by: list(keys),
        parts.metric: list(metrics),
        parts.select: [automatic, *metrics],
        parts.baseline: [automatic, *arms],
        parts.curve_metrics: list(metrics),
        parts.cost: [(say(language, f"runs_cost_{cost}"), cost) for cost in costs],
    }
    if not anew:
        return {part: gr.Dropdown(choices=offered) for part, offered in offers.items()}
    values: dict[Any, Any] = {
        parts.group_by: list(view.group_by),
        parts.metric: view.metric or None,
        parts.select: view.select,
        parts.baseline: view.baseline,
        parts.curve_metrics: list(view.curves),
        parts.cost: view.cost or None,
    }
    return {
        **{part: gr.Dropdown(choices=offered, value=values[part]) for part, offered in offers.items()},
        parts.at: view.at,
        parts.direction: view.direction,
        parts.x: view.x,
        parts.smooth: view.smooth,
        parts.log: list(view.log),
        parts.draw: view.draw,
        parts.interval: view.interval,
        parts.search: view.search,
    }


# ------------------------------------------------------------------ what is shown


def _costs(runs: Sequence[Run], view: View) -> list[run_costs.ArmCost]:
    return run_costs.costs(runs, comparing.arms_of(runs, view.group_by))


def _judged(parts: Parts, window: Window, view: View, language: Language) -> Updates:
    """Verdict, curves, cost and table of a settled view."""
    runs = window.runs.runs
    report, card = _verdict(comparing.taking_part(runs, view), view, language)
    arms = comparing.arms_of(runs, view.group_by)
    colours = figures.colours_of(arms)
    if report is not None:
        card = panels.verdict_card(report, colours, language)
    found = comparing.matching(runs, view.search)
    table = panels.table_value(found, runs, view.hidden, report, view.metric, arms, colours, view.folder, language)
    return {
        parts.verdict: card,
        parts.table: table,
        parts.bar: _bar(window, view),
        **_curves(parts, window, view, language),
        **_cost(parts, window, view, report, language),
    }


def _verdict(part: Sequence[Run], view: View, language: Language) -> tuple[Report | None, str]:
    """The report, or a card that says why there is none."""
    if not part:
        words = [say(language, "runs_verdict_no_runs_next")]
        return None, panels.no_verdict(say(language, "runs_verdict_no_runs"), words, language)
    if not view.metric:
        return None, panels.no_verdict(say(language, "runs_verdict_no_metric"), [], language)
    if not view.group_by:
        return None, panels.no_verdict(say(language, "runs_verdict_no_key"), [], language)
    try:
        return comparing.judge(part, view), ""
    except WorkbenchError as error:
        words = [translated(error.next_step, language)]
        return None, panels.no_verdict(sentence(error, language), words, language)


def _curves(parts: Parts, window: Window, view: View, language: Language) -> Updates:
    runs = window.runs.runs
    arms = comparing.arms_of(runs, view.group_by)
    part = comparing.taking_part(runs, view)
    drawn = figures.curves(part, arms, figures.colours_of(arms), view, language, window.zoom)
    return {parts.curves: drawn.drawing, parts.curve_notes: panels.notes_panel(drawn.notes)}


def _cost(parts: Parts, window: Window, view: View, report: Report | None, language: Language) -> Updates:
    runs = window.runs.runs
    arms = comparing.arms_of(runs, view.group_by)
    costs = run_costs.costs(comparing.taking_part(runs, view), arms)
    known = any(getattr(arm, cost) is not None for arm in costs for cost in COSTS)
    return {
        parts.scatter: run_costs.scatter(report, costs, view.cost, figures.colours_of(arms), language),
        parts.cost_table: panels.html_table(*panels.cost_rows(costs, language)) if known else "",
    }


# ------------------------------------------------------------------ wiring: choices


def _wire_choices(parts: Parts, services: Services) -> None:
    """What is judged changes everything; how curves are drawn changes the curves alone."""

    def judged(window: Window, request: gr.Request, *choices: Any) -> Updates:
        language = services.language(request)
        with shown(language):
            view = replace(_view(choices), folder=window.source_id)
            return _judged(parts, window, view, language)

    def grouped(window: Window, request: gr.Request, *choices: Any) -> Updates:
        language = services.language(request)
        with shown(language):
            # The arms are others: a baseline among the old ones means nothing now.
            view = replace(_view(choices), folder=window.source_id, baseline="")
            arms = tuple(dict.fromkeys(comparing.arms_of(window.runs.runs, view.group_by).values()))[:CHOICES_LIMIT]
            window = replace(window, choices=(*window.choices[:2], arms, *window.choices[3:]))
            offered = [(say(language, "runs_automatic"), ""), *arms]
            baseline = gr.Dropdown(choices=offered, value="")
            return {**_judged(parts, window, view, language), parts.baseline: baseline, parts.window: window}

    def drawn(window: Window, request: gr.Request, *choices: Any) -> Updates:
        language = services.language(request)
        with shown(language):
            view = replace(_view(choices), folder=window.source_id)
            return {**_curves(parts, window, view, language), parts.bar: _bar(window, view)}

    def zoomed(window: Window, event: gr.EventData, request: gr.Request, *choices: Any) -> Updates:
        language = services.language(request)
        with shown(language):
            view = replace(_view(choices), folder=window.source_id)
            window = replace(window, zoom=_zoom(event._data))
            return {**_curves(parts, window, view, language), parts.window: window}

    inputs = [parts.window, *parts.choices]
    results = [parts.verdict, parts.table, parts.bar, parts.curves, parts.curve_notes, parts.scatter, parts.cost_table]
    for part in (parts.metric, parts.select, parts.at, parts.baseline, parts.direction, parts.search, parts.cost):
        part.input(judged, inputs, results, **FOLLOWING)
    parts.table.select(judged, inputs, results, **FOLLOWING)
    parts.group_by.input(grouped, inputs, [*results, parts.baseline, parts.window], **FOLLOWING)
    curves = [parts.curves, parts.curve_notes, parts.bar]
    for part in (parts.curve_metrics, parts.x, parts.log, parts.draw, parts.interval):
        part.input(drawn, inputs, curves, **FOLLOWING)
    parts.smooth.change(drawn, inputs, curves, **FOLLOWING)
    parts.curves.release(zoomed, inputs, [parts.curves, parts.curve_notes, parts.window], **FOLLOWING)


def _zoom(data: Any) -> figures.Zoom | None:
    """What a chart says is in view; None for everything, and for what no chart says."""
    asked = data.get("x_range") if isinstance(data, dict) else None
    if not isinstance(asked, list) or len(asked) != 2 or not all(isinstance(end, (int, float)) for end in asked):
        return None
    low, high = (float(end) for end in asked)
    sound = math.isfinite(low) and math.isfinite(high) and low < high
    return figures.Zoom(str(data.get("view"))[:2_000], low, high) if sound else None


# ------------------------------------------------------------------ wiring: a visitor's own logs


def _wire_upload(parts: Parts, services: Services) -> None:
    library = Library(services.settings)

    def take(window: Window, files: list[Upload], request: gr.Request) -> Updates:
        language = services.language(request)
        if not files:
            return {parts.upload: None}
        with shown(language):
            folder = services.new_folder()
            problems = stage_upload([file.path for file in files], folder / "logs")
            reader = RunReader(folder / "logs", limits=UPLOAD_LIMITS)
            found = reader.read()
            if not len(found):
                shutil.rmtree(folder, ignore_errors=True)
                lost = (*problems, *found.problems)
                return {
                    parts.upload: None,
                    parts.message: panels.message(say(language, "runs_upload_none"), kind="error"),
                    parts.problems: panels.problems_panel(lost, (), language),
                }
            _forget(window)
            upload = Uploaded(folder, reader, problems)
            window = replace(
                window,
                source_id=UPLOAD_ID,
                picked=UPLOAD_ID,
                upload=upload,
                runs=RunSet(found.runs, (*problems, *found.problems)),
                message=say(language, "runs_upload_took", count=len(found)),
            )
            view, _ = comparing.settled(View(folder=UPLOAD_ID), found.runs)
            return {parts.upload: None, **_all(parts, window, view, library, language, anew=True)}

    outputs = [parts.upload, *parts.shown]
    parts.upload.upload(take, [parts.window, parts.upload], outputs, **{**PRIVATE, "show_progress": "minimal"})


def _forget(window: Window) -> None:
    if window.upload is not None:
        shutil.rmtree(window.upload.folder, ignore_errors=True)


# ------------------------------------------------------------------ wiring: tables as files


def _wire_files(parts: Parts, services: Services) -> None:
    def writer(name: str) -> Any:
        def write(window: Window, event: gr.EventData, request: gr.Request, *choices: Any) -> str:
            language = services.language(request)
            with shown(language):
                kind = event._data.get("kind") if isinstance(event._data, dict) else None
                kind = kind if kind in ("csv", "md", "tex") else "csv"
                view = replace(_view(choices), folder=window.source_id)
                part = comparing.taking_part(window.runs.runs, view)
                report, _ = _verdict(part, view, language)
                headings, rows = _rows(name, part, report, view, language)
                path = services.new_folder() / f"{name}.{kind}"
                path.write_text(table_text(headings, rows, kind), encoding="utf-8", newline="")
                return str(path)

        return write

    inputs = [parts.window, *parts.choices]
    for name, buttons in (
        ("verdict", parts.verdict_files),
        ("runs", parts.table_files),
        ("cost", parts.cost_files),
    ):
        # The file is made when it is asked for; then the hidden download link that holds it is pressed.
        buttons.click(writer(name), inputs, parts.download, **PRIVATE).success(
            None, js="() => setTimeout(() => document.querySelector('#rn-download').click(), 60)", **PRIVATE
        )


def _rows(
    name: str, part: Sequence[Run], report: Report | None, view: View, language: Language
) -> tuple[list[str], list[list[str]]]:
    if name == "runs":
        return panels.run_rows(part, report, view.metric, language)
    if name == "cost":
        return panels.cost_rows(_costs(part, view), language)
    return panels.verdict_rows(report, language) if report else ([], [])
