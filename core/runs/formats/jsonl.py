"""JSON lines, one object a line: what the recorder writes, and many others.

Read by Arrow when a block is plain (flat objects, one type a column) and by Python line by line when it is not, so that
one damaged line costs one line. Nested objects become `outer/inner`. A line says its axes and its metrics as told in
`columns.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..parsing import Memory, Unreadable, note
from ..series import SeriesBuilder, clean_text
from ..words import Says
from . import LogFormat, register
from .columns import NUMBERS_IN_WORDS, Columns, add_columns, columns_of_table

MOST_CELLS = 20_000_000  # of a block read by Arrow: 180 MB
_KEY = re.compile(rb'"([^"\\]*)"\s*:')


def parse_jsonl(block: bytes, at_end: bool, memory: Memory, builder: SeriesBuilder, max_metrics: int) -> int:
    """Adds the whole lines of a block; returns how many bytes were used.

    A last line without line end is used only if the file ends there and it is a complete object; otherwise it is
    torn, or still being written, and waits.
    """
    used = block.rfind(b"\n") + 1
    if memory.get("line", 0) == 0 and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable("encoding", Says.jsonl_is_utf16())
    if memory.get("line", 0) == 0 and block[:3] == b"\xef\xbb\xbf":
        block = b"   " + block[3:]  # same length: offsets stay true
    if at_end and used < len(block) and _is_object(block[used:]):
        used = len(block)
    if not used:
        return 0
    lines_before = memory.get("line", 0)
    text = block[:used]
    lines = text.count(b"\n") + (used == len(block) and not text.endswith(b"\n"))
    columns, count = _arrow_columns(text, lines) or _columns_line_by_line(text, lines_before, memory)
    memory["line"] = lines_before + lines
    if count:
        add_columns(columns, count, memory, builder, max_metrics)
    return used


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _arrow_columns(text: bytes, lines: int) -> tuple[Columns, int] | None:
    """The block as columns, or None if it is not plain.

    Arrow's parser recurses into nested values without a limit, and makes a column as long as the block of every name
    it meets: a stranger's megabyte could end the process or fill the memory. So only flat lines go there, and the names
    are told to it beforehand.
    """
    import pyarrow as pa
    import pyarrow.json

    if text.count(b"{") > lines or b"[" in text:
        return None
    schema = _sampled_schema(text)
    for _ in range(2):
        if not schema or lines * len(schema) > MOST_CELLS:
            return None
        try:
            table = pyarrow.json.read_json(
                pa.BufferReader(text),
                read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
                parse_options=pyarrow.json.ParseOptions(
                    explicit_schema=pa.schema(list(schema.items())), unexpected_field_behavior="error"
                ),
            )
        except pa.ArrowInvalid as error:
            if "unexpected field" not in str(error):
                return None
            names = {name.decode("utf-8", "replace") for name in _KEY.findall(_without_keys(text, schema))}
            schema = {**dict.fromkeys(sorted(names), pa.float64()), **schema}
        else:
            return columns_of_table(table)
    return None


def _without_keys(text: bytes, names: Mapping[str, Any]) -> bytes:
    """The text without the keys that are known already: replacing them is far quicker than finding all of them."""
    for name in names:
        text = text.replace(json.dumps(name, ensure_ascii=False).encode() + b":", b"")
    return text


def _sampled_schema(text: bytes) -> dict[str, Any]:
    """Names and Arrow types of the fields in lines spread over the block; empty if one of them is not plain."""
    import pyarrow as pa

    schema: dict[str, Any] = {}
    samples = 3 if len(text) < 2**18 else 32  # a field that no sample has is learned from the parser
    for sample in range(samples):
        start = 0 if sample == 0 else text.find(b"\n", sample * len(text) // samples) + 1
        stop = text.find(b"\n", start)
        line = text[start : stop if stop >= 0 else len(text)]
        if not line.strip():
            continue
        try:
            fields = json.loads(line.decode())  # bytes would be looked at for UTF-16 and UTF-32 first
        except (ValueError, RecursionError):
            return {}
        if not isinstance(fields, dict):
            return {}
        for name, value in fields.items():
            if isinstance(value, str):
                schema[name] = pa.string()
            elif isinstance(value, bool):
                schema[name] = pa.bool_()
            elif value is not None or name not in schema:
                schema[name] = pa.float64()
    return schema


@dataclass
class _Lines:
    """Fields gathered line by line: `count` lines so far, each name's rows with their numbers or texts."""

    memory: Memory
    count: int = 0
    numbers: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    texts: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, fields: Mapping[str, Any]) -> None:
        for name, value in _flat(fields).items():
            if isinstance(value, str):
                number = NUMBERS_IN_WORDS.get(value.strip().lower())
                if number is None:
                    self.texts.setdefault(name, []).append((self.count, value))
                    continue
                value = number
            if isinstance(value, (int, float)):
                rows, values = self.numbers.setdefault(name, ([], []))
                rows.append(self.count)
                values.append(_float(value))
            elif value is not None:
                note(self.memory, Says.lists_passed_over, name=clean_text(name))
        self.count += 1

    def columns(self) -> Columns:
        columns: Columns = {}
        same_rows: dict[bytes, np.ndarray] = {}
        for name, (rows, values) in self.numbers.items():
            found = np.asarray(rows)
            index = None if len(rows) == self.count else same_rows.setdefault(found.tobytes(), found)
            columns[name] = (index, np.asarray(values))
        for name, texts in self.texts.items():
            if name in columns:
                note(self.memory, Says.texts_passed_over, len(texts), name=clean_text(name))
            else:
                columns[name] = texts
        return columns


def _columns_line_by_line(text: bytes, lines_before: int, memory: Memory) -> tuple[Columns, int]:
    lines = _Lines(memory)
    for line_number, line in enumerate(text.split(b"\n"), start=lines_before + 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            first = memory.setdefault("first_bad_line", line_number)
            note(
                memory,
                Says.lines_not_utf8 if isinstance(error, UnicodeDecodeError) else Says.lines_not_json,
                line=first,
            )
            continue
        if isinstance(fields, dict):
            lines.add(fields)
        else:
            note(memory, Says.lines_no_objects)
    return lines.columns(), lines.count


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond float64
        return math.copysign(math.inf, value)


def _flat(fields: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Nested objects become `outer/inner`; a name repeated within one line keeps the last."""
    flat: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict) and depth < 8:
            flat.update(_flat(value, f"{prefix}{key}/", depth + 1))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


register(LogFormat("jsonl", parse_jsonl, suffixes=(".jsonl", ".ndjson"), run_file="metrics.jsonl"))
