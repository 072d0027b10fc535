"""The Runs tab: is one training better than another, or is that noise?

    layout.py    what is on the page              figures.py   curves (traces.py: one metric of them)
    tab.py       what happens when (here)         costs.py     cost, and quality against it
    showing.py   a view → what the page shows     verdict.py   the card; panels.py: the other fragments
    view.py      what a visitor may choose        library.py   which runs there are
    job.py       who takes part, and the verdict  window.py    what one browser window looks at

The numbers are made in `core/runs/`. The same verdict without the page: `api.py`, and `python -m core runs compare`.

Nothing is read before the tab is first seen. From then on the page asks at every beat whether something is new; the
reader then reads only that, and the page is drawn again only if there was something.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr

from core.runs import UPLOAD_LIMITS, RunReader, RunSet, stage_upload
from webapp.kit.events import FOLLOWING, PRIVATE, Updates
from webapp.kit.notices import shown
from webapp.kit.panels import message_panel
from webapp.kit.services import Services
from webapp.kit.uploads import Upload
from webapp.runs import api, panels
from webapp.runs.figures import Zoom
from webapp.runs.layout import Parts, lay_out
from webapp.runs.library import QUESTION, UPLOAD_ID, Library, OfferedFolder, questions_of
from webapp.runs.showing import Showing, arm_choices
from webapp.runs.table_files import table_text
from webapp.runs.view import View, settled
from webapp.runs.window import Uploaded, Window, picked

WINDOW_LIFE_S = 6 * 3600
"""What a window holds is forgotten as late as uploads are."""


def build(services: Services) -> None:
    """The whole tab, inside its own `gr.Tab`."""
    parts = Parts()
    library = Library(services.settings)
    lay_out(parts)
    parts.window = gr.State(Window(), time_to_live=WINDOW_LIFE_S, delete_callback=Window.forget)
    _Wiring(parts, services, library).connect()
    api.build(services, library)


class _Wiring:
    """What happens when. Every handler is given the window and what stands in the controls (`Parts.choices`)."""

    def __init__(self, parts: Parts, services: Services, library: Library) -> None:
        self._parts = parts
        self._services = services
        self._library = library

    def connect(self) -> None:
        parts = self._parts
        everything = [parts.window, *parts.choices]
        parts.bar.select(self.opened, parts.window, parts.shown, **PRIVATE)
        parts.bar.click(self.looked, everything, parts.shown, **PRIVATE)
        parts.folder.input(self.chosen, everything, parts.shown, **PRIVATE)
        taken = [parts.upload, *parts.shown]
        parts.upload.upload(self.taken, [parts.window, parts.upload], taken, **{**PRIVATE, "show_progress": "minimal"})

        # What is judged changes everything; how curves are drawn changes the curves alone.
        curves = [parts.curves, parts.curve_notes]
        results = [parts.verdict, parts.table, parts.bar, *curves, parts.scatter, parts.cost_table]
        parts.metric.input(self.measured, everything, [*results, parts.direction], **FOLLOWING)
        parts.direction.input(self.directed, everything, [*results, parts.window], **FOLLOWING)
        for part in (parts.select, parts.at, parts.baseline, parts.duplicates, parts.search, parts.cost):
            part.input(self.judged, everything, results, **FOLLOWING)
        parts.table.select(self.judged, everything, results, **FOLLOWING)
        parts.group_by.input(self.grouped, everything, [*results, parts.baseline, parts.window], **FOLLOWING)
        for part in (parts.curve_metrics, parts.x, parts.log, parts.draw, parts.interval):
            part.input(self.drawn, everything, [*curves, parts.bar], **FOLLOWING)
        parts.smooth.change(self.drawn, everything, [*curves, parts.bar], **FOLLOWING)
        parts.curves.release(self.zoomed, everything, [*curves, parts.window], **FOLLOWING)

        for name, buttons in (
            ("verdict", parts.verdict_files),
            ("runs", parts.table_files),
            ("cost", parts.cost_files),
        ):
            buttons.click(self.writes(name), everything, parts.handover, **PRIVATE)

    def _showing(self, request: gr.Request) -> Showing:
        return Showing(self._parts, self._library, self._services.language(request))

    def _view(self, window: Window, choices: tuple[Any, ...]) -> View:
        return replace(self._parts.view(choices), folder=window.folder_id)

    # ---- opening, looking again, another folder

    def opened(self, window: Window, event: gr.EventData, request: gr.Request) -> Updates:
        """The tab is first seen; the page's own query may be a link to a view."""
        showing = self._showing(request)
        with shown(showing.language):
            asked = View.from_query(_said(event, "query", str) or "")
            notes: list[str] = []
            folder = self._folder_of_link(asked, showing, notes) or self._library.start()
            if folder is None:
                return showing.nothing(window)
            questions = questions_of([folder])
            if asked == View() and questions:
                window, view = picked(window, f"{QUESTION}{questions[0][0].id}", self._library)
                return showing.everything(window, view, anew=True)
            runs = self._library.read(folder)
            asked = replace(asked, folder=folder.id)
            view, missing = settled(asked, runs.runs, self._library.conventions(runs))
            if missing:
                notes.append(showing.say("link_missing", names=", ".join(missing)))
            said = {view.metric: view.direction}
            window = replace(window, folder_id=folder.id, picked=folder.id, runs=runs, directions=said)
            window = replace(window, message=" ".join(notes))
            return showing.everything(window, view, anew=True)

    def _folder_of_link(self, asked: View, showing: Showing, notes: list[str]) -> OfferedFolder | None:
        """The folder that a link names; None, with a note, where it is not to be seen here."""
        if not asked.folder:
            return None
        if asked.folder == UPLOAD_ID:
            notes.append(showing.say("link_upload"))
            return None
        found = next((one for one in self._library.folders() if one.id == asked.folder), None)
        if found is None:
            notes.append(showing.say("link_missing", names=asked.folder))
        return found

    def looked(self, window: Window, request: gr.Request, *choices: Any) -> Updates:
        """A beat: is there anything new?"""
        showing = self._showing(request)
        with shown(showing.language):
            if not window.folder_id:
                folder = self._library.start()
                if folder is None:
                    return showing.bar(window, View())
                window = replace(window, folder_id=folder.id, picked=folder.id)
            runs = window.read(self._library)
            view = self._view(window, choices)
            if _is_same(runs, window.runs):
                return showing.bar(window, view)
            new_view, _ = settled(view, runs.runs, self._library.conventions(runs))
            return showing.everything(replace(window, runs=runs), new_view, anew=new_view != view)

    def chosen(self, window: Window, request: gr.Request, *choices: Any) -> Updates:
        """Another folder or question."""
        showing = self._showing(request)
        with shown(showing.language):
            before = self._parts.view(choices)
            window, view = picked(replace(window, message=""), before.folder, self._library)
            # How curves are drawn stays as it was.
            view = replace(view, x=before.x, smooth=before.smooth, draw=before.draw, interval=before.interval)
            return showing.everything(window, view, anew=True)

    # ---- choices

    def judged(self, window: Window, request: gr.Request, *choices: Any) -> Updates:
        showing = self._showing(request)
        with shown(showing.language):
            return showing.judged(window, self._view(window, choices))

    def measured(self, window: Window, request: gr.Request, *choices: Any) -> Updates:
        """Another metric: which way is better was said of the one before, not of this one."""
        showing = self._showing(request)
        with shown(showing.language):
            view = self._view(window, choices)
            view = replace(view, direction=window.directions.get(view.metric, "auto"))
            return {**showing.judged(window, view), self._parts.direction: view.direction}

    def directed(self, window: Window, request: gr.Request, *choices: Any) -> Updates:
        showing = self._showing(request)
        with shown(showing.language):
            view = self._view(window, choices)
            window = replace(window, directions={**window.directions, view.metric: view.direction})
            return {**showing.judged(window, view), self._parts.window: window}

    def grouped(self, window: Window, request: gr.Request, *choices: Any) -> Updates:
        showing = self._showing(request)
        with shown(showing.language):
            # The arms are others: a baseline among the old ones means nothing now.
            view = replace(self._view(window, choices), baseline="")
            arms = arm_choices(window.runs.runs, view)
            window = replace(window, choices=(*window.choices[:2], arms, *window.choices[3:]))
            baseline = gr.Dropdown(choices=showing.with_automatic(arms), value="")
            return {**showing.judged(window, view), self._parts.baseline: baseline, self._parts.window: window}

    def drawn(self, window: Window, request: gr.Request, *choices: Any) -> Updates:
        showing = self._showing(request)
        with shown(showing.language):
            view = self._view(window, choices)
            return {**showing.curves(window, view), **showing.bar(window, view)}

    def zoomed(self, window: Window, event: gr.EventData, request: gr.Request, *choices: Any) -> Updates:
        showing = self._showing(request)
        with shown(showing.language):
            window = replace(window, zoom=_zoom(event))
            return {**showing.curves(window, self._view(window, choices)), self._parts.window: window}

    # ---- a visitor's own logs

    def taken(self, window: Window, files: list[Upload], request: gr.Request) -> Updates:
        showing, parts = self._showing(request), self._parts
        if not files:
            return {parts.upload: None}
        with shown(showing.language):
            folder = self._services.new_folder()
            problems = stage_upload([file.path for file in files], folder / "logs")
            reader = RunReader(folder / "logs", limits=UPLOAD_LIMITS)
            found = reader.read()
            problems_all = (*problems, *found.problems)
            if not len(found):
                shutil.rmtree(folder, ignore_errors=True)
                return {
                    parts.upload: None,
                    parts.message: message_panel(showing.say("upload_none")),
                    parts.problems: panels.problems_panel(problems_all, (), showing.language),
                }
            window.forget()
            window = replace(
                window,
                folder_id=UPLOAD_ID,
                picked=UPLOAD_ID,
                upload=Uploaded(folder, reader, problems),
                runs=RunSet(found.runs, problems_all),
                message=showing.say("upload_took", count=len(found)),
            )
            view, _ = settled(View(folder=UPLOAD_ID), found.runs, self._library.conventions(found))
            return {parts.upload: None, **showing.everything(window, view, anew=True)}

    # ---- tables as files

    def writes(self, name: str) -> Callable[..., str]:
        """A handler that makes the table `name` a file, of the kind that was pressed."""

        def write(window: Window, event: gr.EventData, request: gr.Request, *choices: Any) -> str:
            showing = self._showing(request)
            with shown(showing.language):
                kind = _said(event, "kind", str)
                kind = kind if kind in ("csv", "md", "tex") else "csv"
                headings, rows = showing.rows(name, window, self._view(window, choices))
                path = self._services.new_folder() / f"{name}.{kind}"
                path.write_text(table_text(headings, rows, kind), encoding="utf-8", newline="")
                return str(path)

        return write


def _is_same(runs: RunSet, before: RunSet) -> bool:
    """A run that has not changed is the same object."""
    same = len(runs) == len(before) and all(new is old for new, old in zip(runs, before, strict=True))
    return same and runs.problems == before.problems


def _said(event: gr.EventData, name: str, kind: type) -> Any:
    """One value of what the browser sent along; None if it is none of this type."""
    value = event._data.get(name) if isinstance(event._data, dict) else None
    return value if isinstance(value, kind) else None


def _zoom(event: gr.EventData) -> Zoom | None:
    """What a chart says is in view; None for everything, and for what no chart says."""
    asked = _said(event, "x_range", list)
    if asked is None or len(asked) != 2 or not all(isinstance(end, (int, float)) for end in asked):
        return None
    low, high = (float(end) for end in asked)
    sound = math.isfinite(low) and math.isfinite(high) and low < high
    return Zoom(str(_said(event, "view", str))[:2_000], low, high) if sound else None
