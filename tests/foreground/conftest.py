"""A scene of coloured things, a manager of fakes, and the calls of the image tower, counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.foreground.components import ComponentSet
from core.foreground.mask_images import from_mask
from core.foreground.request import Picture
from core.models.manager import ModelManager
from core.settings import Settings
from tests.fakes import COLOURS, FakeEncoder, fake_spec


@pytest.fixture
def scene() -> Picture:
    """Grey ground with a red, a green and a blue thing; a little texture, so that no two crops are alike."""
    rgb = np.full((120, 180, 3), 110, dtype=np.uint8)
    rgb[20:60, 20:70] = COLOURS["red"]
    rgb[70:110, 100:160] = COLOURS["green"]
    rgb[10:50, 120:160] = COLOURS["blue"]
    noise = np.random.default_rng(0).integers(0, 12, rgb.shape)
    return Picture((rgb - np.minimum(rgb, noise)).astype(np.uint8))


@pytest.fixture
def things(scene: Picture) -> ComponentSet:
    """The three things, by their outlines: 1 blue, 2 red, 3 green."""
    mask = np.zeros(scene.image_hw, dtype=np.uint8)
    mask[20:60, 20:70] = mask[70:110, 100:160] = mask[10:50, 120:160] = 1
    return from_mask(mask, scene.image_hw)


@pytest.fixture
def fake_encoder() -> FakeEncoder:
    """The one encoder of `fakes`; its `batch_sizes` count the image tower's calls."""
    return FakeEncoder(fake_spec("fake", input_px=32))


@pytest.fixture
def fakes(fake_encoder: FakeEncoder, tmp_path: Path) -> Iterator[ModelManager]:
    """A manager that lends `fake` (with text) and `mute` (without)."""
    mute = FakeEncoder(fake_spec("mute", has_text=False))
    manager = ModelManager(
        Settings(weights_dir=tmp_path),
        load=lambda spec, device, dtype: fake_encoder if spec.id == "fake" else mute,
        find=lambda model_id: fake_encoder.spec if model_id == "fake" else mute.spec,
    )
    yield manager
    manager.close()


@pytest.fixture(scope="module")
def real(tiny_weights: Path) -> Iterator[ModelManager]:
    """A manager that lends the tiny genuine open_clip models `custom_tiny` and `custom_tiny_wide`."""
    manager = ModelManager(Settings(weights_dir=tiny_weights))
    yield manager
    manager.close()
