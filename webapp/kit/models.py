"""A model's line of advice, and the choice of a device."""

from __future__ import annotations

import gradio as gr

from core.errors import WorkbenchError
from webapp.kit import panels
from webapp.kit.events import AT_ONCE
from webapp.kit.services import Services
from webapp.kit.words import KitSays
from webapp.text import Language, label

DEVICES = ("auto", "cpu", "gpu")


def model_note(services: Services, model: str | None, language: Language) -> str:
    """The catalogue's line about the model; the built-in one says there what it cannot do."""
    from core.models.catalogue import find

    if not model:
        return panels.hint(KitSays.no_clip().said(language))
    try:
        advice = find(model, services.settings.weights_dir).advice
    except WorkbenchError:
        return ""
    return panels.hint(advice.said(language))


def note_follows(services: Services, model: gr.Dropdown, note: gr.HTML) -> None:
    """The line under a choice of models follows the choice."""

    def changed(model_id: str | None, request: gr.Request) -> str:
        return model_note(services, model_id, services.language(request))

    model.input(changed, model, note, **AT_ONCE)


def device_choice(services: Services, elem_id: str) -> gr.Dropdown:
    """Where to compute; at first only what every machine may be asked for."""
    device = services.settings.device
    return gr.Dropdown(
        list(dict.fromkeys([*DEVICES, device])), value=device, label=label("device"), min_width=120, elem_id=elem_id
    )


def devices_on_opening(panel: gr.Accordion, device: gr.Dropdown) -> None:
    """The device's choices become this machine's own when the panel is opened, not before: asking imports torch."""

    def choices(chosen: str) -> gr.Dropdown:
        from core.models.device import device_names

        return gr.Dropdown(list(dict.fromkeys([*DEVICES, *device_names(), chosen])))

    panel.expand(choices, device, device, **AT_ONCE)
