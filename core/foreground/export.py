"""Results as files: JSON with everything, CSV with one line for each component."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..errors import InputError
from ..files import csv_text
from ..messages import reason_of
from ..types import Notice
from ..words import Common
from .analyse import Analysis
from .explain import Explanation
from .masks import to_rle
from .pipeline import ForegroundResult
from .words import Says

SUFFIXES = (".json", ".csv")


def document(analysis: Analysis, *, image: str = "") -> dict[str, Any]:
    """Plain JSON values. `components` holds each component's own fields and the nine; the rest stands beside it.

    `ranking` lists ids from the best re-weighted score (own score × multiplier) down; `cosine_view` is the old way.
    With an explanation, `explanations` has the largest shares and what would change the multiplier. What JSON cannot
    say (NaN, infinity) becomes null, with a notice; a mask array becomes RLE.
    """
    result, explanation, leaks = analysis.result, analysis.explanation, analysis.leaks
    request = result.request
    notices = list(result.notices)
    endless = sum(_has_endless(row) for row in result.rows)
    if endless:
        notices.append(Notice("not_finite", Says.fields_not_finite(count=endless)))
    if leaks is not None:
        notices += leaks.notices
    made: dict[str, Any] = {
        "image": image,
        "model": result.model,
        "treatment": asdict(request.treatment),
        "margin": request.margin,
        "templates": request.templates,
        "mode": request.mode,
        "rule": asdict(request.rule),
        "prompts": asdict(request.prompts),
        "components": result.rows,
        "ranking": [
            {"id": result.ids[row], "reweighted_score": result.reweighted_scores[row]} for row in result.ranked
        ],
        "cosine_view": [{"id": name, **row} for name, row in zip(result.ids, result.cosine_view(), strict=True)],
        "rejects": [asdict(reject) for reject in result.rejects],
        "notices": [asdict(notice) for notice in notices],
    }
    if explanation is not None:
        made["explanations"] = [_explained(explanation, row, name) for row, name in enumerate(result.ids)]
    if leaks is not None:
        made["mask_leak"] = [asdict(leak) for leak in leaks.leaks]
    return plain(made)


def _explained(explanation: Explanation, row: int, name: str) -> dict[str, Any]:
    texts, groups = explanation.prompts.texts, explanation.prompts.groups
    return {
        "id": name,
        "base": 0.5,
        "p_pos_sum": float(explanation.scores.p_pos_sum_B[row]),
        "shares": [
            {"prompt": texts[k], "group": groups[k], "share": float(explanation.share_BK[row, k])}
            for k in explanation.top(row, 10)
        ],
        "changes": [
            {"without": text, "group": group, "semantic_multiplier": value}
            for text, group, value in explanation.changes(row)
        ],
    }


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return to_rle(value) if value.ndim == 2 and value.dtype == bool else plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _has_endless(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_endless(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_endless(item) for item in value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" and not bool(np.isfinite(value).all())
    return isinstance(value, (float, np.floating)) and not math.isfinite(value)


def to_json(made: Mapping[str, Any]) -> str:
    return json.dumps(made, ensure_ascii=False, indent=1, allow_nan=False)


def to_csv(result: ForegroundResult) -> str:
    """One line for each component; lists and objects stand in a cell as JSON.

    Columns are all fields that any component has, in the order in which they are first met.
    """
    rows = [plain(row) for row in result.rows]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return csv_text(columns, ([_cell(row.get(name, "")) for name in columns] for row in rows))


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def check_suffix(path: Path) -> None:
    """Raises `InputError` unless the file can be written by its suffix. Asked before any work is done."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(Says.result_suffix(suffix=" or ".join(SUFFIXES), given=path.suffix), where=str(path))
    if not path.resolve().parent.is_dir():
        raise InputError(Common.no_folder_to_write_to(), where=str(path.resolve().parent))


def write_text(path: Path, text: str) -> None:
    """Writes the file whole or not at all."""
    try:
        files.write(path, text)
    except OSError as error:
        raise InputError(Common.file_unwritable(error=reason_of(error)), where=str(path)) from error
