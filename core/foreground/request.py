"""What is asked for: one picture, how its components are to be scored, what is wanted beyond the scores. No torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError
from ..words import Common
from .prompts import TEMPLATE_SETS, PromptSet, TemplateSet
from .scoring import MODES, Mode, Rule
from .treatments import Treatment
from .words import Says

NOTE_MODEL = "open_clip_vit_b32_laion2b"
HeatMethod = Literal["clearclip", "maskclip", "sclip", "naclip", "clip"]
HEAT_METHODS: tuple[HeatMethod, ...] = ("clearclip", "maskclip", "sclip", "naclip", "clip")
DEFAULT_METHOD: HeatMethod = "clearclip"
HeatWanted = Literal["for_proposals", "if_possible", "required"]


@dataclass(frozen=True, eq=False)
class Picture:
    """One upright image and the hash of its pixels, taken once."""

    rgb_HWC: np.ndarray

    def __post_init__(self) -> None:
        shape = self.rgb_HWC.shape
        assert self.rgb_HWC.dtype == np.uint8 and len(shape) == 3 and shape[2] == 3, "an upright uint8 RGB image"

    @property
    def image_hw(self) -> tuple[int, int]:
        return self.rgb_HWC.shape[0], self.rgb_HWC.shape[1]

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(repr(self.image_hw).encode() + np.ascontiguousarray(self.rgb_HWC).tobytes()).digest()


@dataclass(frozen=True)
class ForegroundRequest:
    """How to score.

    Attributes:
        model: catalogue id of a CLIP.
        prompts: the three groups.
        templates: `none` is the note's recipe.
        treatment: how a component is shown to the model.
        margin: added around each box before it is cropped, as a part of its longer side, 0..2.
        mode: `note` or `balanced`; rule: thresholds and multipliers.
        batch_size: components in one forward pass, 1..4096.
        device: as everywhere.
        dtype: `fp32` gives the note's numbers; `auto`, `bf16`, `fp16` are quicker where the hardware has them.
    """

    model: str = NOTE_MODEL
    prompts: PromptSet = field(default_factory=PromptSet)
    templates: TemplateSet = "none"
    treatment: Treatment = field(default_factory=Treatment)
    margin: float = 0.0
    mode: Mode = "note"
    rule: Rule = field(default_factory=Rule)
    batch_size: int = 32
    device: str = "auto"
    dtype: str = "fp32"

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 2:
            raise InputError(Says.margin_range(value=self.margin))
        if self.mode not in MODES:
            raise InputError(Says.mode_unknown(name=self.mode), next_step=Common.choose(names=" or ".join(MODES)))
        if self.templates not in TEMPLATE_SETS:
            raise InputError(
                Says.templates_unknown(name=self.templates), next_step=Common.choose(names=", ".join(TEMPLATE_SETS))
            )
        if type(self.batch_size) is not int or not 1 <= self.batch_size <= 4096:
            raise InputError(Says.batch_size(value=self.batch_size))


@dataclass(frozen=True)
class Extras:
    """What is wanted beyond the scores.

    Attributes:
        heat: when to make a heat map: `for_proposals` only where no components are given; `if_possible` always; where
            the model gives none, both go on without one and say so. `required` always, and raises.
        heat_method: how the last block is read; see `heatmap.py`.
        explain: what each prompt does to each component.
        leak: how far each score depends on what lies outside the mask.
    """

    heat: HeatWanted = "for_proposals"
    heat_method: HeatMethod = DEFAULT_METHOD
    explain: bool = False
    leak: bool = False

    def __post_init__(self) -> None:
        check_method(self.heat_method)


def check_method(method: str) -> None:
    """Raises `InputError` for an unknown method of making a heat map."""
    if method not in HEAT_METHODS:
        raise InputError(Says.heat_method_unknown(name=method), next_step=Common.choose(names=", ".join(HEAT_METHODS)))


def default_model(weights_dir: Path) -> str:
    """The note's model if its weights are here, else another CLIP whose weights are, the built-in one last.

    Without any, the note's again: it is the one to fetch.
    """
    from ..models.weights import usable_clips

    usable = usable_clips(weights_dir)
    return NOTE_MODEL if NOTE_MODEL in usable or not usable else usable[0]
