"""What is on the Vectorize tab. `tab.py` says what happens when."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr

from webapp.kit import assets
from webapp.kit.downloads import Handover
from webapp.kit.model_picker import ModelPicker
from webapp.kit.models import device_choice
from webapp.kit.panels import heading, hint_part, html_part
from webapp.kit.plot import Plot
from webapp.kit.running import RunAndStop
from webapp.kit.services import Services
from webapp.kit.table import ResultTable
from webapp.kit.uploads import UploadOne, Uploads
from webapp.text import label
from webapp.vectorize.job import FORMATS

DTYPES = ("auto", "fp32", "bf16", "fp16")


class Parts:
    """The components that the wiring connects, by their place on the page."""

    # left: what goes in
    files: Uploads
    examples: gr.Button
    models: ModelPicker
    advanced: gr.Accordion
    batch_size: gr.Slider
    device: gr.Dropdown
    dtype: gr.Dropdown
    normalize: gr.Checkbox
    buttons: RunAndStop  # the examples start the same job
    bench: gr.HTML
    bench_dtypes: gr.CheckboxGroup
    bench_buttons: RunAndStop
    # right: what comes out
    status: gr.HTML
    results: gr.Column
    summary: gr.HTML
    downloads: dict[str, gr.Button]
    handover: Handover
    notes: gr.HTML
    heatmap: Plot
    together: gr.Checkbox
    map: Plot
    method: gr.Radio
    map_note: gr.HTML
    table: ResultTable
    report: gr.HTML
    search_id: gr.Dropdown
    search_words: gr.Textbox
    search_model: gr.Dropdown
    search_go: gr.Button
    search_file: UploadOne
    search_note: gr.HTML
    hits: gr.HTML
    # of this visitor, on the server
    result: gr.State  # Result | None
    progress: gr.State  # Progress | None: how far the run is, for the words after a stop


def lay_out(services: Services) -> Parts:
    """Everything but the states."""
    parts = Parts()
    with gr.Row(elem_id="vz"):
        with gr.Column(scale=3, min_width=340, elem_id="vz-inputs"):
            _lay_out_inputs(parts, services)
        with gr.Column(scale=8, min_width=340, elem_id="vz-outputs"):
            _lay_out_outputs(parts)
    return parts


# ------------------------------------------------------------------ what goes in


def _lay_out_inputs(parts: Parts, services: Services) -> None:
    parts.files = Uploads(
        label=label("vectorize_drop"),
        file_count="multiple",
        file_types=["image", ".zip"],
        height=150,
        elem_id="vz-files",
    )
    parts.examples = gr.Button(label("vectorize_examples"), size="sm", elem_id="vz-examples")
    with gr.Column(elem_classes="wb-card"):
        heading("vectorize_models")
        parts.models = ModelPicker(services.settings, services.language, elem_id="vz-models")
    parts.advanced = gr.Accordion(label("vectorize_advanced"), open=False, elem_id="vz-advanced")
    with parts.advanced:
        parts.batch_size = gr.Slider(
            1, 256, value=32, step=1, label=label("vectorize_batch_size"), info=label("vectorize_batch_size_info")
        )
        with gr.Row():
            parts.device = device_choice(services, "vz-device")
            parts.dtype = gr.Dropdown(
                list(DTYPES), value="auto", label=label("vectorize_dtype"), min_width=120, elem_id="vz-dtype"
            )
        hint_part("vectorize_dtype_info")
        parts.normalize = gr.Checkbox(False, label=label("vectorize_normalize"), elem_id="vz-normalize")
    with gr.Row():
        parts.buttons = replace(RunAndStop.laid_out("vectorize_run", "vz"), others=(parts.examples,))
    with gr.Accordion(label("vectorize_bench"), open=False, elem_id="vz-bench"):
        hint_part("vectorize_bench_intro")
        parts.bench_dtypes = gr.CheckboxGroup(
            list(DTYPES[1:]), value=["fp32"], show_label=False, container=False, elem_id="vz-bench-dtypes"
        )
        with gr.Row():
            parts.bench_buttons = RunAndStop.laid_out("vectorize_bench_run", "vz-bench", small=True)
        parts.bench = html_part("vz-bench-table")


# ------------------------------------------------------------------ what comes out


def _lay_out_outputs(parts: Parts) -> None:
    parts.status = html_part("vz-status", head=assets.head(__file__))
    parts.handover = Handover(elem_id="vz-download")
    parts.results = gr.Column(visible=False, elem_id="vz-results")
    with parts.results:
        parts.summary = html_part("vz-summary")
        with gr.Row(elem_id="vz-downloads"):
            heading("vectorize_download")
            parts.downloads = {
                suffix: gr.Button(suffix, size="sm", scale=0, min_width=64, elem_id=f"vz-get-{suffix[1:]}")
                for suffix in FORMATS
            }
        parts.notes = html_part("vz-notes")
        with gr.Row(equal_height=True):
            with gr.Column(min_width=320, elem_classes="wb-card"):
                with gr.Row(elem_classes="wb-card-head"):
                    heading("vectorize_heatmap")
                    parts.together = gr.Checkbox(
                        False, label=label("vectorize_together"), container=False, scale=0, elem_id="vz-together"
                    )
                parts.heatmap = Plot(height_px=400, elem_id="vz-heatmap")
            with gr.Column(min_width=320, elem_classes="wb-card"):
                with gr.Row(elem_classes="wb-card-head"):
                    heading("vectorize_map")
                    parts.method = gr.Radio(
                        [("PCA", "pca"), ("t-SNE", "tsne")],
                        value="pca",
                        label=label("vectorize_map"),
                        show_label=False,
                        container=False,
                        scale=0,
                        min_width=140,
                        elem_id="vz-method",
                    )
                parts.map = Plot(height_px=378, elem_id="vz-map")
                parts.map_note = html_part("vz-map-note")
        with gr.Row(equal_height=True):
            with gr.Column(scale=5, min_width=320, elem_classes="wb-card"):
                heading("vectorize_table")
                parts.table = ResultTable("vz-table", max_height_px=372)
            with gr.Column(scale=4, min_width=320, elem_classes="wb-card"):
                heading("vectorize_report")
                parts.report = html_part("vz-report")
        with gr.Column(elem_classes="wb-card"):
            heading("vectorize_search")
            _lay_out_search(parts)


def _lay_out_search(parts: Parts) -> None:
    with gr.Row(elem_id="vz-search-row"):
        parts.search_id = gr.Dropdown(
            [], label=label("vectorize_search_id"), min_width=180, scale=2, elem_id="vz-search-id"
        )
        parts.search_file = UploadOne(
            label("vectorize_search_upload"), file_types=["image"], min_width=190, scale=0, elem_id="vz-search-file"
        )
        parts.search_words = gr.Textbox(
            label=label("vectorize_search_words"),
            placeholder=label("vectorize_search_placeholder"),
            max_lines=1,
            scale=3,
            min_width=180,
            elem_id="vz-search-words",
        )
        # Words are compared inside one model's part of the vectors: asked for where several models understand words.
        parts.search_model = gr.Dropdown(
            [], label=label("vectorize_search_model"), visible=False, min_width=180, scale=2, elem_id="vz-search-model"
        )
        parts.search_go = gr.Button(label("vectorize_search_go"), scale=0, min_width=90, elem_id="vz-search-go")
    parts.search_note = html_part("vz-search-note")
    parts.hits = html_part(
        "vz-hits", head=assets.head(__file__), js_on_load="WorkbenchVectorize.mountHits(element, trigger);"
    )
