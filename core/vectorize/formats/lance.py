"""`.lance`: a folder, and a LanceDB table: `lancedb.connect(parent).open_table(stem)`; columns as in `arrow`."""

from __future__ import annotations

import shutil
from pathlib import Path

from ...types import VectorTable
from .arrow import from_arrow, to_arrow
from .stored import Stored


def write(table: VectorTable, place: Path) -> None:
    import lancedb

    # The table's name is the folder's stem, which LanceDB wants plain; the folder gets its own name afterwards.
    room = place.with_name(place.name + ".room")
    try:
        lancedb.connect(room).create_table("vectors", to_arrow(table))
        (room / "vectors.lance").rename(place)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def read(path: Path) -> Stored:
    import lancedb

    return from_arrow(lancedb.connect(path.parent).open_table(path.stem).to_arrow())
