"""A CLIP's text tower without the rest of it, trained or random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import InputError, UnknownModel, Unsupported, WeightsMissing
from ...models.catalogue import find
from ...models.spec import OPEN_CLIP_CONFIG, ModelSpec
from ...models.weights import family_module, fetch_command, load_encoder, locate
from ...types import Notice
from ..embedding import OPENAI_NAMES, catalogue_id, with_model_always_there
from ..words import Says


class TextTower(nn.Module):
    """A CLIP's text tower with its weights, without its image tower.

    Args:
        spec: a model with a text tower.
        weights_dir, device: where its weights lie, where it computes (in float32).
        encoder: an encoder that is this tower's own; default: loaded from the weights.

    Raises:
        WeightsMissing: with the command that brings them, and the name of the model that is always there.
    """

    def __init__(self, spec: ModelSpec, weights_dir: Path, device: torch.device, encoder: Any = None) -> None:
        super().__init__()
        try:
            self._encoder: Any = encoder or load_encoder(spec, weights_dir, device, torch.float32)
        except WeightsMissing as error:
            raise with_model_always_there(error, spec.id) from None
        self.module: nn.Module = self._encoder.module
        self.weights_sha256: str = self._encoder.weights_sha256
        assert self._encoder.dim, "asked once, while there is an image tower to ask"
        self.module.visual = nn.Identity()  # gigabytes that no caption needs

    def forward(self, captions: Sequence[str]) -> torch.Tensor:
        """K captions → features `[K, D]`, not normalised, with gradients. Raises `InputError` as `encode`."""
        tokens_KT = self._encoder.tokenize(captions)
        _refuse_cut(self._encoder.cut_notices(captions, tokens_KT))
        device = next(self.module.parameters()).device
        features_KD: torch.Tensor = self._encoder.encode_tokens(tokens_KT.to(device))
        return features_KD

    def encode(self, captions: Sequence[str]) -> torch.Tensor:
        """The same in batches, without gradients. Raises `InputError` for a caption that the tower would cut."""
        features_KD, notices = self._encoder.encode_texts(captions)
        _refuse_cut(notices)
        return features_KD.clone()

    def requires_grad_(self, requires_grad: bool = True) -> TextTower:
        """All weights but the scale of the similarities, which no caption passes through."""
        super().requires_grad_(requires_grad)
        for name in ("logit_scale", "logit_bias"):
            weight = getattr(self.module, name, None)
            if weight is not None:
                weight.requires_grad_(False)
        return self


def _refuse_cut(notices: Sequence[Notice]) -> None:
    if notices:
        raise InputError(notices[0].text, next_step=Says.caption_cut_next())


def random_tower(spec: ModelSpec, weights_dir: Path, device: torch.device, seed: int) -> TextTower:
    """The same architecture with its random first weights; the trained ones need not be here.

    Raises:
        WeightsMissing: the architecture is described by a file beside the weights, and that is not here either.
    """
    family = family_module(spec)
    path = locate(spec, weights_dir) or weights_dir / spec.folder / spec.files[0]
    if spec.architecture == OPEN_CLIP_CONFIG and not (path.parent / OPEN_CLIP_CONFIG).is_file():
        raise WeightsMissing(
            Says.no_description_of_model(),
            where=f"{spec.id}: {Path(spec.folder) / OPEN_CLIP_CONFIG}",
            next_step=fetch_command(spec),
        )
    config = family.model_config(spec, path)
    config["vision_cfg"] = {"image_size": 8, "patch_size": 8, "width": 8, "head_width": 8, "layers": 1}  # thrown away
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = family.build(config).to(device).eval().requires_grad_(False)
    encoder = family.OpenClipEncoder(spec, module, device, torch.float32, f"random, seed {seed}", config, 1.0)
    return TextTower(spec, weights_dir, device, encoder)


def text_model(clip_model_name: str, weights_dir: Path) -> ModelSpec:
    """The catalogue entry of an OpenAI name or an id, made sure to have a text tower.

    Raises:
        UnknownModel, Unsupported: with names that do.
    """
    towers = Says.names_of_towers(names=", ".join(list(OPENAI_NAMES)[:3]))
    try:
        spec = find(catalogue_id(clip_model_name), weights_dir)
    except UnknownModel as error:
        next_step = Says.names_of_towers_or(towers=towers, hint=error.next_step)
        raise UnknownModel(error.what, where=error.where, next_step=next_step) from None
    if not spec.has_text and not spec.problem:
        raise Unsupported(Says.reads_no_captions(), where=spec.id, next_step=towers)
    return spec
