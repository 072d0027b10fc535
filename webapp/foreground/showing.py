"""From a `Result` to what the page's components show."""

from __future__ import annotations

from typing import Any

from core.errors import InputError
from core.foreground.encoding import FeatureCache
from core.foreground.prompts import PromptSet, check
from core.foreground.scoring import Rule, list_notices
from core.types import Progress
from webapp.foreground import figures, scene
from webapp.foreground.job import Result, look
from webapp.foreground.layout import Parts
from webapp.foreground.reading import scored_mode
from webapp.kit import panels
from webapp.kit.events import Updates
from webapp.kit.services import Services
from webapp.text import Language, say, translated


def progress(step: Progress, language: Language) -> str:
    count = say(language, "foreground_progress_count", done=step.done, total=step.total) if step.total else ""
    return panels.progress_panel(say(language, f"foreground_stage_{step.stage}"), count, step.done, step.total)


def lists(prompts: PromptSet, mode: str, rule: Rule, language: Language) -> str:
    """What the lists decide by themselves, before any photo is looked at."""
    try:
        checked, notices = check(prompts)
    except InputError as error:
        return panels.message_panel(translated(error.what, language), [translated(error.next_step, language)])
    counts = (len(checked.positive), len(checked.negative), len(checked.neutral))
    about = [*notices, *list_notices(checked, scored_mode(mode), rule)]
    return figures.lists_panel(counts, about, language)


def result_parts(parts: Parts) -> list[Any]:
    """What `result` fills."""
    return [
        *(parts.status, parts.ticket, parts.chosen, parts.summary, parts.notes, parts.heat, parts.scene),
        *(parts.legend, parts.detail, parts.treatments, parts.leak_note, parts.table, parts.lists),
    ]


def result(
    parts: Parts, services: Services, cache: FeatureCache, made: Result, row: int, mode: str, language: Language
) -> Updates:
    """Everything on the right for a result, but the photo itself."""
    outcome = made.outcome
    request = outcome.request
    return {
        parts.status: "",
        parts.summary: figures.summary(outcome, language),
        parts.notes: _notes(made, mode, language),
        parts.heat: scene.heat_json(made.analysis.heat),
        parts.legend: scene.legend(outcome, language),
        parts.table: figures.table_rows(outcome, language, cosine=mode == "cosine"),
        parts.lists: lists(request.prompts, mode, request.rule, language),
        **component(parts, services, cache, made, row, language),
    }


def component_parts(parts: Parts) -> list[Any]:
    """What `component` fills."""
    return [parts.chosen, parts.scene, parts.detail, parts.treatments, parts.leak_note]


def component(
    parts: Parts, services: Services, cache: FeatureCache, made: Result, row: int, language: Language
) -> Updates:
    """One component looked at closely."""
    outcome = made.outcome
    looks = look(services, cache, made, row)
    return {
        parts.chosen: row,
        parts.scene: scene.scene_json(outcome, row, language),
        parts.detail: figures.detail(outcome, row, looks, made.explanation(row), language),
        parts.treatments: figures.treatments(outcome, looks, language),
        parts.leak_note: panels.hint(say(language, "foreground_leak_hint")),
    }


def _notes(made: Result, mode: str, language: Language) -> str:
    """What should be known about these scores: notices, rejects, what is shown in part."""
    outcome = made.outcome
    count, rejected = len(outcome.components), len(outcome.rejects)
    limits = []
    if count > scene.BOXES_SHOWN:
        limits.append(say(language, "foreground_limit_boxes", limit=scene.BOXES_SHOWN, count=count))
    if count > figures.ROWS_SHOWN:
        limits.append(say(language, "foreground_limit_rows", limit=figures.ROWS_SHOWN, count=count))
    title = "foreground_reject_title" if rejected == 1 else "foreground_rejects_title"
    return panels.notes_panel(
        language,
        rejects=outcome.rejects,
        rejects_title=say(language, title, count=f"{rejected:,}"),
        notices=[*outcome.notices, *([say(language, "foreground_cosine_note")] if mode == "cosine" else [])],
        limits=limits,
    )
