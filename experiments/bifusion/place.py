"""Where a run's data and weights come from, and what of them it depends on."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.models import catalogue, weights
from core.models.encoder import Encoder
from core.settings import Settings
from experiments.bifusion.data import FrameBank, prepare_rooms
from experiments.bifusion.frames import SPLITS, read_classes, read_split
from experiments.bifusion.plan import DEFAULT_WORK_DIR, FusionPlan


@dataclass(frozen=True)
class Place:
    """Where things lie: data, weights, generated data, runs; and how to read frames.

    `rooms`: how many generated rooms each part has; None: `data.ROOMS`.
    """

    output_dir: Path
    data_dir: Path | None = None
    weights_dir: Path = Settings().weights_dir
    work_dir: Path = DEFAULT_WORK_DIR
    bad_frames: str = "refuse"
    rooms: tuple[tuple[str, int], ...] | None = None


def facts(plan: FusionPlan, place: Place, fabric: Any) -> dict[str, Any]:
    """What a run's numbers depend on beside its plan: `data_fingerprint`, `weights_sha256`, `devices`."""
    banks = frame_banks(plan.model, plan.instance_weight > 0, place)
    return {
        "data_fingerprint": "-".join(bank.fingerprint for bank in banks.values()),
        "weights_sha256": image_model(plan.model, place.weights_dir).weights_sha256[:16],
        "devices": fabric.world_size,
    }


def different_facts(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The first of `facts` that differs, in words; empty if none. What was not recorded does not differ."""
    words = {"data_fingerprint": "other frames", "weights_sha256": "other weights of the image model"}
    words["devices"] = f"{before.get('devices')} devices"
    return next((text for name, text in words.items() if before.get(name, now[name]) != now[name]), "")


@functools.lru_cache(maxsize=2)
def image_model(model_id: str, weights_dir: Path) -> Encoder:
    spec = catalogue.find(model_id, weights_dir)
    return weights.load_encoder(spec, weights_dir, torch.device("cpu"), torch.float32)


@functools.lru_cache(maxsize=2)
def frame_banks(model_id: str, instances: bool, place: Place) -> dict[str, FrameBank]:
    """The three parts. Kept, so that a sweep reads them once."""
    root = place.data_dir or prepare_rooms(place.work_dir, dict(place.rooms) if place.rooms else None)
    classes = read_classes(root)
    encoder = image_model(model_id, place.weights_dir)
    banks = {}
    for split in SPLITS:
        scenes = read_split(root, split, classes, place.bad_frames, instances=instances)
        banks[split] = FrameBank(scenes, classes, encoder, instances=instances)
        for reject in banks[split].skipped:
            print(f"left out {reject.id}: {reject.reason}", file=sys.stderr)
    return banks
