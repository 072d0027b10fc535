"""From a `Result` to what the page's components show."""

from __future__ import annotations

from typing import Any

import gradio as gr

from core.vectorize import search
from webapp.kit import panels
from webapp.kit.drawing import Drawing
from webapp.kit.events import Updates
from webapp.kit.services import Services
from webapp.text import Language, say
from webapp.vectorize import figures, fragments
from webapp.vectorize.job import Result
from webapp.vectorize.layout import Parts

HITS = 24


def result_parts(parts: Parts) -> list[Any]:
    """What `result` fills, the status apart."""
    return [
        *(parts.result, parts.results, parts.summary, parts.notes, parts.heatmap, parts.together, parts.map),
        *(parts.method, parts.map_note, parts.table, parts.report, parts.search_id, parts.search_words),
        *(parts.search_model, parts.search_go, parts.search_file, parts.search_note, parts.hits),
    ]


def result(parts: Parts, services: Services, made: Result, language: Language) -> Updates:
    """Everything on the right for a new result."""
    table = made.table
    if not table.ids:
        headline = say(language, "vectorize_no_rows")
        status = panels.message_panel(headline) + _notes(made, language)
        return {parts.result: None, parts.status: status}
    readers = [member.model_id for member in search.text_members(table, services.manager)]
    no_words = say(language, "vectorize_search_no_text", models=", ".join(m.model_id for m in table.members))
    return {
        parts.result: made,
        parts.status: "",
        parts.results: gr.Column(visible=True),
        parts.summary: fragments.summary_panel(table, language),
        parts.notes: _notes(made, language),
        parts.heatmap: heatmap(made, False, language),
        parts.together: gr.Checkbox(False, visible=len(table.ids) > 2),
        **projection(parts, made, "pca", language),
        parts.method: gr.Radio(value="pca", visible=len(table.ids) > 1),
        parts.table: figures.result_rows(table, language),
        parts.search_words: gr.Textbox(value="", interactive=bool(readers)),
        parts.search_model: gr.Dropdown(readers, value=readers[0] if readers else None, visible=len(readers) > 1),
        parts.search_go: gr.Button(interactive=bool(readers)),
        parts.search_note: "" if readers else panels.hint(no_words),
        parts.search_file: None,
        **chosen(parts, made, 0, language, choices=True),
    }


def _notes(made: Result, language: Language) -> str:
    """Rejects, notices, and what the page shows only in part."""
    count, rejected = len(made.table.ids), len(made.table.rejects)
    limits = []
    if count > figures.HEATMAP_LIMIT:
        limits.append(say(language, "vectorize_limit_heatmap", limit=figures.HEATMAP_LIMIT, count=count))
    title = "vectorize_reject_title" if rejected == 1 else "vectorize_rejects_title"
    return panels.notes_panel(
        language,
        rejects=made.table.rejects,
        rejects_title=say(language, title, count=rejected),
        notices=made.table.notices,
        limits=limits,
    )


def heatmap(made: Result, together: bool, language: Language) -> Drawing:
    """Each image with each."""
    view = f"{made.folder.name}-{together}"
    return figures.similarity_heatmap(made.table, made.thumbnails, language, together=together, view=view)


def projection(parts: Parts, made: Result, method: str, language: Language) -> Updates:
    """The map and the line below it. t-SNE of too few images is PCA, and the line says so."""
    vectors_ND, count = made.table.vectors_ND, len(made.table.ids)
    if method == "tsne" and count >= figures.TSNE_MIN_ROWS:
        xy_N2 = figures.project_tsne(vectors_ND[: figures.TSNE_LIMIT])
        note = say(language, "vectorize_tsne_note")
        if count > figures.TSNE_LIMIT:
            note += " " + say(language, "vectorize_limit_tsne", limit=figures.TSNE_LIMIT, count=count)
    else:
        xy_N2, (x, y) = figures.project_pca(vectors_ND)
        note = say(language, "vectorize_pca_shares", x=f"{x:.0%}", y=f"{y:.0%}")
        if method == "tsne":
            note = say(language, "vectorize_tsne_few", count=figures.TSNE_MIN_ROWS, have=count)
    view = f"{made.folder.name}-{method}"
    drawing = figures.vector_map(made.table, xy_N2, made.thumbnails, language, view=view)
    return {parts.map: drawing, parts.map_note: panels.hint(note)}


def chosen(parts: Parts, made: Result, row: int, language: Language, *, choices: bool = False) -> Updates:
    """One image of the result looked at more closely: its report, and the images nearest to it."""
    table = made.table
    row_id = table.ids[row]
    hits = search.by_vector(table.vectors_ND[row], table, HITS)
    headline = say(language, "vectorize_search_like", query=row_id)
    names = {"choices": list(table.ids)} if choices else {}
    return {
        parts.report: fragments.report_panel(table, row, made.thumbnails.get(row_id, ""), language),
        parts.search_id: gr.Dropdown(value=row_id, **names),
        parts.hits: fragments.hits_panel(hits, headline, len(table.ids), made.thumbnails, language),
    }
