"""A `VectorTable` as fragments of HTML: progress, summary, report, search hits, benchmark. Pure functions.

Every value is escaped by `text`; the only markup is what stands in this file. Style: `style.css`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.types import Progress, VectorTable
from webapp.kit import panels
from webapp.kit.panels import seconds_text, text
from webapp.text import Language, say

if TYPE_CHECKING:
    from core.models.bench import BenchRow
    from core.vectorize.search import Hit

FIRST_VALUES = 10  # the spec's report


def progress_panel(progress: Progress, language: Language) -> str:
    """A bar, how many are done, images per second, time left."""
    facts = []
    if progress.total:
        facts.append(say(language, "vectorize_progress_count", done=progress.done, total=progress.total))
    if progress.images_per_s:
        facts.append(say(language, "vectorize_progress_speed", speed=f"{progress.images_per_s:.1f}"))
    if progress.seconds_left is not None:
        facts.append(say(language, "vectorize_progress_left", time=seconds_text(progress.seconds_left)))
    stage = say(language, f"vectorize_stage_{progress.stage}")
    return panels.progress_panel(stage, " · ".join(facts), progress.done, progress.total)


def summary_panel(table: VectorTable, language: Language) -> str:
    """The figures one looks at first: images, dimensions, speed, device and dtype, relative compute, loading."""
    members = table.members
    rejected = len(table.rejects)
    images_note = say(language, "vectorize_some_rejected" if rejected else "vectorize_none_rejected", count=rejected)
    dims = " + ".join(str(member.dim) for member in members)
    speed = len(table.ids) / table.seconds if table.seconds > 0 else 0.0
    places = list(dict.fromkeys(f"{member.device} · {member.dtype}" for member in members))
    load_s = sum(member.load_s for member in members)
    loading = f"{load_s:.1f} s" if load_s else "0 s"
    loading_note = ", ".join(f"{member.load_s:.1f} s" for member in members) if len(members) > 1 and load_s else ""
    cells = (
        ("vectorize_images_short", f"{len(table.ids):,}", images_note),
        ("vectorize_dimensions", f"{table.dim:,}", dims if len(members) > 1 else members[0].model_id),
        ("vectorize_speed", f"{speed:.1f}", say(language, "vectorize_took", time=seconds_text(table.seconds))),
        ("vectorize_ran_on", places[0], " · ".join(places[1:])),
        ("vectorize_compute", f"{table.relative_compute:.1f}×", say(language, "vectorize_compute_info")),
        ("vectorize_loading", loading, loading_note if load_s else say(language, "vectorize_loaded_before")),
    )
    return panels.summary(cells, language, bad=("vectorize_images_short",) if rejected else ())


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
        f"{text(row.hint.said(language))}</td></tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    status = f'<p role="status">{text(running)}</p>' if running else ""
    return f'<div class="vz-bench wb-scroll">{table}{status}</div>'
