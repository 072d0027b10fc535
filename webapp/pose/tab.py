"""The Pose tab: a head pose in words, and what CLIP's text tower makes of the words.

`layout.py` lays out what is on the page; here stands what happens when. What is shown is made in `figures.py` and
`fragments.py`, the work is in `job.py`, the numbers in `core/pose/`. The dials and the head that turns with them live
in the browser (`dials.py`, `script.js`); the server is asked when the hand rests. The same without the page: `api.py`,
and `python -m core pose`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import gradio as gr
import numpy as np

from core.errors import InputError
from core.messages import english
from core.pose.audit import PoseAudit
from core.pose.embedding import Wording, default_model
from core.pose.poses import PosesResult
from core.pose.text import CENTRE_POSES_DEG, TEMPLATES
from core.settings import COMMAND
from core.types import Progress
from core.words import Common
from webapp.kit import panels
from webapp.kit.events import AT_ONCE, COMPUTES, FOLLOWING_COMPUTES, PRIVATE, Updates, Values
from webapp.kit.examples import chosen_name, strip
from webapp.kit.models import devices_on_opening, model_note, note_follows
from webapp.kit.notices import shown
from webapp.kit.panels import data_uri, progress_panel
from webapp.kit.services import RESULT_LIFE_S, Services
from webapp.kit.uploads import Upload
from webapp.pose import api, figures, fragments
from webapp.pose.dials import FIRST_POSE
from webapp.pose.job import (
    ENCODERS,
    EXAMPLE_HEADS,
    RENDERED,
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
    shown_size,
    vector_file,
)
from webapp.pose.layout import ALL_TEMPLATES, Parts, lay_out
from webapp.pose.words import Says
from webapp.text import Language, say


def build(services: Services) -> None:
    """The whole tab, inside its own `gr.Tab`."""
    shelf = EncoderShelf(services)
    parts = lay_out(services)
    parts.looked = gr.State(None, time_to_live=RESULT_LIFE_S)
    parts.converted = gr.State(None, time_to_live=RESULT_LIFE_S)

    _wire_pose(parts, services, shelf)
    note_follows(services, parts.model, parts.model_note)
    devices_on_opening(parts.advanced, parts.device)
    _wire_downloads(parts, services)
    _wire_photo(parts, services)
    _wire_audit(parts, services, shelf)
    _wire_file(parts, services)
    api.build(services)


# ------------------------------------------------------------------ wiring: the pose


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
            Says.no_such_encoder(name=str(encoder)[:40]), next_step=Common.choose(names=", ".join(ENCODERS))
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
                _require_model(asked.model)
                return _shown(parts, look(services, shelf, asked), language)
        except gr.Error as error:
            return {parts.status: panels.fault_panel(error)}

    def opened(request: gr.Request) -> Updates:
        """The first time that the tab is seen."""
        language = services.language(request)
        usable = services.usable_clips()
        model = default_model(services.settings.weights_dir) if usable else None
        return {
            parts.status: progress_panel(say(language, "pose_loading"), "", 0, 0) if model else "",
            parts.head: figures.head_drawing(language),
            parts.model: gr.Dropdown(usable, value=model),
            parts.model_note: model_note(services, model, language),
            parts.examples: _examples(language),
            parts.audit: fragments.audit_panel((), "", language),
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
        name = chosen_name(event)
        if not (name.isdecimal() and int(name) < len(CENTRE_POSES_DEG)):
            return {parts.dials: gr.skip()}
        return {parts.dials: dict(zip(FIRST_POSE, CENTRE_POSES_DEG[int(name)].tolist(), strict=True))}

    controls = [parts.dials, parts.mode, parts.expression, parts.light, parts.template, parts.model, parts.device]
    inputs = {*controls, parts.encoder, parts.looked}
    outputs = [
        *(parts.status, parts.looked, parts.caption, parts.statistics, parts.embedding, parts.map, parts.qkv),
        parts.qkv_note,
    ]
    first = [
        *(parts.status, parts.head, parts.model, parts.model_note, parts.examples, parts.audit, parts.guess),
        parts.embedding,
    ]
    parts.dials.select(opened, None, first, **AT_ONCE).then(changed, inputs, outputs, **FOLLOWING_COMPUTES)
    changes = [control.input for control in (*controls, parts.encoder)]
    gr.on(changes, changed, inputs, outputs, **FOLLOWING_COMPUTES)
    parts.map.select(to_place, {parts.looked}, [parts.dials], **AT_ONCE).then(
        changed, inputs, outputs, **FOLLOWING_COMPUTES
    )
    parts.guess.click(to_guess, None, [parts.dials], **AT_ONCE).then(changed, inputs, outputs, **FOLLOWING_COMPUTES)


def _shown(parts: Parts, looked: Looked, language: Language) -> Updates:
    notices = panels.notes_panel(language, notices=looked.made.notices)
    return {
        parts.status: "",
        parts.looked: looked,
        parts.caption: fragments.caption_panel(looked, language) + notices,
        parts.statistics: fragments.statistics_panel(looked, language),
        parts.embedding: figures.embedding_drawing(looked, language),
        parts.map: figures.map_drawing(looked, language),
        parts.qkv: figures.qkv_drawing(looked, language),
        parts.qkv_note: fragments.qkv_note(looked, language),
    }


def _require_model(model: str) -> None:
    if not model:
        raise InputError(Says.no_model(), next_step=english(f"{COMMAND} models list"))


def _wire_downloads(parts: Parts, services: Services) -> None:
    def writer(kind: str) -> Callable[[Looked | None, gr.Request], str]:
        def write(looked: Looked | None, request: gr.Request) -> str:
            with shown(services.language(request)):
                if looked is None:
                    raise InputError(Says.nothing_yet(), next_step=Says.turn_dial())
                return str(vector_file(services, looked, kind))

        return write

    for kind, button in parts.downloads.items():
        button.click(writer(kind), parts.looked, parts.handover, **COMPUTES)


# ------------------------------------------------------------------ wiring: a photo


def _examples(language: Language) -> str:
    """Heads to begin with; the first is the drawn one."""
    drawn = (RENDERED, data_uri(rendered_head(Pose.read(FIRST_POSE), 96)), say(language, "pose_photo_rendered"))
    photos = [(name, data_uri(shown_size(example_head(name), 96)), name) for name in EXAMPLE_HEADS]
    return strip(say(language, "pose_photo_examples"), [drawn, *photos])


def _wire_photo(parts: Parts, services: Services) -> None:
    def looked_at(values: Values, request: gr.Request) -> Updates:
        language = services.language(request)
        uploads: list[Upload] = values[parts.image]
        if not uploads:
            return {parts.photo_status: "", parts.guess: panels.hint(say(language, "pose_photo_empty"))}
        try:
            with shown(language):
                model = str(values[parts.model] or "")
                _require_model(model)
                template = values[parts.photo_template]
                templates = TEMPLATES if template == ALL_TEMPLATES else (str(template),)
                limits = services.settings.web_limits
                rgb_HWC, made = guess(services, uploads[0], model, str(values[parts.device]), templates, limits)
                notices = panels.notes_panel(language, notices=made.notices)
                panel = fragments.guess_panel(made, shown_size(rgb_HWC), language)
                return {parts.photo_status: "", parts.guess: notices + panel}
        except gr.Error as error:
            return {parts.photo_status: panels.fault_panel(error), parts.guess: ""}

    def example(values: Values, event: gr.EventData, request: gr.Request) -> Updates:
        from PIL import Image

        name = chosen_name(event)
        with shown(services.language(request)):
            if name == RENDERED:
                rgb_HWC = rendered_head(Pose.read(values[parts.dials]))
            elif name in EXAMPLE_HEADS:
                rgb_HWC = example_head(name)
            else:
                raise InputError(Says.no_such_example())
            # Into the private folder: Gradio serves nothing from the project's own.
            path = Path(tempfile.mkdtemp(dir=services.scratch_dir)) / f"{Path(name).stem}.png"
            Image.fromarray(np.ascontiguousarray(rgb_HWC)).save(path)
            return {parts.image: str(path)}

    inputs = {parts.image, parts.model, parts.device, parts.photo_template}
    outputs = [parts.photo_status, parts.guess]
    gr.on(
        [parts.image.change, parts.photo_template.input, parts.model.input],
        looked_at,
        inputs,
        outputs,
        **FOLLOWING_COMPUTES,
    )
    parts.examples.click(example, {parts.dials}, [parts.image], **AT_ONCE)


# ------------------------------------------------------------------ wiring: the audit


def _wire_audit(parts: Parts, services: Services, shelf: EncoderShelf) -> None:
    def run(values: Values, request: gr.Request) -> Iterator[Updates]:
        language = services.language(request)
        made: list[PoseAudit] = []
        running = gr.Button(interactive=False)
        yield {
            parts.audit: fragments.audit_panel((), say(language, "pose_file_waiting"), language),
            parts.audit_run: running,
        }
        try:
            with shown(language):
                model = str(values[parts.model] or "")
                _require_model(model)
                for step in audits(services, shelf, model, str(values[parts.device])):
                    if isinstance(step, PoseAudit):
                        made.append(step)
                    else:
                        words = say(language, "pose_audit_progress", name=step.stage)
                        yield {parts.audit: fragments.audit_panel(made, words, language), parts.audit_run: running}
                panel = fragments.audit_panel(made, "", language)
        except gr.Error as error:
            panel = panels.fault_panel(error)
        yield {parts.audit: panel, parts.audit_run: gr.Button(interactive=True)}

    parts.audit_run.click(run, {parts.model, parts.device}, [parts.audit, parts.audit_run], **COMPUTES)


# ------------------------------------------------------------------ wiring: a file


def _wire_file(parts: Parts, services: Services) -> None:
    buttons = parts.file_buttons

    def begin(request: gr.Request) -> Updates:
        waiting = progress_panel(say(services.language(request), "pose_file_waiting"), "", 0, 0)
        return {
            **buttons.switched(True),
            parts.file_status: waiting,
            parts.file_result: "",
            parts.file_download: gr.Button(visible=False),
            parts.converted: None,
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
                    raise InputError(Says.no_file(), next_step=Says.drop_csv())
                model = str(values[parts.model] or "")
                _require_model(model)
                wording, device = _wording(parts, values), str(values[parts.device])
                suffix = str(values[parts.file_format])
                with closing(convert(services, uploads[0], suffix, wording, model, device)) as steps:
                    for step in steps:
                        if isinstance(step, PosesResult):
                            words = say(language, "pose_file_download", name=step.output.name)
                            yield {
                                parts.file_status: "",
                                parts.file_result: fragments.file_panel(step, language),
                                parts.file_download: gr.Button(words, visible=True),
                                parts.converted: step,
                            }
                        else:
                            yield {parts.file_status: progress(step, language)}
        except gr.Error as error:
            yield {parts.file_status: panels.fault_panel(error)}
        yield buttons.switched(False)

    def stopped(request: gr.Request) -> Updates:
        words = say(services.language(request), "pose_file_stopped")
        return {**buttons.switched(False), parts.file_status: panels.message_panel(words, kind="info")}

    def output_of(converted: PosesResult | None, request: gr.Request) -> str:
        with shown(services.language(request)):
            if converted is None:
                raise InputError(Says.no_file(), next_step=Says.drop_csv())
            return str(converted.output)

    inputs = {
        *(parts.file, parts.file_format, parts.mode, parts.expression, parts.light, parts.template),
        *(parts.model, parts.device),
    }
    outputs = [*buttons.parts, parts.file_status, parts.file_result, parts.file_download, parts.converted]
    job = buttons.run.click(begin, None, outputs, **AT_ONCE).then(run, inputs, outputs, **COMPUTES)
    buttons.stop.click(stopped, None, [*buttons.parts, parts.file_status], cancels=[job], **AT_ONCE)
    parts.file_download.click(output_of, parts.converted, parts.handover, **PRIVATE)
