"""The verdict as a card of the page. Pure functions; every value is escaped.

The card is read from left to right: a word and a colour, one sentence, and a picture of the difference with its
interval, where one side of zero is better and the other worse. The tables and the method lie folded below.
Style: `style.css`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.messages import NOTHING, Message
from core.runs import ArmComparison, Report
from core.runs.duplicates import duplicates_note
from core.runs.report import p_text
from core.runs.statistics import smallest_p_value
from webapp.kit.panels import text
from webapp.runs.traces import GREY
from webapp.text import Language, say, translated

LISTED = 40
FAR = 6
"""A comparison that reaches so many times beyond the usual one does not set the scale of the pictures."""
FEW = 4
"""Up to so many comparisons are set large; more are set close, under a line that counts them."""
MARKS = {"better": "▲", "worse": "▼", "no_difference_shown": "≈", "refused": "?"}
DOT = '<i class="rn-dot" style="background:{}"></i>'


def number(value: float | None) -> str:
    """Three significant digits; `–` for what does not exist."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3g}".replace("-", "−")


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
    repeated = duplicates_note(report.repeated_seeds, report.duplicates) if report.repeated_seeds else NOTHING
    said = text(translated(repeated, language))
    facts = " · ".join(filter(None, [f"<b>{text(report.metric)}</b>", better, chosen, said]))
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


def _comparison(one: ArmComparison, report: Report, colours: Mapping[str, str], language: Language) -> str:
    word = lambda key, **values: text(say(language, f"runs_{key}", **values))  # noqa: E731 - a local abbreviation
    return (
        f'<article class="{one.verdict}"><div class="rn-mark"><i aria-hidden="true">{MARKS[one.verdict]}</i>'
        f"<span>{word(f'is_{one.verdict}')}</span></div>"
        f'<div class="rn-words"><p class="rn-sentence">{sentence(one, report, colours, language)}</p>'
        f'<p class="rn-facts">{text(facts(one, report, language))}</p></div>'
        f"{forest(one, reach_of(report), report.direction == 'min', language)}</article>"
    )


def sentence(one: ArmComparison, report: Report, colours: Mapping[str, str], language: Language) -> str:
    """The verdict in one plain sentence, as HTML."""
    names = {
        "arm": f"<b>{DOT.format(colours.get(one.arm, GREY))}{text(one.arm)}</b>",
        "baseline": f"<b>{text(one.baseline)}</b>",
        "metric": text(report.metric),
        "size": f"<b>{text(number(None if one.difference is None else abs(one.difference)))}</b>",
    }
    # Our own words are plain text; what is put into them has been escaped above.
    return say(language, "runs_sentence_out_of_reach" if one.out_of_reach else f"runs_sentence_{one.verdict}", **names)


def facts(one: ArmComparison, report: Report, language: Language) -> str:
    """Interval, p, pairs, and what could have been seen, as plain text."""
    pairs = say(language, "runs_pairs" if one.pairs != 1 else "runs_pair", count=one.pairs)
    if one.verdict == "refused":
        return as_sentence(one.reason, language)
    parts = []
    if one.interval is not None and one.difference is not None:
        low, high = one.interval
        if one.verdict != "no_difference_shown" and one.difference < 0:
            low, high = -high, -low
        parts.append(say(language, "runs_interval", low=number(low), high=number(high)))
    parts += ["–" if one.p_value is None else p_text(one.p_value), pairs]
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


def forest(one: ArmComparison, reach: float, lower: bool, language: Language) -> str:
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
    method = text(translated(report.method, language))
    parts.append(f'<details class="rn-method"><summary>{word("method")}</summary><p>{method}</p></details>')
    doubts = [as_sentence(note, language) for note in report.notes]
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


def as_sentence(phrase: Message, language: Language) -> str:
    """A reason or note of core's, which is a phrase, as a sentence."""
    said = translated(phrase, language)
    return f"{said[:1].upper()}{said[1:]}." if language == "en" else f"{said}。"


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
