"""One small prepared folder for all tests of the built-in model's training; nothing writes into it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.pose.rendering import render_heads
from experiments.demo_clip.artwork import RASTER_PX, STYLES
from experiments.demo_clip.backgrounds import KINDS, draw_backgrounds
from experiments.demo_clip.head_bank import draw_angles, draw_looks


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


# (name, Unicode group): enough of each kind for one small batch
NAMES = [
    ("dog", 3), ("cat", 3), ("hot dog", 4), ("egg", 4), ("automobile", 5), ("house", 5), ("soccer ball", 6),
    ("kite", 6), ("bed", 7), ("key", 7), ("up arrow", 8), ("flag Japan", 9), ("flag France", 9), ("man", 1),
    ("woman", 1), ("left arrow", 8),
]  # fmt: skip


def drawing(number: int, style: int) -> np.ndarray:
    """A shape of its own for each class, a colour of its own for each style; premultiplied RGBA."""
    y, x = np.mgrid[0:RASTER_PX, 0:RASTER_PX] / RASTER_PX * 2 - 1
    inside = np.abs(x) ** (1 + number % 4) + np.abs(y) ** (1 + number // 4) < 0.8
    rgba = np.zeros((RASTER_PX, RASTER_PX, 4), np.uint8)
    rgba[inside] = (40 + 12 * number, 250 - 14 * number, 60 + 20 * style, 255)
    return rgba


def make_small_world(folder: Path) -> Path:
    """Writes what `prepare` would, much smaller; returns the folder."""
    artwork, heads, backgrounds = folder / "artwork", folder / "heads", folder / "backgrounds"
    for part in (artwork, heads, backgrounds):
        part.mkdir(parents=True)
    records = [
        {"code": f"{number:x}", "name": name, "group": group, "synonyms": ["car"] if name == "automobile" else []}
        for number, (name, group) in enumerate(NAMES)
    ]
    (artwork / "classes.json").write_text(json.dumps(records))
    for index, style in enumerate(STYLES):
        np.save(artwork / f"{style.key}.npy", np.stack([drawing(number, index) for number in range(len(NAMES))]))
        (artwork / f"{style.key}.json").write_text(json.dumps(list(range(len(NAMES)))))
    for seed, name in enumerate(("train", "validation", "held_out")):
        rng = np.random.default_rng(seed)
        looks, expression, light = draw_looks(rng, 12, held_out=name == "held_out")
        angles = draw_angles(rng, 12, near_edges=0.3)
        np.save(heads / f"{name}.npy", render_heads(looks, angles, size_px=64, supersample=1))
        np.savez(heads / f"{name}.npz", angles_deg=angles, expression=expression, light=light)
    for seed, name in enumerate(("train", "held_out")):
        kinds = np.arange(2 * len(KINDS)) % len(KINDS)
        np.save(backgrounds / f"{name}.npy", draw_backgrounds(np.random.default_rng(seed), kinds))
        np.save(backgrounds / f"{name}.kinds.npy", kinds)
    return folder
