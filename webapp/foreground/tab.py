"""The Foreground tab: a photo and its components in, their scores and the reasons out.

`build` lays out what is on the page, then `_wire` says what happens when. What is shown is made in
`webapp/foreground/figures.py`, one run in `webapp/foreground/job.py`, the numbers in `core/foreground/`. The same work
without the page: `webapp/foreground/api.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from core.errors import InputError, WorkbenchError
from core.foreground.annotations import from_boxes
from core.foreground.components import ComponentSet
from core.foreground.pipeline import NOTE_MODEL, FeatureCache, ForegroundRequest, Picture, default_model
from core.foreground.prompts import GROUPS, PRESETS, TEMPLATE_SETS, Group, PromptSet, check, parse, preset
from core.foreground.scoring import Rule, list_notices
from core.foreground.treatments import TREATMENTS, Treatment
from core.images import decode
from core.settings import ImageLimits
from core.types import ImageSource, Progress
from webapp.foreground import api, figures
from webapp.foreground.draw_pad import DrawPad
from webapp.foreground.job import (
    FORMATS,
    LIMITS,
    Drawn,
    Result,
    Shelf,
    again,
    download_file,
    from_file,
    leak,
    look,
    open_picture,
    parse_boxes,
)
from webapp.foreground.job import run as foregrounding
from webapp.kit import assets
from webapp.kit.advice import ADVICE_ZH
from webapp.kit.notices import shown
from webapp.kit.services import COMPUTE, COMPUTE_LIMIT, Services
from webapp.kit.thumbnails import data_uri
from webapp.kit.uploads import Upload, UploadImage, Uploads
from webapp.kit.words import KitSays
from webapp.shell.frame import show_outputs_js
from webapp.text import Language, in_both, label, say, translated
from webapp.vectorize import panels

EXAMPLES = ("cat.jpg", "coffee.jpg", "astronaut.jpg", "rocket.jpg", "temple.jpg")
SOURCES = ("auto", "draw", "file", "boxes")
HEAT_METHODS = ("clearclip", "maskclip", "sclip", "naclip", "clip")
PRESETS_AT_FIRST: dict[Group, list[str]] = {
    "positive": ["note + COCO"],
    "negative": ["note negative"],
    "neutral": [],
}
RESULT_LIFE_S = 6 * 3600
"""A result is forgotten as late as uploads and files are (`webapp.shell.scratch.KEEP_S`)."""

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
COMPUTES: dict[str, Any] = {**PRIVATE, "concurrency_id": COMPUTE, "concurrency_limit": COMPUTE_LIMIT}

Updates = dict[Any, Any]
"""Component → its new value or properties: what a handler returns or yields."""
Values = dict[Any, Any]
"""Component → what stands in it: what a handler is given."""


class Parts:
    """The components that the wiring connects, by their place on the page."""

    # left: what goes in
    image: UploadImage
    examples: gr.HTML
    source: gr.Radio
    source_panels: dict[str, gr.Column]
    pad: DrawPad
    pad_picture: gr.HTML
    file: Uploads
    boxes: gr.Textbox
    prompts: dict[Group, gr.Textbox]
    presets: dict[Group, gr.Dropdown]
    lists: gr.HTML
    model: gr.Dropdown
    model_note: gr.HTML
    treatment: gr.Radio
    mode: gr.Radio
    templates: gr.Dropdown
    thresholds: dict[str, gr.Slider]
    margin: gr.Slider
    alpha: gr.Slider
    grey: gr.Slider
    gain: gr.Slider
    blur: gr.Slider
    device: gr.Dropdown
    advanced: gr.Accordion
    run: gr.Button
    stop: gr.Button
    # right: what comes out
    status: gr.HTML
    results: gr.Column
    summary: gr.HTML
    downloads: dict[str, gr.Button]
    download: gr.DownloadButton
    notes: gr.HTML
    heat_method: gr.Dropdown
    scene_picture: gr.HTML
    heat: gr.HTML
    scene: gr.HTML
    legend: gr.HTML
    detail: gr.HTML
    treatments: gr.HTML
    leak: gr.Button
    leak_note: gr.HTML
    table: gr.Dataframe
    # of this visitor, on the server
    ticket: gr.State  # str | None: of a Result on the shelf
    chosen: gr.State  # int: the row looked at closely


def build(services: Services) -> None:
    """The whole tab, inside its own `gr.Tab`."""
    shelf, cache = Shelf(), FeatureCache()
    parts = Parts()
    with gr.Row(elem_id="fg"):
        with gr.Column(scale=3, min_width=340, elem_id="fg-inputs"):
            _lay_out_inputs(parts, services)
        with gr.Column(scale=8, min_width=340, elem_id="fg-outputs"):
            _lay_out_outputs(parts)
    parts.ticket = gr.State(None, time_to_live=RESULT_LIFE_S, delete_callback=shelf.forget)
    parts.chosen = gr.State(0)

    _wire_first_sight(parts, services)
    _wire_inputs(parts, services)
    _wire_run(parts, services, shelf, cache)
    _wire_changes(parts, services, shelf, cache)
    _wire_choosing(parts, services, shelf, cache)
    _wire_leak(parts, services, shelf, cache)
    _wire_downloads(parts, services, shelf)
    api.build(services, cache)


# ------------------------------------------------------------------ layout


def _html(elem_id: str, **kwargs: Any) -> gr.HTML:
    """A place for one of our own fragments, without Gradio's styles for prose."""
    return gr.HTML(elem_id=elem_id, apply_default_css=False, **kwargs)


def _carrier(name: str) -> gr.HTML:
    """Shows nothing: brings a picture to the pad or the scene (`static/foreground.js`)."""
    return _html(
        f"fg-{name}",
        html_template="<span></span>",
        head=assets.head(__file__),
        js_on_load=f"WorkbenchForeground.carry('{name}', props, watch);",
        elem_classes="fg-carrier",
    )


def _lay_out_inputs(parts: Parts, services: Services) -> None:
    parts.image = UploadImage(
        label=label("foreground_image"),
        sources=["upload", "clipboard"],
        buttons=[],
        interactive=True,
        height=190,
        elem_id="fg-image",
    )
    parts.examples = _html(
        "fg-examples",
        head=assets.head(__file__),
        js_on_load="WorkbenchForeground.mountExamples(element, trigger);",
    )
    with gr.Column(elem_classes="wb-card"):
        _lay_out_components(parts)
    with gr.Column(elem_classes="wb-card"):
        _lay_out_prompts(parts)
    with gr.Column(elem_classes="wb-card"):
        parts.model = gr.Dropdown([], label=label("foreground_model"), elem_id="fg-model")
        parts.model_note = _html("fg-model-note")
        parts.treatment = gr.Radio(
            [(label(f"foreground_treatment_{name}"), name) for name in TREATMENTS],
            value="original",
            label=label("foreground_treatment"),
            elem_id="fg-treatment",
        )
        parts.mode = gr.Radio(
            [(label(f"foreground_mode_{name}"), name) for name in ("note", "balanced", "cosine")],
            value="note",
            label=label("foreground_mode"),
            elem_id="fg-mode",
        )
    parts.advanced = gr.Accordion(label("foreground_advanced"), open=False, elem_id="fg-advanced")
    with parts.advanced:
        _lay_out_advanced(parts, services)
    with gr.Row(elem_id="fg-go"):
        parts.run = gr.Button(label("foreground_run"), variant="primary", elem_id="fg-run", scale=3, min_width=120)
        parts.stop = gr.Button(label("foreground_stop"), interactive=False, elem_id="fg-stop", scale=1, min_width=80)
    gr.Markdown(label("foreground_instant"), elem_classes="wb-hint")


def _lay_out_components(parts: Parts) -> None:
    parts.source = gr.Radio(
        [(label(f"foreground_from_{name}"), name) for name in SOURCES],
        value="auto",
        label=label("foreground_components_from"),
        elem_id="fg-source",
    )
    parts.pad_picture = _carrier("pad-picture")
    parts.source_panels = {name: gr.Column(visible=name == "auto", elem_classes="fg-tight") for name in SOURCES}
    with parts.source_panels["auto"]:
        gr.Markdown(label("foreground_auto_hint"), elem_classes="wb-hint")
    with parts.source_panels["draw"]:
        parts.pad = DrawPad(elem_id="fg-pad")
    with parts.source_panels["file"]:
        parts.file = Uploads(
            label=label("foreground_file"),
            file_count="single",
            file_types=["image", ".json"],
            height=110,
            elem_id="fg-file",
        )
    with parts.source_panels["boxes"]:
        parts.boxes = gr.Textbox(
            label=label("foreground_boxes"), placeholder="20, 20, 120, 180", lines=4, max_lines=6, elem_id="fg-boxes"
        )


def _lay_out_prompts(parts: Parts) -> None:
    gr.Markdown(label("foreground_lists"), elem_classes="wb-heading")
    parts.prompts, parts.presets = {}, {}
    start: dict[Group, tuple[str, ...]] = {
        group: tuple(text for name in PRESETS_AT_FIRST[group] for text in preset(name).prompts) for group in GROUPS
    }
    for group in GROUPS:
        parts.prompts[group] = gr.Textbox(
            "\n".join(start[group]),
            label=label(f"foreground_{group}"),
            lines=2 if group == "neutral" else 4,
            max_lines=2 if group == "neutral" else 4,
            elem_id=f"fg-{group}",
        )
        parts.presets[group] = gr.Dropdown(
            [each.name for each in PRESETS if each.group == group],
            value=PRESETS_AT_FIRST[group],
            multiselect=True,
            label=label("foreground_presets"),
            elem_id=f"fg-{group}-presets",
        )
    parts.lists = _html("fg-lists")


def _lay_out_advanced(parts: Parts, services: Services) -> None:
    rule, plain = Rule(), Treatment()
    parts.thresholds = {
        name: gr.Slider(
            0, 1, value=getattr(rule, name), step=0.01, label=label(f"foreground_{name}"), elem_id=f"fg-{name}"
        )
        for name in ("negative_above", "positive_above", "negative_below", "likely_above")
    }
    parts.templates = gr.Dropdown(
        [(label(f"foreground_templates_{name}"), name) for name in TEMPLATE_SETS],
        value="none",
        label=label("foreground_templates"),
        elem_id="fg-templates",
    )
    parts.margin = gr.Slider(0, 1, value=0, step=0.05, label=label("foreground_margin"))
    parts.alpha = gr.Slider(0, 1, value=plain.alpha, step=0.05, label=label("foreground_alpha"))
    parts.grey = gr.Slider(0, 255, value=plain.grey, step=1, label=label("foreground_grey"))
    parts.gain = gr.Slider(0.5, 2, value=plain.gain, step=0.05, label=label("foreground_gain"))
    parts.blur = gr.Slider(0, 0.3, value=plain.blur, step=0.01, label=label("foreground_blur"))
    parts.device = gr.Dropdown(
        list(dict.fromkeys(["auto", "cpu", "gpu", services.settings.device])),
        value=services.settings.device,
        label=label("foreground_device"),
        elem_id="fg-device",
    )


def _lay_out_outputs(parts: Parts) -> None:
    parts.status = _html("fg-status")
    parts.scene_picture, parts.heat = _carrier("scene-picture"), _carrier("heat")
    parts.results = gr.Column(visible=False, elem_id="fg-results")
    with parts.results:
        parts.summary = _html("fg-summary")
        with gr.Row(elem_id="fg-downloads"):
            gr.Markdown(label("foreground_download"), elem_classes="wb-heading")
            parts.downloads = {
                kind: gr.Button(
                    label("foreground_download_image") if kind == "png" else f".{kind}",
                    size="sm",
                    scale=0,
                    min_width=64,
                    elem_id=f"fg-get-{kind}",
                )
                for kind in FORMATS
            }
            parts.download = gr.DownloadButton(visible="hidden", elem_id="fg-download")
        parts.notes = _html("fg-notes")
        with gr.Row(equal_height=True):
            with gr.Column(scale=6, min_width=320, elem_classes="wb-card"):
                gr.Markdown(label("foreground_scene"), elem_classes="wb-heading")
                _lay_out_scene(parts)
            with gr.Column(scale=5, min_width=320, elem_classes="wb-card"):
                gr.Markdown(label("foreground_one"), elem_classes="wb-heading")
                parts.detail = _html("fg-detail")
        with gr.Column(elem_classes="wb-card"):
            gr.Markdown(label("foreground_treatments"), elem_classes="wb-heading")
            parts.treatments = _html("fg-treatments")
            with gr.Row(elem_id="fg-leak"):
                parts.leak = gr.Button(label("foreground_leak_measure"), size="sm", scale=0, elem_id="fg-leak-measure")
                parts.leak_note = _html("fg-leak-note")
        with gr.Column(elem_classes="wb-card"):
            gr.Markdown(label("foreground_table"), elem_classes="wb-heading")
            parts.table = gr.Dataframe(
                label=label("foreground_table"),
                show_label=False,
                interactive=False,
                max_height=420,
                elem_id="fg-table",
                elem_classes="wb-dense",
            )


def _lay_out_scene(parts: Parts) -> None:
    slider = '<input type="range" min="0" max="100" value="0" id="fg-heat-opacity">'
    parts.scene = _html(
        "fg-scene",
        html_template=(
            '<div class="fg-scene no-heat"><div class="fg-scene-bar">'
            f'<label class="fg-outline-control"><input type="checkbox" name="outlines" checked> '
            f"{in_both('foreground_show_outlines')}</label>"
            f'<label><input type="checkbox" name="boxes" checked> {in_both("foreground_show_boxes")}</label>'
            f'<label class="fg-heat-control">{in_both("foreground_heat")} {slider}<span class="ramp"></span></label>'
            '</div><div class="fg-stage"><img class="photo" alt=""><img class="heat" alt=""></div></div>'
        ),
        head=assets.head(__file__),
        js_on_load="WorkbenchForeground.mountScene(element, props, trigger, watch);",
    )
    parts.legend = _html("fg-legend")
    parts.heat_method = gr.Dropdown(
        list(HEAT_METHODS), value="clearclip", label=label("foreground_heat_method"), elem_id="fg-heat-method"
    )


# ------------------------------------------------------------------ wiring: when the page is opened


def _wire_first_sight(parts: Parts, services: Services) -> None:
    def greet(request: gr.Request) -> Updates:
        language = services.language(request)
        usable = services.usable_clips()
        status = figures.empty_panel(language)
        if not usable:
            status = _no_model_panel(language)
        model = default_model(services.settings.weights_dir) if usable else None
        return {
            parts.examples: figures.examples_panel(_example_thumbnails(), language),
            parts.model: gr.Dropdown(usable, value=model),
            parts.model_note: _model_note(services, model, language),
            parts.status: status,
            parts.lists: _lists(PromptSet(), "note", Rule(), language),
        }

    gr.on(
        None,
        greet,
        None,
        [parts.examples, parts.model, parts.model_note, parts.status, parts.lists],
        **AT_ONCE,
    )


def _fetch_command() -> str:
    from core.models.catalogue import CATALOGUE
    from core.models.weights import fetch_command

    return fetch_command(next(spec for spec in CATALOGUE if spec.id == NOTE_MODEL))


def _no_model_panel(language: Language) -> str:
    next_step = say(language, "foreground_no_model_next", command=_fetch_command())
    return panels.message_panel(say(language, "foreground_no_model"), [next_step])


def _model_note(services: Services, model: str | None, language: Language) -> str:
    """The catalogue's line about the model; the built-in one says there what it cannot do."""
    from core.models.catalogue import find

    if not model:
        return panels.hint(say(language, "foreground_no_model"))
    try:
        advice = find(model, services.settings.weights_dir).advice
    except WorkbenchError:
        return ""
    return panels.hint(ADVICE_ZH.get(model, advice) if language == "zh" else advice)


@lru_cache(maxsize=1)
def _example_thumbnails() -> list[tuple[str, str]]:
    return [
        (name, data_uri(decode.thumbnail(ImageSource(name, path=assets.PHOTOS_DIR / name), 96, ImageLimits())))
        for name in EXAMPLES
    ]


def _lists(prompts: PromptSet, mode: str, rule: Rule, language: Language) -> str:
    """What the lists decide by themselves, before any photo is looked at."""
    try:
        checked, notices = check(prompts)
    except InputError as error:
        return panels.message_panel(translated(error.what, language), [translated(error.next_step, language)])
    counts = (len(checked.positive), len(checked.negative), len(checked.neutral))
    about = [*notices, *list_notices(checked, _core_mode(mode), rule)]
    return figures.lists_panel(counts, about, language)


def _core_mode(mode: str) -> Any:
    """The cosine view is another table; its scores are the note's."""
    return "note" if mode == "cosine" else mode


# ------------------------------------------------------------------ wiring: what goes in


def _wire_inputs(parts: Parts, services: Services) -> None:
    def choose_source(source: str) -> Updates:
        return {column: gr.Column(visible=name == source) for name, column in parts.source_panels.items()}

    parts.source.change(choose_source, parts.source, list(parts.source_panels.values()), **AT_ONCE)

    def looked_at(uploads: list[Upload], request: gr.Request) -> Updates:
        language = services.language(request)
        if not uploads:
            return {parts.pad_picture: ""}
        try:
            with shown(language):
                picture = open_picture(uploads[0], services.settings.web_limits)
                return {parts.pad_picture: figures.picture_json(picture, str(uploads[0].path))}
        except gr.Error as error:
            return {parts.pad_picture: "", parts.status: panels.fault_panel(error.title, error.message)}

    parts.image.change(looked_at, parts.image, [parts.pad_picture, parts.status], **PRIVATE)

    def model_note(model: str | None, request: gr.Request) -> str:
        return _model_note(services, model, services.language(request))

    parts.model.input(model_note, parts.model, parts.model_note, **AT_ONCE)

    def device_choices(device: str) -> gr.Dropdown:
        # Asked for only when the panel is opened: it imports torch.
        from core.models.device import device_names

        return gr.Dropdown(list(dict.fromkeys(["auto", "cpu", "gpu", *device_names(), device])))

    parts.advanced.expand(device_choices, parts.device, parts.device, **AT_ONCE)


def with_presets(text: str, names: list[str], group: Group) -> str:
    """The chosen lists, and the lines a person wrote that stand in no list of that group."""
    listed = {prompt for each in PRESETS if each.group == group for prompt in each.prompts}
    chosen = [prompt for name in names for prompt in preset(name).prompts]
    own = [line for line in parse(text) if line and line not in listed]
    return "\n".join(dict.fromkeys([*chosen, *own]))


# ------------------------------------------------------------------ wiring: the run


def _inputs(parts: Parts) -> set[Any]:
    return {
        *(parts.image, parts.source, parts.pad, parts.file, parts.boxes, parts.model, parts.treatment, parts.mode),
        *(parts.templates, parts.margin, parts.device, parts.heat_method),
        *(parts.alpha, parts.grey, parts.gain, parts.blur),
        *parts.prompts.values(),
        *parts.thresholds.values(),
        *(parts.ticket, parts.chosen),
    }


def _prompts(parts: Parts, values: Values) -> PromptSet:
    return PromptSet(*(parse(values[parts.prompts[group]] or "") for group in GROUPS))


def _rule(parts: Parts, values: Values) -> Rule:
    return Rule(**{name: float(values[slider]) for name, slider in parts.thresholds.items()})


def _request(parts: Parts, values: Values) -> ForegroundRequest:
    return ForegroundRequest(
        model=str(values[parts.model]),
        prompts=_prompts(parts, values),
        templates=values[parts.templates],
        treatment=Treatment(
            values[parts.treatment],
            *(float(values[slider]) for slider in (parts.alpha, parts.grey, parts.gain, parts.blur)),
        ),
        margin=float(values[parts.margin]),
        mode=_core_mode(values[parts.mode]),
        rule=_rule(parts, values),
        device=str(values[parts.device]),
    )


def _components(
    parts: Parts, values: Values, picture: Picture, image_name: str, limits: ImageLimits, language: Language
) -> ComponentSet | None:
    """What the visitor gave; None: to be proposed."""
    source = values[parts.source]
    if source == "draw":
        return Drawn.read(values[parts.pad]).components(picture.image_hw, limits)
    if source == "boxes":
        return from_boxes(parse_boxes(values[parts.boxes] or ""), picture.image_hw, limits=LIMITS)
    if source == "file":
        files = values[parts.file]
        if not files:
            raise InputError(say(language, "foreground_no_file"), next_step=say(language, "foreground_no_file_next"))
        return from_file(files[0], picture, image_name, limits)
    return None


def _wire_run(parts: Parts, services: Services, shelf: Shelf, cache: FeatureCache) -> None:
    limits = services.settings.web_limits

    def switched(running: bool) -> Updates:
        return {parts.run: gr.Button(interactive=not running), parts.stop: gr.Button(interactive=running)}

    def progress(step: Progress, language: Language) -> Updates:
        return {parts.status: _progress_panel(step, language)}

    def begin(request: gr.Request) -> Updates:
        waiting = progress(Progress("wait", 0, 0), services.language(request))
        return {**switched(True), **waiting, parts.results: gr.Column(visible=False)}

    def run(values: Values, request: gr.Request) -> Iterator[Updates]:
        language = services.language(request)
        yield progress(Progress("read", 0, 0), language)
        try:
            with shown(language):
                uploads = values[parts.image]
                if not uploads:
                    next_step = say(language, "foreground_no_photo_next")
                    raise InputError(say(language, "foreground_no_photo"), next_step=next_step)
                if not values[parts.model]:
                    next_step = say(language, "foreground_no_model_next", command=_fetch_command())
                    raise InputError(say(language, "foreground_no_model"), next_step=next_step)
                picture = open_picture(uploads[0], limits)
                name = uploads[0].name
                given = _components(parts, values, picture, name, limits, language)
                wanted = _request(parts, values)
                method = values[parts.heat_method]
                with closing(foregrounding(services, cache, name, picture, given, wanted, method)) as steps:
                    for step in steps:
                        if isinstance(step, Progress):
                            yield progress(step, language)
                        else:
                            shelf.forget(values[parts.ticket])
                            best = step.outcome.ranked[0]
                            yield {
                                parts.ticket: shelf.put(step),
                                parts.results: gr.Column(visible=True),
                                parts.scene_picture: figures.picture_json(
                                    picture, step.folder.name, step.given.components
                                ),
                                **_shown(parts, services, cache, step, best, values[parts.mode], language),
                            }
        except gr.Error as error:
            yield {parts.status: panels.fault_panel(error.title, error.message)}
        yield switched(False)

    def stopped(request: gr.Request) -> Updates:
        words = say(services.language(request), "foreground_stopped")
        return {**switched(False), parts.status: panels.message_panel(words, kind="info")}

    def example(event: gr.EventData, request: gr.Request) -> Updates:
        name = event._data.get("name") if isinstance(event._data, dict) else None
        if name not in EXAMPLES:
            raise gr.Error("?", print_exception=False)
        # Copied into the private folder: Gradio serves nothing from the project's own.
        folder = Path(tempfile.mkdtemp(dir=services.scratch_dir))
        photo = str(shutil.copy(assets.PHOTOS_DIR / name, folder))
        return {parts.image: photo, parts.source: "auto"}

    switches = [parts.run, parts.stop]
    outputs = [*switches, parts.results, parts.scene_picture, *_result_parts(parts)]
    pressed = parts.examples.click(example, None, [parts.image, parts.source], **AT_ONCE)
    # First what shows that the click was heard: the run itself may have to wait for others'.
    jobs = [
        start(begin, None, [*switches, parts.status, parts.results], js=show_outputs_js("fg-outputs"), **AT_ONCE).then(
            run, _inputs(parts), outputs, **COMPUTES
        )
        for start in (parts.run.click, pressed.success)
    ]
    parts.stop.click(stopped, None, [*switches, parts.status], cancels=jobs, **AT_ONCE)


def _progress_panel(step: Progress, language: Language) -> str:
    count = say(language, "foreground_progress_count", done=step.done, total=step.total) if step.total else ""
    return figures.progress_panel(say(language, f"foreground_stage_{step.stage}"), count, step.done, step.total)


# ------------------------------------------------------------------ showing a result


def _result_parts(parts: Parts) -> list[Any]:
    return [
        *(parts.status, parts.ticket, parts.chosen, parts.summary, parts.notes, parts.heat, parts.scene),
        *(parts.legend, parts.detail, parts.treatments, parts.leak_note, parts.table, parts.lists),
    ]


def _shown(
    parts: Parts,
    services: Services,
    cache: FeatureCache,
    result: Result,
    row: int,
    mode: str,
    language: Language,
) -> Updates:
    """Everything on the right for a result, but the photo itself."""
    outcome = result.outcome
    request = outcome.request
    return {
        parts.status: "",
        parts.summary: figures.summary(outcome, language),
        parts.notes: _notes(result, mode, language),
        parts.heat: figures.heat_json(result.heat, translated(result.no_heat, language)),
        parts.legend: figures.legend(outcome, language),
        parts.table: figures.frame(outcome, language, cosine=mode == "cosine"),
        parts.lists: _lists(request.prompts, mode, request.rule, language),
        **_chosen(parts, services, cache, result, row, language),
    }


def _chosen(
    parts: Parts, services: Services, cache: FeatureCache, result: Result, row: int, language: Language
) -> Updates:
    """One component looked at closely."""
    outcome = result.outcome
    looks = look(services, cache, result, row)
    return {
        parts.chosen: row,
        parts.scene: figures.scene_json(outcome, row, language),
        parts.detail: figures.detail(outcome, row, looks, result.explanation(row), language),
        parts.treatments: figures.treatments(outcome, looks, language),
        parts.leak_note: panels.hint(say(language, "foreground_leak_hint")),
    }


def _notes(result: Result, mode: str, language: Language) -> str:
    """What should be known about these scores: notices, rejects, what is shown in part."""
    outcome = result.outcome
    count = len(outcome.components)
    known = [translated(notice.text, language) for notice in outcome.notices]
    if result.no_heat:
        known.append(say(language, "foreground_no_heat", reason=translated(result.no_heat, language)))
    if mode == "cosine":
        known.append(say(language, "foreground_cosine_note"))
    limits = []
    if count > figures.BOXES_SHOWN:
        limits.append(say(language, "foreground_limit_boxes", limit=figures.BOXES_SHOWN, count=count))
    if count > figures.ROWS_SHOWN:
        limits.append(say(language, "foreground_limit_rows", limit=figures.ROWS_SHOWN, count=count))
    return figures.notes(outcome.rejects, known, limits, language)


def _at_hand(shelf: Shelf, ticket: str | None, language: Language) -> Result:
    """The result of this window; it may have been forgotten by age, for others' photos, or by a restart."""
    result = shelf.get(ticket)
    if result is None:
        raise InputError(say(language, "foreground_gone"), next_step=say(language, "foreground_gone_next"))
    return result


# ------------------------------------------------------------------ wiring: other prompts, modes, thresholds


def _wire_changes(parts: Parts, services: Services, shelf: Shelf, cache: FeatureCache) -> None:
    def changed(values: Values, request: gr.Request) -> Updates:
        """The lists' own verdict always; the scores where there are some, without the image tower."""
        language = services.language(request)
        mode = values[parts.mode]
        try:
            with shown(language):
                prompts, rule = _prompts(parts, values), _rule(parts, values)
                before = shelf.get(values[parts.ticket])
                if before is None:
                    return {parts.lists: _lists(prompts, mode, rule, language)}
                after = again(
                    services,
                    cache,
                    before,
                    prompts,
                    templates=values[parts.templates],
                    mode=_core_mode(mode),
                    rule=rule,
                    heat_method=values[parts.heat_method],
                )
                shelf.put(after, values[parts.ticket])
                row = min(values[parts.chosen], len(after.outcome.rows) - 1)
                return _shown(parts, services, cache, after, row, mode, language)
        except gr.Error as error:
            return {parts.status: panels.fault_panel(error.title, error.message)}

    def filled(group: Group) -> Callable[[str, list[str]], str]:
        return lambda text, names: with_presets(text or "", names or [], group)

    live: dict[str, Any] = {"trigger_mode": "always_last", **COMPUTES}
    inputs, outputs = _inputs(parts), _result_parts(parts)
    controls = [*parts.prompts.values(), *parts.thresholds.values(), parts.mode, parts.templates, parts.heat_method]
    # Leaving a box counts too: text may come into it without a key being pressed.
    triggers = [*(control.input for control in controls), *(box.blur for box in parts.prompts.values())]
    gr.on(triggers, changed, inputs, outputs, **live)
    for group in GROUPS:
        box = parts.prompts[group]
        parts.presets[group].input(filled(group), [box, parts.presets[group]], box, **AT_ONCE).then(
            changed, inputs, outputs, **live
        )


# ------------------------------------------------------------------ wiring: the chosen component


def _wire_choosing(parts: Parts, services: Services, shelf: Shelf, cache: FeatureCache) -> None:
    def choose(ticket: str | None, row: int, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            result = _at_hand(shelf, ticket, language)
            if not 0 <= row < len(result.outcome.rows):
                raise InputError(KitSays.there_no_row(row=row))
            return _chosen(parts, services, cache, result, row, language)

    def choose_cell(ticket: str | None, event: gr.SelectData, request: gr.Request) -> Updates:
        result = shelf.get(ticket)
        ids = result.outcome.ids if result else ()
        name = str(event.row_value[0]) if event.row_value else None
        return choose(ticket, ids.index(name) if name in ids else -1, request)

    def choose_box(ticket: str | None, event: gr.EventData, request: gr.Request) -> Updates:
        row = event._data.get("row") if isinstance(event._data, dict) else None
        return choose(ticket, row if isinstance(row, int) else -1, request)

    outputs = [parts.chosen, parts.scene, parts.detail, parts.treatments, parts.leak_note]
    parts.table.select(choose_cell, parts.ticket, outputs, **COMPUTES)
    parts.scene.click(choose_box, parts.ticket, outputs, **COMPUTES)


# ------------------------------------------------------------------ wiring: the mask leak


def _wire_leak(parts: Parts, services: Services, shelf: Shelf, cache: FeatureCache) -> None:
    def measure(ticket: str | None, row: int, request: gr.Request) -> tuple[Result, int, str, str]:
        language = services.language(request)
        with shown(language):
            result = _at_hand(shelf, ticket, language)
            report = leak(services, result, row)
            looks = look(services, cache, result, row)
            no_outside = any(notice.code == "no_outside" for notice in report.notices)
            key = "foreground_leak_no_outside" if no_outside else "foreground_leak_hint"
            tiles = figures.treatments(result.outcome, looks, language, report.leaks)
            return result, row, tiles, panels.hint(say(language, key))

    def show(made: tuple[Result, int, str, str] | None, ticket: str | None, row: int) -> Updates:
        """Unless meanwhile another component was chosen, or it was scored anew."""
        if made is None or made[0] is not shelf.get(ticket) or made[1] != row:
            return {measured: None}
        return {measured: None, parts.treatments: made[2], parts.leak_note: made[3]}

    def switched(on: bool) -> Callable[[], gr.Button]:
        return lambda: gr.Button(interactive=on)  # made when it is asked for: one made here would stand on the page

    # The image tower sees the component a dozen times, which takes a while with a large model: the button waits.
    measured = gr.State(None)
    job = parts.leak.click(switched(False), None, parts.leak, **AT_ONCE).then(
        measure, [parts.ticket, parts.chosen], measured, **COMPUTES
    )
    job.success(show, [measured, parts.ticket, parts.chosen], [measured, parts.treatments, parts.leak_note], **AT_ONCE)
    job.then(switched(True), None, parts.leak, **AT_ONCE)


# ------------------------------------------------------------------ wiring: downloads


def _wire_downloads(parts: Parts, services: Services, shelf: Shelf) -> None:
    def writer(kind: str) -> Callable[[str | None, gr.Request], str]:
        def write(ticket: str | None, request: gr.Request) -> str:
            language = services.language(request)
            with shown(language):
                return str(download_file(_at_hand(shelf, ticket, language), kind))

        return write

    for kind, button in parts.downloads.items():
        # The file is made when it is asked for; then the hidden download link that holds it is pressed.
        button.click(writer(kind), parts.ticket, parts.download, **PRIVATE).success(
            None, js="() => setTimeout(() => document.querySelector('#fg-download').click(), 60)", **PRIVATE
        )
