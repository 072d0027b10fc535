"""The Vectorize tab: photos in, vectors out, and what one wants to see of them.

`layout.py` lays out what is on the page; here stands what happens when. `job.py` is one run, `showing.py` turns a
result into what the page shows, with `figures.py` and `fragments.py`; the numbers are made in `core/vectorize/`. The
same work without the page: `api.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.errors import InputError
from core.types import ImageSource, Progress, VectorizeRequest
from core.vectorize import search
from webapp.kit import assets, panels
from webapp.kit.drawing import Drawing
from webapp.kit.events import AT_ONCE, COMPUTES, PRIVATE, SEEN_COMPUTES, Updates
from webapp.kit.model_picker import picker_value
from webapp.kit.models import devices_on_opening
from webapp.kit.notices import shown
from webapp.kit.running import show_outputs_js
from webapp.kit.services import RESULT_LIFE_S, Services
from webapp.kit.table import chosen_row
from webapp.kit.uploads import Upload
from webapp.kit.words import KitSays
from webapp.text import Language, say
from webapp.vectorize import api, fragments, showing
from webapp.vectorize.job import Result, download_file
from webapp.vectorize.job import run as vectorizing
from webapp.vectorize.layout import Parts, lay_out
from webapp.vectorize.showing import HITS
from webapp.vectorize.words import Says

if TYPE_CHECKING:
    from core.models.bench import BenchRow

BENCH_S = 2.0


def build(services: Services) -> None:
    """The whole tab, inside its own `gr.Tab`."""
    parts = lay_out(services)
    parts.result = gr.State(None, time_to_live=RESULT_LIFE_S, delete_callback=_forget)
    parts.progress = gr.State(None)

    _wire_first_sight(parts, services)
    _wire_run(parts, services)
    _wire_charts(parts, services)
    _wire_choosing(parts, services)
    _wire_search(parts, services)
    _wire_downloads(parts, services)
    _wire_bench(parts, services)
    api.build(services)


# ------------------------------------------------------------------ when the page is opened


def _wire_first_sight(parts: Parts, services: Services) -> None:
    def greet(request: gr.Request) -> Updates:
        language = services.language(request)
        steps = [say(language, f"vectorize_empty_{number}") for number in (1, 2, 3)]
        return {
            parts.models: picker_value(services.settings, language),
            parts.status: panels.steps_panel(say(language, "vectorize_empty_title"), steps),
        }

    gr.on(None, greet, None, [parts.models, parts.status], **AT_ONCE)
    devices_on_opening(parts.advanced, parts.device)


# ------------------------------------------------------------------ the run


def _wire_run(parts: Parts, services: Services) -> None:
    buttons = parts.buttons

    def progress(step: Progress, language: Language) -> Updates:
        return {parts.progress: step, parts.status: fragments.progress_panel(step, language)}

    def begin(request: gr.Request) -> Updates:
        waiting = progress(Progress("wait", 0, 0), services.language(request))
        return {**buttons.switched(True), **waiting, parts.results: gr.Column(visible=False)}

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
                if not models:
                    raise InputError(Says.no_model(), next_step=Says.tick_one())
                wanted = VectorizeRequest(models, int(batch_size), device, dtype, normalize)
                with closing(vectorizing(services, files, wanted)) as steps:
                    for step in steps:
                        if isinstance(step, Progress):
                            yield progress(step, language)
                        else:
                            _forget(before)
                            yield showing.result(parts, services, step, language)
        except gr.Error as error:
            yield {parts.status: panels.fault_panel(error)}
        yield buttons.switched(False)

    def stopped(progress: Progress | None, request: gr.Request) -> Updates:
        language = services.language(request)
        words = say(language, "vectorize_stopped_early")
        if progress and progress.total:
            words = say(language, "vectorize_stopped", done=progress.done, total=progress.total)
        return {**buttons.switched(False), parts.status: panels.message_panel(words, kind="info")}

    def example_files() -> list[str]:
        # Copied into the private folder: Gradio serves nothing from the project's own.
        folder = services.new_folder()
        return [str(shutil.copy(photo, folder)) for photo in sorted(assets.PHOTOS_DIR.glob("*.jpg"))]

    inputs = [parts.files, parts.models, parts.batch_size, parts.device, parts.dtype, parts.normalize, parts.result]
    # First what shows that the click was heard: the run itself may have to wait for others'.
    begun = [*buttons.parts, parts.status, parts.progress, parts.results]
    outputs = [*buttons.parts, parts.status, parts.progress, *showing.result_parts(parts)]
    photos = parts.examples.click(example_files, None, parts.files, **AT_ONCE)
    jobs = [
        start(begin, None, begun, js=show_outputs_js("vz-outputs"), **AT_ONCE).then(run, inputs, outputs, **COMPUTES)
        for start in (buttons.run.click, photos.then)
    ]
    buttons.stop.click(stopped, parts.progress, [*buttons.parts, parts.status], cancels=jobs, **AT_ONCE)


def _forget(result: Result | None) -> None:
    if result is not None:
        result.forget()


def _at_hand(result: Result | None) -> Result:
    """The result of this window; it may have been forgotten by age or by a restart."""
    if result is None:
        raise InputError(KitSays.result_gone(), next_step=Says.vectorize_again())
    return result


# ------------------------------------------------------------------ charts


def _wire_charts(parts: Parts, services: Services) -> None:
    def heatmap(result: Result | None, together: bool, request: gr.Request) -> Drawing:
        language = services.language(request)
        with shown(language):
            return showing.heatmap(_at_hand(result), together, language)

    def projected(result: Result | None, method: str, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            return showing.projection(parts, _at_hand(result), method, language)

    parts.together.input(heatmap, [parts.result, parts.together], parts.heatmap, **PRIVATE)
    parts.method.input(projected, [parts.result, parts.method], [parts.map, parts.map_note], **SEEN_COMPUTES)


# ------------------------------------------------------------------ the chosen image


def _wire_choosing(parts: Parts, services: Services) -> None:
    def choose_row(result: Result | None, event: gr.EventData, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            made = _at_hand(result)
            return showing.chosen(parts, made, chosen_row(event, len(made.table.ids)), language)

    def choose_point(result: Result | None, event: gr.EventData, request: gr.Request) -> Updates:
        """A chart gives the keys of all that lies under the pointer: the first counts."""
        keys = event._data.get("keys") if isinstance(event._data, dict) else None
        event._data = {"row": keys[0] if isinstance(keys, list) and keys else keys}
        return choose_row(result, event, request)

    def choose_id(result: Result | None, name: str, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            made = _at_hand(result)
            if name not in made.table.ids:
                raise InputError(Says.no_such_image(), where=name)
            return showing.chosen(parts, made, made.table.ids.index(name), language)

    chosen = [parts.report, parts.search_id, parts.hits]
    parts.table.select(choose_row, parts.result, chosen, **PRIVATE)
    parts.heatmap.select(choose_point, parts.result, chosen, **PRIVATE)
    parts.map.select(choose_point, parts.result, chosen, **PRIVATE)
    parts.hits.click(choose_row, parts.result, chosen, **PRIVATE)
    parts.search_id.input(choose_id, [parts.result, parts.search_id], chosen, **PRIVATE)


# ------------------------------------------------------------------ search


def _wire_search(parts: Parts, services: Services) -> None:
    def grid(result: Result, hits: list[search.Hit], headline: str, language: Language) -> str:
        return fragments.hits_panel(hits, headline, len(result.table.ids), result.thumbnails, language)

    def by_words(result: Result | None, words: str, model: str | None, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            made = _at_hand(result)
            words = words.strip()
            if not words:
                raise InputError(Says.no_words())
            (hits,), said = search.by_text([words], made.table, services.manager, HITS, model_id=model or None)
            return {
                parts.hits: grid(made, hits, say(language, "vectorize_search_for", query=words), language),
                parts.search_note: panels.notes_panel(language, notices=said),
            }

    def by_upload(result: Result | None, files: list[Upload], request: gr.Request) -> Any:
        language = services.language(request)
        if not files:
            return gr.skip()
        with shown(language):
            made = _at_hand(result)
            source = ImageSource(files[0].name, path=files[0].path)
            hits = search.by_image(source, made.table, services.manager, HITS, limits=services.settings.web_limits)
            return grid(made, hits, say(language, "vectorize_search_like", query=source.id), language)

    words, found = [parts.result, parts.search_words, parts.search_model], [parts.hits, parts.search_note]
    parts.search_go.click(by_words, words, found, **SEEN_COMPUTES)
    parts.search_words.submit(by_words, words, found, **SEEN_COMPUTES)
    parts.search_file.upload(by_upload, [parts.result, parts.search_file], parts.hits, **SEEN_COMPUTES)


# ------------------------------------------------------------------ downloads


def _wire_downloads(parts: Parts, services: Services) -> None:
    def writer(suffix: str) -> Callable[[Result | None, gr.Request], str]:
        def write(result: Result | None, request: gr.Request) -> str:
            with shown(services.language(request)):
                return str(download_file(_at_hand(result), suffix))

        return write

    for suffix, button in parts.downloads.items():
        button.click(writer(suffix), parts.result, parts.handover, **PRIVATE)


# ------------------------------------------------------------------ benchmark


def _wire_bench(parts: Parts, services: Services) -> None:
    buttons = parts.bench_buttons

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
            return {parts.bench: fragments.bench_panel(rows, running, language)}

        yield {**buttons.switched(True), **table()}
        try:
            with shown(language):
                if not pairs:
                    raise InputError(Says.nothing_to_measure())
                for row in bench_rows(models, services.manager, dtypes, int(batch_size), BENCH_S, device=device):
                    rows.append(row)
                    yield table()
        except gr.Error as error:
            yield {parts.bench: panels.fault_panel(error)}
        yield buttons.switched(False)

    inputs = [parts.models, parts.bench_dtypes, parts.batch_size, parts.device]
    measuring = buttons.run.click(measure, inputs, [*buttons.parts, parts.bench], **COMPUTES)
    buttons.stop.click(lambda: buttons.switched(False), None, buttons.parts, cancels=[measuring], **AT_ONCE)
