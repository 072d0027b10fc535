"""Tiny models with random weights, in the layout a user would have them in."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

TINY: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28], "interpolation": "bicubic"},
}

TINY_WIDE: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 40,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 48, "layers": 2, "width": 48, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"},
}

TINY_RESNET: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": TINY["preprocess_cfg"],
}
"""A CLIP whose image tower has no patch tokens."""


def build_reference(config: dict[str, Any], seed: int = 0) -> torch.nn.Module:
    """The model by a direct call of open_clip, random weights."""
    import open_clip

    torch.manual_seed(seed)
    parts = deepcopy(config["model_cfg"])
    custom_text = parts.pop("custom_text", False)
    module = (open_clip.CustomTextCLIP if custom_text else open_clip.CLIP)(**parts).eval()
    return spread(module, seed)


def spread(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Gives every parameter that starts as a constant (biases, norms, their statistics) a value of its own.

    A loader that forgets or swaps such a tensor would otherwise go unnoticed.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and tensor.numel() > 1 and tensor.min() == tensor.max():
                noise = torch.rand(tensor.shape, generator=generator)
                tensor.add_(0.1 * noise if name.endswith(("weight", "running_var")) else 0.05 * (noise - 0.5))
    return module


def settle(module: torch.nn.Module, input_px: int) -> torch.nn.Module:
    """Sets the statistics of batch norms to what noise images give, and returns the module in eval mode.

    With random weights and untouched statistics a deep network gives the same vector for every image.
    """
    norms = [part for part in module.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
    if norms:
        for norm in norms:
            norm.momentum = 1.0
        with torch.no_grad():
            images = torch.rand(4, 3, input_px, input_px, generator=torch.Generator().manual_seed(0)) * 4 - 2
            getattr(module.train(), "visual", module)(images)
    return module.eval()


def write_custom(weights_dir: Path, name: str, config: dict[str, Any], seed: int = 0) -> Path:
    """Writes `custom/NAME/` with open_clip's two files and returns the folder."""
    folder = weights_dir / "custom" / name
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    module = build_reference(config, seed)
    save_file(module.state_dict(), folder / "open_clip_model.safetensors")
    return folder
