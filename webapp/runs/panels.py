"""Costs, notes and the table of runs as fragments of the page. Pure functions; every value is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.runs import Problem, Report, Run, config_differences, config_text
from webapp.kit.drawing import shorten
from webapp.kit.panels import hint, steps_panel, text
from webapp.runs.costs import ArmCost, cost_text
from webapp.runs.traces import GREY
from webapp.runs.verdict import LISTED
from webapp.runs.view import View
from webapp.text import Language, say, translated

ROWS_LIMIT = 1_000
KEYS_LIMIT = 10


# ------------------------------------------------------------------ cost, notes, emptiness


def cost_rows(costs: Sequence[ArmCost], language: Language) -> tuple[list[str], list[list[str]]]:
    """Cost of each arm, as headings and rows."""
    names = ("seconds_per_epoch", "samples_per_s", "peak_memory_bytes", "parameters")
    headings = [say(language, "runs_column_arm"), *(say(language, f"runs_cost_{name}") for name in names)]
    return headings, [[one.arm, *(cost_text(name, getattr(one, name)) for name in names)] for one in costs]


def notes_panel(lines: Sequence[str]) -> str:
    """Quiet lines of plain text below a chart; empty without any."""
    return "".join(map(hint, lines))


def problems_panel(problems: Sequence[Problem], runs: Sequence[Run], language: Language) -> str:
    """Files that could not be read, with reasons, and what was repaired in those that could; empty without any."""
    parts = []
    if problems:
        rows = "".join(
            f"<tr><td>{text(one.path)}</td><td>{text(translated(one.reason, language))}</td></tr>"
            for one in problems[:LISTED]
        )
        parts.append(_listing("runs_problems", len(problems), rows, language, kind="bad", is_open=len(problems) <= 5))
    noted = [(run.name, note) for run in runs for note in run.notes]
    if noted:
        rows = "".join(
            f"<tr><td>{text(name)}</td><td>{text(translated(note, language))}</td></tr>"
            for name, note in noted[:LISTED]
        )
        parts.append(_listing("runs_noted", len(noted), rows, language, kind="", is_open=False))
    return "".join(parts)


def _listing(key: str, count: int, rows: str, language: Language, *, kind: str, is_open: bool) -> str:
    more = f"<p>{text(say(language, 'runs_and_more', count=count - LISTED))}</p>" if count > LISTED else ""
    return (
        f'<details class="wb-note {kind}"{" open" if is_open else ""}>'
        f"<summary>{text(say(language, key, count=count))}</summary><table>{rows}</table>{more}</details>"
    )


def empty_panel(language: Language) -> str:
    """What to do where there are no runs at all."""
    steps = [say(language, f"runs_empty_{place}") for place in (1, 2, 3)]
    code = "with RunRecorder('runs', 'adam-seed0', {'optimizer': 'adam', 'seed': 0}) as run:\n"
    code += "    run.log({'val/acc': 0.92}, step=100, epoch=1)"
    return f"{steps_panel(say(language, 'runs_empty_title'), steps)}<pre><code>{text(code)}</code></pre>"


# ------------------------------------------------------------------ table of runs


def run_rows(
    runs: Sequence[Run], report: Report | None, metric: str, language: Language
) -> tuple[list[str], list[list[str]]]:
    """The table of runs as headings and plain rows: run, status, what differs in the configs, the metric, last step."""
    keys = config_differences(runs)[:KEYS_LIMIT]
    judged = {value.run_id: value.value for value in report.values} if report else {}
    headings = [say(language, "runs_column_run"), say(language, "runs_column_status"), *keys]
    headings += [metric or "–", say(language, "runs_column_step")]
    rows = []
    for run in runs:
        value = judged.get(run.id, last_value(run, metric))
        rows.append(
            [
                run.name,
                say(language, f"runs_status_{run.status}"),
                *(_config_cell(run.config[key]) if key in run.config else "" for key in keys),
                "" if value is None else f"{value:.4g}",
                f"{run.last_step:,}",
            ]
        )
    return headings, rows


def _config_cell(value: Any) -> str:
    large = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000
    return f"{value:,}" if large else config_text(value)


def last_value(run: Run, metric: str) -> float | None:
    series = run.metrics.get(metric)
    return None if series is None or not len(series) else float(series.value[-1])


def table_value(
    runs: Sequence[Run],
    runs_in_all: int,
    view: View,
    report: Report | None,
    arms: Mapping[str, str],
    colours: Mapping[str, str],
    language: Language,
) -> dict[str, Any]:
    """What the page's table of runs shows: see `script.js`. `runs`: those that the search found."""
    headings, rows = run_rows(runs[:ROWS_LIMIT], report, view.metric, language)
    away = set(view.hidden)
    listed = [
        {
            "id": run.id,
            "colour": colours.get(arms.get(run.id, ""), GREY),
            "status": run.status,
            "note": run.path,
            "cells": [shorten(cell, 60) for cell in cells],
            "keys": [_sort_key(cell) for cell in cells],
        }
        for run, cells in zip(runs[:ROWS_LIMIT], rows, strict=True)
    ]
    left = sum(run.id not in away for run in runs)
    shown = say(language, "runs_count", shown=left, count=runs_in_all)
    if len(runs) > ROWS_LIMIT:
        shown += " " + say(language, "runs_count_limit", limit=ROWS_LIMIT)
    words = {
        "all": say(language, "runs_tick_all"),
        "count": shown,
        "none": say(language, "runs_search_none"),
    }
    return {"folder": view.folder, "columns": headings, "rows": listed, "hidden": list(view.hidden), "words": words}


def _sort_key(cell: str) -> float | str:
    """Numbers by their value, texts as they are."""
    plain = cell.replace(",", "")
    if re.fullmatch(r"[+\-]?(\d+\.?\d*|\.\d+)(e[+\-]?\d+)?", plain, re.I):
        return float(plain)
    return cell.lower()
