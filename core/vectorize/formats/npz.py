"""`.npz`: arrays `ids` (unicode), `vectors` (float32 `[N, D]`), `ms`; the JSON texts as arrays of one text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...types import VectorTable
from .stored import FOREIGN, TEXTS, Stored, texts_of


def write(table: VectorTable, place: Path) -> None:
    arrays: dict[str, Any] = {"ids": np.array(table.ids, dtype=np.str_), "vectors": table.vectors_ND}
    if table.ms_N is not None:
        arrays["ms"] = table.ms_N
    with place.open("wb") as file:  # a name would get another `.npz`
        np.savez(file, **arrays, **{name: np.array(text) for name, text in texts_of(table).items()})


def read(path: Path) -> Stored:
    with np.load(path, allow_pickle=False) as arrays:
        texts = {name: str(arrays[name]) for name in TEXTS if name in arrays}
        ms_N = arrays.get("ms")
        if not texts:
            return FOREIGN
        return Stored(arrays["ids"].tolist(), arrays["vectors"], ms_N, texts)
