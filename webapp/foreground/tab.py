"""The Foreground tab: a photo and its components in, their scores and the reasons out.

`layout.py` lays out what is on the page; here stands what happens when. `reading.py` turns what stands on the page into
a request, `job.py` does the work, `showing.py` turns a result into what the page shows; the numbers are made in
`core/foreground/`. The same work without the page: `api.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import lru_cache

import gradio as gr
from gradio.events import Dependency

from core.errors import InputError
from core.foreground.encoding import FeatureCache
from core.foreground.prompt_lists import GROUPS, Group
from core.foreground.prompts import PromptSet
from core.foreground.request import NOTE_MODEL, default_model
from core.foreground.scoring import Rule
from core.images import decode
from core.settings import ImageLimits
from core.types import ImageSource, Progress
from webapp.foreground import api, figures, reading, scene, showing
from webapp.foreground.given import open_picture
from webapp.foreground.job import Result, Shelf, again, download_file, leak, look
from webapp.foreground.job import run as foregrounding
from webapp.foreground.layout import Parts, lay_out
from webapp.foreground.words import Says
from webapp.kit import assets, panels
from webapp.kit.events import AT_ONCE, COMPUTES, FOLLOWING_COMPUTES, PRIVATE, Updates, Values
from webapp.kit.examples import chosen_name, strip
from webapp.kit.models import devices_on_opening, model_note, note_follows
from webapp.kit.notices import shown
from webapp.kit.panels import data_uri
from webapp.kit.running import show_outputs_js
from webapp.kit.services import RESULT_LIFE_S, Services
from webapp.kit.table import chosen_row
from webapp.kit.uploads import Upload
from webapp.kit.words import KitSays
from webapp.text import Language, say, translated

EXAMPLES = ("cat.jpg", "coffee.jpg", "astronaut.jpg", "rocket.jpg", "temple.jpg")


def build(services: Services) -> None:
    """The whole tab, inside its own `gr.Tab`."""
    shelf, cache = Shelf(), FeatureCache()
    parts = lay_out(services)
    parts.ticket = gr.State(None, time_to_live=RESULT_LIFE_S, delete_callback=shelf.forget)
    parts.chosen = gr.State(0)

    _wire_first_sight(parts, services)
    _wire_inputs(parts, services)
    _wire_run(parts, services, shelf, cache, _wire_examples(parts, services))
    _wire_changes(parts, services, shelf, cache)
    _wire_choosing(parts, services, shelf, cache)
    _wire_leak(parts, services, shelf, cache)
    _wire_downloads(parts, services, shelf)
    api.build(services, cache)


# ------------------------------------------------------------------ when the page is opened


def _wire_first_sight(parts: Parts, services: Services) -> None:
    def greet(request: gr.Request) -> Updates:
        language = services.language(request)
        usable = services.usable_clips()
        model = default_model(services.settings.weights_dir) if usable else None
        return {
            parts.examples: strip(say(language, "foreground_examples"), _example_thumbnails()),
            parts.model: gr.Dropdown(usable, value=model),
            parts.model_note: model_note(services, model, language),
            parts.status: _first_steps(language) if usable else _no_model_panel(services, language),
            parts.lists: showing.lists(PromptSet(), "note", Rule(), language),
        }

    gr.on(None, greet, None, [parts.examples, parts.model, parts.model_note, parts.status, parts.lists], **AT_ONCE)


def _first_steps(language: Language) -> str:
    steps = [say(language, f"foreground_empty_{number}") for number in (1, 2, 3)]
    return panels.steps_panel(say(language, "foreground_empty_title"), steps)


def _no_model(services: Services) -> InputError:
    from core.models.catalogue import find
    from core.models.weights import fetch_command

    command = fetch_command(find(NOTE_MODEL, services.settings.weights_dir))
    return InputError(KitSays.no_clip(), next_step=Says.fetch_one(command=command))


def _no_model_panel(services: Services, language: Language) -> str:
    error = _no_model(services)
    return panels.message_panel(translated(error.what, language), [translated(error.next_step, language)])


@lru_cache(maxsize=1)
def _example_thumbnails() -> list[tuple[str, str, str]]:
    small = {
        name: decode.thumbnail(ImageSource(name, path=assets.PHOTOS_DIR / name), 96, ImageLimits()) for name in EXAMPLES
    }
    return [(name, data_uri(rgb_HWC), name) for name, rgb_HWC in small.items()]


# ------------------------------------------------------------------ what goes in


def _wire_inputs(parts: Parts, services: Services) -> None:
    def choose_source(source: str) -> Updates:
        return {column: gr.Column(visible=name == source) for name, column in parts.source_panels.items()}

    parts.source.change(choose_source, parts.source, list(parts.source_panels.values()), **AT_ONCE)

    def looked_at(uploads: list[Upload], request: gr.Request) -> Updates:
        if not uploads:
            return {parts.pad_picture: ""}
        try:
            with shown(services.language(request)):
                picture = open_picture(uploads[0], services.settings.web_limits)
                return {parts.pad_picture: scene.picture_json(picture, str(uploads[0].path))}
        except gr.Error as error:
            return {parts.pad_picture: "", parts.status: panels.fault_panel(error)}

    parts.image.change(looked_at, parts.image, [parts.pad_picture, parts.status], **PRIVATE)

    note_follows(services, parts.model, parts.model_note)
    devices_on_opening(parts.advanced, parts.device)


def _wire_examples(parts: Parts, services: Services) -> Dependency:
    """A click on a small photo brings the large one. Returns that event."""

    def example(event: gr.EventData) -> Updates:
        name = chosen_name(event)
        if name not in EXAMPLES:
            raise gr.Error("?", print_exception=False)
        # Copied into the private folder: Gradio serves nothing from the project's own.
        copied = shutil.copy(assets.PHOTOS_DIR / name, services.new_folder())
        return {parts.image: str(copied), parts.source: "auto"}

    return parts.examples.click(example, None, [parts.image, parts.source], **AT_ONCE)


# ------------------------------------------------------------------ the run


def _wire_run(parts: Parts, services: Services, shelf: Shelf, cache: FeatureCache, example: Dependency) -> None:
    """Pressing the button starts a run, and so does an example, once its photo is there."""
    buttons = parts.buttons

    def begin(request: gr.Request) -> Updates:
        waiting = showing.progress(Progress("wait", 0, 0), services.language(request))
        return {**buttons.switched(True), parts.status: waiting, parts.results: gr.Column(visible=False)}

    def run(values: Values, request: gr.Request) -> Iterator[Updates]:
        language = services.language(request)
        yield {parts.status: showing.progress(Progress("read", 0, 0), language)}
        try:
            with shown(language), closing(_steps(parts, services, cache, values)) as steps:
                for step in steps:
                    if isinstance(step, Progress):
                        yield {parts.status: showing.progress(step, language)}
                    else:
                        shelf.forget(values[parts.ticket])
                        yield {
                            parts.ticket: shelf.put(step),
                            **_first_shown(parts, services, cache, step, values[parts.mode], language),
                        }
        except gr.Error as error:
            yield {parts.status: panels.fault_panel(error)}
        yield buttons.switched(False)

    def stopped(request: gr.Request) -> Updates:
        words = say(services.language(request), "foreground_stopped")
        return {**buttons.switched(False), parts.status: panels.message_panel(words, kind="info")}

    outputs = [*buttons.parts, parts.results, parts.scene_picture, *showing.result_parts(parts)]
    # First what shows that the click was heard: the run itself may have to wait for others'.
    begun = [*buttons.parts, parts.status, parts.results]
    jobs = [
        start(begin, None, begun, js=show_outputs_js("fg-outputs"), **AT_ONCE).then(
            run, reading.inputs(parts), outputs, **COMPUTES
        )
        for start in (buttons.run.click, example.success)
    ]
    buttons.stop.click(stopped, None, [*buttons.parts, parts.status], cancels=jobs, **AT_ONCE)


def _steps(
    parts: Parts, services: Services, cache: FeatureCache, values: Values
) -> Generator[Progress | Result, None, None]:
    """The run that the page asks for."""
    if not values[parts.image]:
        raise InputError(Says.no_photo(), next_step=Says.give_photo())
    if not values[parts.model]:
        raise _no_model(services)
    upload, limits = values[parts.image][0], services.settings.web_limits
    picture = open_picture(upload, limits)
    given = reading.components_of(parts, values, picture, upload.name, limits)
    request, extras = reading.request_of(parts, values), reading.extras_of(parts, values)
    yield from foregrounding(services, cache, upload.name, picture, given, request, extras)


def _first_shown(
    parts: Parts, services: Services, cache: FeatureCache, result: Result, mode: str, language: Language
) -> Updates:
    """A new result and its photo; the best component is looked at."""
    analysis = result.analysis
    best = result.outcome.ranked[0]
    return {
        parts.results: gr.Column(visible=True),
        parts.scene_picture: scene.picture_json(analysis.picture, result.folder.name, analysis.components.components),
        **showing.result(parts, services, cache, result, best, mode, language),
    }


def _at_hand(shelf: Shelf, ticket: str | None) -> Result:
    """The result of this window; it may have been forgotten by age, for others' photos, or by a restart."""
    result = shelf.get(ticket)
    if result is None:
        raise InputError(KitSays.result_gone(), next_step=Says.score_again())
    return result


# ------------------------------------------------------------------ other prompts, modes, thresholds


def _wire_changes(parts: Parts, services: Services, shelf: Shelf, cache: FeatureCache) -> None:
    def changed(values: Values, request: gr.Request) -> Updates:
        """The lists' own verdict always; the scores where there are some, without the image tower."""
        language = services.language(request)
        mode = values[parts.mode]
        try:
            with shown(language):
                prompts, rule = reading.prompt_set(parts, values), reading.rule(parts, values)
                before = shelf.get(values[parts.ticket])
                if before is None:
                    return {parts.lists: showing.lists(prompts, mode, rule, language)}
                after = again(
                    services,
                    cache,
                    before,
                    prompts,
                    templates=values[parts.templates],
                    mode=reading.scored_mode(mode),
                    rule=rule,
                    heat_method=values[parts.heat_method],
                )
                shelf.put(after, values[parts.ticket])
                row = min(values[parts.chosen], len(after.outcome.rows) - 1)
                return showing.result(parts, services, cache, after, row, mode, language)
        except gr.Error as error:
            return {parts.status: panels.fault_panel(error)}

    def filled(group: Group) -> Callable[[str, list[str]], str]:
        return lambda text, names: reading.with_presets(text or "", names or [], group)

    inputs, outputs = reading.inputs(parts), showing.result_parts(parts)
    controls = [*parts.prompts.values(), *parts.thresholds.values(), parts.mode, parts.templates, parts.heat_method]
    # Leaving a box counts too: text may come into it without a key being pressed.
    triggers = [*(control.input for control in controls), *(box.blur for box in parts.prompts.values())]
    gr.on(triggers, changed, inputs, outputs, **FOLLOWING_COMPUTES)
    for group in GROUPS:
        box = parts.prompts[group]
        parts.presets[group].input(filled(group), [box, parts.presets[group]], box, **AT_ONCE).then(
            changed, inputs, outputs, **FOLLOWING_COMPUTES
        )


# ------------------------------------------------------------------ the chosen component


def _wire_choosing(parts: Parts, services: Services, shelf: Shelf, cache: FeatureCache) -> None:
    def choose_line(ticket: str | None, event: gr.EventData, request: gr.Request) -> Updates:
        """The table is in the order of the ranking."""
        language = services.language(request)
        with shown(language):
            result = _at_hand(shelf, ticket)
            row = result.outcome.ranked[chosen_row(event, len(result.outcome.ranked))]
            return showing.component(parts, services, cache, result, row, language)

    def choose_box(ticket: str | None, event: gr.EventData, request: gr.Request) -> Updates:
        language = services.language(request)
        with shown(language):
            result = _at_hand(shelf, ticket)
            row = chosen_row(event, len(result.outcome.rows))
            return showing.component(parts, services, cache, result, row, language)

    outputs = showing.component_parts(parts)
    parts.table.select(choose_line, parts.ticket, outputs, **COMPUTES)
    parts.scene.click(choose_box, parts.ticket, outputs, **COMPUTES)


# ------------------------------------------------------------------ the mask leak


def _wire_leak(parts: Parts, services: Services, shelf: Shelf, cache: FeatureCache) -> None:
    def measure(ticket: str | None, row: int, request: gr.Request) -> tuple[Result, int, str, str]:
        language = services.language(request)
        with shown(language):
            result = _at_hand(shelf, ticket)
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


# ------------------------------------------------------------------ downloads


def _wire_downloads(parts: Parts, services: Services, shelf: Shelf) -> None:
    def writer(kind: str) -> Callable[[str | None, gr.Request], str]:
        def write(ticket: str | None, request: gr.Request) -> str:
            with shown(services.language(request)):
                return str(download_file(_at_hand(shelf, ticket), kind))

        return write

    for kind, button in parts.downloads.items():
        button.click(writer(kind), parts.ticket, parts.handover, **PRIVATE)
