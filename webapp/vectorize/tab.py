"""The Vectorize tab: photos in, vectors out, and what one wants to see of them.

`build` lays out what is on the page, then `_wire` says what happens when. What is shown is made in `webapp/figures/`,
one run in `webapp/vectorize/job.py`, the numbers in `core/vectorize/`. The same work without the page:
`webapp/vectorize/api.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.errors import InputError
from core.types import ImageSource, Progress, VectorizeRequest
from core.vectorize import search
from webapp.kit import assets
from webapp.kit.drawing import Drawing
from webapp.kit.model_picker import ModelPicker, picker_value
from webapp.kit.notices import shown
from webapp.kit.plot import Plot
from webapp.kit.services import COMPUTE, COMPUTE_LIMIT, Services
from webapp.kit.uploads import Upload, UploadOne, Uploads
from webapp.kit.words import KitSays
from webapp.shell.frame import show_outputs_js
from webapp.text import Language, label, say
from webapp.vectorize import api, figures, panels
from webapp.vectorize.job import FORMATS, Result, download_file
from webapp.vectorize.job import run as vectorizing

if TYPE_CHECKING:
    from core.models.bench import BenchRow

DTYPES = ("auto", "fp32", "bf16", "fp16")
DEVICES = ("auto", "cpu", "gpu")
HITS = 24
BENCH_S = 2.0
RESULT_LIFE_S = 6 * 3600
"""A result is forgotten as late as uploads and files are (`webapp.shell.scratch.KEEP_S`)."""

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
COMPUTES: dict[str, Any] = {**PRIVATE, "concurrency_id": COMPUTE, "concurrency_limit": COMPUTE_LIMIT}
SEEN_COMPUTES: dict[str, Any] = {**COMPUTES, "show_progress": "minimal"}

Updates = dict[Any, Any]
"""Component → its new value or properties: what a handler returns or yields."""


class Parts:
    """The components that `_wire` connects, by their place on the page."""

    # left: what goes in
    files: Uploads
    examples: gr.Button
    models: ModelPicker
    advanced: gr.Accordion
    batch_size: gr.Slider
    device: gr.Dropdown
    dtype: gr.Dropdown
    normalize: gr.Checkbox
    run: gr.Button
    stop: gr.Button
    bench: gr.HTML
    bench_dtypes: gr.CheckboxGroup
    bench_run: gr.Button
    bench_stop: gr.Button
    # right: what comes out
    status: gr.HTML
    results: gr.Column
    summary: gr.HTML
    downloads: dict[str, gr.Button]
    download: gr.DownloadButton
    notes: gr.HTML
    heatmap: Plot
    together: gr.Checkbox
    map: Plot
    method: gr.Radio
    map_note: gr.HTML
    table: gr.Dataframe
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


def build(services: Services) -> None:
    """The whole tab, inside its own `gr.Tab`."""
    parts = Parts()
    with gr.Row(elem_id="vz"):
        with gr.Column(scale=3, min_width=340, elem_id="vz-inputs"):
            _lay_out_inputs(parts, services)
        with gr.Column(scale=8, min_width=340, elem_id="vz-outputs"):
            _lay_out_outputs(parts)
    parts.result = gr.State(None, time_to_live=RESULT_LIFE_S, delete_callback=_forget)
    parts.progress = gr.State(None)

    _wire_first_sight(parts, services)
    _wire_run(parts, services)
    _wire_charts(parts, services)
    _wire_search(parts, services)
    _wire_downloads(parts, services)
    _wire_bench(parts, services)
    api.build(services)


# ------------------------------------------------------------------ layout


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
        gr.Markdown(label("vectorize_models"), elem_classes="wb-heading")
        parts.models = ModelPicker(services.settings, services.language, elem_id="vz-models")
    parts.advanced = gr.Accordion(label("vectorize_advanced"), open=False, elem_id="vz-advanced")
    with parts.advanced:
        parts.batch_size = gr.Slider(
            1, 256, value=32, step=1, label=label("vectorize_batch_size"), info=label("vectorize_batch_size_info")
        )
        with gr.Row():
            parts.device = gr.Dropdown(
                list(dict.fromkeys([*DEVICES, services.settings.device])),
                value=services.settings.device,
                label=label("vectorize_device"),
                min_width=120,
                elem_id="vz-device",
            )
            parts.dtype = gr.Dropdown(
                list(DTYPES), value="auto", label=label("vectorize_dtype"), min_width=120, elem_id="vz-dtype"
            )
        gr.Markdown(label("vectorize_dtype_info"), elem_classes="wb-hint")
        parts.normalize = gr.Checkbox(False, label=label("vectorize_normalize"), elem_id="vz-normalize")
    with gr.Row():
        parts.run = gr.Button(label("vectorize_run"), variant="primary", elem_id="vz-run", scale=3, min_width=120)
        parts.stop = gr.Button(label("vectorize_stop"), interactive=False, elem_id="vz-stop", scale=1, min_width=80)
    with gr.Accordion(label("vectorize_bench"), open=False, elem_id="vz-bench"):
        gr.Markdown(label("vectorize_bench_intro"), elem_classes="wb-hint")
        parts.bench_dtypes = gr.CheckboxGroup(
            list(DTYPES[1:]), value=["fp32"], show_label=False, container=False, elem_id="vz-bench-dtypes"
        )
        with gr.Row():
            parts.bench_run = gr.Button(label("vectorize_bench_run"), size="sm", min_width=80, elem_id="vz-bench-run")
            parts.bench_stop = gr.Button(
                label("vectorize_stop"), size="sm", min_width=80, interactive=False, elem_id="vz-bench-stop"
            )
        parts.bench = _html("vz-bench-table")


def _lay_out_outputs(parts: Parts) -> None:
    parts.status = _html("vz-status", head=assets.head(__file__))
    parts.results = gr.Column(visible=False, elem_id="vz-results")
    with parts.results:
        parts.summary = _html("vz-summary")
        with gr.Row(elem_id="vz-downloads"):
            gr.Markdown(label("vectorize_download"), elem_classes="wb-heading")
            parts.downloads = {
                suffix: gr.Button(suffix, size="sm", scale=0, min_width=64, elem_id=f"vz-get-{suffix[1:]}")
                for suffix in FORMATS
            }
            parts.download = gr.DownloadButton(visible="hidden", elem_id="vz-download")
        parts.notes = _html("vz-notes")
        with gr.Row(equal_height=True):
            with gr.Column(min_width=320, elem_classes="wb-card"):
                with gr.Row(elem_classes="wb-card-head"):
                    gr.Markdown(label("vectorize_heatmap"), elem_classes="wb-heading")
                    parts.together = gr.Checkbox(
                        False, label=label("vectorize_together"), container=False, scale=0, elem_id="vz-together"
                    )
                parts.heatmap = Plot(height_px=400, elem_id="vz-heatmap")
            with gr.Column(min_width=320, elem_classes="wb-card"):
                with gr.Row(elem_classes="wb-card-head"):
                    gr.Markdown(label("vectorize_map"), elem_classes="wb-heading")
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
                parts.map_note = _html("vz-map-note")
        with gr.Row(equal_height=True):
            with gr.Column(scale=5, min_width=320, elem_classes="wb-card"):
                gr.Markdown(label("vectorize_table"), elem_classes="wb-heading")
                parts.table = gr.Dataframe(
                    label=label("vectorize_table"),
                    show_label=False,
                    interactive=False,
                    max_height=372,
                    column_widths=["33%", "11%", "15%", "14%", "14%", "13%"],
                    elem_id="vz-table",
                    elem_classes="wb-dense",
                )
            with gr.Column(scale=4, min_width=320, elem_classes="wb-card"):
                gr.Markdown(label("vectorize_report"), elem_classes="wb-heading")
                parts.report = _html("vz-report")
        with gr.Column(elem_classes="wb-card"):
            gr.Markdown(label("vectorize_search"), elem_classes="wb-heading")
            _lay_out_search(parts)


def _html(elem_id: str, **kwargs: Any) -> gr.HTML:
    """A place for one of our own fragments, without Gradio's styles for prose."""
    return gr.HTML(elem_id=elem_id, apply_default_css=False, **kwargs)


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
    parts.search_note = _html("vz-search-note")
    parts.hits = _html(
        "vz-hits",
        js_on_load="""
            element.addEventListener('click', (event) => {
                const hit = event.target.closest('[data-row]');
                if (hit) trigger('click', {row: Number(hit.dataset.row)});
            });
        """,
    )


# ------------------------------------------------------------------ wiring: when the page is opened


def _wire_first_sight(parts: Parts, services: Services) -> None:
    def greet(request: gr.Request) -> Updates:
        language = services.language(request)
        return {
            parts.models: picker_value(services.settings, language),
            parts.status: panels.empty_panel(language),
        }

    gr.on(None, greet, None, [parts.models, parts.status], **AT_ONCE)


# ------------------------------------------------------------------ wiring: the run


def _wire_run(parts: Parts, services: Services) -> None:
    switches = [parts.run, parts.examples, parts.stop]

    def switched(running: bool) -> Updates:
        return {
            parts.run: gr.Button(interactive=not running),
            parts.examples: gr.Button(interactive=not running),
            parts.stop: gr.Button(interactive=running),
        }

    def progress(step: Progress, language: Language) -> Updates:
        return {parts.progress: step, parts.status: panels.progress_panel(step, language)}

    def begin(request: gr.Request) -> Updates:
        waiting = progress(Progress("wait", 0, 0), services.language(request))
        return {**switched(True), **waiting, parts.results: gr.Column(visible=False)}

    def run(
        files: list[Upload],
        models: tuple[str, ...],
        batch_size: int,
        device: str,
        dtype: str,
        normalize: bool,
        before: Result | None,
        request: gr.Request,
    ) -> Iterator[Updates]:
        language = services.language(request)
        yield progress(Progress("read", 0, 0), language)
        try:
            with shown(language):
                _expect_models(models, language)
                wanted = VectorizeRequest(models, int(batch_size), device, dtype, normalize)
                with closing(vectorizing(services, files, wanted)) as steps:
                    for step in steps:
                        if isinstance(step, Progress):
                            yield progress(step, language)
                        else:
                            _forget(before)
                            yield _shown(parts, services, step, language)
        except gr.Error as error:
            yield {parts.status: panels.fault_panel(error.title, error.message)}
        yield switched(False)

    def stopped(progress: Progress | None, request: gr.Request) -> Updates:
        language = services.language(request)
        words = say(language, "vectorize_stopped_early")
        if progress and progress.total:
            words = say(language, "vectorize_stopped", done=progress.done, total=progress.total)
        return {**switched(False), parts.status: panels.message_panel(words, kind="info")}

    def example_files() -> list[str]:
        # Copied into the private folder: Gradio serves nothing from the project's own.
        folder = Path(tempfile.mkdtemp(dir=services.scratch_dir))
        return [str(shutil.copy(photo, folder)) for photo in sorted(assets.PHOTOS_DIR.glob("*.jpg"))]

    inputs = [parts.files, parts.models, parts.batch_size, parts.device, parts.dtype, parts.normalize, parts.result]
    result_outputs = [
        *(parts.result, parts.results, parts.summary, parts.notes, parts.heatmap, parts.together, parts.map),
        *(parts.method, parts.map_note, parts.table, parts.report, parts.search_id, parts.search_words),
        *(parts.search_model, parts.search_go, parts.search_file, parts.search_note, parts.hits),
    ]
    # First what shows that the click was heard: the run itself may have to wait for others'.
    begun = [*switches, parts.status, parts.progress, parts.results]
    outputs = [*switches, parts.status, parts.progress, *result_outputs]
    photos = parts.examples.click(example_files, None, parts.files, **AT_ONCE)
    jobs = [
        start(begin, None, begun, js=show_outputs_js("vz-outputs"), **AT_ONCE).then(run, inputs, outputs, **COMPUTES)
        for start in (parts.run.click, photos.then)
    ]
    parts.stop.click(stopped, parts.progress, [*switches, parts.status], cancels=jobs, **AT_ONCE)

    def device_choices(device: str) -> gr.Dropdown:
        # Asked for only when the panel is opened: it imports torch.
        from core.models.device import device_names

        return gr.Dropdown(list(dict.fromkeys([*DEVICES, *device_names(), device])))

    parts.advanced.expand(device_choices, parts.device, parts.device, **AT_ONCE)


def _expect_models(models: tuple[str, ...], language: Language) -> None:
    if not models:
        raise InputError(say(language, "vectorize_no_model"), next_step=say(language, "vectorize_no_model_next"))


def _shown(parts: Parts, services: Services, result: Result, language: Language) -> Updates:
    """Everything on the right for a new result."""
    table = result.table
    if not table.ids:
        headline = say(language, "vectorize_no_rows")
        status = panels.message_panel(headline) + panels.notes_panel(table.rejects, table.notices, (), language)
        return {parts.result: None, parts.status: status}
    readers = [member.model_id for member in search.text_members(table, services.manager)]
    no_words = say(language, "vectorize_search_no_text", models=", ".join(m.model_id for m in table.members))
    return {
        parts.result: result,
        parts.status: "",
        parts.results: gr.Column(visible=True),
        parts.summary: panels.summary_panel(table, language),
        parts.notes: panels.notes_panel(table.rejects, table.notices, _limits(result, language), language),
        parts.heatmap: _heatmap(result, False, language),
        parts.together: gr.Checkbox(False, visible=len(table.ids) > 2),
        **_map(parts, result, "pca", language),
        parts.method: gr.Radio(value="pca", visible=len(table.ids) > 1),
        parts.table: figures.result_frame(table, language),
        parts.search_words: gr.Textbox(value="", interactive=bool(readers)),
        parts.search_model: gr.Dropdown(readers, value=readers[0] if readers else None, visible=len(readers) > 1),
        parts.search_go: gr.Button(interactive=bool(readers)),
        parts.search_note: "" if readers else panels.hint(no_words),
        parts.search_file: None,
        **_chosen(parts, result, 0, language, choices=True),
    }


def _limits(result: Result, language: Language) -> list[str]:
    """What the page shows only in part, in words."""
    count = len(result.table.ids)
    if count <= figures.HEATMAP_LIMIT:
        return []
    return [say(language, "vectorize_limit_heatmap", limit=figures.HEATMAP_LIMIT, count=count)]


def _forget(result: Result | None) -> None:
    if result is not None:
        result.forget()


def _at_hand(result: Result | None, language: Language) -> Result:
    """The result of this window; it may have been forgotten by age or by a restart."""
    if result is None:
        raise InputError(say(language, "vectorize_gone"), next_step=say(language, "vectorize_gone_next"))
    return result


# ------------------------------------------------------------------ wiring: charts and the chosen image


def _wire_charts(parts: Parts, services: Services) -> None:
    def heatmap(result: Result | None, together: bool, request: gr.Request) -> Drawing:
        language = services.language(request)
        with shown(language):
            return _heatmap(_at_hand(result, language), together, language)

    def projected(result: Result | None, method: str, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            return _map(parts, _at_hand(result, language), method, language)

    parts.together.input(heatmap, [parts.result, parts.together], parts.heatmap, **PRIVATE)
    parts.method.input(projected, [parts.result, parts.method], [parts.map, parts.map_note], **SEEN_COMPUTES)

    chosen = [parts.report, parts.search_id, parts.hits]

    def choose(result: Result | None, row: int, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            result = _at_hand(result, language)
            if not 0 <= row < len(result.table.ids):
                raise InputError(KitSays.there_no_row(row=row))
            return _chosen(parts, result, row, language)

    def choose_cell(result: Result | None, event: gr.SelectData, request: gr.Request) -> Updates:
        ids = result.table.ids if result else ()
        name = event.row_value[0] if event.row_value else None
        return choose(result, ids.index(name) if name in ids else -1, request)

    def choose_point(result: Result | None, event: gr.EventData, request: gr.Request) -> Updates:
        return choose(result, _number(event, "keys"), request)

    def choose_hit(result: Result | None, event: gr.EventData, request: gr.Request) -> Updates:
        return choose(result, _number(event, "row"), request)

    def choose_id(result: Result | None, name: str, request: gr.Request) -> Updates:
        ids = result.table.ids if result else ()
        return choose(result, ids.index(name) if name in ids else -1, request)

    parts.table.select(choose_cell, parts.result, chosen, **PRIVATE)
    parts.heatmap.select(choose_point, parts.result, chosen, **PRIVATE)
    parts.map.select(choose_point, parts.result, chosen, **PRIVATE)
    parts.hits.click(choose_hit, parts.result, chosen, **PRIVATE)
    parts.search_id.input(choose_id, [parts.result, parts.search_id], chosen, **PRIVATE)


def _number(event: gr.EventData, name: str) -> int:
    """A row's number from an event of the browser (a number, or a list whose first counts); -1 for anything else."""
    value = event._data.get(name) if isinstance(event._data, dict) else None
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, int) else -1


def _heatmap(result: Result, together: bool, language: Language) -> Drawing:
    view = f"{result.folder.name}-{together}"
    return figures.similarity_heatmap(result.table, result.thumbnails, language, together=together, view=view)


def _map(parts: Parts, result: Result, method: str, language: Language) -> Updates:
    """The map and the line below it. t-SNE of too few images is PCA, and the line says so."""
    vectors_ND, count = result.table.vectors_ND, len(result.table.ids)
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
    view = f"{result.folder.name}-{method}"
    drawing = figures.vector_map(result.table, xy_N2, result.thumbnails, language, view=view)
    return {parts.map: drawing, parts.map_note: panels.hint(note)}


def _chosen(parts: Parts, result: Result, row: int, language: Language, *, choices: bool = False) -> Updates:
    """One image of the result looked at more closely: its report, and the images nearest to it."""
    table = result.table
    row_id = table.ids[row]
    hits = search.by_vector(table.vectors_ND[row], table, HITS)
    headline = say(language, "vectorize_search_like", query=row_id)
    names = {"choices": list(table.ids)} if choices else {}
    return {
        parts.report: panels.report_panel(table, row, result.thumbnails.get(row_id, ""), language),
        parts.search_id: gr.Dropdown(value=row_id, **names),
        parts.hits: panels.hits_panel(hits, headline, len(table.ids), result.thumbnails, language),
    }


# ------------------------------------------------------------------ wiring: search


def _wire_search(parts: Parts, services: Services) -> None:
    def grid(result: Result, hits: list[search.Hit], headline: str, language: Language) -> str:
        return panels.hits_panel(hits, headline, len(result.table.ids), result.thumbnails, language)

    def by_words(result: Result | None, words: str, model: str | None, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            result = _at_hand(result, language)
            words = words.strip()
            if not words:
                raise InputError(say(language, "vectorize_search_no_words"))
            (hits,), said = search.by_text([words], result.table, services.manager, HITS, model_id=model or None)
            return {
                parts.hits: grid(result, hits, say(language, "vectorize_search_for", query=words), language),
                parts.search_note: panels.notes_panel((), said, (), language),
            }

    def by_upload(result: Result | None, files: list[Upload], request: gr.Request) -> Any:
        language = services.language(request)
        if not files:
            return gr.skip()
        with shown(language):
            result = _at_hand(result, language)
            source = ImageSource(files[0].name, path=files[0].path)
            hits = search.by_image(source, result.table, services.manager, HITS, limits=services.settings.web_limits)
            return grid(result, hits, say(language, "vectorize_search_like", query=source.id), language)

    words, found = [parts.result, parts.search_words, parts.search_model], [parts.hits, parts.search_note]
    parts.search_go.click(by_words, words, found, **SEEN_COMPUTES)
    parts.search_words.submit(by_words, words, found, **SEEN_COMPUTES)
    parts.search_file.upload(by_upload, [parts.result, parts.search_file], parts.hits, **SEEN_COMPUTES)


# ------------------------------------------------------------------ wiring: downloads


def _wire_downloads(parts: Parts, services: Services) -> None:
    def writer(suffix: str) -> Callable[[Result | None, gr.Request], str]:
        def write(result: Result | None, request: gr.Request) -> str:
            language = services.language(request)
            with shown(language):
                return str(download_file(_at_hand(result, language), suffix))

        return write

    for suffix, button in parts.downloads.items():
        # The file is made when it is asked for; then the hidden download link that holds it is pressed.
        button.click(writer(suffix), parts.result, parts.download, **PRIVATE).success(
            None, js="() => setTimeout(() => document.querySelector('#vz-download').click(), 60)", **PRIVATE
        )


# ------------------------------------------------------------------ wiring: benchmark


def _wire_bench(parts: Parts, services: Services) -> None:
    switches = [parts.bench_run, parts.bench_stop]

    def switched(running: bool) -> Updates:
        return {
            parts.bench_run: gr.Button(interactive=not running),
            parts.bench_stop: gr.Button(interactive=running),
        }

    def measure(
        models: tuple[str, ...], dtypes: list[str], batch_size: int, device: str, request: gr.Request
    ) -> Iterator[Updates]:
        from core.models.bench import bench_rows

        language = services.language(request)
        pairs = [(model, dtype) for model in models for dtype in dtypes]
        rows: list[BenchRow] = []

        def table() -> Updates:
            running = ""
            if len(rows) < len(pairs):
                model, dtype = pairs[len(rows)]
                running = say(language, "vectorize_bench_running", model=model, dtype=dtype)
            return {parts.bench: panels.bench_panel(rows, running, language)}

        yield {**switched(True), **table()}
        try:
            with shown(language):
                if not pairs:
                    raise InputError(say(language, "vectorize_bench_pick"))
                for row in bench_rows(models, services.manager, dtypes, int(batch_size), BENCH_S, device=device):
                    rows.append(row)
                    yield table()
        except gr.Error as error:
            yield {parts.bench: panels.fault_panel(error.title, error.message)}
        yield switched(False)

    measuring = parts.bench_run.click(
        measure,
        [parts.models, parts.bench_dtypes, parts.batch_size, parts.device],
        [*switches, parts.bench],
        **COMPUTES,
    )
    parts.bench_stop.click(lambda: switched(False), None, switches, cancels=[measuring], **AT_ONCE)
