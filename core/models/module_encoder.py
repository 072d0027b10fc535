"""What the encoders of all families share: a module, its preprocessing, its device and dtype."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from . import vit
from .checkpoint import size_bytes
from .encoder import Encoder, PatchTokens
from .preprocess import Preprocessor
from .spec import ModelSpec


class ModuleEncoder(Encoder):
    """An `Encoder` around one `nn.Module`. Families say how features are taken from it.

    Args:
        spec, module, device, dtype, weights_sha256: see `Encoder`.
        reference: the family's own transform, PIL image → normalised float32 `[3, H, W]`.
    """

    def __init__(
        self,
        spec: ModelSpec,
        module: torch.nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        weights_sha256: str,
        reference: Callable[[Image.Image], torch.Tensor],
    ) -> None:
        self.spec = spec
        self.module = module
        self.device = device
        self.dtype = dtype
        self.weights_sha256 = weights_sha256
        self.size_bytes = size_bytes(module)
        self._preprocessor = Preprocessor(spec.preprocessing, reference, dtype)
        self._dim: int | None = None

    @property
    def dim(self) -> int:
        if self._dim is None:
            self._dim = self._module_dim()
        return self._dim

    def preprocess(self, rgb_HWC: np.ndarray) -> torch.Tensor:
        return self._preprocessor(rgb_HWC)

    def encode_images(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            features_BD = self._features(self._preprocessor.to_input(pixels_BCHW, self.device)).float()
        return features_BD.clone()  # an ordinary tensor, which a trained head may take as input

    def patch_tokens(self, pixels_BCHW: torch.Tensor) -> PatchTokens:
        """Behind the last norm and the tower's projection: patches in the space of the image embedding."""
        tower = self._tower
        if not vit.is_vit(tower):
            return super().patch_tokens(pixels_BCHW)
        with torch.inference_mode():
            hidden_BTW = vit.walk(tower, vit.enter(tower, self._preprocessor.to_input(pixels_BCHW, self.device)))
            cls_BD, patches_BPD = (vit.project(tower, tokens).float() for tokens in vit.leave(tower, hidden_BTW))
        return PatchTokens(cls_BD.clone(), patches_BPD.clone(), vit.grid_hw(tower))

    @property
    def _tower(self) -> torch.nn.Module:
        """The image tower."""
        return self.module

    @abstractmethod
    def _features(self, input_BCHW: torch.Tensor) -> torch.Tensor:
        """The module's image features `[B, D]`, in its own dtype, from normalised pixels in that dtype."""

    @abstractmethod
    def _module_dim(self) -> int:
        """Width of the features, asked of the module rather than of the catalogue."""
