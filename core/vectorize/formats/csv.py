"""`.csv`: `id`, `v0` … `v{D-1}`, for spreadsheets; the rest in `NAME.csv.json` beside it.

An id that a spreadsheet would run as a formula gets a leading apostrophe; the `.json` has the ids as they are, and
reading uses those.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...files import csv_cell
from ...types import VectorTable
from .beside import read_json
from .stored import FOREIGN, Stored


def write(table: VectorTable, place: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv

    columns = {"id": pa.array([csv_cell(image_id) for image_id in table.ids], type=pa.string())}
    columns |= {f"v{column}": pa.array(table.vectors_ND[:, column]) for column in range(table.dim)}
    pyarrow.csv.write_csv(pa.table(columns), place)


def read(path: Path) -> Stored:
    import pyarrow as pa
    import pyarrow.csv

    ids, ms_N, texts = read_json(path)
    if not texts:
        return FOREIGN
    dim = json.loads(texts["details"])["members"][-1]["stop"]
    types = {"id": pa.string()} | {f"v{column}": pa.float32() for column in range(dim)}
    table = pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )
    columns = [table.column(f"v{column}").to_numpy() for column in range(dim)]
    return Stored(ids, np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.float32), ms_N, texts)
