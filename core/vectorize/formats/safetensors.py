"""`.safetensors`: tensors `vectors`, `ms`, and `ids` (UTF-8, a zero byte between two); the JSON texts as metadata."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...types import VectorTable
from .stored import FOREIGN, TEXTS, Stored, texts_of


def write(table: VectorTable, place: Path) -> None:
    from safetensors.numpy import save_file

    tensors = {
        "vectors": np.ascontiguousarray(table.vectors_ND),
        "ids": np.frombuffer("\0".join(table.ids).encode(), dtype=np.uint8),
    }
    if table.ms_N is not None:
        tensors["ms"] = np.ascontiguousarray(table.ms_N)
    save_file(tensors, place, metadata=texts_of(table))


def read(path: Path) -> Stored:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        texts = {name: text for name, text in (file.metadata() or {}).items() if name in TEXTS}
        if not texts:
            return FOREIGN
        vectors_ND = file.get_tensor("vectors")
        joined = file.get_tensor("ids").tobytes().decode()
        ms_N = file.get_tensor("ms") if "ms" in file.keys() else None  # noqa: SIM118 - not a mapping
    return Stored(joined.split("\0") if len(vectors_ND) else [], vectors_ND, ms_N, texts)
