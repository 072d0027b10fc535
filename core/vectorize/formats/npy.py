"""`.npy`: `vectors`; the rest in `NAME.npy.json` beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...types import VectorTable
from .beside import read_json
from .stored import Stored


def write(table: VectorTable, place: Path) -> None:
    with place.open("wb") as file:
        np.save(file, table.vectors_ND, allow_pickle=False)


def read(path: Path) -> Stored:
    ids, ms_N, texts = read_json(path)
    return Stored(ids, np.load(path, allow_pickle=False), ms_N, texts)
