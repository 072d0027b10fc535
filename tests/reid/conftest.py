"""A small set of drawn people in RGBNT201's layout, and a way to train on it in a blink."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.reid.config import Config, parse_config
from experiments.reid.figures import generate

SMALL: dict[str, dict[str, Any]] = {
    "MODEL": {
        "TRANSFORMER_TYPE": "custom_tiny",
        "STRIDE_SIZE": [8, 8],
        "CLIP_MULTI_SCALE_SCALES": [2, 4],
        "CLIP_MULTI_SCALE_PROJECTED_DIM": 36,
    },
    "INPUT": {"SIZE": [32, 16], "PADDING": 2},
    "DATASETS": {"NAMES": "figures", "VAL_IDS": 2},
    "DATALOADER": {"NUM_INSTANCE": 2},
    "SOLVER": {"MAX_EPOCHS": 2, "IMS_PER_BATCH": 8, "BASE_LR": 0.003, "WARMUP_EPOCHS": 1},
}


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder above `figures/`: 6 people to train on, 4 to test on, one shot by each of four cameras, 32 × 16 px."""
    root = tmp_path_factory.mktemp("reid")
    for _ in generate(root / "figures", train_ids=6, test_ids=4, shots=1, seed=3, height_px=32, width_px=16):
        pass
    return root


@pytest.fixture
def figures_copy(figures: Path, tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    shutil.copytree(figures / "figures", tmp_path / "copy" / "figures")
    return tmp_path / "copy"


@pytest.fixture
def small_config(figures: Path, tmp_path: Path) -> Callable[..., Config]:
    """A config on the small set: `small_config({"MODEL.FROZEN": False})`."""

    def make(changes: dict[str, Any] | None = None, root: Path | None = None) -> Config:
        return parse_config(small_yaml(root or figures, tmp_path / "runs", changes), "test")

    return make


def small_yaml(root: Path, runs: Path, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    given: dict[str, Any] = yaml.safe_load(yaml.safe_dump(SMALL))
    given["DATASETS"]["ROOT_DIR"] = str(root)
    given["OUTPUT_DIR"] = str(runs)
    for key, value in (changes or {}).items():
        section, _, name = key.partition(".")
        if name:
            given.setdefault(section, {})[name] = value
        else:
            given[section] = value
    return given


@pytest.fixture(scope="session")
def fabric():
    from lightning.fabric import Fabric

    one = Fabric(accelerator="cpu", devices=1)
    one.launch()
    return one
