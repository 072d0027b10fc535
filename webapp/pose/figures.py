"""The Pose tab's charts and fragments: the head, the embedding, q/k/v, the map, the audit, a guess, a converted file.

Pure functions. Every value is escaped by `text`; the only markup is what stands in this file. Style:
`webapp/static/pose.css`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.pose.rendering import head_mesh
from core.pose.text import (
    CAPTIONS,
    PITCH_EDGES_DEG,
    PITCH_WORDS,
    ROLL_EDGE_DEG,
    ROLL_WORDS,
    YAW_EDGES_DEG,
    YAW_WORDS,
    bins,
    caption_numbers,
)
from webapp.kit.drawing import COLOURS, Drawing, base_layout
from webapp.kit.panels import notes_panel, text
from webapp.kit.thumbnails import data_uri
from webapp.text import Language, say, translated

if TYPE_CHECKING:
    from core.pose.audit import PoseAudit
    from core.pose.poses import PosesResult
    from core.pose.zero_shot import PoseGuess
    from webapp.pose.job import Looked, Pose

GUESSES_SHOWN = 10
REJECTS_SHOWN = 200
PREVIEW_SHOWN = 8
FIRST_VALUES = 10
NOSE_FROM_TO = (0.9, 1.75)  # head units along the nose
# The least and most values on the q/k/v strip, and nothing in between: amber, the ground, blue.
_TWO_SIDED = [[0.0, "#d97706"], [0.5, "rgba(148,163,184,.08)"], [1.0, "#4f6df5"]]


def dial_bins() -> dict[str, list[dict[str, Any]]]:
    """For the dials' script: each angle's bins as {words, from, to, from_in, to_in}; `*_in`: the edge belongs to it."""

    def between(words: Sequence[str], edges: Sequence[float], upper_owns: Sequence[bool]) -> list[dict[str, Any]]:
        limits = [-180.0, *edges, 180.0]
        owned = [True, *upper_owns, False]
        return [
            {"words": word, "from": low, "to": high, "from_in": owned[place], "to_in": not owned[place + 1]}
            for place, (word, low, high) in enumerate(zip(words, limits[:-1], limits[1:], strict=True))
        ]

    return {
        "yaw": between(YAW_WORDS, YAW_EDGES_DEG, [True] * 4),
        "pitch": between(PITCH_WORDS, PITCH_EDGES_DEG, [True] * 2),
        "roll": between(ROLL_WORDS, (-ROLL_EDGE_DEG, ROLL_EDGE_DEG), [False, True]),
    }


# ------------------------------------------------------------------ the head


def head_drawing(language: Language) -> Drawing:
    """The head at rest, x right, y up, z to the viewer; `static/pose.js` turns the traces whose `meta` says so."""
    import plotly.graph_objects as go

    mesh = head_mesh()
    light = {"ambient": 0.62, "diffuse": 0.55, "specular": 0.12, "roughness": 0.6, "fresnel": 0.05}
    traces: list[Any] = []
    for turns in (False, True):
        rows = np.flatnonzero(mesh.turns_V == turns)
        place_of = np.full(len(mesh.turns_V), -1)
        place_of[rows] = np.arange(len(rows))
        triangles = place_of[mesh.triangles_T3]
        triangles = triangles[(triangles >= 0).all(axis=1)]
        x, y, z = (column.tolist() for column in mesh.vertices_V3[rows].round(4).T.astype(np.float64).round(4))
        i, j, k = (column.tolist() for column in triangles.T)
        colours = [f"rgb({r},{g},{b})" for r, g, b in (mesh.rgb_V3[rows] * 255).round().astype(int).tolist()]
        traces.append(
            go.Mesh3d(
                x=x, y=y, z=z, i=i, j=j, k=k, vertexcolor=colours, lighting=light, hoverinfo="skip", flatshading=False,
                lightposition={"x": 4000, "y": 8000, "z": 12000}, meta={"turns": turns},
            )
        )  # fmt: skip
    traces.append(
        go.Scatter3d(
            x=[0, 0], y=[-0.19, -0.19], z=list(NOSE_FROM_TO), mode="lines", hoverinfo="skip",
            line={"color": "#dc2626", "width": 6}, meta={"turns": True},
        )
    )  # fmt: skip
    hidden = {"visible": False, "showspikes": False}
    layout = base_layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        showlegend=False,
        scene={
            "xaxis": {**hidden, "range": [-1.9, 1.9]},
            "yaxis": {**hidden, "range": [-2.4, 1.8]},
            "zaxis": {**hidden, "range": [-1.9, 1.9]},
            "aspectmode": "manual",
            "aspectratio": {"x": 1.9, "y": 2.1, "z": 1.9},
            "dragmode": "orbit",
            "camera": {
                "up": {"x": 0, "y": 1, "z": 0},
                "center": {"x": 0, "y": 0.06, "z": 0},
                "eye": {"x": 0, "y": 0.06, "z": 2.5},
                "projection": {"type": "perspective"},
            },
        },
    )
    return Drawing(go.Figure(traces, layout), view="head", description=say(language, "pose_head_description"))


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
        spans = dict(zip(("yaw", "pitch", "roll"), _spans(pose), strict=True))
        lines += [say(language, "pose_same_caption", **spans), say(language, "pose_loss")]
    items = "".join(f"<p>{text(line)}</p>" for line in lines)
    return (
        f'<div class="ps-caption"><p class="ps-words"><q>{text(looked.made.captions[0])}</q></p>'
        f'<p class="ps-number">{text(number)}</p><div class="wb-hint">{items}</div></div>'
    )


def _spans(pose: Pose) -> list[str]:
    """The bin of each angle in degrees: `15 … 45`, `< −45`."""
    spans = []
    for name, number in zip(("yaw", "pitch", "roll"), bins(pose.angles_13)[0].tolist(), strict=True):
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


def embedding_drawing(looked: Looked, language: Language) -> Drawing:
    """Every value as a bar."""
    import plotly.graph_objects as go

    values = looked.made.units_ND[0].astype(np.float64).round(5)
    bars = go.Bar(
        x=list(range(len(values))),
        y=values.tolist(),
        marker={"color": [COLOURS[0] if value >= 0 else COLOURS[1] for value in values], "line": {"width": 0}},
        hovertemplate=f"%{{x}}: %{{y:.4f}}<extra>{say(language, 'pose_value')}</extra>",
    )
    layout = base_layout(
        bargap=0.0,
        showlegend=False,
        margin={"l": 44, "r": 8, "t": 6, "b": 34},
        xaxis={"title": {"text": say(language, "pose_dimension"), "standoff": 6}},
        yaxis={"tickformat": ".2f"},
    )
    description = say(language, "pose_embedding_description", dim=len(values))
    return Drawing(go.Figure(bars, layout), view=f"embedding {len(values)}", description=description)


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
    blocks = "".join(
        f"<div><dt>{text(say(language, key))}</dt><dd>{text(value)}<small>{text(note)}</small></dd></div>"
        for key, value, note in cells
    )
    first = ", ".join(f"{value:.4f}" for value in vector_D[:FIRST_VALUES].tolist())
    return (
        f'<dl class="wb-summary ps-statistics">{blocks}</dl>'
        f'<p class="wb-first"><span>{text(say(language, "pose_first"))}</span><code>{text(first)}</code></p>'
    )


def qkv_drawing(looked: Looked, language: Language) -> Drawing:
    """Three strips of 512 values."""
    import plotly.graph_objects as go

    values = looked.qkv_3M.astype(np.float64).round(4)
    most = max(float(np.abs(values).max()), 1e-6)
    strips = go.Heatmap(
        z=values.tolist(),
        y=["q", "k", "v"],
        zmin=-most,
        zmax=most,
        colorscale=_TWO_SIDED,
        ygap=3,
        hovertemplate="%{y}[%{x}] = %{z:.3f}<extra></extra>",
        colorbar={"thickness": 8, "len": 1.0, "nticks": 5, "tickformat": ".1f"},
    )
    layout = base_layout(
        margin={"l": 24, "r": 8, "t": 4, "b": 22},
        yaxis={"autorange": "reversed", "ticks": "", "showgrid": False},
        xaxis={"showgrid": False},
    )
    description = say(language, "pose_qkv_description")
    return Drawing(go.Figure(strips, layout), view=f"qkv {values.shape[1]}", description=description)


def qkv_note(looked: Looked, language: Language) -> str:
    q, k, v = (float(length) for length in np.linalg.norm(looked.qkv_3M, axis=1))
    name = looked.asked.encoder
    about = say(language, f"pose_encoder_{name}")
    words = say(language, "pose_qkv_note", name=name, about=about, parameters=looked.parameters, q=q, k=k, v=v)
    return f'<p class="wb-hint">{text(words)}</p>'


def map_drawing(looked: Looked, language: Language) -> Drawing:
    """Similarity over yaw and pitch, the bins' edges, and where the pose is."""
    import plotly.graph_objects as go

    pose = looked.asked.pose
    values_PY = looked.similarity_PY.astype(np.float64).round(4)
    low, high = float(values_PY.min()), float(values_PY.max())
    cells = go.Heatmap(
        x=looked.yaw_deg.tolist(),
        y=looked.pitch_deg.tolist(),
        z=values_PY.tolist(),
        zmin=low,
        zmax=max(high, low + 0.01),
        autocolorscale=True,
        hovertemplate=f"yaw %{{x:g}}, pitch %{{y:g}}: %{{z:.3f}}<extra>{say(language, 'pose_cosine')}</extra>",
        colorbar={"thickness": 8, "len": 0.9, "nticks": 5, "tickformat": ".2f"},
    )
    here = go.Scatter(
        x=[pose.yaw],
        y=[pose.pitch],
        mode="markers",
        marker={"symbol": "circle-open", "size": 13, "color": "#dc2626", "line": {"width": 3}},
        hoverinfo="skip",
        cliponaxis=True,
    )
    half_yaw, half_pitch = (float(axis[1] - axis[0]) / 2 for axis in (looked.yaw_deg, looked.pitch_deg))
    yaw_range = [float(looked.yaw_deg[0]) - half_yaw, float(looked.yaw_deg[-1]) + half_yaw]
    pitch_range = [float(looked.pitch_deg[0]) - half_pitch, float(looked.pitch_deg[-1]) + half_pitch]
    line = {"color": "rgba(148,163,184,.75)", "width": 1, "dash": "dot"}
    edges: list[dict[str, Any]] = [
        {"type": "line", "xref": "x", "yref": "paper", "x0": edge, "x1": edge, "y0": 0, "y1": 1, "line": line}
        for edge in YAW_EDGES_DEG
    ]
    edges += [
        {"type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": edge, "y1": edge, "line": line}
        for edge in PITCH_EDGES_DEG
    ]
    layout = base_layout(
        showlegend=False,
        margin={"l": 46, "r": 8, "t": 6, "b": 36},
        xaxis={"title": {"text": "yaw", "standoff": 4}, "range": yaw_range, "tickvals": [-90, *YAW_EDGES_DEG, 90]},
        yaxis={
            "title": {"text": "pitch", "standoff": 2}, "range": pitch_range, "tickvals": [-60, *PITCH_EDGES_DEG, 60],
        },
        shapes=edges,
        dragmode=False,
        # Its buttons would lie over the corner, and a click there is a pose.
        modebar={"remove": ["zoom", "pan", "zoomIn", "zoomOut", "resetScale", "toImage"]},
    )  # fmt: skip
    view = f"map {len(looked.yaw_deg)}"
    return Drawing(go.Figure([cells, here], layout), view=view, description=say(language, "pose_map_description"))


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


def shown_size(rgb_HWC: np.ndarray, side_px: int = 192) -> np.ndarray:
    """At most `side_px` along the longer side."""
    from PIL import Image

    scale = min(1.0, side_px / max(rgb_HWC.shape[:2]))
    size = (max(1, round(rgb_HWC.shape[1] * scale)), max(1, round(rgb_HWC.shape[0] * scale)))
    return np.asarray(Image.fromarray(rgb_HWC).resize(size, Image.Resampling.BOX))


def examples_panel(pictures: Sequence[tuple[str, str]], language: Language) -> str:
    """Heads to begin with: (name, data URI); the first is the drawn one."""
    title = text(say(language, "pose_photo_examples"))
    drawn = text(say(language, "pose_photo_rendered"))
    buttons = "".join(
        f'<button type="button" data-name="{text(name)}" title="{drawn if not place else text(name)}" '
        f'aria-label="{drawn if not place else text(name)}"><img src="{text(uri)}" alt=""></button>'
        for place, (name, uri) in enumerate(pictures)
    )
    return f'<div class="wb-examples"><span>{title}</span>{buttons}</div>'


# ------------------------------------------------------------------ audit


def audit_panel(audits: Sequence[PoseAudit], running: str, language: Language) -> str:
    """One line for each encoder, and what is looked at now (plain text, empty at the end)."""
    word = lambda key, **values: text(say(language, f"pose_audit_{key}", **values))  # noqa: E731
    if not audits and not running:
        return f'<p class="wb-hint">{word("empty")}</p>'
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
    about = text(say(language, f"pose_encoder_{audit.name}"))
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
    """A class for a distance as a part of the mean one."""
    return "ps-bad" if part >= 0.25 else "ps-good"


def _milliseconds(ms: float) -> str:
    return f"{ms:.1f}" if ms < 100 else f"{ms:,.0f}"


# ------------------------------------------------------------------ file


def file_panel(result: PosesResult, language: Language) -> str:
    """How many rows, captions, values; notices; rows that could not be used; the first rows."""
    word = lambda key, **values: text(say(language, f"pose_{key}", **values))  # noqa: E731
    unusable = result.rows - result.usable
    cells = (
        ("file_rows", f"{result.rows:,}", say(language, "pose_file_unusable", count=unusable) if unusable else ""),
        ("file_captions", f"{result.captions:,}", ""),
        ("file_vectors", f"{result.dim}", result.model.get("id", "")),
    )
    blocks = "".join(
        f'<div class="{"bad" if unusable and key == "file_rows" else ""}"><dt>{word(key)}</dt>'
        f"<dd>{text(value)}<small>{text(note)}</small></dd></div>"
        for key, value, note in cells
    )
    head = "".join(f"<th>{label}</th>" for label in (word("file_line"), "yaw", "pitch", "roll", word("caption")))
    rows = "".join(
        f"<tr><td>{line}</td>{''.join(f'<td>{_angle(angle)}</td>' for angle in angles)}"
        f'<td class="{"ps-problem" if problem else ""}">{text(translated(problem, language) or caption)}</td></tr>'
        for line, angles, caption, problem in result.preview[:PREVIEW_SHOWN]
    )
    return (
        f'<dl class="wb-summary ps-file">{blocks}</dl>'
        f"{_notices(result, language)}"
        f'<div class="wb-scroll ps-wide"><table class="ps-rows"><caption>{word("file_first")}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _notices(result: PosesResult, language: Language) -> str:
    parts = notes_panel(language, notices=result.notices)
    if result.rejects:
        line = say(language, "pose_file_line").lower()
        rows = "".join(
            f"<tr><td>{text(reject.id.replace('line', line))}</td>"
            f"<td>{text(translated(reject.reason, language))}</td></tr>"
            for reject in result.rejects[:REJECTS_SHOWN]
        )
        more = result.rows - result.usable - min(len(result.rejects), REJECTS_SHOWN)
        rows += f"<tr><td>…</td><td>+ {more:,}</td></tr>" if more > 0 else ""
        title = text(say(language, "pose_file_rejects", count=result.rows - result.usable))
        parts += (
            f'<details class="wb-note bad"{" open" if len(result.rejects) <= 5 else ""}><summary>{title}</summary>'
            f'<div class="wb-scroll"><table class="wb-rejects">{rows}</table></div></details>'
        )
    return parts


def _angle(angle: float) -> str:
    return "–" if math.isnan(angle) else f"{angle:g}"
