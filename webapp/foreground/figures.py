"""A foreground result as tables and fragments: every field, one component looked at closely, what the lists decide.

Pure functions. Every value is escaped by `text`; the only markup is what stands in this file. Style: `style.css`. What
lies over the photo: `scene.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.foreground.scoring import FIELDS, LEVELS
from core.foreground.treatments import TREATMENTS
from core.types import Notice
from webapp.foreground.scene import levels
from webapp.kit import panels
from webapp.kit.panels import data_uri, text
from webapp.kit.table import Cell, Rows
from webapp.text import Language, say, translated

if TYPE_CHECKING:
    from core.foreground.explain import Explanation
    from core.foreground.leak import Leak
    from core.foreground.pipeline import ForegroundResult
    from webapp.foreground.job import Look

ROWS_SHOWN = 2000
TOP_PROMPTS = 8
CHANGES_SHOWN = 6
_CELL_CHARS = 60


def table_rows(outcome: ForegroundResult, language: Language, *, cosine: bool = False) -> Rows:
    """One row per component with every field, best ranked first; what a component brought comes last.

    Args:
        cosine: the old way's columns stand in front.
    """
    reweighted = outcome.reweighted_scores
    old_way = outcome.cosine_view() if cosine else []
    leading = ("semantic_multiplier", "p_pos_sum", "p_neg_sum", "s_pos_text", "s_pos", "s_neg_text", "s_neg")
    added = [*leading, *(name for name in FIELDS if name not in leading)]
    brought = list(dict.fromkeys(name for row in outcome.rows for name in row if name not in FIELDS and name != "id"))
    reweighted_heading = say(language, "foreground_column_reweighted")
    headings = ("id", reweighted_heading, *(old_way[0] if cosine else ()), *added, *brought)
    rows = []
    for row in outcome.ranked[:ROWS_SHOWN]:
        fields = outcome.rows[row]
        values = [outcome.ids[row], reweighted[row], *(old_way[row].values() if cosine else ())]
        values += [fields.get(name) for name in (*added, *brought)]
        rows.append([_cell(value) for value in values])
    return Rows(headings, rows)


def _cell(value: Any) -> Cell:
    if value is None:
        return None
    if isinstance(value, (bool, str)):
        return str(value)[:_CELL_CHARS]
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return round(float(value), 4)
    shown = json.dumps(value, default=lambda other: type(other).__name__, ensure_ascii=False)
    return shown if len(shown) <= _CELL_CHARS else shown[: _CELL_CHARS - 1] + "…"


# ------------------------------------------------------------------ one component


def detail(
    outcome: ForegroundResult, row: int, looks: Sequence[Look], explanation: Explanation, language: Language
) -> str:
    """One component: what the model was shown, its top prompts as bars, and what would change it."""
    scores, prompts = outcome.scores, outcome.request.prompts
    level = levels(outcome)[row]
    probabilities_K = scores.probabilities_BK[row]
    top = np.argsort(-probabilities_K, kind="stable")[:TOP_PROMPTS].tolist()
    longest = max(float(probabilities_K[top[0]]), 1e-9)
    bars = "".join(
        f'<tr class="{prompts.groups[k]}"><th scope="row">{text(prompts.texts[k])}</th>'
        f'<td><i style="width:{100 * float(probabilities_K[k]) / longest:.1f}%"></i></td>'
        f"<td>{float(probabilities_K[k]):.3f}</td><td>{float(explanation.share_BK[0, k]):+.3f}</td></tr>"
        for k in top
    )
    words = {key: text(say(language, f"foreground_{key}")) for key in ("prompt", "probability", "share", "share_info")}
    x0, y0, x1, y1 = outcome.components[row].box_xyxy_px
    facts = say(
        language,
        "foreground_facts",
        width=x1 - x0,
        height=y1 - y0,
        pos=f"{float(scores.p_pos_sum_B[row]):.3f}",
        neg=f"{float(scores.p_neg_sum_B[row]):.3f}",
    )
    groups = "".join(
        f'<span class="{group}"><i></i>{text(say(language, f"foreground_{group}"))}</span>'
        for group in dict.fromkeys(prompts.groups)
    )
    return (
        f'<div class="fg-detail"><div class="fg-who"><img src="{data_uri(looks[0].input_HWC)}" '
        f'alt="{text(say(language, "foreground_seen_alt"))}"><div><h3>{text(outcome.ids[row])}'
        f'<span class="fg-badge fg-{level}">×{float(scores.multiplier_B[row]):g}</span></h3>'
        f"<p>{text(facts)}</p><p>{text(say(language, 'foreground_seen'))}</p></div></div>"
        f'<table class="fg-bars"><thead><tr><th>{words["prompt"]}</th><th colspan="2">{words["probability"]}</th>'
        f'<th title="{words["share_info"]}">{words["share"]}</th></tr></thead><tbody>{bars}</tbody></table>'
        f'<p class="fg-groups">{groups}</p><p class="wb-hint">{words["share_info"]}</p>'
        f"{_changes(outcome, row, explanation, language)}</div>"
    )


def _changes(outcome: ForegroundResult, row: int, explanation: Explanation, language: Language) -> str:
    """Without which prompt the multiplier would be another."""
    changes = explanation.changes(0)
    title = text(say(language, "foreground_changes"))
    now = f"{float(outcome.scores.multiplier_B[row]):g}"
    if not changes:
        nothing = text(say(language, "foreground_changes_none", multiplier=now))
        return f'<div class="fg-changes"><h4>{title}</h4><p>{nothing}</p></div>'
    items = "".join(
        f"<li>{text(say(language, 'foreground_change', prompt=prompt, id=outcome.ids[row], value=f'{value:g}'))}</li>"
        for prompt, _, value in changes[:CHANGES_SHOWN]
    )
    if len(changes) > CHANGES_SHOWN:
        items += f"<li>{text(say(language, 'foreground_changes_more', count=len(changes) - CHANGES_SHOWN))}</li>"
    return f'<div class="fg-changes"><h4>{title}</h4><ul>{items}</ul></div>'


def treatments(outcome: ForegroundResult, looks: Sequence[Look], language: Language, leaks: Sequence[Leak] = ()) -> str:
    """The component under every treatment, side by side; the run's own is marked.

    Args:
        leaks: how far each treatment's score depends on the outside, where that was measured.
    """
    rule = outcome.request.rule
    leak_of = {leak.treatment: leak for leak in leaks}
    tiles = []
    for place, one in enumerate(sorted(looks, key=lambda each: TREATMENTS.index(each.treatment.name))):
        fields = one.fields
        level = LEVELS[int(rule.level(fields["p_pos_sum"], fields["p_neg_sum"]))]
        own = one.treatment.name == outcome.request.treatment.name
        mark = f"<small>{text(say(language, 'foreground_used'))}</small>" if own else ""
        tiles.append(
            f'<figure class="{"own" if own else ""}" data-place="{place}"><img src="{data_uri(one.input_HWC)}" alt="">'
            f"<figcaption><b>{text(say(language, f'foreground_treatment_{one.treatment.name}'))}</b>{mark}"
            f'<span class="fg-badge fg-{level}">×{fields["semantic_multiplier"]:g}</span>'
            f'<span class="fg-meter"><i style="width:{100 * fields["p_pos_sum"]:.1f}%"></i></span>'
            f"<em>p_pos_sum {fields['p_pos_sum']:.3f}</em>"
            f"<em>{text(fields['s_pos_text'] or '–')} · {text(fields['s_neg_text'] or '–')}</em>"
            f"{_leak(leak_of.get(one.treatment.name), language)}</figcaption></figure>"
        )
    return f'<div class="fg-treatments">{"".join(tiles)}</div>'


def _leak(leak: Leak | None, language: Language) -> str:
    """How far one score moved when the outside was repainted, and to which multipliers."""
    if leak is None:
        return ""
    others = [f"×{value:g}" for value in dict.fromkeys(leak.multipliers.values()) if value != leak.multiplier]
    moved = say(language, "foreground_leak_moved", by=f"{leak.largest:.3f}" if leak.largest else "0")
    becomes = say(language, "foreground_leak_becomes", values=", ".join(others)) if others else ""
    return (
        f'<span class="fg-leak{" bad" if others else ""}"><b>{text(moved)}</b>'
        f"{f' <small>{text(becomes)}</small>' if becomes else ''}</span>"
    )


# ------------------------------------------------------------------ words around


def summary(outcome: ForegroundResult, language: Language) -> str:
    """How many components, with what they were judged, and whether the image tower was needed."""
    request = outcome.request
    prompts = request.prompts
    count, rejected = len(outcome.components), len(outcome.rejects)
    rejected_note = say(language, "foreground_rejected", count=rejected) if rejected else ""
    remembered = say(language, "foreground_from_memory", count=count - outcome.encoded)
    lengths = f"{len(prompts.positive)} · {len(prompts.negative)} · {len(prompts.neutral)}"
    treatment = say(language, f"foreground_treatment_{request.treatment.name}")
    cells = (
        ("foreground_components", f"{count:,}", rejected_note),
        ("foreground_encoded", f"{outcome.encoded:,}", remembered),
        ("foreground_seconds", f"{outcome.seconds:.2f} s", ""),
        ("foreground_prompts", lengths, say(language, "foreground_prompts_order")),
        ("foreground_shown_as", treatment, say(language, f"foreground_mode_{request.mode}")),
        ("foreground_ran_on", f"{outcome.model['device']} · {outcome.model['dtype']}", outcome.model["id"]),
    )
    bad = ("foreground_components",) if rejected else ()
    return panels.summary(cells, language, bad=bad, elem_class="fg-summary")


def lists_panel(counts: tuple[int, int, int], notices: Sequence[Notice], language: Language) -> str:
    """How long the lists are, and what they decide by themselves."""
    line = say(language, "foreground_counts", positive=counts[0], negative=counts[1], neutral=counts[2])
    items = "".join(f"<li>{text(translated(notice.text, language))}</li>" for notice in notices)
    return f'<div class="fg-lists"><p>{text(line)}</p>{f"<ul>{items}</ul>" if items else ""}</div>'
