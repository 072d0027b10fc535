"""A foreground `Result` as what the page shows: the scene with its boxes, heat map, legend, table, one component looked
at closely, the annotated photo. Pure functions.

Every value is escaped by `text`; the only markup is what stands in this file. Style: `webapp/static/foreground.css`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.foreground.scoring import FIELDS, Rule
from core.types import Notice, Reject
from webapp.foreground.outlines import outline_px, svg_path
from webapp.kit.thumbnails import data_uri
from webapp.text import Language, say, translated
from webapp.vectorize.panels import text

if TYPE_CHECKING:
    import pandas as pd

    from core.foreground.components import Component
    from core.foreground.explain import Explanation
    from core.foreground.heatmap import HeatMap
    from core.foreground.leak import Leak
    from core.foreground.pipeline import ForegroundResult, Picture
    from webapp.foreground.job import Look

LEVELS = ("foreground", "likely", "ambiguous", "background")
LEVEL_COLOURS = {"foreground": "#0d9488", "likely": "#4f6df5", "ambiguous": "#d97706", "background": "#dc2626"}
SCENE_PX = 1024
HEAT_PX = 224
BOXES_SHOWN = 400
"""Boxes on the picture: the best ranked. More would hide the photo."""
TAGS_FOR_ALL = 16
"""Up to so many components each has its tag on the picture; of more, background has none."""
OUTLINES_SHOWN = 1000
"""Masks whose outline is drawn; the others show their box."""
ROWS_SHOWN = 2000
REJECTS_SHOWN = 500
TOP_PROMPTS = 8
CHANGES_SHOWN = 6
_CELL_CHARS = 60
# Dark to light, told apart by people who see colours differently; the same in light and dark.
_HEAT_STOPS = np.array([[38, 16, 92], [52, 80, 160], [32, 144, 141], [120, 205, 90], [253, 231, 37]], dtype=np.float64)


def levels(outcome: ForegroundResult) -> list[str]:
    """Which branch of the rule each component took."""
    rule, scores = outcome.request.rule, outcome.scores
    return [_level(rule, float(p), float(n)) for p, n in zip(scores.p_pos_sum_B, scores.p_neg_sum_B, strict=True)]


def _level(rule: Rule, p_pos_sum: float, p_neg_sum: float) -> str:
    if p_neg_sum > rule.negative_above:
        return "background"
    if p_pos_sum > rule.positive_above and p_neg_sum < rule.negative_below:
        return "foreground"
    return "likely" if p_pos_sum > rule.likely_above else "ambiguous"


# ------------------------------------------------------------------ the scene


def picture_json(picture: Picture, key: str, components: Sequence[Component] = ()) -> str:
    """The photo for the page, its longer side at most `SCENE_PX`, with its real size; and the components' outlines."""
    height_px, width_px = picture.image_hw
    made = {"src": data_uri(_at_most(picture.rgb_HWC, SCENE_PX)), "width": width_px, "height": height_px, "key": key}
    outlines = [svg_path(outline_px(component)) for component in components[:OUTLINES_SHOWN]]
    return json.dumps({**made, "outlines": outlines})


def _at_most(rgb_HWC: np.ndarray, side_px: int) -> np.ndarray:
    from PIL import Image

    longest_px = max(rgb_HWC.shape[:2])
    if longest_px <= side_px:
        return rgb_HWC
    scale = side_px / longest_px
    size = (max(1, round(rgb_HWC.shape[1] * scale)), max(1, round(rgb_HWC.shape[0] * scale)))
    return np.asarray(Image.fromarray(rgb_HWC).resize(size, Image.Resampling.BOX))


def scene_json(outcome: ForegroundResult, chosen: int, language: Language) -> str:
    """The boxes over the photo, the largest first, so that a small one lies on top and can be clicked."""
    which = levels(outcome)
    shown = outcome.ranked[:BOXES_SHOWN]
    if chosen not in shown:
        shown = [*shown, chosen]
    boxes = [
        {
            "row": row,
            "box": list(outcome.components[row].box_xyxy_px),
            "level": which[row],
            "multiplier": f"{float(outcome.scores.multiplier_B[row]):g}",
            "name": say(
                language,
                "foreground_box_name",
                id=outcome.ids[row],
                multiplier=f"{float(outcome.scores.multiplier_B[row]):g}",
                p=f"{float(outcome.scores.p_pos_sum_B[row]):.2f}",
            ),
        }
        for row in sorted(shown, key=lambda row: -_box_area(outcome, row))
    ]
    return json.dumps({"boxes": boxes, "chosen": chosen})


def _box_area(outcome: ForegroundResult, row: int) -> int:
    x0, y0, x1, y1 = outcome.components[row].box_xyxy_px
    return (x1 - x0) * (y1 - y0)


def heat_colours(p_HW: np.ndarray) -> np.ndarray:
    """0..1 → uint8 `[H, W, 3]`."""
    places = np.clip(p_HW, 0, 1) * (len(_HEAT_STOPS) - 1)
    low = np.minimum(places.astype(int), len(_HEAT_STOPS) - 2)
    share = (places - low)[..., None]
    return np.round(_HEAT_STOPS[low] * (1 - share) + _HEAT_STOPS[low + 1] * share).astype(np.uint8)


def heat_json(heat: HeatMap | None, no_heat: str) -> str:
    """The heat map as a picture to lay over the photo, or why there is none."""
    if heat is None:
        return json.dumps({"src": "", "reason": no_heat})
    scale = min(1.0, HEAT_PX / max(heat.image_hw))
    height_px, width_px = (max(1, round(side * scale)) for side in heat.image_hw)
    return json.dumps({"src": data_uri(heat_colours(heat.resized((height_px, width_px)))), "reason": ""})


def legend(outcome: ForegroundResult, language: Language) -> str:
    """Colours, multipliers, what they mean, how many components have each; a branch that cannot occur is struck."""
    rule = outcome.request.rule
    which = levels(outcome)
    dead = any(notice.code == "branch_dead" for notice in outcome.notices)
    items = []
    for level in LEVELS:
        struck = ' class="dead"' if dead and level == "ambiguous" else ""
        note = f" <small>{text(say(language, 'foreground_dead'))}</small>" if struck else ""
        items.append(
            f'<li{struck}><i class="fg-{level}"></i><b>{getattr(rule, level):g}</b> '
            f"{text(say(language, f'foreground_level_{level}'))} <em>{which.count(level)}</em>{note}</li>"
        )
    return f'<ul class="fg-legend">{"".join(items)}</ul>'


def annotated(picture: Picture, outcome: ForegroundResult) -> bytes:
    """The photo with every outline or box in its colour, its id and multiplier, as PNG, at its own size."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(picture.rgb_HWC)
    draw = ImageDraw.Draw(image)
    unit_px = max(2, round(max(image.size) / 400))
    font = ImageFont.load_default(size=8 + 3 * unit_px)
    which = levels(outcome)
    for row in sorted(range(len(outcome.components)), key=lambda row: -_box_area(outcome, row)):
        x0, y0, x1, y1 = outcome.components[row].box_xyxy_px
        colour = LEVEL_COLOURS[which[row]]
        outlines = outline_px(outcome.components[row])
        if not outlines:
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=colour, width=unit_px)
        for polygon in outlines:
            draw.line(
                list(map(tuple, np.minimum(polygon, [x1 - 1, y1 - 1]))), fill=colour, width=unit_px, joint="curve"
            )
        if len(which) > TAGS_FOR_ALL and which[row] == "background":
            continue  # dozens of tags would hide the photo
        name = outcome.ids[row][:24].encode("ascii", "replace").decode()  # the built-in font has no other letters
        words = f"{name} x{float(outcome.scores.multiplier_B[row]):g}"
        left, top, right, bottom = draw.textbbox((x0 + unit_px, y0 + unit_px), words, font=font)
        draw.rectangle((left - unit_px, top - unit_px, right + unit_px, bottom + unit_px), fill=colour)
        draw.text((x0 + unit_px, y0 + unit_px), words, fill="white", font=font)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


# ------------------------------------------------------------------ table


def frame(outcome: ForegroundResult, language: Language, *, cosine: bool = False) -> pd.DataFrame:
    """One row per component with every field, best ranked first; what a component brought comes last.

    Args:
        cosine: the old way's columns stand in front.
    """
    import pandas as pd

    reweighted = outcome.reweighted_scores
    old_way = outcome.cosine_view() if cosine else []
    leading = ("semantic_multiplier", "p_pos_sum", "p_neg_sum", "s_pos_text", "s_pos", "s_neg_text", "s_neg")
    added = [*leading, *(name for name in FIELDS if name not in leading)]
    brought = list(dict.fromkeys(name for row in outcome.rows for name in row if name not in FIELDS and name != "id"))
    rows = []
    for row in outcome.ranked[:ROWS_SHOWN]:
        fields = outcome.rows[row]
        cells: dict[str, Any] = {
            "id": outcome.ids[row],
            say(language, "foreground_column_reweighted"): _cell(reweighted[row]),
        }
        if cosine:
            cells |= {name: _cell(value) for name, value in old_way[row].items()}
        cells |= {name: _cell(fields[name]) for name in added}
        cells |= {name: _cell(fields.get(name)) for name in brought}
        rows.append(cells)
    return pd.DataFrame(rows)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
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
    for place, one in enumerate(sorted(looks, key=lambda each: _TREATMENT_ORDER.index(each.treatment.name))):
        fields = one.fields
        level = _level(rule, fields["p_pos_sum"], fields["p_neg_sum"])
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


_TREATMENT_ORDER = ("original", "raw_crop", "soft_mask", "blur_background")


# ------------------------------------------------------------------ words around


def summary(outcome: ForegroundResult, language: Language) -> str:
    """How many components, with what they were judged, and whether the image tower was needed."""
    request = outcome.request
    prompts = request.prompts
    cells = (
        (
            "foreground_components",
            f"{len(outcome.components):,}",
            say(language, "foreground_rejected", count=len(outcome.rejects)) if outcome.rejects else "",
            "bad" if outcome.rejects else "",
        ),
        (
            "foreground_encoded",
            f"{outcome.encoded:,}",
            say(language, "foreground_from_memory", count=len(outcome.components) - outcome.encoded),
            "",
        ),
        ("foreground_seconds", f"{outcome.seconds:.2f} s", "", ""),
        (
            "foreground_prompts",
            f"{len(prompts.positive)} · {len(prompts.negative)} · {len(prompts.neutral)}",
            say(language, "foreground_prompts_order"),
            "",
        ),
        (
            "foreground_shown_as",
            say(language, f"foreground_treatment_{request.treatment.name}"),
            say(language, f"foreground_mode_{request.mode}"),
            "",
        ),
        ("foreground_ran_on", f"{outcome.model['device']} · {outcome.model['dtype']}", outcome.model["id"], ""),
    )
    blocks = "".join(
        f'<div class="{kind}"><dt>{text(say(language, key))}</dt>'
        f"<dd>{text(value)}<small>{text(note)}</small></dd></div>"
        for key, value, note, kind in cells
    )
    return f'<dl class="wb-summary fg-summary">{blocks}</dl>'


def empty_panel(language: Language) -> str:
    """What to do, before there is a result."""
    steps = "".join(f"<li>{text(say(language, f'foreground_empty_{number}'))}</li>" for number in (1, 2, 3))
    return f'<div class="wb-empty"><h2>{text(say(language, "foreground_empty_title"))}</h2><ol>{steps}</ol></div>'


def lists_panel(counts: tuple[int, int, int], notices: Sequence[Notice], language: Language) -> str:
    """How long the lists are, and what they decide by themselves."""
    line = say(language, "foreground_counts", positive=counts[0], negative=counts[1], neutral=counts[2])
    items = "".join(f"<li>{text(translated(notice.text, language))}</li>" for notice in notices)
    return f'<div class="fg-lists"><p>{text(line)}</p>{f"<ul>{items}</ul>" if items else ""}</div>'


def examples_panel(pictures: Sequence[tuple[str, str]], language: Language) -> str:
    """Photos to begin with: (file name, data URI)."""
    title = text(say(language, "foreground_examples"))
    buttons = "".join(
        f'<button type="button" data-name="{text(name)}" aria-label="{text(name)}">'
        f'<img src="{text(uri)}" alt=""></button>'
        for name, uri in pictures
    )
    return f'<div class="wb-examples"><span>{title}</span>{buttons}</div>'


def notes(rejects: Sequence[Reject], known: Sequence[str], limits: Sequence[str], language: Language) -> str:
    """Rejects and their reasons, what one should know, what is shown in part; empty without any. Plain text in."""
    parts = []
    if rejects:
        key = "foreground_reject_title" if len(rejects) == 1 else "foreground_rejects_title"
        rows = "".join(
            f"<tr><td>{text(r.id)}</td><td>{text(translated(r.reason, language))}</td></tr>"
            for r in rejects[:REJECTS_SHOWN]
        )
        more = len(rejects) - REJECTS_SHOWN
        rows += f"<tr><td>…</td><td>+ {more:,}</td></tr>" if more > 0 else ""
        parts.append(
            f'<details class="wb-note bad"{" open" if len(rejects) <= 5 else ""}>'
            f"<summary>{text(say(language, key, count=f'{len(rejects):,}'))}</summary>"
            f'<div class="wb-scroll"><table class="wb-rejects">{rows}</table></div></details>'
        )
    for title, lines in (("foreground_notices_title", known), ("foreground_limits_title", limits)):
        if lines:
            items = "".join(f"<li>{text(line)}</li>" for line in dict.fromkeys(lines))
            parts.append(f'<div class="wb-note"><b>{text(say(language, title))}</b><ul>{items}</ul></div>')
    return "".join(parts)


def progress_panel(stage: str, count: str, done: int, total: int) -> str:
    """A bar; `count` is what stands at its right end."""
    share = done / total if total else 0.0
    return (
        f'<div class="wb-progress"><p><b>{text(stage)}</b><span>{text(count)}</span></p>'
        f'<div role="progressbar" aria-label="{text(stage)}" aria-valuemin="0" aria-valuemax="{total}"'
        f' aria-valuenow="{done}"><i style="width:{100 * share:.1f}%"></i></div></div>'
    )
