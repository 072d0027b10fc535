"""Small photos on disk, and a manager of honest fakes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.models.manager import ModelManager
from core.settings import Settings
from core.types import ImageSource
from tests.fakes import FakeEncoder, fake_spec


def photo(seed: int, height_px: int = 40, width_px: int = 52) -> np.ndarray:
    """A smooth, colourful `rgb_HWC`, another for each seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    return np.array(small.resize((width_px, height_px), Image.Resampling.BICUBIC))


def png(rgb_HWC: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb_HWC).save(buffer, "PNG")
    return buffer.getvalue()


def sources(count: int) -> list[ImageSource]:
    return [ImageSource(f"{number:04d}.png", data=png(photo(number))) for number in range(count)]


class Fakes:
    """A manager of fakes: `fake` (16 wide, 32 px), `wide` (24 wide, 48 px), `mute` (8 wide, no words)."""

    def __init__(self, **encoder_options) -> None:
        specs = [
            fake_spec("fake", dim=16, input_px=32, gmacs=1.0),
            fake_spec("wide", dim=24, input_px=48, gmacs=3.0),
            fake_spec("mute", dim=8, input_px=32, has_text=False, gmacs=0.5),
        ]
        self.specs = {spec.id: spec for spec in specs}
        self.encoders: list[FakeEncoder] = []
        self.encoder_options = encoder_options

    def load(self, spec, device, dtype) -> FakeEncoder:
        self.encoders.append(FakeEncoder(spec, device, dtype, **self.encoder_options))
        return self.encoders[-1]

    def manager(self, **settings) -> ModelManager:
        return ModelManager(Settings(**settings), load=self.load, find=lambda model_id: self.specs[model_id])

    def direct(self, model_id: str, images: list[np.ndarray]) -> np.ndarray:
        """What the model gives for each image alone, without any pipeline."""
        encoder = FakeEncoder(self.specs[model_id])
        return np.concatenate([encoder.encode_images(encoder.preprocess(image)[None]).numpy() for image in images])


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 24 small JPEGs and PNGs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(24):
        kind = "jpg" if number % 2 else "png"
        Image.fromarray(photo(number)).save(folder / f"{number:02d}.{kind}")
    return folder
