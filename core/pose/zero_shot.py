"""A picture of a head → how well each of the 45 captions fits it, and the bin of each angle. Nothing is trained here.

    rgb_HWC ─image tower, L2─▶ image_D ──┐
    45 captions × templates ─▶ texts_45D ┴─▶ cosines ─softmax at the model's temperature─▶ p_45 ─sum─▶ yaw, pitch, roll

The answer is about the whole picture: crop it to the head. What a CLIP makes of it is its own affair; CLIPs are known
to be weak at left and right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..types import Notice
from .embedding import encode_units, lend_text_model, model_facts, unit_rows
from .text import CAPTIONS, PITCH_WORDS, ROLL_WORDS, TEMPLATES, YAW_WORDS
from .words import Says

if TYPE_CHECKING:
    from ..models.manager import ModelManager


@dataclass(frozen=True, eq=False)
class PoseGuess:
    """What a CLIP says of one picture.

    Attributes:
        probabilities_45: float64, sums to 1; in the order of `text.CAPTIONS`.
        cosines_45: float64, image · caption.
        logit_scale: of the checkpoint.
        templates: how the captions were dressed; several are averaged.
        model: id, weights_sha256, device, dtype.
        load_s, seconds: of loading, and of everything after it.
        notices: as elsewhere.
    """

    probabilities_45: np.ndarray
    cosines_45: np.ndarray
    logit_scale: float
    templates: tuple[str, ...]
    model: dict[str, str]
    load_s: float
    seconds: float
    notices: tuple[Notice, ...] = ()

    @property
    def ranking(self) -> list[int]:
        """Caption numbers, the most probable first."""
        return [int(number) for number in np.argsort(-self.probabilities_45, kind="stable")]

    @property
    def caption(self) -> str:
        return CAPTIONS[self.ranking[0]]

    @property
    def yaw_5(self) -> np.ndarray:
        """The probability of each yaw bin, the other two angles summed out; in the order of `text.YAW_WORDS`."""
        return self._bins.sum(axis=(1, 2))

    @property
    def pitch_3(self) -> np.ndarray:
        return self._bins.sum(axis=(0, 2))

    @property
    def roll_3(self) -> np.ndarray:
        return self._bins.sum(axis=(0, 1))

    @property
    def _bins(self) -> np.ndarray:
        return self.probabilities_45.reshape(len(YAW_WORDS), len(PITCH_WORDS), len(ROLL_WORDS))


def zero_shot(
    rgb_HWC: np.ndarray,
    manager: ModelManager,
    model: str,
    *,
    templates: Sequence[str] = TEMPLATES,
    device: str = "auto",
    dtype: str = "fp32",
    cancel: threading.Event | None = None,
) -> PoseGuess:
    """Ranks the 45 captions for one upright uint8 `[H, W, 3]` picture.

    Args:
        templates: each with one `{}`; a caption's embeddings under all of them are averaged and normalised again.

    Raises:
        InputError: no template, or one without exactly one `{}`. Unsupported: the model has no text tower. As the
        manager raises.
    """
    import torch

    if not templates:
        raise InputError(Says.no_template(), next_step=Says.no_template_next())
    for template in templates:
        if template.count("{}") != 1:
            raise InputError(Says.one_brace(), where=template, next_step=Says.one_brace_next())
    captions = [template.replace("{}", caption) for caption in CAPTIONS for template in templates]
    with lend_text_model(manager, model, device, dtype, cancel) as lease:
        encoder = lease.encoder
        started = time.perf_counter()
        units_KD, notices = encode_units(encoder, captions, manager, cancel)
        texts_45D = unit_rows(units_KD.reshape(len(CAPTIONS), len(templates), -1).mean(axis=1))
        features_BD = encoder.encode_images(torch.stack([encoder.preprocess(rgb_HWC)]))
        image_D = unit_rows(features_BD.detach().cpu().numpy())[0]
        cosines_45 = texts_45D.astype(np.float64) @ image_D.astype(np.float64)
        logits_45 = encoder.logit_scale * cosines_45
        weights_45 = np.exp(logits_45 - logits_45.max())
        return PoseGuess(
            probabilities_45=weights_45 / weights_45.sum(),
            cosines_45=cosines_45,
            logit_scale=encoder.logit_scale,
            templates=tuple(templates),
            model=model_facts(encoder),
            load_s=lease.load_s,
            seconds=time.perf_counter() - started,
            notices=(*lease.notices, *notices),
        )
