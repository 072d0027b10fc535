"""A manager of honest fakes: `fake` reads captions, `mute` does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def fake_encoder():
    """The one encoder behind `fake`; its `texts_seen` are the captions that its text tower was asked for."""
    from tests.fakes import FakeEncoder, fake_spec

    return FakeEncoder(fake_spec("fake", dim=16))


@pytest.fixture
def fakes(fake_encoder, tmp_path: Path) -> Iterator:
    from core.models.manager import ModelManager
    from core.settings import Settings
    from tests.fakes import FakeEncoder, fake_spec

    mute = FakeEncoder(fake_spec("mute", has_text=False))
    manager = ModelManager(
        Settings(weights_dir=tmp_path),
        load=lambda spec, device, dtype: fake_encoder if spec.id == "fake" else mute,
        find=lambda model_id: fake_encoder.spec if model_id == "fake" else mute.spec,
    )
    yield manager
    manager.close()
