"""The caption through CLIP's text tower."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ...errors import InputError
from ...messages import english
from ...models.device import pick_device
from ...settings import Settings
from ...words import Common
from ..text import CAPTIONS, CENTRE_POSES_DEG, describe
from ..words import Says
from .protocol import HIDDEN_DIM, OUTPUT_DIM, EncodeTexts, PoseEncoder
from .tensors import caption_numbers_of, checked_tensor, interpolation_weights
from .text_tower import TextTower, random_tower, text_model

VARIANTS = ("plain", "permuted", "interpolated", "random")
# Poses whose captions say where numeric captions lie and how far they spread.
SPREAD_POSES_DEG = np.random.default_rng(0).uniform(-90, 90, (128, 3))
CACHE_ROWS = 2**17  # 131,072 continuous captions of 512 values are 268 MB


class CLIPPoseEncoder(PoseEncoder):
    """Pose → caption → CLIP's text embedding → trainable projection.

    Args:
        output_dim: three times the transformer's width.
        clip_model_name: `ViT-B/32`, `ViT-B/16`, `ViT-L/14`, or any id of the catalogue with a text tower
            (`demo_clip` is always there).
        device: `auto | cpu | gpu | cuda:N | mps`; needs no GPU.
        freeze_clip: train the projection only. False: the text tower is fine-tuned with it, and captions are encoded
            anew in each step.
        use_continuous_text: the numbers themselves in the caption instead of the table's words.
        hidden_dim: of the projection's one hidden layer; 0: a linear map.
        variant: `plain`; `permuted`: the embeddings dealt to the wrong captions; `interpolated`: those of neighbouring
            captions, by angle (trilinear between `YAW_CENTRES_DEG` and the like, level beyond them); `random`: a text
            tower of the same architecture with random weights, which need not be here.
        template: the words around the caption, with one `{}`.
        round_deg: continuous captions are rounded to this many degrees (at least 0.1), and cached.
        weights_dir: where weights lie; default: the settings'.
        seed: of the permutation and of the random tower.
        encode_texts: a text tower that is loaded already (frozen only): captions → features `[K, D]`.

    Raises:
        UnknownModel, Unsupported: the model, or its text tower, does not exist.
        WeightsMissing: its weights are not here; another model is never taken in its place.
        InputError: choices that exclude each other; a caption that is longer than the tower reads.
    """

    def __init__(
        self,
        output_dim: int = OUTPUT_DIM,
        clip_model_name: str = "ViT-B/32",
        device: str | torch.device = "auto",
        freeze_clip: bool = True,
        use_continuous_text: bool = False,
        *,
        hidden_dim: int = HIDDEN_DIM,
        variant: str = "plain",
        template: str = "{}",
        round_deg: float = 0.1,
        weights_dir: Path | None = None,
        seed: int = 0,
        encode_texts: EncodeTexts | None = None,
    ) -> None:
        _refuse_contradictions(variant, freeze_clip, use_continuous_text, round_deg, encode_texts)
        place = pick_device(device) if isinstance(device, str) else device
        folder = Settings().weights_dir if weights_dir is None else weights_dir
        spec = text_model(clip_model_name, folder)
        tower: TextTower | None = None
        if encode_texts is None:
            tower = random_tower(spec, folder, place, seed) if variant == "random" else TextTower(spec, folder, place)
            encode_texts = tower.encode
        describe_as: dict[str, Any] = {"continuous": use_continuous_text, "template": template}
        poses_deg = _rounded(SPREAD_POSES_DEG, round_deg) if use_continuous_text else CENTRE_POSES_DEG
        reference_KD = _unit_rows(encode_texts(describe(poses_deg, **describe_as))).to(place)

        super().__init__(reference_KD.shape[1], output_dim, hidden_dim)
        self.model_id, self.variant, self.freeze_clip = spec.id, variant, freeze_clip
        self.weights_sha256 = tower.weights_sha256 if tower is not None else ""
        self.use_continuous_text, self.template, self.round_deg = use_continuous_text, template, round_deg
        self._describe_as = describe_as
        self._encode_texts = encode_texts
        self._cache = CaptionRows(CACHE_ROWS, reference_KD.new_empty(0, reference_KD.shape[1]))
        self.tower = tower.requires_grad_(True) if tower is not None and not freeze_clip else None
        if freeze_clip and not use_continuous_text:
            order = _derangement(len(CAPTIONS), seed) if variant == "permuted" else np.arange(len(CAPTIONS))
            self.register_buffer("table_KD", reference_KD[torch.from_numpy(order).to(place)])
        centre_D = reference_KD.mean(dim=0)
        self.register_buffer("centre_D", centre_D)
        self.register_buffer("spread", (reference_KD - centre_D).square().mean().sqrt().clamp(min=1e-12))
        self.to(place)

    def forward(
        self,
        angles_deg_B3: torch.Tensor,
        expressions: Sequence[str] | None = None,
        lights: Sequence[str] | None = None,
    ) -> torch.Tensor:
        """As `PoseEncoder.forward`; with a word on expression or light for each pose, they join its caption."""
        text_BD = self.text_embedding(angles_deg_B3, expressions, lights)
        out: torch.Tensor = self.projection(self._standardised(text_BD))
        return out

    def features(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        return self._standardised(self.text_embedding(angles_deg_B3))

    def prepare(self, angles_deg_N3: torch.Tensor) -> None:
        if self.freeze_clip and self.use_continuous_text:
            self.text_embedding(angles_deg_N3)

    def text_embedding(
        self,
        angles_deg_B3: torch.Tensor,
        expressions: Sequence[str] | None = None,
        lights: Sequence[str] | None = None,
    ) -> torch.Tensor:
        """CLIP's embedding of each pose's caption, unit length (interpolated: within it): float32 `[B, D]`."""
        angles_deg_B3 = checked_tensor(angles_deg_B3)
        if expressions is not None or lights is not None:
            return self._worded(angles_deg_B3, expressions, lights)
        if self.use_continuous_text:
            return self._continuous(angles_deg_B3)
        if not self.freeze_clip:
            return self._discrete_in_training(angles_deg_B3)
        table_KD: torch.Tensor = self.table_KD
        if self.variant == "interpolated":
            return interpolation_weights(angles_deg_B3) @ table_KD
        return table_KD[caption_numbers_of(angles_deg_B3)]

    def _standardised(self, text_BD: torch.Tensor) -> torch.Tensor:
        features_BD: torch.Tensor = (text_BD - self.centre_D) / self.spread
        return features_BD

    def _discrete_in_training(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        numbers_U, which_B = caption_numbers_of(angles_deg_B3).unique(return_inverse=True)
        captions = describe(CENTRE_POSES_DEG[numbers_U.cpu().numpy()], **self._describe_as)
        return self._trained_rows(captions)[which_B]

    def _continuous(self, angles_deg_B3: torch.Tensor) -> torch.Tensor:
        steps_B3 = torch.round(angles_deg_B3.double() / self.round_deg).long().cpu().numpy()
        steps_U3, which_B = np.unique(steps_B3, axis=0, return_inverse=True)
        rows_of = torch.from_numpy(which_B.reshape(-1)).to(angles_deg_B3.device)

        def captions(missing: Sequence[int]) -> list[str]:
            return describe(steps_U3[list(missing)] * self.round_deg, **self._describe_as)

        if not self.freeze_clip:
            return self._trained_rows(captions(range(len(steps_U3))))[rows_of]
        keys = [row.tobytes() for row in steps_U3]
        return self._cached_rows(keys, captions)[rows_of]

    def _worded(
        self, angles_deg_B3: torch.Tensor, expressions: Sequence[str] | None, lights: Sequence[str] | None
    ) -> torch.Tensor:
        if self.variant not in ("plain", "random"):
            raise InputError(
                Says.variant_takes_no_words(variant=self.variant), next_step=Says.variant_takes_no_words_next()
            )
        angles = angles_deg_B3.double().cpu().numpy()
        if self.use_continuous_text:
            angles = _rounded(angles, self.round_deg)
        captions = describe(angles, expressions=expressions, lights=lights, **self._describe_as)
        different = list(dict.fromkeys(captions))
        number_of = {caption: number for number, caption in enumerate(different)}
        rows_of = torch.tensor([number_of[caption] for caption in captions], dtype=torch.long).to(angles_deg_B3.device)
        if not self.freeze_clip:
            return self._trained_rows(different)[rows_of]
        return self._cached_rows(different, lambda missing: [different[number] for number in missing])[rows_of]

    def _trained_rows(self, captions: Sequence[str]) -> torch.Tensor:
        assert self.tower is not None
        return nn.functional.normalize(self.tower(captions).float(), dim=1)

    def _cached_rows(self, keys: Sequence[Any], captions: Callable[[Sequence[int]], list[str]]) -> torch.Tensor:
        device = self.centre_D.device
        missing = self._cache.missing(keys)
        if missing:
            rows_MD = _unit_rows(self._encode_texts(captions(missing)))
            self._cache.put([keys[number] for number in missing], rows_MD.to(device))
        return self._cache.get(keys, device)


class CaptionRows:
    """Embeddings by key in one growing tensor. Full, it forgets everything and starts again."""

    def __init__(self, max_rows: int, no_rows_0D: torch.Tensor) -> None:
        self._max_rows = max_rows
        self._row_of: dict[Any, int] = {}
        self._rows_ND = no_rows_0D

    def __len__(self) -> int:
        return len(self._row_of)

    def missing(self, keys: Sequence[Any]) -> list[int]:
        """Places in `keys` of those that are not here. May forget, so `put` what is missing before the next call."""
        absent = [place for place, key in enumerate(keys) if key not in self._row_of]
        if absent and len(self._row_of) + len(absent) > self._max_rows:
            self._row_of.clear()
            return list(range(len(keys)))
        return absent

    def put(self, keys: Sequence[Any], rows_MD: torch.Tensor) -> None:
        start = len(self._row_of)
        needed = start + len(keys)
        if needed > len(self._rows_ND):
            grown = rows_MD.new_empty(max(256, 2 * needed), rows_MD.shape[1])
            grown[:start] = self._rows_ND[:start]
            self._rows_ND = grown
        self._rows_ND[start:needed] = rows_MD
        self._row_of.update(zip(keys, range(start, needed), strict=True))

    def get(self, keys: Sequence[Any], device: torch.device) -> torch.Tensor:
        self._rows_ND = self._rows_ND.to(device)  # the encoder may have moved since
        return self._rows_ND[torch.tensor([self._row_of[key] for key in keys], dtype=torch.long, device=device)]


def _refuse_contradictions(
    variant: str, freeze_clip: bool, use_continuous_text: bool, round_deg: float, encode_texts: EncodeTexts | None
) -> None:
    if variant not in VARIANTS:
        raise InputError(Says.no_such_variant(), where=variant, next_step=Common.one_of(names=", ".join(VARIANTS)))
    if variant in ("permuted", "interpolated") and (use_continuous_text or not freeze_clip):
        raise InputError(
            Says.variant_needs_frozen(variant=variant), next_step=english("freeze_clip=True, use_continuous_text=False")
        )
    if not round_deg >= 0.1 or not np.isfinite(round_deg):
        raise InputError(Says.rounding_too_fine(), where=f"round_deg={round_deg}")
    if encode_texts is not None and not freeze_clip:
        raise InputError(Says.lent_tower_unfrozen(), next_step=Says.lent_tower_unfrozen_next())


def _rounded(angles_deg: np.ndarray, round_deg: float) -> np.ndarray:
    rounded: np.ndarray = np.round(angles_deg / round_deg) * round_deg
    return rounded


def _unit_rows(features_KD: Any) -> torch.Tensor:
    return nn.functional.normalize(torch.as_tensor(features_KD).detach().float(), dim=1)


def _derangement(count: int, seed: int) -> np.ndarray:
    """A permutation that leaves nothing in its place."""
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(count)
        if not (order == np.arange(count)).any():
            return order
