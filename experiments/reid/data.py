"""RGBNT201's folders → triples in memory → batches. Read `read_split` first.

    ROOT/{train_171,test}/{RGB,NI,TI}/000258_cam1_0_00.jpg      the same file name in all three

The first six digits are the person; the fourth character of the second `_` field is the camera, counted from 1. Query
and gallery are both the whole `test`. Validation is a part of `train_171`, by identity, never of `test`.

A batch is a pure function of (seed, epoch, number), so that a run which was interrupted sees the same batches when it
goes on, and all arms of an experiment see the same ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.errors import ImageRejected, InputError
from core.images.decode import decode
from core.types import ImageSource
from experiments.reid.figures import MODALITIES

TRAIN_FOLDER, TEST_FOLDER = "train_171", "test"

_NAME = re.compile(r"(\d{6})[^_]*_[^_]{3}(\d)")
_NAMES_SHOWN = 3
_HIDDEN = ("Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Record:
    """One triple on disk. `paths` in the order of `MODALITIES`; `camera` counts from 0."""

    name: str
    person: int
    camera: int
    paths: tuple[Path, Path, Path]


@dataclass(frozen=True)
class Triples:
    """N triples in memory: 5 GB for RGBNT100 at 256 × 128, 1.4 GB for RGBNT201.

    Attributes:
        pixels_NM3HW: uint8 `[N, 3 modalities, 3, H, W]`.
        person_N, camera_N: int64; persons as numbered in the names, cameras from 0.
        names: file names.
    """

    pixels_NM3HW: torch.Tensor
    person_N: np.ndarray
    camera_N: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def fingerprint(self) -> str:
        """Of every pixel, and of who was seen by which camera."""
        digest = hashlib.sha256(np.ascontiguousarray(self.pixels_NM3HW.numpy()))
        digest.update(np.stack([self.person_N, self.camera_N]).tobytes())
        return digest.hexdigest()[:16]


def read_split(folder: Path) -> list[Record]:
    """The triples of `train_171` or `test`, by name.

    Raises:
        InputError: a modality's folder is missing or empty, a picture lacks its twin in another modality, a name does
            not say person and camera, or something else lies there; the file or folder is named.
    """
    names_of = {modality: _picture_names(folder / modality) for modality in MODALITIES}
    everywhere = set.intersection(*names_of.values())
    for modality, names in names_of.items():
        for other in MODALITIES:
            missing = sorted(names - names_of[other])
            if missing:
                shown = ", ".join(missing[:_NAMES_SHOWN]) + (", …" if len(missing) > _NAMES_SHOWN else "")
                raise InputError(
                    f"{len(missing)} pictures of {modality} have no picture of that name in {other}: {shown}",
                    where=str(folder / other),
                    next_step="A triple has the same file name in RGB, NI and TI; add or remove the odd ones.",
                )
    records = []
    for name in sorted(everywhere):
        match = _NAME.match(name)
        if match is None or match[2] == "0":
            raise InputError(
                "The name does not say person and camera.",
                where=str(folder / MODALITIES[0] / name),
                next_step="Names begin like 000258_cam1_: six digits for the person, the camera counted from 1.",
            )
        paths = tuple(folder / modality / name for modality in MODALITIES)
        records.append(Record(name, int(match[1]), int(match[2]) - 1, paths))  # type: ignore[arg-type]
    return records


def split_validation(records: list[Record], people: int, seed: int) -> tuple[list[Record], list[Record]]:
    """(training, validation): `people` identities chosen by `seed` are kept back for validation.

    Raises:
        InputError: fewer identities than that, or none would be left to train on.
    """
    known = sorted({record.person for record in records})
    if not 1 <= people < len(known):
        raise InputError(
            f"{people} identities cannot be kept back for validation: training has {len(known)}.",
            where="DATASETS.VAL_IDS",
            next_step="Give a number of at least 1 that leaves some to train on.",
        )
    kept = {known[row] for row in np.random.default_rng(seed).permutation(len(known))[:people]}
    return [one for one in records if one.person not in kept], [one for one in records if one.person in kept]


def load(records: list[Record], size_hw: tuple[int, int]) -> Triples:
    """Decodes and resizes (bicubic, proportions not kept) all triples.

    Raises:
        InputError: a picture cannot be read; it is named.
    """

    def picture(path: Path) -> np.ndarray:
        try:
            rgb_HWC = decode(ImageSource(id=str(path), path=path))
        except ImageRejected as error:
            raise InputError(
                f"A picture cannot be read: {error.what}",
                where=str(path),
                next_step="Replace it, or remove its triple.",
            ) from error
        if rgb_HWC.shape[:2] != size_hw:
            rgb_HWC = np.asarray(Image.fromarray(rgb_HWC).resize((size_hw[1], size_hw[0]), Image.Resampling.BICUBIC))
        return rgb_HWC

    pixels = np.empty((len(records), len(MODALITIES), 3, *size_hw), np.uint8)
    with ThreadPoolExecutor(4) as pool:
        for modality in range(len(MODALITIES)):
            pictures = pool.map(picture, [record.paths[modality] for record in records])
            for row, rgb_HWC in enumerate(pictures):
                pixels[row, modality] = rgb_HWC.transpose(2, 0, 1)
    return Triples(
        torch.from_numpy(pixels),
        np.array([record.person for record in records], np.int64),
        np.array([record.camera for record in records], np.int64),
        tuple(record.name for record in records),
    )


def batches(person_N: np.ndarray, people: int, shots: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """Rows of the batches of one epoch, each of `people` identities with `shots` triples, int64 `[people · shots]`.

    Every identity's triples are dealt into groups of `shots`, the last group filled up by drawing again. A batch takes
    a group each of those identities that have most left, until fewer than `people` identities have one.

    Raises:
        InputError: fewer than `people` identities.
    """
    known = np.unique(person_N)
    if len(known) < people:
        raise InputError(
            f"A batch needs {people} identities, and training has {len(known)}.",
            where="SOLVER.IMS_PER_BATCH / DATALOADER.NUM_INSTANCE",
            next_step="Make the batch smaller.",
        )
    random = np.random.default_rng((seed, epoch))
    groups: dict[int, list[np.ndarray]] = {}
    for person in known:
        rows = random.permutation(np.flatnonzero(person_N == person))
        short = -len(rows) % shots
        rows = np.concatenate([rows, random.choice(rows, short)])
        groups[int(person)] = list(rows.reshape(-1, shots))
    while len(groups) >= people:
        shuffled = random.permutation(sorted(groups)).tolist()
        chosen = sorted(shuffled, key=lambda person: -len(groups[person]))[:people]
        yield np.concatenate([groups[person].pop() for person in chosen])
        groups = {person: left for person, left in groups.items() if left}


@dataclass(frozen=True)
class Augmentation:
    """What happens to a training triple; the three modalities of one move together.

    Attributes:
        flip: probability of a mirror image.
        padding_px: the picture is padded by this and cut to its size again at a random place; 0: no.
        erase: probability that a rectangle is replaced by the mean colour (Zhong et al., 2020).
    """

    flip: float
    padding_px: int
    erase: float

    @property
    def only_flips(self) -> bool:
        return not self.padding_px and not self.erase

    def flips(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Which of `count` triples are mirrored; drawn first, so the other options do not change it."""
        return random.random(count) < self.flip

    def apply(self, pixels_BM3HW: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
        """Normalised float pixels → the same shape; 0 is the mean colour."""
        mirrored = torch.from_numpy(self.flips(len(pixels_BM3HW), random)).to(pixels_BM3HW.device)
        pixels = torch.where(mirrored[:, None, None, None, None], pixels_BM3HW.flip(-1), pixels_BM3HW)
        if self.only_flips:
            return pixels
        height, width = pixels.shape[-2:]
        pad = self.padding_px
        padded = torch.nn.functional.pad(pixels, (pad, pad, pad, pad))
        result = torch.empty_like(pixels)
        for row in range(len(pixels)):
            top, left = random.integers(2 * pad + 1, size=2)
            result[row] = padded[row, ..., top : top + height, left : left + width]
            if random.random() < self.erase:
                area, ratio = random.uniform(0.02, 0.4) * height * width, np.exp(random.uniform(-1.2, 1.2))
                high = min(height - 1, max(1, round((area * ratio) ** 0.5)))
                wide = min(width - 1, max(1, round((area / ratio) ** 0.5)))
                y, x = random.integers(height - high), random.integers(width - wide)
                result[row, ..., y : y + high, x : x + wide] = 0
        return result


def _picture_names(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise InputError(
            "A modality is missing: there is no such folder.",
            where=str(folder),
            next_step="RGBNT201 has train_171/ and test/ with RGB/, NI/ and TI/ in each. To try without it: "
            "python -m experiments.train_reid generate",
        )
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".") and path.name not in _HIDDEN}
    strange = sorted(name for name in names if not name.endswith(".jpg"))
    if strange:
        raise InputError(
            f"{len(strange)} entries are no .jpg pictures, the first is {strange[0]}.",
            where=str(folder),
            next_step="Keep nothing but the .jpg pictures there.",
        )
    if not names:
        raise InputError("There are no .jpg pictures.", where=str(folder), next_step="Unpack the data set there.")
    return names
