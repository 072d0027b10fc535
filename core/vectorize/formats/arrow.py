"""A table as Arrow: columns `id`, `vector` (fixed-size list of float32), `ms`; the JSON texts as metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...types import VectorTable
from .stored import FOREIGN, TEXTS, Stored, texts_of

if TYPE_CHECKING:
    import pyarrow


def to_arrow(table: VectorTable) -> pyarrow.Table:
    import pyarrow as pa

    values = pa.array(np.ascontiguousarray(table.vectors_ND).ravel(), type=pa.float32())
    columns = {
        "id": pa.array(list(table.ids), type=pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(values, table.dim),
    }
    if table.ms_N is not None:
        columns["ms"] = pa.array(table.ms_N, type=pa.float32())
    return pa.table(columns).replace_schema_metadata(texts_of(table))


def from_arrow(arrow: pyarrow.Table) -> Stored:
    metadata = arrow.schema.metadata or {}
    texts = {name: metadata[name.encode()].decode() for name in TEXTS if name.encode() in metadata}
    if not texts:
        return FOREIGN
    dim = arrow.schema.field("vector").type.list_size
    vectors = arrow.column("vector").combine_chunks()
    parts = [chunk.flatten().to_numpy() for chunk in getattr(vectors, "chunks", [vectors])]
    vectors_ND = np.concatenate([np.empty(0, np.float32), *parts]).reshape(-1, dim)
    ms_N = arrow.column("ms").to_numpy() if "ms" in arrow.column_names else None
    return Stored(arrow.column("id").to_pylist(), vectors_ND, ms_N, texts)
