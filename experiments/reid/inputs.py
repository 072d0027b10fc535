"""What a model is fed: triples, or their hidden tokens where those never change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric

from core.errors import InputError
from experiments.reid.config import Config
from experiments.reid.data import (
    TEST_FOLDER,
    TRAIN_FOLDER,
    Augmentation,
    Triples,
    load,
    read_split,
    split_validation,
)
from experiments.reid.model import ReidModel

MAX_CACHED_BYTES = 2 * 2**30  # of hidden tokens that are a constant of the picture


@dataclass
class Shared:
    """What the runs of one process need not make twice: triples, and constant hidden tokens by what they come from."""

    triples: dict[Any, tuple[Triples, Triples, Triples]] = field(default_factory=dict)
    hidden: dict[Any, ModelInput] = field(default_factory=dict)


@dataclass
class ModelInput:
    """Where a model's input comes from: the pictures, or the hidden tokens of all of them, computed once.

    Attributes:
        triples: the pictures. hidden: `[N, M, T, W]`, or None. mirrored: the same for mirror images.
    """

    triples: Triples
    hidden: torch.Tensor | None = None
    mirrored: torch.Tensor | None = None


def triples_of(config: Config, shared: Shared) -> tuple[Triples, Triples, Triples]:
    """Training, validation, test; the last two are people that training never sees."""
    key = (config.DATASETS, config.INPUT.SIZE)
    if key not in shared.triples:
        root = Path(config.DATASETS.ROOT_DIR).expanduser() / config.DATASETS.NAMES
        training, validation = split_validation(read_split(root / TRAIN_FOLDER), config.DATASETS.VAL_IDS, seed=0)
        test = read_split(root / TEST_FOLDER)
        both = {one.person for one in training + validation} & {one.person for one in test}
        if both:
            raise InputError(
                f"{len(both)} people are in training and in test, the first is {min(both):06d}.",
                where=str(root),
                next_step="Test people must be unknown to training.",
            )
        shared.triples[key] = tuple(load(part, config.INPUT.SIZE) for part in (training, validation, test))  # type: ignore[assignment]
    return shared.triples[key]


def normalised(config: Config, pixels: torch.Tensor, fabric: Fabric) -> torch.Tensor:
    mean = torch.tensor(config.INPUT.PIXEL_MEAN, device=fabric.device)[:, None, None]
    std = torch.tensor(config.INPUT.PIXEL_STD, device=fabric.device)[:, None, None]
    return (pixels.to(fabric.device).float() / 255 - mean) / std


def model_input(
    model: ReidModel, config: Config, triples: Triples, fabric: Fabric, shared: Shared, *, mirrored: bool
) -> ModelInput:
    """The pictures; with their hidden tokens where those are constant, small enough, and augmentation allows it."""
    training_as_they_are = mirrored or triples is not triples_of(config, shared)[0]
    if not model.branch.prefix_is_constant or not training_as_they_are:
        return ModelInput(triples)
    tokens = model.branch.grid_hw[0] * model.branch.grid_hw[1] + 1
    width = model.branch.visual.conv1.out_channels
    size_bytes = len(triples) * 3 * tokens * width * 4 * (2 if mirrored else 1)
    if size_bytes > MAX_CACHED_BYTES:
        return ModelInput(triples)
    plain = replace(
        config.MODEL, **{key: getattr(type(config.MODEL)(), key) for key in vars(config.MODEL) if "MULTI_SCALE" in key}
    )
    seed = config.SOLVER.SEED if config.MODEL.PRETRAIN_PATH_T == "random" else None
    key = (plain, seed, config.INPUT, id(triples), str(fabric.device), config.SOLVER.PRECISION)
    if key not in shared.hidden:

        def hidden_of(mirror: bool) -> torch.Tensor:
            parts = []
            with torch.inference_mode(), fabric.autocast():
                for rows in torch.arange(len(triples)).split(config.TEST.IMS_PER_BATCH):
                    pixels = normalised(config, triples.pixels_NM3HW[rows], fabric)
                    camera = torch.from_numpy(triples.camera_N[rows.numpy()]).to(fabric.device)
                    parts.append(model.branch.prefix(pixels.flip(-1) if mirror else pixels, camera).float())
            return torch.cat(parts)

        shared.hidden[key] = ModelInput(triples, hidden_of(False), hidden_of(True) if mirrored else None)
    return shared.hidden[key]


def training_input(
    source: ModelInput,
    config: Config,
    rows: np.ndarray,
    augmentation: Augmentation,
    random: np.random.Generator,
    fabric: Fabric,
) -> torch.Tensor:
    """Hidden tokens or pixels of a batch, augmented."""
    if source.hidden is not None and source.mirrored is not None:
        flipped = torch.from_numpy(augmentation.flips(len(rows), random)).to(fabric.device)
        return torch.where(flipped[:, None, None, None], source.mirrored[rows], source.hidden[rows])
    return augmentation.apply(normalised(config, source.triples.pixels_NM3HW[rows], fabric), random)


def features_of(model: ReidModel, config: Config, source: ModelInput, fabric: Fabric) -> np.ndarray:
    """Features of all triples, float32 `[N, F]`, in evaluation mode. Every process computes all of them."""
    was_training = model.training
    model.eval()
    parts = []
    with torch.inference_mode(), fabric.autocast():
        for rows in torch.arange(len(source.triples)).split(config.TEST.IMS_PER_BATCH):
            camera = torch.from_numpy(source.triples.camera_N[rows.numpy()]).to(fabric.device)
            if source.hidden is not None:
                start = source.hidden[rows]
            else:
                start = normalised(config, source.triples.pixels_NM3HW[rows], fabric)
            parts.append(model.features(start, camera).float().cpu())
    model.train(was_training)
    return torch.cat(parts).numpy()
