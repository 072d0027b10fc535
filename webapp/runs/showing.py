"""A window and its view → what the page shows. Nothing here knows an event."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from core.errors import WorkbenchError
from core.runs import Report, Run, RunSet, config_differences
from core.runs.compare import arms_of
from webapp.kit.events import Updates
from webapp.kit.notices import sentence
from webapp.kit.panels import message_panel
from webapp.runs import costs as run_costs
from webapp.runs import figures, panels
from webapp.runs.job import judge, matching, taking_part
from webapp.runs.layout import Parts
from webapp.runs.library import QUESTION, UPLOAD_ID, Library, questions_of
from webapp.runs.traces import colours_of
from webapp.runs.verdict import html_table, no_verdict, verdict_card, verdict_rows
from webapp.runs.view import COSTS, View
from webapp.runs.window import Window
from webapp.text import Language, say, translated

EVERY_S, EVERY_S_IDLE = 2, 6
"""Between two looks: while a training runs, and else."""
CHOICES_LIMIT = 2_000


@dataclass(frozen=True)
class Showing:
    """Shows views of the library's runs to one visitor, in their language."""

    parts: Parts
    library: Library
    language: Language

    def say(self, key: str, **values: Any) -> str:
        return say(self.language, f"runs_{key}", **values)

    def bar(self, window: Window, view: View) -> Updates:
        running = any(run.status == "running" for run in window.runs)
        every_s = EVERY_S if running else EVERY_S_IDLE
        return {self.parts.bar: {"query": view.query(), "every_s": every_s, "beat": time.monotonic_ns()}}

    def nothing(self, window: Window) -> Updates:
        """No runs anywhere: what to do."""
        return {
            self.parts.window: window,
            **self.bar(window, View()),
            self.parts.folder: gr.Dropdown(choices=self._folders(window), value=None),
            self.parts.empty: panels.empty_panel(self.language),
            self.parts.body: gr.Column(visible=False),
        }

    def _folders(self, window: Window) -> list[tuple[str, str]]:
        """What the list offers: questions, folders, the visitor's upload."""
        folders = self.library.folders()
        names = [(one.title().said(self.language), f"{QUESTION}{one.id}") for one, _ in questions_of(folders)]
        names += [(self.say("committed", name=one.name) if one.committed else one.name, one.id) for one in folders]
        return names + ([(self.say("uploaded"), UPLOAD_ID)] if window.upload else [])

    def everything(self, window: Window, view: View, *, anew: bool) -> Updates:
        """The whole tab for a settled view. `anew`: sets the controls too, else only what they offer, if that
        changed."""
        parts, runs = self.parts, window.runs.runs
        updates: Updates = {
            parts.message: message_panel(window.message, kind="info") if window.message else "",
            parts.problems: panels.problems_panel(window.runs.problems, runs, self.language),
            parts.empty: "" if runs else panels.empty_panel(self.language),
            parts.body: gr.Column(visible=bool(runs)),
        }
        arm_costs = run_costs.costs(runs, arms_of(runs, view.group_by))
        costs = [cost for cost in COSTS if any(getattr(arm, cost) for arm in arm_costs)]
        view = replace(view, cost=view.cost if view.cost in costs else next(iter(costs), ""))
        choices = _choices(runs, view, costs)
        if anew or choices != window.choices:
            window = replace(window, choices=choices)
            updates.update(self._controls(window, view, anew=anew))
        if anew:
            updates[parts.folder] = gr.Dropdown(choices=self._folders(window), value=window.picked)
        return {**updates, parts.window: window, **self.judged(window, view)}

    def _controls(self, window: Window, view: View, *, anew: bool) -> Updates:
        parts = self.parts
        keys, metrics, arms, costs = window.choices
        offers: dict[Any, list[Any]] = {
            parts.group_by: list(keys),
            parts.metric: list(metrics),
            parts.select: self.with_automatic(metrics),
            parts.baseline: self.with_automatic(arms),
            parts.curve_metrics: list(metrics),
            parts.cost: [(self.say(f"cost_{cost}"), cost) for cost in costs],
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
            parts.duplicates: view.duplicates,
            parts.x: view.x,
            parts.smooth: view.smooth,
            parts.log: list(view.log),
            parts.draw: view.draw,
            parts.interval: view.interval,
            parts.search: view.search,
        }

    def with_automatic(self, names: Sequence[str]) -> list[Any]:
        return [(self.say("automatic"), ""), *names]

    # ---- results

    def judged(self, window: Window, view: View) -> Updates:
        """Verdict, curves, cost and table of a settled view."""
        parts, runs = self.parts, window.runs.runs
        report, card = self._verdict(taking_part(runs, view), view)
        arms = arms_of(runs, view.group_by)
        colours = colours_of(arms)
        found = matching(runs, view.search)
        table = panels.table_value(found, len(runs), view, report, arms, colours, self.language)
        return {
            parts.verdict: card if report is None else verdict_card(report, colours, self.language),
            parts.table: table,
            **self.bar(window, view),
            **self.curves(window, view),
            **self._cost(window, view, report),
        }

    def _verdict(self, part: Sequence[Run], view: View) -> tuple[Report | None, str]:
        """The report, or a card that says why there is none."""
        if not part:
            lines = [self.say("verdict_no_runs_next")]
            return None, no_verdict(self.say("verdict_no_runs"), lines, self.language)
        if not view.metric:
            return None, no_verdict(self.say("verdict_no_metric"), [], self.language)
        if not view.group_by:
            return None, no_verdict(self.say("verdict_no_key"), [], self.language)
        try:
            return judge(part, view, self.library.conventions(part).baselines), ""
        except WorkbenchError as error:
            lines = [translated(error.next_step, self.language)]
            return None, no_verdict(sentence(error, self.language), lines, self.language)

    def curves(self, window: Window, view: View) -> Updates:
        runs = window.runs.runs
        arms = arms_of(runs, view.group_by)
        drawn = figures.curves(taking_part(runs, view), arms, colours_of(arms), view, self.language, window.zoom)
        return {self.parts.curves: drawn.drawing, self.parts.curve_notes: panels.notes_panel(drawn.notes)}

    def _cost(self, window: Window, view: View, report: Report | None) -> Updates:
        runs = window.runs.runs
        arms = arms_of(runs, view.group_by)
        arm_costs = run_costs.costs(taking_part(runs, view), arms)
        known = any(getattr(arm, cost) is not None for arm in arm_costs for cost in COSTS)
        table = html_table(*panels.cost_rows(arm_costs, self.language)) if known else ""
        scatter = run_costs.scatter(report, arm_costs, view.cost, colours_of(arms), self.language)
        return {self.parts.scatter: scatter, self.parts.cost_table: table}

    # ---- tables as files

    def rows(self, name: str, window: Window, view: View) -> tuple[list[str], list[list[str]]]:
        """Headings and rows of the table `verdict`, `runs` or `cost`."""
        part = taking_part(window.runs.runs, view)
        if name == "cost":
            return panels.cost_rows(run_costs.costs(part, arms_of(part, view.group_by)), self.language)
        report, _ = self._verdict(part, view)
        if name == "runs":
            return panels.run_rows(part, report, view.metric, self.language)
        return verdict_rows(report, self.language) if report else ([], [])


def _choices(runs: Sequence[Run], view: View, costs: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What the dropdowns offer: config keys (those that differ first), metrics, arms, costs."""
    keys = dict.fromkeys([*config_differences(runs), *(key for run in runs[:200] for key in run.config)])
    names = RunSet(tuple(runs)).metric_names
    return tuple(keys)[:CHOICES_LIMIT], names[:CHOICES_LIMIT], arm_choices(runs, view), tuple(costs)


def arm_choices(runs: Sequence[Run], view: View) -> tuple[str, ...]:
    return tuple(dict.fromkeys(arms_of(runs, view.group_by).values()))[:CHOICES_LIMIT]
