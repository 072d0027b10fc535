"""One small prepared folder for all tests of the built-in model's training; nothing writes into it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.demo_clip.small_world import make_small_world


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_world(tmp_path_factory.mktemp("small_world"))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums in one order: runs that must agree bit for bit do, however busy the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
