"""torchvision's classifiers as encoders: what enters the last linear layer is the vector.

ResNet: 2048 channels averaged over the image; EfficientNet likewise; ViT: the class token after the last norm. The
preprocessing is that of the weights (`weights.transforms()`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.models import ResNet, VisionTransformer, get_model, get_model_weights

from .checkpoint import materialise, read_state_dict
from .module_encoder import ModuleEncoder
from .spec import ModelSpec


def load(
    spec: ModelSpec, path: Path, device: torch.device, dtype: torch.dtype, weights_sha256: str
) -> TorchvisionEncoder:
    """Strict; raises `WeightsInvalid`. The classifier's weights are checked, then dropped."""
    module = materialise(
        lambda: build(spec.architecture), read_state_dict(path), device=device, dtype=dtype, where=str(path)
    )
    setattr(module, _head_name(module), torch.nn.Identity())
    weights = get_model_weights(spec.architecture)[spec.tag]
    return TorchvisionEncoder(spec, module, device, dtype, weights_sha256, weights.transforms())


def build(architecture: str) -> torch.nn.Module:
    """The architecture without weights."""
    return get_model(architecture, weights=None)


class TorchvisionEncoder(ModuleEncoder):
    """Where the architecture is a ViT, patches and class token are in one space, behind the last norm."""

    def _features(self, input_BCHW: torch.Tensor) -> torch.Tensor:
        return self.module(input_BCHW)

    def _module_dim(self) -> int:
        if isinstance(self.module, VisionTransformer):
            return int(self.module.hidden_dim)
        if isinstance(self.module, ResNet):
            return int(self.module.layer4[-1].bn3.num_features)
        return int(self.module.features[-1].out_channels)


def _head_name(module: torch.nn.Module) -> str:
    return next(name for name in ("fc", "classifier", "heads") if hasattr(module, name))
