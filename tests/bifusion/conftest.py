"""Small rooms on disk and in memory, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.models import catalogue, weights
from core.models.encoder import Encoder
from experiments.bifusion.frames import Scene
from experiments.bifusion.rooms import generate_room


@pytest.fixture(scope="session")
def rooms() -> list[Scene]:
    """Three rooms of three small views."""
    return [generate_room(seed, views=3, height_px=30, width_px=40) for seed in range(3)]


@pytest.fixture(scope="session")
def encoder(tiny_weights: Path) -> Encoder:
    """A tiny CLIP of random weights, 32 px."""
    spec = catalogue.find("custom_tiny", tiny_weights)
    return weights.load_encoder(spec, tiny_weights, torch.device("cpu"), torch.float32)
