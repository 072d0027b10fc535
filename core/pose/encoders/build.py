"""Any encoder by its name in `core.pose.arms`, with as many trainable parameters as any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...errors import InputError
from ...models.device import pick_device
from ...settings import Settings
from ...words import Common
from ..arms import ARMS
from ..text import CAPTIONS
from ..words import Says
from .captions import CLIPPoseEncoder
from .hybrid import HybridPoseEncoder
from .numbers import MLPPoseEncoder
from .protocol import (
    HIDDEN_DIM,
    OUTPUT_DIM,
    EncodeTexts,
    NoPoseEncoder,
    PoseEncoder,
    hidden_dim_for,
    projection_parameters,
)
from .table import ROW_DIM, TablePoseEncoder
from .text_tower import text_model


def build_pose_encoder(
    name: str,
    output_dim: int = OUTPUT_DIM,
    *,
    clip_model_name: str = "ViT-B/32",
    device: str | torch.device = "auto",
    freeze_clip: bool = True,
    hidden_dim: int = HIDDEN_DIM,
    match_parameters: bool = True,
    round_deg: float = 0.1,
    weights_dir: Path | None = None,
    seed: int = 0,
    encode_texts: EncodeTexts | None = None,
) -> PoseEncoder:
    """Any encoder by its name.

    Args:
        name: one of `core.pose.arms.ARMS`.
        hidden_dim: hidden width of the `clip` encoder; 0: linear maps.
        match_parameters: give every encoder as many trainable parameters as `clip` has with that width (see the
            package's text); False: the same hidden width for all.
        seed: of all that is random: first weights, permutation, random tower. torch's own generator is left alone.
        clip_model_name, device, freeze_clip, round_deg, weights_dir, encode_texts: as of `CLIPPoseEncoder`.

    Raises:
        InputError: an unknown name; and as `CLIPPoseEncoder`.
    """
    if name not in ARMS:
        raise InputError(Says.no_such_arm(), where=name, next_step=Common.one_of(names=", ".join(ARMS)))
    place = pick_device(device) if isinstance(device, str) else device
    folder = Settings().weights_dir if weights_dir is None else weights_dir
    clip_options = {
        "clip_model_name": clip_model_name,
        "device": place,
        "freeze_clip": freeze_clip,
        "round_deg": round_deg,
        "weights_dir": folder,
        "seed": seed,
        "encode_texts": encode_texts,
    }
    text_dim = text_model(clip_model_name, folder).dim or 512
    maker = Maker(output_dim, hidden_dim, match_parameters, text_dim, clip_options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder: PoseEncoder = getattr(maker, ARMS[name].kind)(**ARMS[name].options)
        return encoder.to(place)


@dataclass(frozen=True)
class Maker:
    """A method for each kind of encoder, named as in `Arm.kind`. `share`: of the parameters that an arm may have."""

    output_dim: int
    hidden_dim: int
    match_parameters: bool
    text_dim: int
    clip_options: dict[str, Any]

    def none(self) -> NoPoseEncoder:
        return NoPoseEncoder(self.output_dim)

    def numbers(self, representation: str, share: float = 1.0) -> MLPPoseEncoder:
        return MLPPoseEncoder(self.output_dim, self._width(MLPPoseEncoder.DIMS[representation], share), representation)

    def table(self) -> TablePoseEncoder:
        return TablePoseEncoder(self.output_dim, self._width(ROW_DIM, besides=ROW_DIM * len(CAPTIONS)))

    def captions(self, share: float = 1.0, **options: Any) -> CLIPPoseEncoder:
        width = self._width(self.text_dim, share)
        return CLIPPoseEncoder(self.output_dim, hidden_dim=width, **{**self.clip_options, **options})

    def hybrid(self) -> HybridPoseEncoder:
        return HybridPoseEncoder(self.captions(0.5), self.numbers("angles", 0.5))

    def _width(self, feature_dim: int, share: float = 1.0, besides: int = 0) -> int:
        """The hidden width that uses up the share, `besides` parameters that are no projection's."""
        if not self.match_parameters or not self.hidden_dim:
            return self.hidden_dim
        budget = projection_parameters(self.text_dim, self.hidden_dim, self.output_dim)
        return hidden_dim_for(round(budget * share) - besides, feature_dim, self.output_dim)
