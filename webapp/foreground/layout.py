"""What is on the Foreground tab. `tab.py` says what happens when."""

from __future__ import annotations

import gradio as gr

from core.foreground.prompt_lists import GROUPS, PRESETS, Group, preset
from core.foreground.prompts import TEMPLATE_SETS
from core.foreground.request import DEFAULT_METHOD, HEAT_METHODS, ForegroundRequest
from core.foreground.scoring import THRESHOLDS, Rule
from core.foreground.treatments import TREATMENTS, Treatment
from webapp.foreground.draw_pad import DrawPad
from webapp.foreground.job import FORMATS
from webapp.kit import assets
from webapp.kit.downloads import Handover
from webapp.kit.examples import PictureStrip
from webapp.kit.models import device_choice
from webapp.kit.panels import heading, hint_part, html_part
from webapp.kit.running import RunAndStop
from webapp.kit.services import Services
from webapp.kit.table import ResultTable
from webapp.kit.uploads import UploadImage, Uploads
from webapp.text import in_both, label

SOURCES = ("auto", "draw", "file", "boxes")
MODES_SHOWN = ("note", "balanced", "cosine")
"""The cosine view is another table; its scores are the note's."""
PRESETS_AT_FIRST: dict[Group, list[str]] = {
    "positive": ["note + COCO"],
    "negative": ["note negative"],
    "neutral": [],
}


class Parts:
    """The components that the wiring connects, by their place on the page."""

    # left: what goes in
    image: UploadImage
    examples: PictureStrip
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
    buttons: RunAndStop
    # right: what comes out
    status: gr.HTML
    results: gr.Column
    summary: gr.HTML
    downloads: dict[str, gr.Button]
    handover: Handover
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
    table: ResultTable
    # of this visitor, on the server
    ticket: gr.State  # str | None: of a Result on the shelf
    chosen: gr.State  # int: the row looked at closely


def lay_out(services: Services) -> Parts:
    """Everything but the states."""
    parts = Parts()
    with gr.Row(elem_id="fg"):
        with gr.Column(scale=3, min_width=340, elem_id="fg-inputs"):
            _lay_out_inputs(parts, services)
        with gr.Column(scale=8, min_width=340, elem_id="fg-outputs"):
            _lay_out_outputs(parts)
    return parts


def _carrier(name: str) -> gr.HTML:
    """Shows nothing: brings a picture to the pad or the scene (`script.js`)."""
    return html_part(
        f"fg-{name}",
        html_template="<span></span>",
        head=assets.head(__file__),
        js_on_load=f"WorkbenchForeground.carry('{name}', props, watch);",
        elem_classes="wb-carrier",
    )


# ------------------------------------------------------------------ what goes in


def _lay_out_inputs(parts: Parts, services: Services) -> None:
    parts.image = UploadImage(
        label=label("foreground_image"),
        sources=["upload", "clipboard"],
        buttons=[],
        interactive=True,
        height=190,
        elem_id="fg-image",
    )
    parts.examples = PictureStrip("fg-examples")
    with gr.Column(elem_classes="wb-card"):
        _lay_out_components(parts)
    with gr.Column(elem_classes="wb-card"):
        _lay_out_prompts(parts)
    with gr.Column(elem_classes="wb-card"):
        parts.model = gr.Dropdown([], label=label("foreground_model"), elem_id="fg-model")
        parts.model_note = html_part("fg-model-note")
        parts.treatment = gr.Radio(
            [(label(f"foreground_treatment_{name}"), name) for name in TREATMENTS],
            value=Treatment.name,
            label=label("foreground_treatment"),
            elem_id="fg-treatment",
        )
        parts.mode = gr.Radio(
            [(label(f"foreground_mode_{name}"), name) for name in MODES_SHOWN],
            value=ForegroundRequest.mode,
            label=label("foreground_mode"),
            elem_id="fg-mode",
        )
    parts.advanced = gr.Accordion(label("foreground_advanced"), open=False, elem_id="fg-advanced")
    with parts.advanced:
        _lay_out_advanced(parts, services)
    with gr.Row(elem_id="fg-go"):
        parts.buttons = RunAndStop.laid_out("foreground_run", "fg")
    hint_part("foreground_instant")


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
        hint_part("foreground_auto_hint")
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
    heading("foreground_lists")
    parts.prompts, parts.presets = {}, {}
    for group in GROUPS:
        lines = 2 if group == "neutral" else 4
        parts.prompts[group] = gr.Textbox(
            "\n".join(prompt for name in PRESETS_AT_FIRST[group] for prompt in preset(name).prompts),
            label=label(f"foreground_{group}"),
            lines=lines,
            max_lines=lines,
            elem_id=f"fg-{group}",
        )
        parts.presets[group] = gr.Dropdown(
            [each.name for each in PRESETS if each.group == group],
            value=PRESETS_AT_FIRST[group],
            multiselect=True,
            label=label("foreground_presets"),
            elem_id=f"fg-{group}-presets",
        )
    parts.lists = html_part("fg-lists")


def _lay_out_advanced(parts: Parts, services: Services) -> None:
    parts.thresholds = {
        name: gr.Slider(
            0, 1, value=getattr(Rule, name), step=0.01, label=label(f"foreground_{name}"), elem_id=f"fg-{name}"
        )
        for name in THRESHOLDS
    }
    parts.templates = gr.Dropdown(
        [(label(f"foreground_templates_{name}"), name) for name in TEMPLATE_SETS],
        value=ForegroundRequest.templates,
        label=label("foreground_templates"),
        elem_id="fg-templates",
    )
    parts.margin = gr.Slider(0, 1, value=ForegroundRequest.margin, step=0.05, label=label("foreground_margin"))
    parts.alpha = gr.Slider(0, 1, value=Treatment.alpha, step=0.05, label=label("foreground_alpha"))
    parts.grey = gr.Slider(0, 255, value=Treatment.grey, step=1, label=label("foreground_grey"))
    parts.gain = gr.Slider(0.5, 2, value=Treatment.gain, step=0.05, label=label("foreground_gain"))
    parts.blur = gr.Slider(0, 0.3, value=Treatment.blur, step=0.01, label=label("foreground_blur"))
    parts.device = device_choice(services, "fg-device")


# ------------------------------------------------------------------ what comes out


def _lay_out_outputs(parts: Parts) -> None:
    parts.status = html_part("fg-status")
    parts.scene_picture, parts.heat = _carrier("scene-picture"), _carrier("heat")
    parts.handover = Handover(elem_id="fg-download")
    parts.results = gr.Column(visible=False, elem_id="fg-results")
    with parts.results:
        parts.summary = html_part("fg-summary")
        with gr.Row(elem_id="fg-downloads"):
            heading("foreground_download")
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
        parts.notes = html_part("fg-notes")
        with gr.Row(equal_height=True):
            with gr.Column(scale=6, min_width=320, elem_classes="wb-card"):
                heading("foreground_scene")
                _lay_out_scene(parts)
            with gr.Column(scale=5, min_width=320, elem_classes="wb-card"):
                heading("foreground_one")
                parts.detail = html_part("fg-detail")
        with gr.Column(elem_classes="wb-card"):
            heading("foreground_treatments")
            parts.treatments = html_part("fg-treatments")
            with gr.Row(elem_id="fg-leak"):
                parts.leak = gr.Button(label("foreground_leak_measure"), size="sm", scale=0, elem_id="fg-leak-measure")
                parts.leak_note = html_part("fg-leak-note")
        with gr.Column(elem_classes="wb-card"):
            heading("foreground_table")
            parts.table = ResultTable("fg-table", max_height_px=420)


def _lay_out_scene(parts: Parts) -> None:
    slider = '<input type="range" min="0" max="100" value="0" id="fg-heat-opacity">'
    parts.scene = html_part(
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
    parts.legend = html_part("fg-legend")
    parts.heat_method = gr.Dropdown(
        list(HEAT_METHODS), value=DEFAULT_METHOD, label=label("foreground_heat_method"), elem_id="fg-heat-method"
    )
