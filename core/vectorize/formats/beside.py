"""`NAME.npy.json`, `NAME.csv.json`: ids, times and the JSON texts of a format that holds vectors alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...types import VectorTable
from .stored import TEXTS, texts_of


def json_beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def write_json(table: VectorTable, place: Path) -> None:
    content = {name: json.loads(text) for name, text in texts_of(table).items()}
    content["ids"] = list(table.ids)
    content["ms"] = None if table.ms_N is None else [round(float(ms), 4) for ms in table.ms_N]
    place.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def read_json(path: Path) -> tuple[list[str], np.ndarray | None, dict[str, str]]:
    place = json_beside(path)
    if not place.exists():
        return [], None, {}
    content = json.loads(place.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not all(name in content for name in (*TEXTS, "ids")):
        return [], None, {}
    ms_N = None if content.get("ms") is None else np.array(content["ms"], dtype=np.float32)
    return content["ids"], ms_N, {name: json.dumps(content[name]) for name in TEXTS}
