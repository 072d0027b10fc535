"""Runs as they lie on disk, written without the code under test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def write_run() -> Callable[..., Path]:
    def write(
        folder: Path, config: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], status: str | None = "finished"
    ) -> Path:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(dict(config)))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(dict(row)) + "\n" for row in rows))
        if status is not None:
            (folder / "status").write_text(status + "\n")
        return folder

    return write


@pytest.fixture
def write_arms(write_run: Callable[..., Path]) -> Callable[..., Path]:
    """Arms of seeds, one checkpoint at step 100 in each run: `{"mlp": [4.1, …], …}`, the seed is the position."""

    def write(root: Path, arms: Mapping[str, Iterable[float]], metric: str = "nme") -> Path:
        for arm, values in arms.items():
            for seed, value in enumerate(values):
                rows = [{"step": 100, "epoch": 1, f"val/{metric}": value, f"test/{metric}": value}]
                write_run(root / f"{arm}-{seed}", {"pose_encoder": arm, "seed": seed}, rows)
        return root

    return write
