"""From what stands in the page's components to what `core.foreground` is asked."""

from __future__ import annotations

from typing import Any

from core.errors import InputError
from core.foreground.annotations import from_boxes
from core.foreground.components import ComponentSet
from core.foreground.prompt_lists import GROUPS, PRESETS, Group, preset
from core.foreground.prompts import PromptSet, parse
from core.foreground.request import Extras, ForegroundRequest, Picture
from core.foreground.scoring import Mode, Rule
from core.foreground.treatments import Treatment
from core.settings import ImageLimits
from webapp.foreground.given import LIMITS, Drawn, from_file, parse_boxes
from webapp.foreground.layout import Parts
from webapp.foreground.words import Says
from webapp.kit.events import Values


def inputs(parts: Parts) -> set[Any]:
    """All that a run depends on."""
    return {
        *(parts.image, parts.source, parts.pad, parts.file, parts.boxes, parts.model, parts.treatment, parts.mode),
        *(parts.templates, parts.margin, parts.device, parts.heat_method),
        *(parts.alpha, parts.grey, parts.gain, parts.blur),
        *parts.prompts.values(),
        *parts.thresholds.values(),
        *(parts.ticket, parts.chosen),
    }


def prompt_set(parts: Parts, values: Values) -> PromptSet:
    return PromptSet(*(parse(values[parts.prompts[group]] or "") for group in GROUPS))


def rule(parts: Parts, values: Values) -> Rule:
    return Rule(**{name: float(values[slider]) for name, slider in parts.thresholds.items()})


def scored_mode(mode: str) -> Mode:
    """The cosine view is another table; its scores are the note's."""
    return "note" if mode == "cosine" else mode  # type: ignore[return-value]


def request_of(parts: Parts, values: Values) -> ForegroundRequest:
    return ForegroundRequest(
        model=str(values[parts.model]),
        prompts=prompt_set(parts, values),
        templates=values[parts.templates],
        treatment=Treatment(
            values[parts.treatment],
            *(float(values[slider]) for slider in (parts.alpha, parts.grey, parts.gain, parts.blur)),
        ),
        margin=float(values[parts.margin]),
        mode=scored_mode(values[parts.mode]),
        rule=rule(parts, values),
        device=str(values[parts.device]),
    )


def extras_of(parts: Parts, values: Values) -> Extras:
    """The page shows a heat map wherever the model gives one."""
    return Extras("if_possible", values[parts.heat_method])


def components_of(
    parts: Parts, values: Values, picture: Picture, image_name: str, limits: ImageLimits
) -> ComponentSet | None:
    """What the visitor gave; None: to be proposed."""
    source = values[parts.source]
    if source == "draw":
        return Drawn.read(values[parts.pad]).components(picture.image_hw, limits)
    if source == "boxes":
        return from_boxes(parse_boxes(values[parts.boxes] or ""), picture.image_hw, limits=LIMITS)
    if source == "file":
        if not values[parts.file]:
            raise InputError(Says.no_file(), next_step=Says.upload_file())
        return from_file(values[parts.file][0], picture, image_name, limits)
    return None


def with_presets(text: str, names: list[str], group: Group) -> str:
    """The chosen lists, and the lines a person wrote that stand in no list of that group."""
    listed = {prompt for each in PRESETS if each.group == group for prompt in each.prompts}
    chosen = [prompt for name in names for prompt in preset(name).prompts]
    own = [line for line in parse(text) if line and line not in listed]
    return "\n".join(dict.fromkeys([*chosen, *own]))
