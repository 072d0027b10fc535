"""CSV tables, Lightning's `metrics.csv` too: the first line names the columns.

Comma, semicolon and tab separate; where semicolons do, a comma may be the decimal point. A line says its axes and its
metrics as told in `columns.py`.
"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np

from ...messages import english
from ..parsing import Memory, Unreadable, note
from ..series import Run, Series, SeriesBuilder, clean_text
from ..trees import opaque_id
from ..words import Says
from . import LogFormat, register
from .columns import NAMELESS, Numbers, Texts, add_columns, columns_of_table


def parse_csv(block: bytes, at_end: bool, memory: Memory, builder: SeriesBuilder, max_metrics: int) -> int:
    """Adds the whole lines of a block; returns how many bytes were used.

    A last line without line end is used if it has every column; should the file grow later, it is read again from its
    start.
    """
    start = 0
    if "header" not in memory:
        start = _read_header(block, at_end, memory)
        if not start:
            return 0
    used = _whole_lines(block, start, at_end, memory)
    text = block[start:used]
    if not text.strip():
        return used
    table = _table_of(text, memory)
    memory["line"] = memory.get("line", 1) + text.count(b"\n")
    columns, count = columns_of_table(table)
    for name, column in list(columns.items()):
        if isinstance(column, list):
            numbers = _numbers_among(column, count, clean_text(name), memory)
            if numbers is not None:
                columns[name] = numbers
    if count:
        add_columns(columns, count, memory, builder, max_metrics)
    return used


def _whole_lines(block: bytes, start: int, at_end: bool, memory: Memory) -> int:
    """Where the last line that can be used ends."""
    used = max(block.rfind(b"\n") + 1, start)
    if at_end and used < len(block):
        if block[used:].count(memory["delimiter"].encode()) == len(memory["header"]) - 1:
            used = len(block)
            memory["unfinished_line"] = True
        elif memory.get("line", 1) == 1 and start == used:
            raise Unreadable("torn", Says.csv_torn())
    return used


def _table_of(text: bytes, memory: Memory) -> Any:
    """Whole lines as an Arrow table; rows of another width are counted and left out."""
    import pyarrow as pa
    import pyarrow.csv

    if not memory.get("latin1") and not _is_utf8(text):
        memory["latin1"] = True
        note(memory, Says.latin1)
    bad_rows: list[int] = []

    def pass_over(row: Any) -> str:
        bad_rows.append(row.number or 0)
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False,
                column_names=memory["header"],
                block_size=len(text) + 1,
                encoding="latin1" if memory.get("latin1") else "utf8",
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=memory["delimiter"], invalid_row_handler=pass_over),
            convert_options=pyarrow.csv.ConvertOptions(null_values=[""], strings_can_be_null=True),
        )
    except pa.ArrowInvalid as error:
        raise Unreadable("not_csv", Says.csv_invalid(error=english(clean_text(str(error))))) from None
    if bad_rows:
        note(memory, Says.rows_of_other_width, len(bad_rows))
    return table


def _read_header(block: bytes, at_end: bool, memory: Memory) -> int:
    """Reads the header into `memory`; returns where the rows start, 0 if the first line is not complete yet."""
    if block[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in block[:4096]:
        raise Unreadable("encoding", Says.csv_no_text())
    start = 3 if block[:3] == b"\xef\xbb\xbf" else 0
    end = block.find(b"\n")
    if end < 0:
        if at_end:
            raise Unreadable("no_rows", Says.csv_header_only())
        return 0
    line = block[start:end].strip(b"\r")
    try:
        first = line.decode("utf-8")
    except UnicodeDecodeError:
        first = line.decode("latin-1")
        memory["latin1"] = True
        note(memory, Says.latin1)
    delimiter = max(",;\t", key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    if not any(names):
        raise Unreadable("no_header", Says.csv_header_missing())
    if all(_is_number(name) for name in names if name):
        raise Unreadable("no_header", Says.csv_header_numbers())
    header: list[str] = []
    for position, name in enumerate(names):
        if not name:
            note(memory, Says.columns_nameless)
            name = f"{NAMELESS}{position}"
        elif name in header:
            note(memory, Says.columns_of_one_name, name=clean_text(name))
            name = f"{NAMELESS}{position}"
        header.append(name)
    memory["header"] = header
    memory["delimiter"] = delimiter
    return end + 1


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers_among(cells: Texts, count: int, name: str, memory: Memory) -> Numbers | None:
    """A text column that is mostly numbers is numbers; what is not is passed over and counted.

    Where semicolons separate the columns, a comma may be the decimal point.
    """
    decimal_comma = memory["delimiter"] == ";"
    rows: list[int] = []
    values: list[float] = []
    for row, cell in cells:
        try:
            values.append(float(cell.replace(",", ".", 1) if decimal_comma else cell))
            rows.append(row)
        except ValueError:
            continue
    if len(rows) * 2 < len(cells):
        return None
    if len(rows) < len(cells):
        note(memory, Says.texts_passed_over, len(cells) - len(rows), name=name)
    return (None if len(rows) == count else np.asarray(rows)), np.asarray(values)


register(LogFormat("csv", parse_csv, suffixes=(".csv",), run_file="metrics.csv"))


# ---- charts that other trackers let people download, told from their names ----
#
# * TensorBoard: `run-NAME-tag-TAG.csv` with the one metric `Value`.
# * Weights & Biases: one column for each run, `NAME - METRIC`, with `…__MIN` and `…__MAX` beside it.

_TENSORBOARD = re.compile(r"(?:run-)?(?P<run>.*?)-?tag-(?P<tag>.+)")
_WANDB_SPAN = re.compile(r"__(MIN|MAX)$")


def with_tag_of_name(series: dict[str, Series], path: str) -> dict[str, Series]:
    """TensorBoard's CSV: its one series under the tag that the file is named after. Anything else as it is."""
    export = _TENSORBOARD.fullmatch(PurePosixPath(path).stem)
    return {clean_text(export["tag"]): series["Value"]} if export and list(series) == ["Value"] else series


def runs_of_chart(run: Run) -> tuple[Run, ...]:
    """The runs in a chart of Weights & Biases; any other run alone. The span columns repeat the value and go."""
    names = [name for name in run.metrics if not _WANDB_SPAN.search(name)]
    has_spans = len(names) < len(run.metrics)
    if run.formats != ("csv",) or not has_spans or not all(" - " in name for name in names):
        return (run,)
    found: dict[str, dict[str, Series]] = {}
    for name in names:
        of, _, metric = name.partition(" - ")
        found.setdefault(of, {})[metric] = run.metrics[name]
    return tuple(
        replace(run, id=opaque_id(run.id, of), name=of, path=f"{run.path}#{of}", metrics=MappingProxyType(series))
        for of, series in found.items()
    )
