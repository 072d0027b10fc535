"""Tests on a real NVIDIA GPU: `make test-gpu`. Without one they fail; they are no part of `make test`."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _a_gpu_is_here() -> None:
    if not torch.cuda.is_available():
        pytest.fail("`make test-gpu` needs an NVIDIA GPU, and torch sees none.", pytrace=False)


@pytest.fixture(autouse=True)
def _a_clean_gpu(_a_gpu_is_here: None) -> Iterator[None]:
    """Every test starts and ends with nothing of ours on the GPU."""
    torch.cuda.set_device(0)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, 0)
    gc.collect()
    torch.cuda.empty_cache()


@pytest.fixture
def gpu() -> torch.device:
    return torch.device("cuda:0")
