"""What is on the Pose tab: the pose, its wording and the model at the left, what comes of them at the right."""

from __future__ import annotations

import gradio as gr

from core.pose.text import EXPRESSIONS, LIGHTS, TEMPLATES
from webapp.kit.downloads import Handover
from webapp.kit.examples import PictureStrip
from webapp.kit.models import device_choice
from webapp.kit.panels import heading, hint_part, html_part
from webapp.kit.plot import Plot
from webapp.kit.running import RunAndStop
from webapp.kit.services import Services
from webapp.kit.uploads import UploadImage, Uploads
from webapp.pose.dials import FIRST_POSE, PoseDials
from webapp.pose.job import ENCODERS, FILE_SUFFIXES, VECTOR_FORMATS
from webapp.text import label

ALL_TEMPLATES = "all"


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
    encoder: gr.Dropdown
    qkv: Plot
    qkv_note: gr.HTML
    # a photo
    image: UploadImage
    examples: PictureStrip
    photo_template: gr.Dropdown
    photo_status: gr.HTML
    guess: gr.HTML
    # the audit
    audit_run: gr.Button
    audit: gr.HTML
    # a file
    file: Uploads
    file_format: gr.Radio
    file_buttons: RunAndStop
    file_status: gr.HTML
    file_result: gr.HTML
    file_download: gr.Button
    handover: Handover
    # of this visitor, on the server
    looked: gr.State  # Looked | None
    converted: gr.State  # PosesResult | None


def lay_out(services: Services) -> Parts:
    """Everything but the states."""
    parts = Parts()
    with gr.Row(elem_id="ps"):
        with gr.Column(scale=3, min_width=340, elem_id="ps-inputs"):
            _lay_out_inputs(parts, services)
        with gr.Column(scale=8, min_width=340, elem_id="ps-outputs"):
            _lay_out_pose(parts)
            _lay_out_photo(parts)
            _lay_out_audit(parts)
            _lay_out_file(parts)
            parts.handover = Handover(elem_id="ps-handover")
    return parts


def _lay_out_inputs(parts: Parts, services: Services) -> None:
    with gr.Column(elem_classes="wb-card"):
        parts.head = Plot(height_px=250, elem_id="ps-head")
        parts.dials = PoseDials(FIRST_POSE, elem_id="ps-dials")
        hint_part("pose_frame")
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
        parts.model_note = html_part("ps-model-note")
    parts.advanced = gr.Accordion(label("pose_advanced"), open=False, elem_id="ps-advanced")
    with parts.advanced:
        parts.template = gr.Dropdown(
            list(TEMPLATES), value="{}", allow_custom_value=True, label=label("pose_template"), elem_id="ps-template"
        )
        parts.device = device_choice(services, "ps-device")


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
    parts.status = html_part("ps-status")
    with gr.Row(equal_height=True):
        with gr.Column(scale=1, min_width=320, elem_classes="wb-card"):
            heading("pose_caption")
            parts.caption = html_part("ps-caption")
            parts.statistics = html_part("ps-statistics")
        with gr.Column(scale=1, min_width=320, elem_classes="wb-card"):
            heading("pose_map")
            parts.map = Plot(height_px=270, elem_id="ps-map")
            hint_part("pose_map_hint")
    with gr.Row(equal_height=True):
        with gr.Column(scale=1, min_width=320, elem_classes="wb-card"):
            heading("pose_embedding")
            parts.embedding = Plot(height_px=250, elem_id="ps-embedding")
            with gr.Row(elem_id="ps-downloads"):
                heading("pose_download")
                parts.downloads = {
                    kind: gr.Button(f".{kind}", size="sm", scale=0, min_width=60, elem_id=f"ps-get-{kind}")
                    for kind in VECTOR_FORMATS
                }
        with gr.Column(scale=1, min_width=320, elem_classes="wb-card"):
            heading("pose_qkv")
            parts.encoder = gr.Dropdown(
                list(ENCODERS), value="clip", filterable=False, label=label("pose_encoder"), elem_id="ps-encoder"
            )
            parts.qkv = Plot(height_px=190, elem_id="ps-qkv")
            parts.qkv_note = html_part("ps-qkv-note")


def _lay_out_photo(parts: Parts) -> None:
    with gr.Column(elem_classes="wb-card"):
        heading("pose_photo")
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
                parts.examples = PictureStrip("ps-examples")
                parts.photo_template = gr.Dropdown(
                    [(label("pose_templates_all"), ALL_TEMPLATES), *((each, each) for each in TEMPLATES)],
                    value=ALL_TEMPLATES,
                    label=label("pose_photo_template"),
                    elem_id="ps-photo-template",
                )
                hint_part("pose_photo_hint")
            with gr.Column(scale=7, min_width=320):
                parts.photo_status = html_part("ps-photo-status")
                parts.guess = html_part("ps-guess", js_on_load="WorkbenchKit.mountNames(element, trigger);")


def _lay_out_audit(parts: Parts) -> None:
    with gr.Column(elem_classes="wb-card"):
        heading("pose_audit")
        parts.audit_run = gr.Button(label("pose_audit_run"), size="sm", elem_id="ps-audit-run")
        parts.audit = html_part("ps-audit")


def _lay_out_file(parts: Parts) -> None:
    with gr.Column(elem_classes="wb-card"):
        heading("pose_file")
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
                    parts.file_buttons = RunAndStop.laid_out("pose_file_run", "ps-file")
                hint_part("pose_file_hint")
            with gr.Column(scale=7, min_width=320):
                parts.file_status = html_part("ps-file-status")
                parts.file_result = html_part("ps-file-result")
                parts.file_download = gr.Button(visible=False, elem_id="ps-file-download")
