"""`.parquet`: see `arrow`; pages carry checksums."""

from __future__ import annotations

from pathlib import Path

from ...types import VectorTable
from .arrow import from_arrow, to_arrow
from .stored import Stored


def write(table: VectorTable, place: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(to_arrow(table), place, write_page_checksum=True)


def read(path: Path) -> Stored:
    import pyarrow.parquet as pq

    # ParquetFile reads this one file; `read_table` would read the path's `key=value` folders as columns
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return from_arrow(file.read())
