"""A scene of two coloured things, the app's services over a fake encoder, and one finished run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.foreground.annotations import from_boxes
from core.foreground.components import ComponentSet
from core.foreground.encoding import FeatureCache
from core.foreground.prompts import PromptSet
from core.foreground.request import ForegroundRequest, Picture
from core.models.manager import ModelManager
from core.settings import Settings
from tests.fakes import COLOURS, FakeEncoder, fake_spec
from webapp.foreground.job import Result, run
from webapp.kit.services import Services

PROMPTS = PromptSet(("red", "blue"), ("green", "grey"), ())


def finished(steps) -> Result:
    """The last item of a run."""
    result = list(steps)[-1]
    assert isinstance(result, Result)
    return result


def disc(image_hw: tuple[int, int], middle: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: image_hw[0], : image_hw[1]] + 0.5
    return (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < radius**2


@pytest.fixture
def encoder() -> FakeEncoder:
    """Its `batch_sizes` count the image tower's calls."""
    return FakeEncoder(fake_spec("fake", input_px=32))


@pytest.fixture
def services(encoder: FakeEncoder, tmp_path: Path) -> Iterator[Services]:
    settings = Settings(weights_dir=tmp_path)
    manager = ModelManager(settings, load=lambda *_: encoder, find=lambda _: encoder.spec)
    yield Services(settings, manager, tmp_path)
    manager.close()


@pytest.fixture
def picture() -> Picture:
    rgb = np.full((120, 180, 3), 110, dtype=np.uint8)
    rgb[20:60, 20:70] = COLOURS["red"]
    rgb[70:110, 100:160] = COLOURS["green"]
    return Picture(rgb)


@pytest.fixture
def things(picture: Picture) -> ComponentSet:
    return from_boxes([(20, 20, 70, 60), (100, 70, 160, 110)], picture.image_hw)


@pytest.fixture
def result(services: Services, picture: Picture, things: ComponentSet) -> Result:
    request = ForegroundRequest(model="fake", prompts=PROMPTS)
    return finished(run(services, FeatureCache(), "scene.png", picture, things, request))
