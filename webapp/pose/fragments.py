"""The Pose tab's fragments of HTML: the caption, the vector in numbers, a guess, the audit, a converted file.

Pure functions. Every value is escaped by `text`; the only markup is what stands in this file. Style: `style.css`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.pose.angles import ANGLES
from core.pose.arms import ARMS
from core.pose.text import CAPTIONS, PITCH_WORDS, ROLL_WORDS, YAW_WORDS, bins, caption_numbers
from webapp.kit.panels import data_uri, hint, notes_panel, summary, text
from webapp.pose.dials import dial_bins
from webapp.text import Language, say, translated

if TYPE_CHECKING:
    from core.pose.audit import PoseAudit
    from core.pose.poses import PosesResult
    from core.pose.zero_shot import PoseGuess
    from webapp.pose.job import Looked, Pose

GUESSES_SHOWN = 10
PREVIEW_SHOWN = 8
FIRST_VALUES = 10
HEAT = 0.25
"""A distance from here on is much, as a part of the mean one."""


# ------------------------------------------------------------------ the pose in words


def caption_panel(looked: Looked, language: Language) -> str:
    """The caption, which other poses share it, what the bins lose, and angles that were wrapped."""
    pose, wording = looked.asked.pose, looked.asked.wording
    lines = [
        say(language, "pose_wrapped", name=name, given=f"{old:g}", used=f"{new:g}") for name, old, new in pose.wrapped
    ]
    if wording.continuous:
        number = say(language, "pose_caption_numbers")
    else:
        number = say(language, "pose_caption_number", number=int(caption_numbers(pose.angles_13)[0]) + 1)
        spans = dict(zip(ANGLES, _spans(pose), strict=True))
        lines += [say(language, "pose_same_caption", **spans), say(language, "pose_loss")]
    items = "".join(f"<p>{text(line)}</p>" for line in lines)
    return (
        f'<div class="ps-caption"><p class="ps-words"><q>{text(looked.made.captions[0])}</q></p>'
        f'<p class="ps-number">{text(number)}</p><div class="wb-hint">{items}</div></div>'
    )


def _spans(pose: Pose) -> list[str]:
    """The bin of each angle in degrees: `15 … 45`, `< −45`."""
    spans = []
    for name, number in zip(ANGLES, bins(pose.angles_13)[0].tolist(), strict=True):
        one = dial_bins()[name][number]
        low, high = f"{one['from']:g}".replace("-", "−"), f"{one['to']:g}".replace("-", "−")
        if one["from"] == -180:
            spans.append(f"{'≤' if one['to_in'] else '<'} {high}")
        elif one["to"] == 180:
            spans.append(f"{'≥' if one['from_in'] else '>'} {low}")
        else:
            spans.append(f"{'[' if one['from_in'] else '('}{low}, {high}{']' if one['to_in'] else ')'}")
    return spans


# ------------------------------------------------------------------ vectors


def statistics_panel(looked: Looked, language: Language) -> str:
    """Dimension, mean, standard deviation, range, length, where and how fast; the first ten values."""
    made = looked.made
    vector_D = made.units_ND[0]
    cells = (
        ("pose_dim", f"{made.dim}", made.model["id"]),
        ("pose_mean", f"{float(vector_D.mean()):+.4f}", ""),
        ("pose_std", f"{float(vector_D.std()):.4f}", ""),
        ("pose_range", f"{float(vector_D.min()):.2f}, {float(vector_D.max()):.2f}", ""),
        ("pose_norm", f"{float(np.linalg.norm(vector_D)):.4f}", ""),
        ("pose_took", f"{1000 * made.seconds:.1f} ms", f"{made.model['device']} · {made.model['dtype']}"),
    )
    first = ", ".join(f"{value:.4f}" for value in vector_D[:FIRST_VALUES].tolist())
    return (
        f"{summary(cells, language, elem_class='ps-statistics')}"
        f'<p class="wb-first"><span>{text(say(language, "pose_first"))}</span><code>{text(first)}</code></p>'
    )


def qkv_note(looked: Looked, language: Language) -> str:
    q, k, v = (float(length) for length in np.linalg.norm(looked.qkv_3M, axis=1))
    name = looked.asked.encoder
    about = about_encoder(name, language)
    words = say(language, "pose_qkv_note", name=name, about=about, parameters=looked.parameters, q=q, k=k, v=v)
    return hint(words)


def about_encoder(name: str, language: Language) -> str:
    """What an encoder is, in a clause."""
    return ARMS[name].purpose().said(language) if name in ARMS else say(language, f"pose_encoder_{name}")


# ------------------------------------------------------------------ a guess


def guess_panel(guess: PoseGuess, seen_HWC: np.ndarray, language: Language) -> str:
    """The picture, the ten best of the 45 captions, and each angle's bins with the two others summed out."""
    word = lambda key: text(say(language, f"pose_{key}"))  # noqa: E731 - a local abbreviation
    best = guess.ranking[:GUESSES_SHOWN]
    longest = max(float(guess.probabilities_45[best[0]]), 1e-9)
    rows = "".join(
        f'<tr><td>{rank}</td><th scope="row">{text(CAPTIONS[number])}</th>'
        f'<td><i style="width:{100 * float(guess.probabilities_45[number]) / longest:.1f}%"></i></td>'
        f"<td>{100 * float(guess.probabilities_45[number]):.1f}%</td>"
        f"<td>{float(guess.cosines_45[number]):.3f}</td></tr>"
        for rank, number in enumerate(best, start=1)
    )
    angles = "".join(
        f"<section><h4>{word(name)}</h4>{_bars(words, values)}</section>"
        for name, words, values in (
            ("yaw", YAW_WORDS, guess.yaw_5),
            ("pitch", PITCH_WORDS, guess.pitch_3),
            ("roll", ROLL_WORDS, guess.roll_3),
        )
    )
    facts = say(
        language, "pose_photo_facts", model=guess.model["id"], seconds=guess.seconds, scale=guess.logit_scale
    )  # fmt: skip
    return (
        f'<div class="ps-guess"><div class="ps-who"><img src="{data_uri(seen_HWC)}" alt=""><div>'
        f'<span>{word("photo_best")}</span><p class="ps-words"><q>{text(guess.caption)}</q></p>'
        f'<p>{text(facts)}</p><button type="button" class="ps-button" data-name="{best[0]}">'
        f"{word('photo_take')}</button></div></div>"
        f'<div class="ps-angles">{angles}</div>'
        f'<div class="wb-scroll ps-wide"><table class="ps-ranks"><thead><tr><th>{word("photo_rank")}</th>'
        f'<th>{word("caption")}</th><th colspan="2">{word("photo_probability")}</th><th>{word("cosine")}</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div></div>"
    )


def _bars(words: Sequence[str], values: np.ndarray) -> str:
    most = int(np.argmax(values))
    return "".join(
        f'<div class="ps-bar{" best" if place == most else ""}"><span>{text(word)}</span>'
        f'<b><i style="width:{100 * float(value):.1f}%"></i></b><em>{100 * float(value):.0f}%</em></div>'
        for place, (word, value) in enumerate(zip(words, values, strict=True))
    )


# ------------------------------------------------------------------ audit


def audit_panel(audits: Sequence[PoseAudit], running: str, language: Language) -> str:
    """One line for each encoder, and what is looked at now (plain text, empty at the end)."""
    word = lambda key, **values: text(say(language, f"pose_audit_{key}", **values))  # noqa: E731
    if not audits and not running:
        return hint(say(language, "pose_audit_empty"))
    status = f'<p role="status" class="wb-hint">{text(running)}</p>' if running else ""
    if not audits:
        return status
    one = audits[0]
    timed = min(audit.timed_poses for audit in audits)
    columns = (
        ("encoder", ""),
        ("rank", word("rank_info", pairs=one.pairs)),
        ("distinct", word("distinct_info", poses=one.poses)),
        ("step", word("step_info")),
        ("tears", word("tears_info")),
        ("ms", word("ms_info", timed=timed)),
    )
    head = "".join(f'<th scope="col" title="{info}">{word(key)}</th>' for key, info in columns)
    rows = "".join(_audit_row(audit, language) for audit in audits)
    notes = "".join(f"<li><b>{word(key)}</b>: {info}</li>" for key, info in columns if info)
    return (
        f'<div class="wb-scroll ps-wide"><table class="ps-audit"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        f'</table></div>{status}<ul class="wb-hint ps-legend">{notes}<li>{word("note", poses=one.poses)}</li></ul>'
    )


def _audit_row(audit: PoseAudit, language: Language) -> str:
    about = text(about_encoder(audit.name, language))
    shared = f" · {audit.widest_collision_deg:.0f}°" if audit.widest_collision_deg else ""
    tears = " ".join(f'<span class="{_heat(tear)}">{tear:.2f}</span>' for tear in audit.tears)
    return (
        f'<tr><th scope="row">{text(audit.name)}<small>{about}</small></th>'
        f'<td><b class="ps-meter"><i style="width:{100 * max(0.0, audit.rank_correlation):.0f}%"></i></b>'
        f"{audit.rank_correlation:.2f}</td><td>{audit.distinct} / {audit.poses}{shared}</td>"
        f'<td><span class="{_heat(audit.largest_step)}">{audit.largest_step:.2f}</span></td><td>{tears}</td>'
        f"<td>{_milliseconds(audit.ms_per_1000)}</td></tr>"
    )


def _heat(part: float) -> str:
    return "ps-bad" if part >= HEAT else "ps-good"


def _milliseconds(ms: float) -> str:
    return f"{ms:.1f}" if ms < 100 else f"{ms:,.0f}"


# ------------------------------------------------------------------ file


def file_panel(result: PosesResult, language: Language) -> str:
    """How many rows, captions, values; notices; rows that could not be used; the first rows."""
    word = lambda key, **values: text(say(language, f"pose_{key}", **values))  # noqa: E731
    unusable = result.rows - result.usable
    cells = (
        ("pose_file_rows", f"{result.rows:,}", say(language, "pose_file_unusable", count=unusable) if unusable else ""),
        ("pose_file_captions", f"{result.captions:,}", ""),
        ("pose_file_vectors", f"{result.dim}", result.model.get("id", "")),
    )
    bad = ("pose_file_rows",) if unusable else ()
    head = "".join(f"<th>{label}</th>" for label in (word("file_line"), "yaw", "pitch", "roll", word("caption")))
    rows = "".join(
        f"<tr><td>{line}</td>{''.join(f'<td>{_angle(angle)}</td>' for angle in angles)}"
        f'<td class="{"ps-problem" if problem else ""}">{text(translated(problem, language) or caption)}</td></tr>'
        for line, angles, caption, problem in result.preview[:PREVIEW_SHOWN]
    )
    return (
        f"{summary(cells, language, bad=bad, elem_class='ps-file')}"
        f"{_notes(result, language)}"
        f'<div class="wb-scroll ps-wide"><table class="ps-rows"><caption>{word("file_first")}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _notes(result: PosesResult, language: Language) -> str:
    """What was done on the visitor's behalf, and the rows that could not be used."""
    unusable, line = result.rows - result.usable, say(language, "pose_file_line").lower()
    return notes_panel(
        language,
        notices=result.notices,
        rejects=[replace(reject, id=reject.id.replace("line", line)) for reject in result.rejects],
        rejects_title=say(language, "pose_file_rejects", count=unusable),
        further_rejects=unusable - len(result.rejects),
    )


def _angle(angle: float) -> str:
    return "–" if math.isnan(angle) else f"{angle:g}"
