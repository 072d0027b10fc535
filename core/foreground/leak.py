"""How much of a component's score comes from outside its mask.

The outside is repainted, everything else stays, and the score is taken again. `original` hides the outside altogether,
so its score cannot move; for the other treatments the difference says how far the surroundings speak for the component.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import stop_if_set
from ..types import Notice, Progress
from .components import Component, ComponentSet
from .encoding import crop_and_mask, encode_prompts, normalised, require_text
from .prompts import check
from .request import ForegroundRequest, Picture
from .scoring import score
from .treatments import TREATMENTS, TreatmentName, treat
from .words import Says

if TYPE_CHECKING:
    from ..models.batching import BatchRunner
    from ..models.manager import ModelManager

Repaint = Literal["inverted", "noise"]
REPAINTS: tuple[Repaint, ...] = ("inverted", "noise")


@dataclass(frozen=True)
class Leak:
    """One component under one treatment.

    Attributes:
        component_id, treatment: which.
        p_pos_sum: as it is.
        moved: for each repainting, the new `p_pos_sum` less the old; exactly 0.0 where the model sees the same pixels.
        multiplier, multipliers: the multiplier as it is, and after each repainting.
    """

    component_id: str
    treatment: TreatmentName
    p_pos_sum: float
    moved: dict[Repaint, float]
    multiplier: float
    multipliers: dict[Repaint, float]

    @property
    def largest(self) -> float:
        """How far the score moves at most, 0..1."""
        return max(abs(value) for value in self.moved.values())


@dataclass(frozen=True)
class LeakReport:
    """All components under all treatments asked for, component by component."""

    leaks: tuple[Leak, ...]
    notices: tuple[Notice, ...] = ()


def repaint_outside(crop_HWC: np.ndarray, mask_HW: np.ndarray, how: Repaint) -> np.ndarray:
    """The crop with every pixel where the mask is 0 painted anew: `inverted` (255 − pixel) or `noise` (fixed seed)."""
    paint: np.ndarray
    if how == "inverted":
        paint = 255 - crop_HWC
    else:
        paint = np.random.default_rng(0).integers(0, 256, crop_HWC.shape, dtype=np.uint8)
    return np.where((np.asarray(mask_HW) > 0)[..., None], crop_HWC, paint)


def mask_leak(
    picture: Picture,
    components: ComponentSet,
    request: ForegroundRequest,
    manager: ModelManager,
    *,
    treatments: Sequence[TreatmentName] = TREATMENTS,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | LeakReport]:
    """Repaints the outside of every mask and scores again. The `LeakReport` is the last item.

    The request's treatment gives the parameters; its name is replaced by each of `treatments`. Raises as
    `pipeline.score_foreground` does.
    """
    from ..models.batching import BatchRunner

    components.require()
    prompts, _ = check(request.prompts)
    variants = [replace(request.treatment, name=name) for name in treatments]
    features: list[np.ndarray] = []  # of each component: treatments × (as it is, each repainting)
    without_outside = 0
    with BatchRunner(
        manager, request.model, device=request.device, dtype=request.dtype, batch_size=request.batch_size, cancel=cancel
    ) as runner:
        require_text(runner.encoder)
        for done, component in enumerate(components.components):
            stop_if_set(cancel)
            yield Progress("leak", done, len(components.components))
            crop_HWC, mask_HW = crop_and_mask(picture, component, request.margin)
            without_outside += bool((np.asarray(mask_HW) > 0).all())
            scenes = [crop_HWC, *(repaint_outside(crop_HWC, mask_HW, how) for how in REPAINTS)]
            seen = [treat(scene, mask_HW, variant) for variant in variants for scene in scenes]
            features.append(_encode_once(seen, runner))
        # After the images: running out of memory may have moved the model, and texts have to come from the same one.
        texts_KD, _ = encode_prompts(runner.encoder, prompts, request.templates, manager, cancel)
        logit_scale = runner.encoder.logit_scale
        notices = list(runner.notices)
    leaks: list[Leak] = []
    for component, features_VD in zip(components.components, features, strict=True):
        cosines_VK = features_VD.astype(np.float64) @ texts_KD.astype(np.float64).T
        scores = score(cosines_VK, logit_scale, prompts, mode=request.mode, rule=request.rule)
        leaks += _leaks(component, treatments, scores.p_pos_sum_B, scores.multiplier_B)
    if without_outside:
        notices.append(Notice("no_outside", Says.no_outside(count=without_outside)))
    yield LeakReport(tuple(leaks), tuple(notices))


def _encode_once(pictures: list[np.ndarray], runner: BatchRunner) -> np.ndarray:
    """L2-normalised features of each picture; equal pictures go through the tower once, so their scores are equal."""
    import torch

    places: dict[bytes, int] = {}
    rows = [places.setdefault(picture.tobytes(), len(places)) for picture in pictures]
    first_of = [rows.index(place) for place in range(len(places))]
    pixels_BCHW = torch.stack([runner.encoder.preprocess(pictures[first]) for first in first_of])
    return normalised(runner.encode(pixels_BCHW))[rows]


def _leaks(
    component: Component, treatments: Sequence[TreatmentName], p_pos_sum: np.ndarray, multiplier: np.ndarray
) -> list[Leak]:
    shape = (len(treatments), 1 + len(REPAINTS))
    leaks = []
    for name, scores, multipliers in zip(treatments, p_pos_sum.reshape(shape), multiplier.reshape(shape), strict=True):
        leaks.append(
            Leak(
                component_id=component.id,
                treatment=name,
                p_pos_sum=float(scores[0]),
                moved=dict(zip(REPAINTS, (scores[1:] - scores[0]).tolist(), strict=True)),
                multiplier=float(multipliers[0]),
                multipliers=dict(zip(REPAINTS, multipliers[1:].tolist(), strict=True)),
            )
        )
    return leaks
