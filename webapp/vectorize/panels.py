"""A `VectorTable` as fragments of HTML: progress, summary, notes, report, search hits. Pure functions.

Every value is escaped by `text`; the only markup is what stands in this file. Style: `webapp/static/vectorize.css`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.types import Notice, Progress, Reject, VectorTable
from webapp.text import WORDS, Language, say, translated

if TYPE_CHECKING:
    from core.models.bench import BenchRow
    from core.vectorize.search import Hit

FIRST_VALUES = 10  # the spec's report


def text(value: object) -> str:
    """Anything as text inside HTML, also inside an attribute."""
    return html.escape(str(value), quote=True)


def seconds_text(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `1 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


# ------------------------------------------------------------------ before, during, instead


def empty_panel(language: Language) -> str:
    """What to do, before there is a result."""
    steps = "".join(f"<li>{text(say(language, f'vectorize_empty_{number}'))}</li>" for number in (1, 2, 3))
    return f'<div class="wb-empty"><h2>{text(say(language, "vectorize_empty_title"))}</h2><ol>{steps}</ol></div>'


def progress_panel(progress: Progress, language: Language) -> str:
    """A bar, how many are done, images per second, time left."""
    share = progress.done / progress.total if progress.total else 0.0
    facts = []
    if progress.total:
        facts.append(say(language, "vectorize_progress_count", done=progress.done, total=progress.total))
    if progress.images_per_s:
        facts.append(say(language, "vectorize_progress_speed", speed=f"{progress.images_per_s:.1f}"))
    if progress.seconds_left is not None:
        facts.append(say(language, "vectorize_progress_left", time=seconds_text(progress.seconds_left)))
    stage = say(language, f"vectorize_stage_{progress.stage}")
    return (
        f'<div class="wb-progress"><p><b>{text(stage)}</b><span>{text(" · ".join(facts))}</span></p>'
        f'<div role="progressbar" aria-label="{text(stage)}" aria-valuemin="0" aria-valuemax="{progress.total}"'
        f' aria-valuenow="{progress.done}"><i style="width:{100 * share:.1f}%"></i></div></div>'
    )


def message_panel(headline: str, lines: Sequence[str] = (), *, kind: str = "error") -> str:
    """A lasting message: `kind` is `error` or `info`. `lines` are plain text."""
    body = "".join(f"<p>{text(line)}</p>" for line in lines if line)
    role = "alert" if kind == "error" else "status"
    return f'<div class="wb-message {kind}" role="{role}"><b>{text(headline)}</b>{body}</div>'


def fault_panel(headline: str, message_html: str) -> str:
    """As `message_panel`, for a message that is already HTML (`webapp.kit.notices.message`)."""
    return f'<div class="wb-message error" role="alert"><b>{text(headline)}</b><p>{message_html}</p></div>'


def hint(words: str) -> str:
    """A quiet line of plain text."""
    return f'<p class="wb-hint">{text(words)}</p>'


# ------------------------------------------------------------------ results


def summary_panel(table: VectorTable, language: Language) -> str:
    """The figures one looks at first: images, dimensions, speed, device and dtype, relative compute, loading."""
    members = table.members
    rejected = len(table.rejects)
    images_note = (
        say(language, "vectorize_some_rejected", count=rejected)
        if rejected
        else say(language, "vectorize_none_rejected")
    )
    dims = " + ".join(str(member.dim) for member in members)
    speed = len(table.ids) / table.seconds if table.seconds > 0 else 0.0
    places = list(dict.fromkeys(f"{member.device} · {member.dtype}" for member in members))
    load_s = sum(member.load_s for member in members)
    loading = f"{load_s:.1f} s" if load_s else "0 s"
    loading_note = ", ".join(f"{member.load_s:.1f} s" for member in members) if len(members) > 1 and load_s else ""
    cells = (
        ("vectorize_images_short", f"{len(table.ids):,}", images_note, "bad" if rejected else ""),
        ("vectorize_dimensions", f"{table.dim:,}", dims if len(members) > 1 else members[0].model_id, ""),
        ("vectorize_speed", f"{speed:.1f}", say(language, "vectorize_took", time=seconds_text(table.seconds)), ""),
        ("vectorize_ran_on", places[0], " · ".join(places[1:]), ""),
        ("vectorize_compute", f"{table.relative_compute:.1f}×", say(language, "vectorize_compute_info"), ""),
        ("vectorize_loading", loading, loading_note if load_s else say(language, "vectorize_loaded_before"), ""),
    )
    blocks = "".join(
        f'<div class="{kind}"><dt>{text(say(language, key))}</dt>'
        f"<dd>{text(value)}<small>{text(note)}</small></dd></div>"
        for key, value, note, kind in cells
    )
    return f'<dl class="wb-summary">{blocks}</dl>'


def notes_panel(rejects: Sequence[Reject], notices: Sequence[Notice], limits: Sequence[str], language: Language) -> str:
    """Rejects and their reasons, what was done on the user's behalf, what is shown in part; empty without any."""
    parts = []
    if rejects:
        key = "vectorize_reject_title" if len(rejects) == 1 else "vectorize_rejects_title"
        rows = "".join(
            f"<tr><td>{text(reject.id)}</td><td>{text(reject_kind(reject, language))}</td>"
            f"<td>{text(translated(reject.reason, language))}</td></tr>"
            for reject in rejects
        )
        parts.append(
            f'<details class="wb-note bad"{" open" if len(rejects) <= 5 else ""}>'
            f"<summary>{text(say(language, key, count=len(rejects)))}</summary>"
            f'<div class="wb-scroll"><table class="wb-rejects">{rows}</table></div></details>'
        )
    for key, lines in (
        ("vectorize_notices_title", [translated(notice.text, language) for notice in notices]),
        ("vectorize_limits_title", list(limits)),
    ):
        if lines:
            items = "".join(f"<li>{text(line)}</li>" for line in dict.fromkeys(lines))
            parts.append(f'<div class="wb-note"><b>{text(say(language, key))}</b><ul>{items}</ul></div>')
    return "".join(parts)


def reject_kind(reject: Reject, language: Language) -> str:
    """Its code in a word or two of the visitor's language."""
    key = f"vectorize_reject_{reject.code}"
    return say(language, key if key in WORDS["en"] else "vectorize_reject_unreadable")


def report_panel(table: VectorTable, row: int, thumbnail: str, language: Language) -> str:
    """The spec's report: the members, the total, then one image's time, shape, first ten values, mean and std."""
    word = lambda key: text(say(language, f"vectorize_{key}"))  # noqa: E731 - a local abbreviation
    head = "".join(
        f"<th>{word(key)}</th>" for key in ("report_model", "column_dim", "report_span", "report_load", "report_encode")
    )
    members = "".join(
        f"<tr><td>{text(member.model_id)}</td><td>{member.dim}</td><td>{member.start}–{member.stop - 1}</td>"
        f"<td>{member.load_s:.2f} s</td><td>{member.encode_s:.2f} s</td></tr>"
        for member in table.members
    )
    load_s = sum(member.load_s for member in table.members)
    encode_s = sum(member.encode_s for member in table.members)
    total = (
        f"<tr><td>{word('report_total')} · {table.relative_compute:.1f}×</td><td>{table.dim}</td><td></td>"
        f"<td>{load_s:.2f} s</td><td>{encode_s:.2f} s</td></tr>"
    )
    vector_D = table.vectors_ND[row]
    ms = "–" if table.ms_N is None else f"{float(table.ms_N[row]):.1f} ms"
    first = ", ".join(f"{float(value):.4f}" for value in vector_D[:FIRST_VALUES])
    facts = (
        ("report_time", ms),
        ("report_shape", f"[{table.dim}]"),
        ("report_mean", f"{float(vector_D.mean()):.5f}"),
        ("report_std", f"{float(vector_D.std()):.5f}"),
        ("report_norm", f"{float(np.linalg.norm(vector_D)):.4f}"),
    )
    numbers = "".join(f"<div><dt>{word(key)}</dt><dd>{text(value)}</dd></div>" for key, value in facts)
    picture = f'<img src="{text(thumbnail)}" alt="">' if thumbnail else ""
    first_title = text(say(language, "vectorize_report_first", count=min(FIRST_VALUES, table.dim)))
    return (
        f'<div class="vz-report"><div class="wb-scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{members}</tbody><tfoot>{total}</tfoot></table></div>"
        f'<div class="vz-chosen">{picture}<div><b>{text(table.ids[row])}</b><dl>{numbers}</dl></div></div>'
        f'<p class="wb-first"><span>{first_title}</span><code>{text(first)}</code></p></div>'
    )


def hits_panel(
    hits: Sequence[Hit], headline: str, count: int, thumbnails: Mapping[str, str], language: Language
) -> str:
    """A ranked grid. Each hit is a button that carries its row; the page searches on from there."""
    again = text(say(language, "vectorize_search_again"))
    cells = "".join(
        f'<button type="button" class="vz-hit" data-row="{hit.row}" title="{text(hit.id)} · {again}">'
        + (
            f'<img src="{text(thumbnails[hit.id])}" alt="">'
            if thumbnails.get(hit.id)
            else '<span class="vz-blank"></span>'
        )
        + f'<span class="vz-hit-name">{text(hit.id)}</span>'
        + f'<span class="vz-hit-score"><i style="width:{100 * max(0.0, min(1.0, hit.score)):.0f}%"></i>'
        + f"<em>{rank}</em><b>{hit.score:.3f}</b></span></button>"
        for rank, hit in enumerate(hits, start=1)
    )
    shown = say(language, "vectorize_search_shown", shown=len(hits), count=count)
    title = f'<p class="vz-hits-title"><b>{text(headline)}</b> <span>{text(shown)}</span></p>'
    return f'{title}<div class="vz-hits">{cells}</div>'


def bench_panel(rows: Sequence[BenchRow], running: str, language: Language) -> str:
    """The benchmark's rows so far, and what is being measured now (plain text, empty at the end)."""
    head = "".join(
        f"<th>{text(say(language, f'vectorize_{key}'))}</th>"
        for key in ("report_model", "bench_dtype", "bench_speed", "bench_load", "bench_memory")
    )
    body = "".join(
        f"<tr><td>{text(row.model_id)}</td><td>{text(row.dtype)}</td><td>{row.images_per_s:.1f}</td>"
        f"<td>{row.load_s:.2f} s</td><td>{row.memory_bytes / 1e6:.0f} MB</td></tr>"
        if row.state == "measured"
        else f'<tr><td>{text(row.model_id)}</td><td>{text(row.dtype)}</td><td colspan="3">'
        f"{text(translated(row.hint, language))}</td></tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    status = f'<p role="status">{text(running)}</p>' if running else ""
    return f'<div class="vz-bench wb-scroll">{table}{status}</div>'
