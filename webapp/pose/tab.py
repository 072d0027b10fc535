"""The Pose tab: a head pose in words, and what CLIP's text tower makes of the words.

`build` lays out what is on the page, then `_wire` says what happens when. What is shown is made in
`webapp/pose/figures.py`, the work is in `webapp/pose/job.py`, the numbers in `core/pose/`. The dials and the head that
turns with them live in the browser (`static/pose.js`); the server is asked when the hand rests. The same without the
page: `webapp/pose/api.py`, and `python -m core pose`.
"""

from __future__ import annotations

import html
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from core.errors import InputError, WorkbenchError
from core.pose.audit import PoseAudit
from core.pose.embedding import Wording, default_model
from core.pose.poses import PosesResult
from core.pose.text import EXPRESSIONS, LIGHTS, TEMPLATES
from core.types import Progress
from core.words import Common
from webapp.kit import assets, panels
from webapp.kit.notices import shown
from webapp.kit.panels import progress_panel
from webapp.kit.plot import Plot
from webapp.kit.services import COMPUTE, COMPUTE_LIMIT, Services
from webapp.kit.thumbnails import data_uri
from webapp.kit.uploads import Upload, UploadImage, Uploads
from webapp.pose import api, figures
from webapp.pose.job import (
    ENCODERS,
    EXAMPLE_HEADS,
    FILE_SUFFIXES,
    RENDERED,
    VECTOR_FORMATS,
    Asked,
    EncoderShelf,
    Looked,
    Pose,
    audits,
    convert,
    example_head,
    guess,
    look,
    rendered_head,
    vector_file,
)
from webapp.pose.words import Says
from webapp.text import Language, in_both, label, say

FIRST_POSE = {"yaw": 30.0, "pitch": 10.0, "roll": -5.0}
ALL_TEMPLATES = "all"
RESULT_LIFE_S = 6 * 3600
"""A result is forgotten as late as uploads and files are (`webapp.shell.scratch.KEEP_S`)."""

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
COMPUTES: dict[str, Any] = {**PRIVATE, "concurrency_id": COMPUTE, "concurrency_limit": COMPUTE_LIMIT}
FOLLOWING: dict[str, Any] = {**COMPUTES, "trigger_mode": "always_last"}
"""For what may change again while the last change is being answered."""

Updates = dict[Any, Any]
"""Component → its new value or properties."""
Values = dict[Any, Any]
"""Component → what stands in it."""


class Parts:
    """The components that the wiring connects, by their place on the page."""

    # left: the pose, its wording, the model
    head: Plot
    dials: PoseDials
    mode: gr.Radio
    expression: gr.Dropdown
    light: gr.Dropdown
    model: gr.Dropdown
    model_note: gr.HTML
    template: gr.Dropdown
    device: gr.Dropdown
    advanced: gr.Accordion
    # right: what comes of it
    status: gr.HTML
    caption: gr.HTML
    statistics: gr.HTML
    embedding: Plot
    map: Plot
    downloads: dict[str, gr.Button]
    download: gr.DownloadButton
    encoder: gr.Dropdown
    qkv: Plot
    qkv_note: gr.HTML
    # a photo
    image: UploadImage
    examples: gr.HTML
    photo_template: gr.Dropdown
    photo_status: gr.HTML
    guess: gr.HTML
    # the audit
    audit_run: gr.Button
    audit: gr.HTML
    # a file
    file: Uploads
    file_format: gr.Radio
    file_run: gr.Button
    file_stop: gr.Button
    file_status: gr.HTML
    file_result: gr.HTML
    file_download: gr.DownloadButton
    # of this visitor, on the server
    looked: gr.State  # Looked | None


class PoseDials(gr.HTML):
    """Three dials with their sliders and number boxes. As an input it gives a dict for `Pose.read` to judge.

    `input` fires when the hand rests, `select` once, when the tab is first seen."""

    def __init__(self, value: dict[str, float], **kwargs: Any) -> None:
        faces = "".join(
            f'<div class="ps-dial" data-angle="{name}"><h4>{in_both(f"pose_{name}")}'
            f'<small>{in_both(f"pose_{name}_seen")}</small></h4><svg aria-hidden="true"></svg>'
            f'<div class="ps-bin" role="status"></div></div>'
            for name in FIRST_POSE
        )
        lines = "".join(
            f'<label class="ps-line" data-angle="{name}"><span>{in_both(f"pose_{name}")}</span>'
            f'<input type="range" min="-180" max="180" step="1" aria-label="{name}">'
            f'<input type="number" step="any" aria-label="{name}"></label>'
            for name in FIRST_POSE
        )
        bins = html.escape(json.dumps(figures.dial_bins(), ensure_ascii=False), quote=True)
        super().__init__(
            value=value,
            html_template=(
                f'<div class="ps-dials" data-bins="{bins}"><div class="ps-faces">{faces}</div>{lines}'
                f'<button type="button" class="ps-reset">{in_both("pose_reset")}</button></div>'
            ),
            head=assets.head(__file__),
            js_on_load="WorkbenchPose.mountDials(element, props, trigger, watch);",
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> Any:
        return payload  # `Pose.read` judges it, where its error can be shown

    def postprocess(self, value: dict[str, float] | None) -> dict[str, float] | None:  # type: ignore[override]
        return value

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": "{yaw, pitch, roll} in degrees"}


def build(services: Services) -> None:
    """The whole tab, inside its own `gr.Tab`."""
    shelf = EncoderShelf(services)
    parts = Parts()
    with gr.Row(elem_id="ps"):
        with gr.Column(scale=3, min_width=340, elem_id="ps-inputs"):
            _lay_out_inputs(parts, services)
        with gr.Column(scale=8, min_width=340, elem_id="ps-outputs"):
            _lay_out_pose(parts)
            _lay_out_photo(parts)
            _lay_out_audit(parts)
            _lay_out_file(parts)
    parts.looked = gr.State(None, time_to_live=RESULT_LIFE_S)

    _wire_pose(parts, services, shelf)
    _wire_inputs(parts, services)
    _wire_downloads(parts, services)
    _wire_photo(parts, services)
    _wire_audit(parts, services, shelf)
    _wire_file(parts, services)
    api.build(services)


# ------------------------------------------------------------------ layout


def _html(elem_id: str, **kwargs: Any) -> gr.HTML:
    """A place for one of our own fragments, without Gradio's styles for prose."""
    return gr.HTML(elem_id=elem_id, apply_default_css=False, **kwargs)


def _heading(key: str) -> None:
    gr.Markdown(label(key), elem_classes="wb-heading")


def _hint(key: str) -> None:
    gr.Markdown(label(key), elem_classes="wb-hint")


def _lay_out_inputs(parts: Parts, services: Services) -> None:
    with gr.Column(elem_classes="wb-card"):
        parts.head = Plot(height_px=250, elem_id="ps-head")
        parts.dials = PoseDials(FIRST_POSE, elem_id="ps-dials")
        _hint("pose_frame")
    with gr.Column(elem_classes="wb-card"):
        parts.mode = gr.Radio(
            [(label(f"pose_mode_{mode}"), mode) for mode in ("discrete", "continuous")],
            value="discrete",
            label=label("pose_mode"),
            elem_id="ps-mode",
        )
        parts.expression = _word_choice("expression", EXPRESSIONS)
        parts.light = _word_choice("lighting", LIGHTS)
    with gr.Column(elem_classes="wb-card"):
        parts.model = gr.Dropdown([], label=label("pose_model"), elem_id="ps-model")
        parts.model_note = _html("ps-model-note")
    parts.advanced = gr.Accordion(label("pose_advanced"), open=False, elem_id="ps-advanced")
    with parts.advanced:
        parts.template = gr.Dropdown(
            list(TEMPLATES), value="{}", allow_custom_value=True, label=label("pose_template"), elem_id="ps-template"
        )
        parts.device = gr.Dropdown(
            list(dict.fromkeys(["auto", "cpu", "gpu", services.settings.device])),
            value=services.settings.device,
            label=label("pose_device"),
            elem_id="ps-device",
        )


def _word_choice(name: str, words: tuple[str, ...]) -> gr.Dropdown:
    return gr.Dropdown(
        ["", *words],
        value="",
        allow_custom_value=True,
        label=label(f"pose_{name}"),
        info=label("pose_word_hint"),
        elem_id=f"ps-{name}",
    )


def _lay_out_pose(parts: Parts) -> None:
    parts.status = _html("ps-status")
    with gr.Row(equal_height=True):
        with gr.Column(scale=1, min_width=320, elem_classes="wb-card"):
            _heading("pose_caption")
            parts.caption = _html("ps-caption")
            parts.statistics = _html("ps-statistics")
        with gr.Column(scale=1, min_width=320, elem_classes="wb-card"):
            _heading("pose_map")
            parts.map = Plot(height_px=270, elem_id="ps-map")
            _hint("pose_map_hint")
    with gr.Row(equal_height=True):
        with gr.Column(scale=1, min_width=320, elem_classes="wb-card"):
            _heading("pose_embedding")
            parts.embedding = Plot(height_px=250, elem_id="ps-embedding")
            with gr.Row(elem_id="ps-downloads"):
                _heading("pose_download")
                parts.downloads = {
                    kind: gr.Button(f".{kind}", size="sm", scale=0, min_width=60, elem_id=f"ps-get-{kind}")
                    for kind in VECTOR_FORMATS
                }
                parts.download = gr.DownloadButton(visible="hidden", elem_id="ps-download")
        with gr.Column(scale=1, min_width=320, elem_classes="wb-card"):
            _heading("pose_qkv")
            parts.encoder = gr.Dropdown(
                list(ENCODERS), value="clip", filterable=False, label=label("pose_encoder"), elem_id="ps-encoder"
            )
            parts.qkv = Plot(height_px=190, elem_id="ps-qkv")
            parts.qkv_note = _html("ps-qkv-note")


def _lay_out_photo(parts: Parts) -> None:
    with gr.Column(elem_classes="wb-card"):
        _heading("pose_photo")
        with gr.Row():
            with gr.Column(scale=3, min_width=260):
                parts.image = UploadImage(
                    label=label("pose_photo_image"),
                    sources=["upload", "clipboard"],
                    buttons=[],
                    interactive=True,
                    height=170,
                    elem_id="ps-image",
                )
                parts.examples = _html(
                    "ps-examples",
                    head=assets.head(__file__),
                    js_on_load="WorkbenchPose.mountExamples(element, trigger);",
                )
                parts.photo_template = gr.Dropdown(
                    [(label("pose_templates_all"), ALL_TEMPLATES), *((each, each) for each in TEMPLATES)],
                    value=ALL_TEMPLATES,
                    label=label("pose_photo_template"),
                    elem_id="ps-photo-template",
                )
                _hint("pose_photo_hint")
            with gr.Column(scale=7, min_width=320):
                parts.photo_status = _html("ps-photo-status")
                parts.guess = _html(
                    "ps-guess",
                    head=assets.head(__file__),
                    js_on_load="WorkbenchPose.mountExamples(element, trigger);",
                )


def _lay_out_audit(parts: Parts) -> None:
    with gr.Column(elem_classes="wb-card"):
        _heading("pose_audit")
        parts.audit_run = gr.Button(label("pose_audit_run"), size="sm", elem_id="ps-audit-run")
        parts.audit = _html("ps-audit")


def _lay_out_file(parts: Parts) -> None:
    with gr.Column(elem_classes="wb-card"):
        _heading("pose_file")
        with gr.Row():
            with gr.Column(scale=3, min_width=260):
                parts.file = Uploads(
                    label=label("pose_file_drop"),
                    file_count="single",
                    file_types=[".csv", ".tsv", ".txt"],
                    height=110,
                    elem_id="ps-file",
                )
                parts.file_format = gr.Radio(
                    [(label(f"pose_file_{suffix[1:]}"), suffix) for suffix in FILE_SUFFIXES],
                    value=".npz",
                    label=label("pose_file_format"),
                    elem_id="ps-file-format",
                )
                with gr.Row():
                    parts.file_run = gr.Button(
                        label("pose_file_run"), variant="primary", scale=3, min_width=120, elem_id="ps-file-run"
                    )
                    parts.file_stop = gr.Button(
                        label("pose_file_stop"), interactive=False, scale=1, min_width=80, elem_id="ps-file-stop"
                    )
                _hint("pose_file_hint")
            with gr.Column(scale=7, min_width=320):
                parts.file_status = _html("ps-file-status")
                parts.file_result = _html("ps-file-result")
                parts.file_download = gr.DownloadButton(visible=False, elem_id="ps-file-download")


# ------------------------------------------------------------------ wiring: the pose


def _pose_inputs(parts: Parts) -> set[Any]:
    return {
        *(parts.dials, parts.mode, parts.expression, parts.light, parts.template),
        *(parts.model, parts.device, parts.encoder, parts.looked),
    }


def _wording(parts: Parts, values: Values) -> Wording:
    return Wording(
        continuous=values[parts.mode] == "continuous",
        expression=str(values[parts.expression] or "")[:200],
        light=str(values[parts.light] or "")[:200],
        template=str(values[parts.template] or "{}")[:200],
    )


def _asked(parts: Parts, values: Values) -> Asked:
    encoder = values[parts.encoder]
    if encoder not in ENCODERS:
        raise InputError(
            Says.there_no_encoder(name=str(encoder)[:40]), next_step=Common.choose(names=", ".join(ENCODERS))
        )
    return Asked(
        pose=Pose.read(values[parts.dials]),
        wording=_wording(parts, values),
        model=str(values[parts.model] or ""),
        encoder=encoder,
        device=str(values[parts.device]),
    )


def _wire_pose(parts: Parts, services: Services, shelf: EncoderShelf) -> None:
    def changed(values: Values, request: gr.Request) -> Updates:
        """Everything that follows the dials and the words."""
        language = services.language(request)
        try:
            with shown(language):
                asked = _asked(parts, values)
                _require_model(asked.model, language)
                return _shown(parts, look(services, shelf, asked), language)
        except gr.Error as error:
            return {parts.status: panels.fault_panel(error)}

    def opened(values: Values, request: gr.Request) -> Updates:
        """The first time that the tab is seen."""
        language = services.language(request)
        usable = services.usable_clips()
        model = default_model(services.settings.weights_dir) if usable else None
        return {
            parts.status: progress_panel(say(language, "pose_loading"), "", 0, 0) if model else "",
            parts.head: figures.head_drawing(language),
            parts.model: gr.Dropdown(usable, value=model),
            parts.model_note: _model_note(services, model, language),
            parts.examples: figures.examples_panel(_example_thumbnails(), language),
            parts.audit: figures.audit_panel((), "", language),
            parts.guess: panels.hint(say(language, "pose_photo_empty")),
            parts.embedding: say(language, "pose_embedding_empty"),
        }

    def to_place(values: Values, event: gr.EventData) -> Updates:
        """A click on the map takes the dials there."""
        point = event._data.get("point") if isinstance(event._data, dict) else None
        looked = values[parts.looked]
        if looked is None or not isinstance(point, list) or list(map(type, point)) != [int, int]:
            return {parts.dials: gr.skip()}
        row, column = point
        if not (0 <= row < len(looked.pitch_deg) and 0 <= column < len(looked.yaw_deg)):
            return {parts.dials: gr.skip()}
        pose = {"yaw": float(looked.yaw_deg[column]), "pitch": float(looked.pitch_deg[row])}
        return {parts.dials: {**pose, "roll": looked.asked.pose.roll}}

    def to_guess(event: gr.EventData) -> Updates:
        """The middle of the bins of the caption that fits a photo best."""
        from core.pose.text import CENTRE_POSES_DEG

        name = event._data.get("name") if isinstance(event._data, dict) else None
        if not (isinstance(name, str) and name.isdecimal() and int(name) < len(CENTRE_POSES_DEG)):
            return {parts.dials: gr.skip()}
        return {parts.dials: dict(zip(FIRST_POSE, CENTRE_POSES_DEG[int(name)].tolist(), strict=True))}

    inputs, outputs = _pose_inputs(parts), _pose_outputs(parts)
    first = [
        *(parts.status, parts.head, parts.model, parts.model_note, parts.examples, parts.audit, parts.guess),
        parts.embedding,
    ]
    parts.dials.select(opened, inputs, first, **AT_ONCE).then(changed, inputs, outputs, **FOLLOWING)
    controls = [parts.dials, parts.mode, parts.expression, parts.light, parts.template, parts.model, parts.device]
    gr.on([*(control.input for control in controls), parts.encoder.input], changed, inputs, outputs, **FOLLOWING)
    parts.map.select(to_place, {parts.looked}, [parts.dials], **AT_ONCE).then(changed, inputs, outputs, **FOLLOWING)
    parts.guess.click(to_guess, None, [parts.dials], **AT_ONCE).then(changed, inputs, outputs, **FOLLOWING)


def _pose_outputs(parts: Parts) -> list[Any]:
    return [
        *(parts.status, parts.looked, parts.caption, parts.statistics, parts.embedding, parts.map, parts.qkv),
        parts.qkv_note,
    ]


def _shown(parts: Parts, looked: Looked, language: Language) -> Updates:
    notices = panels.notes_panel(language, notices=looked.made.notices)
    return {
        parts.status: "",
        parts.looked: looked,
        parts.caption: figures.caption_panel(looked, language) + notices,
        parts.statistics: figures.statistics_panel(looked, language),
        parts.embedding: figures.embedding_drawing(looked, language),
        parts.map: figures.map_drawing(looked, language),
        parts.qkv: figures.qkv_drawing(looked, language),
        parts.qkv_note: figures.qkv_note(looked, language),
    }


def _require_model(model: str, language: Language) -> None:
    if not model:
        raise InputError(say(language, "pose_no_model"), next_step="python -m core models list")


def _model_note(services: Services, model: str | None, language: Language) -> str:
    """The catalogue's line about the model; the built-in one says there what it cannot do."""
    from core.models.catalogue import find

    if not model:
        return panels.hint(say(language, "pose_no_model"))
    try:
        advice = find(model, services.settings.weights_dir).advice
    except WorkbenchError:
        return ""
    return panels.hint(advice.said(language))


def _wire_inputs(parts: Parts, services: Services) -> None:
    def model_note(model: str | None, request: gr.Request) -> str:
        return _model_note(services, model, services.language(request))

    def device_choices(device: str) -> gr.Dropdown:
        # Asked for only when the panel is opened: it imports torch.
        from core.models.device import device_names

        return gr.Dropdown(list(dict.fromkeys(["auto", "cpu", "gpu", *device_names(), device])))

    parts.model.input(model_note, parts.model, parts.model_note, **AT_ONCE)
    parts.advanced.expand(device_choices, parts.device, parts.device, **AT_ONCE)


def _wire_downloads(parts: Parts, services: Services) -> None:
    def writer(kind: str) -> Callable[[Looked | None, gr.Request], str]:
        def write(looked: Looked | None, request: gr.Request) -> str:
            language = services.language(request)
            with shown(language):
                if looked is None:
                    raise InputError(say(language, "pose_gone"), next_step=say(language, "pose_gone_next"))
                return str(vector_file(services, looked, kind))

        return write

    for kind, button in parts.downloads.items():
        # The file is made when it is asked for; then the hidden download link that holds it is pressed.
        button.click(writer(kind), parts.looked, parts.download, **COMPUTES).success(
            None, js="() => setTimeout(() => document.querySelector('#ps-download').click(), 60)", **PRIVATE
        )


# ------------------------------------------------------------------ wiring: a photo


def _example_thumbnails() -> list[tuple[str, str]]:
    drawn = data_uri(rendered_head(Pose.read(FIRST_POSE), 96))
    photos = [(name, data_uri(figures.shown_size(example_head(name), 96))) for name in EXAMPLE_HEADS]
    return [(RENDERED, drawn), *photos]


def _wire_photo(parts: Parts, services: Services) -> None:
    def looked_at(values: Values, request: gr.Request) -> Updates:
        language = services.language(request)
        uploads: list[Upload] = values[parts.image]
        if not uploads:
            return {parts.photo_status: "", parts.guess: panels.hint(say(language, "pose_photo_empty"))}
        try:
            with shown(language):
                model = str(values[parts.model] or "")
                _require_model(model, language)
                template = values[parts.photo_template]
                templates = TEMPLATES if template == ALL_TEMPLATES else (str(template),)
                limits = services.settings.web_limits
                rgb_HWC, made = guess(services, uploads[0], model, str(values[parts.device]), templates, limits)
                notices = panels.notes_panel(language, notices=made.notices)
                panel = figures.guess_panel(made, figures.shown_size(rgb_HWC), language)
                return {parts.photo_status: "", parts.guess: notices + panel}
        except gr.Error as error:
            return {parts.photo_status: panels.fault_panel(error), parts.guess: ""}

    def example(values: Values, event: gr.EventData, request: gr.Request) -> Updates:
        from PIL import Image

        name = event._data.get("name") if isinstance(event._data, dict) else None
        with shown(services.language(request)):
            if name == RENDERED:
                rgb_HWC = rendered_head(Pose.read(values[parts.dials]))
            elif name in EXAMPLE_HEADS:
                rgb_HWC = example_head(name)
            else:
                raise InputError(Says.there_no_such_example())
            # Into the private folder: Gradio serves nothing from the project's own.
            path = Path(tempfile.mkdtemp(dir=services.scratch_dir)) / f"{Path(name).stem}.png"
            Image.fromarray(np.ascontiguousarray(rgb_HWC)).save(path)
            return {parts.image: str(path)}

    inputs = {parts.image, parts.model, parts.device, parts.photo_template}
    outputs = [parts.photo_status, parts.guess]
    gr.on([parts.image.change, parts.photo_template.input, parts.model.input], looked_at, inputs, outputs, **FOLLOWING)
    parts.examples.click(example, {parts.dials}, [parts.image], **AT_ONCE)


# ------------------------------------------------------------------ wiring: the audit


def _wire_audit(parts: Parts, services: Services, shelf: EncoderShelf) -> None:
    def run(values: Values, request: gr.Request) -> Iterator[Updates]:
        language = services.language(request)
        made: list[PoseAudit] = []
        running = gr.Button(interactive=False)
        yield {
            parts.audit: figures.audit_panel((), say(language, "pose_file_waiting"), language),
            parts.audit_run: running,
        }
        try:
            with shown(language):
                model = str(values[parts.model] or "")
                _require_model(model, language)
                for step in audits(services, shelf, model, str(values[parts.device])):
                    if isinstance(step, PoseAudit):
                        made.append(step)
                    else:
                        words = say(language, "pose_audit_progress", name=step.stage)
                        yield {parts.audit: figures.audit_panel(made, words, language), parts.audit_run: running}
                panel = figures.audit_panel(made, "", language)
        except gr.Error as error:
            panel = panels.fault_panel(error)
        yield {parts.audit: panel, parts.audit_run: gr.Button(interactive=True)}

    parts.audit_run.click(run, {parts.model, parts.device}, [parts.audit, parts.audit_run], **COMPUTES)


# ------------------------------------------------------------------ wiring: a file


def _wire_file(parts: Parts, services: Services) -> None:
    def switched(running: bool) -> Updates:
        return {parts.file_run: gr.Button(interactive=not running), parts.file_stop: gr.Button(interactive=running)}

    def begin(request: gr.Request) -> Updates:
        waiting = progress_panel(say(services.language(request), "pose_file_waiting"), "", 0, 0)
        return {
            **switched(True),
            parts.file_status: waiting,
            parts.file_result: "",
            parts.file_download: gr.DownloadButton(visible=False),
        }

    def progress(step: Progress, language: Language) -> str:
        count = say(language, "pose_file_count", done=step.done, total=step.total) if step.total else ""
        return progress_panel(say(language, "pose_file_stage"), count, step.done, step.total)

    def run(values: Values, request: gr.Request) -> Iterator[Updates]:
        language = services.language(request)
        try:
            with shown(language):
                uploads: list[Upload] = values[parts.file]
                if not uploads:
                    raise InputError(say(language, "pose_file_none"), next_step=say(language, "pose_file_none_next"))
                model = str(values[parts.model] or "")
                _require_model(model, language)
                wording, device = _wording(parts, values), str(values[parts.device])
                suffix = str(values[parts.file_format])
                with closing(convert(services, uploads[0], suffix, wording, model, device)) as steps:
                    for step in steps:
                        if isinstance(step, PosesResult):
                            button = gr.DownloadButton(
                                say(language, "pose_file_download", name=step.output.name),
                                value=str(step.output),
                                visible=True,
                            )
                            yield {
                                parts.file_status: "",
                                parts.file_result: figures.file_panel(step, language),
                                parts.file_download: button,
                            }
                        else:
                            yield {parts.file_status: progress(step, language)}
        except gr.Error as error:
            yield {parts.file_status: panels.fault_panel(error)}
        yield switched(False)

    def stopped(request: gr.Request) -> Updates:
        words = say(services.language(request), "pose_file_stopped")
        return {**switched(False), parts.file_status: panels.message_panel(words, kind="info")}

    inputs = {
        *(parts.file, parts.file_format, parts.mode, parts.expression, parts.light, parts.template),
        *(parts.model, parts.device),
    }
    switches = [parts.file_run, parts.file_stop]
    outputs = [*switches, parts.file_status, parts.file_result, parts.file_download]
    job = parts.file_run.click(begin, None, outputs, **AT_ONCE).then(run, inputs, outputs, **COMPUTES)
    parts.file_stop.click(stopped, None, [*switches, parts.file_status], cancels=[job], **AT_ONCE)
