"""Shared by all tests: a weights folder with two tiny CLIPs of random weights, made once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Gradio asks its maker's server for news unless told not to, already when it is imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with the models `custom_tiny` (dim 24, 32 px) and `custom_tiny_wide` (dim 40, 48 px).

    Genuine open_clip models with text towers, random weights: their vectors follow pixels and words but mean nothing.
    `efficientnet_lite0` is there too, out of its package. Read-only by agreement; copy it to change it.
    """
    from tests.tiny_models import TINY, TINY_WIDE, write_custom  # imports torch, which many tests can do without

    folder = tmp_path_factory.mktemp("weights")
    write_custom(folder, "tiny", TINY)
    write_custom(folder, "tiny_wide", TINY_WIDE, seed=1)
    return folder
