"""`/score_foreground`: a photo and its components in; scores as JSON out.

    from gradio_client import Client, handle_file

    scores = Client("http://127.0.0.1:7860").predict(
        image=handle_file("cat.jpg"), mask=handle_file("mask.png"), api_name="/score_foreground")

    scores["components"][0]["semantic_multiplier"]

Components come from `mask` (an image), from `components` (COCO or SAM JSON, `{"boxes": [[x0, y0, x1, y1]]}` …, as a
value or as text), or, without either, are proposed. With `submit` instead of `predict`, `job.outputs()` gives
`{"progress": {"stage", "done", "total"}}` on the way, and `job.cancel()` stops the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from typing import Any, TypeVar

import gradio as gr

from core.errors import InputError
from core.foreground import export
from core.foreground.analyse import analyse
from core.foreground.annotations import from_json
from core.foreground.components import ComponentSet
from core.foreground.encoding import FeatureCache
from core.foreground.prompt_lists import is_preset, preset
from core.foreground.prompts import PromptSet, parse
from core.foreground.request import Extras, ForegroundRequest, Picture, default_model
from core.foreground.scoring import Rule
from core.foreground.treatments import Treatment
from core.types import Progress
from webapp.foreground.given import LIMITS, from_file, open_picture
from webapp.foreground.words import Says
from webapp.kit.notices import answered
from webapp.kit.services import COMPUTE, COMPUTE_LIMIT, Services
from webapp.kit.uploads import Upload, UploadImage, Uploads

Settable = TypeVar("Settable", Treatment, Rule)


def build(services: Services, cache: FeatureCache) -> None:
    """The endpoint, on components that are never shown. Called once, inside the page's Blocks."""

    # An argument whose default is None may be left out by a caller; the others' defaults stand in the components below.
    def score_foreground(
        image: list[Upload] | None = None,
        mask: list[Upload] | None = None,
        components: Any = None,
        positive: Any = None,
        negative: Any = None,
        neutral: Any = None,
        model: str = "",
        treatment: str = Treatment.name,
        mode: str = ForegroundRequest.mode,
        templates: str = ForegroundRequest.templates,
        margin: float = ForegroundRequest.margin,
        device: str = "auto",
        explain: bool = False,
        treatment_options: Any = None,
        rule: Any = None,
        leak: bool = False,
        request: gr.Request = None,  # type: ignore[assignment]  # Gradio always gives it
    ) -> Iterator[dict[str, Any]]:
        with answered(services.language(request)):
            if not image:
                raise InputError(Says.no_image(), next_step=Says.give_image())
            wanted = ForegroundRequest(
                model=model or default_model(services.settings.weights_dir),
                prompts=PromptSet(
                    _prompts(positive, PromptSet.positive, "positive"),
                    _prompts(negative, PromptSet.negative, "negative"),
                    _prompts(neutral, PromptSet.neutral, "neutral"),
                ),
                templates=templates,  # type: ignore[arg-type]
                treatment=_with(Treatment(treatment), treatment_options, "treatment_options"),  # type: ignore[arg-type]
                margin=float(margin),
                mode=mode,  # type: ignore[arg-type]
                rule=_with(Rule(), rule, "rule"),
                device=device,
            )
            picture = open_picture(image[0], services.settings.web_limits)
            given = _given(services, picture, image[0].name, mask, components)
            extras = Extras(explain=explain, leak=leak)
            steps = analyse(picture, given, wanted, services.manager, extras=extras, cache=cache)
            with closing(steps):
                for step in steps:
                    if isinstance(step, Progress):
                        yield {"progress": {"stage": step.stage, "done": step.done, "total": step.total}}
                    else:
                        yield export.document(step, image=image[0].name)

    with gr.Row(visible=False):
        image = UploadImage(label="image")
        mask = Uploads(file_count="single", label="mask: an image of labels, colours or one foreground")
        components = gr.JSON(label="components: COCO or SAM JSON, boxes, or null")
        positive, negative, neutral = (
            gr.JSON(label=f"{group}: a list of prompts, a preset's name, or null for the default list")
            for group in ("positive", "negative", "neutral")
        )
        model = gr.Textbox("", label="model: a CLIP's id; empty for the default")
        treatment = gr.Textbox(Treatment.name, label="treatment: original, raw_crop, soft_mask, blur_background")
        mode = gr.Textbox(ForegroundRequest.mode, label="mode: note, balanced")
        templates = gr.Textbox(ForegroundRequest.templates, label="templates: none, one, simple, full")
        margin = gr.Number(ForegroundRequest.margin, label="margin: 0..2 of the box's longer side")
        device = gr.Textbox(services.settings.device, label="device: auto, cpu, gpu, cuda:N, mps")
        explain = gr.Checkbox(False, label="explain: add shares and what would change")
        treatment_options = gr.JSON(label="treatment_options: {alpha, grey, gain, blur}, any of them, or null")
        rule = gr.JSON(label="rule: {negative_above, positive_above, negative_below, likely_above …}, or null")
        leak = gr.Checkbox(False, label="leak: add how far each score depends on what lies outside the mask")
        scores = gr.JSON(label="scores")
        gr.Button().click(
            score_foreground,
            [
                *(image, mask, components, positive, negative, neutral, model, treatment, mode, templates, margin),
                *(device, explain, treatment_options, rule, leak),
            ],
            scores,
            api_name="score_foreground",
            api_description=(
                "How likely each component of a photo is a foreground object rather than background or a fragment. "
                "Gives `components` (each with its own fields and s_pos, s_neg, s_pos_text, s_neg_text, p_pos_sum, "
                "p_neg_sum, p_pos_max, p_neg_max, semantic_multiplier), `ranking`, `cosine_view`, `rejects`, `notices`."
            ),
            concurrency_id=COMPUTE,
            concurrency_limit=COMPUTE_LIMIT,
        )


def _given(
    services: Services, picture: Picture, name: str, mask: list[Upload] | None, components: Any
) -> ComponentSet | None:
    if mask and components:
        raise InputError(Says.mask_or_components())
    if mask:
        return from_file(mask[0], picture, name, services.settings.web_limits)
    if components is None or components == "":
        return None
    return from_json(components, picture.image_hw, image_name=name, limits=LIMITS)


def _with(plain: Settable, given: Any, name: str) -> Settable:
    """The dataclass with the numbers that were given by name."""
    if given is None or given == "":
        return plain
    known = [field.name for field in fields(plain) if field.type == "float"]
    if not isinstance(given, dict) or not all(
        key in known and isinstance(value, (int, float)) and not isinstance(value, bool) for key, value in given.items()
    ):
        raise InputError(Says.numbers_kind(name=name), next_step=Says.known_names(names=", ".join(known)))
    return replace(plain, **given)


def _prompts(given: Any, default: tuple[str, ...], group: str) -> tuple[str, ...]:
    """A list, a preset's name, or text with one prompt per line."""
    if given is None:
        return default
    if isinstance(given, str):
        return preset(given).prompts if is_preset(given) else parse(given)
    if isinstance(given, list) and all(isinstance(prompt, str) for prompt in given):
        return tuple(given)
    raise InputError(Says.prompts_kind(group=group), where=repr(given)[:200])
