"""The verdict, the cost and the table of runs as fragments of the page. Pure functions; every value is escaped.

The verdict card is read from left to right: a word and a colour, one sentence, and a picture of the difference with its
interval, where one side of zero is better and the other worse. The tables and the method lie folded below.
Style: `webapp/static/runs.css`.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.runs import Comparison, Problem, Report, Run, config_differences, config_text
from core.runs.statistics import MIN_PAIRS, smallest_p_value
from webapp.kit.drawing import shorten
from webapp.runs.costs import ArmCost, cost_text
from webapp.runs.figures import GREY
from webapp.text import Language, say, translated

ROWS_LIMIT = 1_000
KEYS_LIMIT = 10
LISTED = 40
FAR = 6
"""A comparison that reaches so many times beyond the usual one does not set the scale of the pictures."""
FEW = 4
"""Up to so many comparisons are set large; more are set close, under a line that counts them."""
MARKS = {"better": "▲", "worse": "▼", "no_difference_shown": "≈", "refused": "?"}
DOT = '<i class="rn-dot" style="background:{}"></i>'


def text(value: object) -> str:
    """Anything as text inside HTML, also inside an attribute."""
    return html.escape(str(value), quote=True)


def number(value: float | None) -> str:
    """Three significant digits; `–` for what does not exist."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3g}".replace("-", "−")


def p_text(p_value: float | None) -> str:
    return "–" if p_value is None else "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


# ------------------------------------------------------------------ verdict


def verdict_card(report: Report, colours: Mapping[str, str], language: Language) -> str:
    """All comparisons of a report: what is better, what is worse, and what cannot be told."""
    word = lambda key, **values: text(say(language, f"runs_{key}", **values))  # noqa: E731 - a local abbreviation
    better = word("lower_better" if report.direction == "min" else "higher_better")
    if report.at != "best":
        chosen = word("chosen_last")
    elif report.select_metric and report.select_metric != report.metric:
        chosen = word("chosen_by", metric=report.select_metric)
    else:
        chosen = ""
    facts = " · ".join(filter(None, [f"<b>{text(report.metric)}</b>", better, chosen]))
    head = f"<header><h3>{word('verdict')}</h3><p>{facts}</p></header>"
    if not report.comparisons:
        arms = ", ".join(arm.arm for arm in report.arms)
        why = word("verdict_one_arm", arm=arms) if report.arms else word("verdict_no_arm", metric=report.metric)
        body = f'<p class="rn-none">{why}</p>'
        return f'<section class="rn-verdict">{head}{body}{_folded(report, language)}</section>'
    rows = "".join(_comparison(one, report, colours, language) for one in report.comparisons)
    many = len(report.comparisons) > FEW
    count = f'<p class="rn-count">{text(summary(report, language))}</p>' if many else ""
    kind = "rn-verdict is-many" if many else "rn-verdict"
    return f'<section class="{kind}">{head}{count}{rows}{_folded(report, language)}</section>'


def summary(report: Report, language: Language) -> str:
    """How many arms came out how, against the baseline."""
    verdicts = [one.verdict for one in report.comparisons]
    counts = [f"{verdicts.count(way)} {say(language, f'runs_is_{way}')}" for way in MARKS if way in verdicts]
    return say(language, "runs_summary", arms=len(verdicts), baseline=report.baseline or "–", counts=" · ".join(counts))


def _comparison(one: Comparison, report: Report, colours: Mapping[str, str], language: Language) -> str:
    word = lambda key, **values: text(say(language, f"runs_{key}", **values))  # noqa: E731 - a local abbreviation
    return (
        f'<article class="{one.verdict}"><div class="rn-mark"><i aria-hidden="true">{MARKS[one.verdict]}</i>'
        f"<span>{word(f'is_{one.verdict}')}</span></div>"
        f'<div class="rn-words"><p class="rn-sentence">{sentence(one, report, colours, language)}</p>'
        f'<p class="rn-facts">{text(facts(one, report, language))}</p></div>'
        f"{forest(one, reach_of(report), report.direction == 'min', language)}</article>"
    )


def sentence(one: Comparison, report: Report, colours: Mapping[str, str], language: Language) -> str:
    """The verdict in one plain sentence, as HTML."""
    names = {
        "arm": f"<b>{DOT.format(colours.get(one.arm, GREY))}{text(one.arm)}</b>",
        "baseline": f"<b>{text(one.baseline)}</b>",
        "metric": text(report.metric),
        "size": f"<b>{text(number(None if one.difference is None else abs(one.difference)))}</b>",
    }
    # Our own words are plain text; what is put into them has been escaped above.
    return say(language, "runs_sentence_out_of_reach" if one.out_of_reach else f"runs_sentence_{one.verdict}", **names)


def facts(one: Comparison, report: Report, language: Language) -> str:
    """Interval, p, pairs, and what could have been seen, as plain text."""
    pairs = say(language, "runs_pairs" if one.pairs != 1 else "runs_pair", count=one.pairs)
    if one.verdict == "refused":
        return reason_text(one, language)
    parts = []
    if one.interval is not None and one.difference is not None:
        low, high = one.interval
        if one.verdict != "no_difference_shown" and one.difference < 0:
            low, high = -high, -low
        parts.append(say(language, "runs_interval", low=number(low), high=number(high)))
    parts += [p_text(one.p_value), pairs]
    if one.detectable_difference is not None:
        parts.append(say(language, "runs_would_see", size=number(one.detectable_difference)))
    if one.out_of_reach:
        tests = sum(other.p_value is not None for other in report.comparisons)
        least = number(min(1.0, smallest_p_value(one.pairs) * tests))
        parts.append(say(language, "runs_out_of_reach", pairs=pairs, arms=tests, least=least))
    if one.seeds_needed:
        key = "runs_seed_needed" if one.seeds_needed == 1 else "runs_seeds_needed"
        parts.append(say(language, key, count=f"{one.seeds_needed:,}"))
    return " · ".join(parts)


def reason_text(one: Comparison, language: Language) -> str:
    """Why there is no verdict."""
    if language == "en":
        return one.reason[:1].upper() + one.reason[1:] + "."
    pairs = say(language, "runs_pairs", count=one.pairs)
    return say(language, "runs_refused_reason", pairs=pairs, least=MIN_PAIRS)


def reach_of(report: Report) -> float:
    """How far from zero the pictures of all comparisons reach: one scale for all, so that they can be compared.

    An arm that lies far beyond the others would press them into one point; it ends in an arrow instead.
    """
    ends = sorted(
        max(abs(value) for value in (one.difference, *(one.interval or ())) if math.isfinite(value))
        for one in report.comparisons
        if one.difference is not None
    )
    usual = ends[(len(ends) - 1) // 2] if ends else 0.0
    return 1.15 * max((end for end in ends if end <= FAR * usual), default=0.0) or 1.0


def forest(one: Comparison, reach: float, lower: bool, language: Language) -> str:
    """The difference and its interval on an axis through zero; the better side is tinted.

    Args:
        reach: the difference at either edge, see `reach_of`.
        lower: less is better.
    """
    width, middle = 260.0, 130.0
    edge = middle - 6
    place = lambda value: middle + max(-1.0, min(value / reach, 1.0)) * edge  # noqa: E731 - a local abbreviation
    sides = [say(language, "runs_side_better"), say(language, "runs_side_worse")]
    left, right = sides if lower else sides[::-1]
    parts = [
        f'<rect class="good" x="{0 if lower else middle:.1f}" y="0" width="{middle:.1f}" height="34"/>',
        f'<line class="zero" x1="{middle}" x2="{middle}" y1="0" y2="34"/>',
    ]
    if one.difference is not None:
        low, high = one.interval or (one.difference, one.difference)
        if low < high:
            parts.append(f'<line class="whisker" x1="{place(low):.1f}" x2="{place(high):.1f}" y1="17" y2="17"/>')
        parts += [
            f'<line class="whisker" x1="{place(end):.1f}" x2="{place(end):.1f}" y1="11" y2="23"/>'
            for end in (low, high)
            if low < high and abs(end) <= reach
        ]
        if abs(one.difference) <= reach:
            parts.append(f'<circle cx="{place(one.difference):.1f}" cy="17" r="5"/>')
        for sign in (-1, 1):
            if max(sign * low, sign * high) > reach:
                tip = middle + sign * (middle - 1)
                parts.append(f'<path d="M{tip:.1f} 17l{-sign * 9} -6v12z"/>')
    signed = "" if one.difference is None else ("+" if one.difference > 0 else "") + number(one.difference)
    about = say(language, "runs_forest", arm=one.arm, baseline=one.baseline, difference=signed or "–")
    return (
        f'<figure class="rn-forest"><svg viewBox="0 0 {width:.0f} 34" role="img" aria-label="{text(about)}">'
        f"{''.join(parts)}</svg><figcaption><span>← {text(left)}</span><b>{text(signed)}</b>"
        f"<span>{text(right)} →</span></figcaption></figure>"
    )


def verdict_rows(report: Report, language: Language) -> tuple[list[str], list[list[str]]]:
    """The comparisons as headings and rows, for the page and for files."""
    headings = [
        say(language, "runs_column_against", baseline=report.baseline or "–"),
        *(say(language, f"runs_column_{key}") for key in ("verdict", "difference", "interval", "p", "pairs", "effect")),
        *(say(language, f"runs_column_{key}") for key in ("detectable", "seeds")),
    ]
    rows = [
        [
            one.arm,
            say(language, f"runs_is_{one.verdict}"),
            number(one.difference),
            _interval(one.interval, language),
            "–" if one.p_value is None else f"{one.p_value:.2g}",
            str(one.pairs),
            number(one.effect_size),
            number(one.detectable_difference),
            "–" if one.seeds_needed is None else f"{one.seeds_needed:,}",
        ]
        for one in report.comparisons
    ]
    return headings, rows


def arm_rows(report: Report, language: Language) -> tuple[list[str], list[list[str]]]:
    """Each arm by itself, as headings and rows."""
    headings = [say(language, f"runs_column_{key}") for key in ("arm", "runs", "mean", "interval", "iqm", "range")]
    rows = [
        [
            *(one.arm, str(one.runs), number(one.mean), _interval(one.interval, language), number(one.iqm)),
            f"{number(one.lowest)} … {number(one.highest)}",
        ]
        for one in report.arms
    ]
    return headings, rows


def _interval(interval: tuple[float, float] | None, language: Language) -> str:
    return "–" if interval is None else say(language, "runs_to", low=number(interval[0]), high=number(interval[1]))


def html_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{text(one)}</th>" for one in headings)
    body = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f'<table class="rn-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="rn-scroll">{table}</div>'


def _folded(report: Report, language: Language) -> str:
    """Tables, method, and what did not count."""
    word = lambda key, **values: text(say(language, f"runs_{key}", **values))  # noqa: E731 - a local abbreviation
    parts = []
    tables = html_table(*verdict_rows(report, language)) if report.comparisons else ""
    tables += html_table(*arm_rows(report, language)) if report.arms else ""
    if tables:
        parts.append(f'<details class="rn-tables"><summary>{word("tables")}</summary>{tables}</details>')
    parts.append(
        f'<details class="rn-method"><summary>{word("method")}</summary><p>{word("method_text")}</p></details>'
    )
    doubts = [_doubt(note, language) for note in report.notes]
    if doubts:
        items = "".join(f"<li>{text(note)}</li>" for note in doubts)
        title = word("doubts", count=len(doubts))
        parts.append(f'<details class="rn-doubts"><summary>{title}</summary><ul>{items}</ul></details>')
    if report.excluded:
        rows = "".join(
            f"<tr><td>{text(one.run)}</td><td>{text(translated(one.reason, language))}</td></tr>"
            for one in report.excluded[:LISTED]
        )
        count = len(report.excluded)
        more = f"<p>{word('and_more', count=count - LISTED)}</p>" if count > LISTED else ""
        title = word("excluded", count=count)
        parts.append(f'<details class="rn-doubts"><summary>{title}</summary><table>{rows}</table>{more}</details>')
    return f"<footer>{''.join(parts)}</footer>"


def _doubt(note: str, language: Language) -> str:
    """A note of core's, which is a phrase, as a sentence."""
    spoken = translated(note, language)
    return f"{note[:1].upper()}{note[1:]}." if spoken == note else f"{spoken}。"


def no_verdict(headline: str, lines: Sequence[str], language: Language) -> str:
    """The card when there is nothing to judge: why, and what to do."""
    body = "".join(f"<p>{text(line)}</p>" for line in lines if line)
    title = text(say(language, "runs_verdict"))
    return (
        f'<section class="rn-verdict"><header><h3>{title}</h3></header>'
        f'<article class="refused"><div class="rn-mark"><i aria-hidden="true">?</i>'
        f"<span>{text(say(language, 'runs_is_refused'))}</span></div>"
        f'<div class="rn-words"><p class="rn-sentence">{text(headline)}</p>{body}</div></article></section>'
    )


# ------------------------------------------------------------------ cost, notes, emptiness


def cost_rows(costs: Sequence[ArmCost], language: Language) -> tuple[list[str], list[list[str]]]:
    """Cost of each arm, as headings and rows."""
    names = ("seconds_per_epoch", "samples_per_s", "peak_memory_bytes", "parameters")
    headings = [say(language, "runs_column_arm"), *(say(language, f"runs_cost_{name}") for name in names)]
    return headings, [[one.arm, *(cost_text(name, getattr(one, name)) for name in names)] for one in costs]


def notes_panel(lines: Sequence[str]) -> str:
    """Quiet lines of plain text below a chart; empty without any."""
    return "".join(f'<p class="wb-hint">{text(line)}</p>' for line in lines)


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
        f'<details class="rn-note {kind}"{" open" if is_open else ""}>'
        f"<summary>{text(say(language, key, count=count))}</summary><table>{rows}</table>{more}</details>"
    )


def message(words: str, *, kind: str = "info") -> str:
    """A lasting line of plain text: `kind` is `info` or `error`."""
    return f'<p class="rn-message {kind}" role="{"alert" if kind == "error" else "status"}">{text(words)}</p>'


def empty_panel(language: Language) -> str:
    """What to do where there are no runs at all."""
    steps = "".join(f"<li>{text(say(language, f'runs_empty_{place}'))}</li>" for place in (1, 2, 3))
    code = "with RunRecorder('runs', 'mlp-seed0', {'pose_encoder': 'mlp', 'seed': 0}) as run:\n"
    code += "    run.log({'val/nme': 4.2}, step=100, epoch=1)"
    return (
        f'<div class="rn-empty"><h2>{text(say(language, "runs_empty_title"))}</h2><ol>{steps}</ol>'
        f"<pre><code>{text(code)}</code></pre></div>"
    )


# ------------------------------------------------------------------ table of runs


def run_columns(runs: Sequence[Run], language: Language) -> list[str]:
    """Config keys worth a column: those that differ."""
    return list(config_differences(runs))[:KEYS_LIMIT]


def run_rows(
    runs: Sequence[Run], report: Report | None, metric: str, language: Language
) -> tuple[list[str], list[list[str]]]:
    """The table of runs as headings and plain rows: run, status, what differs in the configs, the metric, last step."""
    keys = run_columns(runs, language)
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
                f"{last_step(run):,}",
            ]
        )
    return headings, rows


def _config_cell(value: Any) -> str:
    large = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000
    return f"{value:,}" if large else config_text(value)


def last_value(run: Run, metric: str) -> float | None:
    series = run.metrics.get(metric)
    return None if series is None or not len(series) else float(series.value[-1])


def last_step(run: Run) -> int:
    return max((int(run.metrics[name].step[-1]) for name in run.metrics if len(run.metrics[name])), default=0)


def table_value(
    runs: Sequence[Run],
    all_runs: Sequence[Run],
    hidden: Sequence[str],
    report: Report | None,
    metric: str,
    arms: Mapping[str, str],
    colours: Mapping[str, str],
    folder: str,
    language: Language,
) -> dict[str, Any]:
    """What the page's table of runs shows: see `webapp/static/runs.js`. `runs`: those that the search found."""
    headings, rows = run_rows(runs[:ROWS_LIMIT], report, metric, language)
    away = set(hidden)
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
    shown = say(language, "runs_count", shown=len([run for run in runs if run.id not in away]), count=len(all_runs))
    if len(runs) > ROWS_LIMIT:
        shown += " " + say(language, "runs_count_limit", limit=ROWS_LIMIT)
    words = {
        "all": say(language, "runs_tick_all"),
        "count": shown,
        "none": say(language, "runs_search_none"),
    }
    return {"folder": folder, "columns": headings, "rows": listed, "hidden": list(hidden), "words": words}


def _sort_key(cell: str) -> float | str:
    """Numbers by their value, texts as they are."""
    plain = cell.replace(",", "")
    if re.fullmatch(r"[+\-]?(\d+\.?\d*|\.\d+)(e[+\-]?\d+)?", plain, re.I):
        return float(plain)
    return cell.lower()
