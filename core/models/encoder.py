"""The one interface of all models. A family subclasses `Encoder`; everything else in the house sees only this.

Importing this module costs no torch: the annotations are strings and the subclasses import it themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Unsupported
from ..types import Notice
from ..words import Common
from .spec import ModelSpec
from .words import Says

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PatchTokens:
    """Projected tokens of one batch.

    Attributes:
        cls_BD: float32 `[B, D]`, the image embedding before L2.
        patches_BPD: float32 `[B, P, D]`, the patch tokens in the same space, row-major over the grid.
        grid_hw: P = h · w.
    """

    cls_BD: torch.Tensor
    patches_BPD: torch.Tensor
    grid_hw: tuple[int, int]


class Encoder(ABC):
    """A loaded model on one device in one dtype. Made by `core.models.weights.load_encoder`, lent by the manager.

    Attributes:
        spec: the catalogue entry.
        module: the reference library's own `nn.Module`, in eval mode, without gradients.
        device, dtype: where and in what the module computes. Outputs are always float32.
        weights_sha256: of the weight file.
        size_bytes: parameters and buffers as they lie on the device.
    """

    spec: ModelSpec
    module: torch.nn.Module
    device: torch.device
    dtype: torch.dtype
    weights_sha256: str
    size_bytes: int

    @property
    def dim(self) -> int:
        """Width of the image embedding as the loaded model reports it."""
        raise NotImplementedError

    @property
    def switches(self) -> dict[str, Any]:
        """The architecture's whole configuration as plain JSON values; empty where its name says everything."""
        return {}

    @property
    def tokenizer(self) -> dict[str, Any] | None:
        """What turns captions into tokens, as plain JSON values; None without a text tower."""
        return None

    @property
    def logit_scale(self) -> float:
        """exp(logit_scale) of the checkpoint, clamped to 100 as in training. `Unsupported` without a text tower."""
        raise Unsupported(Says.no_logit_scale(), where=self.spec.id)

    @abstractmethod
    def preprocess(self, rgb_HWC: np.ndarray) -> torch.Tensor:
        """One upright uint8 RGB image → `pixels_CHW` on the CPU.

        In fp32 the family's own transform (float32, normalised; the reference). In other dtypes the fast path: uint8,
        antialiased torch resize, a grey level away on few pixels; `encode_images` normalises on the device.
        Thread-safe.
        """

    @abstractmethod
    def encode_images(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        """`pixels_BCHW` (uint8 or float32) → `features_BD`, float32, on the model's device, not normalised."""

    def encode_texts(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[Notice]]:
        """K captions → (`features_KD` float32 on the device, not normalised; a notice for each caption that was cut).

        Raises `Unsupported` without a text tower.
        """
        raise Unsupported(Common.no_text_tower(), where=self.spec.id, next_step=Common.choose_clip_model())

    def patch_tokens(self, pixels_BCHW: torch.Tensor) -> PatchTokens:
        """Projected patch tokens. Raises `Unsupported` where the architecture has none."""
        raise Unsupported(Says.no_patch_tokens(), where=self.spec.id, next_step=Says.choose_vit())
