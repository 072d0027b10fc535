"""Row formats: JSON lines and CSV, turned into `Rows` block by block.

Both are read by Arrow when a block is plain (flat objects, one type a column) and by Python line by line when it is
not, so that one damaged line costs one line. What must be remembered from block to block (the header, the last step)
lives in a `memory` dict of JSON values, which the cache keeps: a growing file is read from where it ended.

Which columns are the axes is told from their names, in this order:

* step: `step`, `global_step`, `_step`, `trainer/global_step`, `iteration`, `iter`. Without one, `epoch` is the step;
  without that, the number of the row. A row without a step belongs to the step before it.
* epoch: `epoch`, `_epoch`, `trainer/epoch`.
* time: `time`, `time_s`, `wall_time`, `_timestamp`, `timestamp`, `wall time`, `relative_time`, `elapsed`, `elapsed_s`.
  Seconds since the start, unix seconds (also in milliseconds), or a date.

Every other numeric column is a metric. A text column that holds one value throughout, and a column `seed` that does,
is configuration; any other text is named in the notes and not shown.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import arrow
from .series import Rows, SeriesBuilder, clean_text
from .words import Says

STEP_NAMES = ("step", "global_step", "_step", "trainer/global_step", "iteration", "iter")
EPOCH_NAMES = ("epoch", "_epoch", "trainer/epoch")
TIME_NAMES = (
    *("time", "time_s", "wall_time", "_timestamp", "timestamp", "wall time", "relative_time", "elapsed", "elapsed_s"),
)
MOST_CELLS = 20_000_000  # of a block read by Arrow: 180 MB
_KEY = re.compile(rb'"([^"\\]*)"\s*:')
RESUMED_KEY = "_resumed"  # written by the recorder when it takes a run up again

UNIX_FROM_S = 3e8  # a larger time is a date: 300 million seconds are nine years of training, or the year 1979
UNIX_MS_FROM = 3e11

_NUMBERS_IN_WORDS = {
    **dict.fromkeys(("nan", "-nan", "+nan"), math.nan),
    **dict.fromkeys(("inf", "+inf", "infinity", "+infinity"), math.inf),
    **dict.fromkeys(("-inf", "-infinity"), -math.inf),
}

Memory = dict[str, Any]


class ReadAgain(Exception):
    """What was learned from the first blocks does not hold; the file has to be read from its start."""

    def __init__(self, memory: Memory) -> None:
        super().__init__("read again from the start")
        self.memory = memory


class Unreadable(Exception):
    """The file as a whole is not what its name says. Carries a stable code and a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def note(memory: Memory, text: str, count: int = 1) -> None:
    """Counts one kind of incident; the texts become the run's notes. `{n}` in the text is the count."""
    notes = memory.setdefault("notes", {})
    notes[text] = notes.get(text, 0) + count


# ---------------------------------------------------------------------------------------------------------------- JSONL


def parse_jsonl(block: bytes, at_end: bool, memory: Memory, builder: SeriesBuilder, max_metrics: int) -> int:
    """Adds the whole lines of a block; returns how many bytes were used.

    A last line without line end is used only if the file ends there and it is a complete object; otherwise it is
    torn, or still being written, and waits.
    """
    used = block.rfind(b"\n") + 1
    if memory.get("line", 0) == 0 and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable("encoding", Says.file_utf_16_json_lines())
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
        _add_columns(columns, count, memory, builder, max_metrics)
    return used


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


# A column: positions of its rows (None: every row), its values, and its texts where it has any.
Column = tuple["np.ndarray | None", np.ndarray]
Columns = dict[str, "Column | list[tuple[int, str]]"]


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
            return _columns_of_table(table)
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


def _columns_of_table(table: Any) -> tuple[Columns, int]:

    columns: Columns = {}
    same_rows: dict[bytes, np.ndarray] = {}
    for name, chunked in zip(table.column_names, table.columns, strict=True):
        array = chunked.combine_chunks()
        index = arrow.valid_rows(array)
        if index is not None and not len(index):
            continue
        if index is not None:
            index = same_rows.setdefault(index.tobytes(), index)
        is_date = str(array.type).startswith("timestamp") and name.lower() in TIME_NAMES
        if is_date or arrow.is_number(array.type):
            values = arrow.values_of(array.cast("timestamp[us]") if is_date else array)
            values = values if index is None else values[index]
            columns[name] = (index, values / 1e6 if is_date else values)
        else:
            rows = range(table.num_rows) if index is None else index.tolist()
            cells = [str(cell) for cell in array.to_pylist() if cell is not None]
            words = [_NUMBERS_IN_WORDS.get(cell.strip().lower()) for cell in cells]
            columns[name] = (
                list(zip(rows, cells, strict=True)) if None in words else (index, np.asarray(words, dtype=np.float64))
            )
    return columns, table.num_rows


def _columns_line_by_line(text: bytes, lines_before: int, memory: Memory) -> tuple[Columns, int]:
    numbers: dict[str, tuple[list[int], list[float]]] = {}
    texts: dict[str, list[tuple[int, str]]] = {}
    count = 0
    for line_number, line in enumerate(text.split(b"\n"), start=lines_before + 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            problem = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not JSON"
            note(memory, f"{{n}} lines could not be read ({problem}); the first is line {_first(memory, line_number)}")
            continue
        if not isinstance(fields, dict):
            note(memory, "{n} lines are not JSON objects and were passed over")
            continue
        for name, value in _flat(fields):
            if isinstance(value, str):
                as_number = _NUMBERS_IN_WORDS.get(value.strip().lower())
                if as_number is None:
                    texts.setdefault(name, []).append((count, value))
                    continue
                value = as_number
            elif not isinstance(value, (int, float)):
                if value is not None:
                    note(memory, f"{clean_text(name)}: {{n}} lists were passed over")
                continue
            rows, values = numbers.setdefault(name, ([], []))
            rows.append(count)
            try:
                values.append(float(value))
            except OverflowError:  # an integer beyond float64
                values.append(math.copysign(math.inf, value))
        count += 1
    columns: Columns = {}
    same_rows: dict[bytes, np.ndarray] = {}
    for name, (rows, values) in numbers.items():
        found = np.asarray(rows)
        index = None if len(rows) == count else same_rows.setdefault(found.tobytes(), found)
        columns[name] = (index, np.asarray(values))
    for name, found_texts in texts.items():
        if name in columns:
            note(
                memory,
                f"{clean_text(name)}: {{n}} values are text, not numbers, and were passed over",
                len(found_texts),
            )
        else:
            columns[name] = found_texts
    return columns, count


def _first(memory: Memory, line_number: int) -> int:
    """The number of the first line that could not be read."""
    return memory.setdefault("first_bad_line", line_number)


def _flat(fields: Mapping[str, Any], prefix: str = "", depth: int = 0) -> list[tuple[str, Any]]:
    """Nested objects become `outer/inner`; a repeated row position within one line keeps the last."""
    flat: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict) and depth < 8:
            flat.update(_flat(value, f"{prefix}{key}/", depth + 1))
        else:
            flat[f"{prefix}{key}"] = value
    return list(flat.items())


# ------------------------------------------------------------------------------------------------------------------ CSV


def parse_csv(block: bytes, at_end: bool, memory: Memory, builder: SeriesBuilder, max_metrics: int) -> int:
    """Adds the whole lines of a block of a CSV file; returns how many bytes were used.

    The first line names the columns. Comma, semicolon and tab separate. A last line without line end is used if it
    has every column; should the file grow later, it is read again from its start.
    """
    import pyarrow as pa
    import pyarrow.csv

    start = 0
    if "header" not in memory:
        start = _read_header(block, at_end, memory)
        if not start:
            return 0
    used = block.rfind(b"\n") + 1
    used = max(used, start)
    if at_end and used < len(block):
        if block[used:].count(memory["delimiter"].encode()) == len(memory["header"]) - 1:
            used = len(block)
            memory["unfinished_line"] = True
        elif memory.get("line", 1) == 1 and start == used:
            raise Unreadable("torn", Says.file_breaks_off_within_first())
    text = block[start:used]
    if not text.strip():
        return used
    if not memory.get("latin1") and not _is_utf8(text):
        memory["latin1"] = True
        memory["notes"] = {**memory.get("notes", {}), Says.not_utf_8_read_latin(): 1}
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
        raise Unreadable("not_csv", Says.not_csv_table(error=clean_text(str(error)))) from None
    if bad_rows:
        note(memory, "{n} rows do not have the header's number of columns and were passed over", len(bad_rows))
    memory["line"] = memory.get("line", 1) + text.count(b"\n")
    columns, count = _columns_of_table(table)
    for name, column in list(columns.items()):
        if isinstance(column, list):
            numbers = _numbers_among(column, count, clean_text(name), memory)
            if numbers is not None:
                columns[name] = numbers
    if count:
        _add_columns(columns, count, memory, builder, max_metrics)
    return used


def _read_header(block: bytes, at_end: bool, memory: Memory) -> int:
    """Reads the header into `memory`; returns where the rows start, 0 if the first line is not complete yet."""
    if block[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in block[:4096]:
        raise Unreadable("encoding", Says.file_not_text_utf_8())
    start = 3 if block[:3] == b"\xef\xbb\xbf" else 0
    end = block.find(b"\n")
    if end < 0:
        if at_end:
            raise Unreadable("no_rows", Says.file_holds_header_line_most())
        return 0
    line = block[start:end].strip(b"\r")
    try:
        first = line.decode("utf-8")
    except UnicodeDecodeError:
        first = line.decode("latin-1")
        memory["latin1"] = True
        note(memory, Says.not_utf_8_read_latin())
    delimiter = max(",;\t", key=first.count)
    import csv

    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    if not any(names):
        raise Unreadable("no_header", Says.first_line_does_not_name())
    if all(_is_number(name) for name in names if name):
        raise Unreadable("no_header", Says.first_line_holds_numbers_not())
    header: list[str] = []
    for position, name in enumerate(names):
        if not name:
            note(memory, "{n} columns without a name are not shown")
            name = f"\x00{position}"  # can be no metric's name; dropped in _add_columns
        elif name in header:
            note(memory, f"{clean_text(name)}: {{n}} more columns of that name are not shown")
            name = f"\x00{position}"
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


def _numbers_among(cells: list[tuple[int, str]], count: int, name: str, memory: Memory) -> Column | None:
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
        note(memory, f"{name}: {{n}} values are text, not numbers, and were passed over", len(cells) - len(rows))
    return (None if len(rows) == count else np.asarray(rows)), np.asarray(values)


# ----------------------------------------------------------------------------------------------------- columns to rows


def _add_columns(columns: Columns, count: int, memory: Memory, builder: SeriesBuilder, max_metrics: int) -> None:
    """Finds the axes among the columns and adds the rest to the builder as metrics."""
    by_lower = {name.lower(): name for name in reversed(list(columns))}
    step_name = _numeric_column(STEP_NAMES, by_lower, columns)
    epoch_name = _numeric_column(EPOCH_NAMES, by_lower, columns)
    time_name = next((by_lower[name] for name in TIME_NAMES if name in by_lower), None)
    rows_before = memory.get("rows", 0)

    step = _steps(columns, step_name, epoch_name, count, rows_before, memory)
    epoch = None if epoch_name is None else _dense(columns[epoch_name], count)
    time = None if time_name is None else _times(columns[time_name], count)
    values: dict[str, tuple[np.ndarray | None, np.ndarray]] = {}
    facts = memory.setdefault("facts", {})
    metrics = memory.setdefault("metrics", [])
    known = set(metrics)
    for name, column in columns.items():
        if name.startswith("\x00") or (name in (epoch_name, time_name) or name.lower() in STEP_NAMES):
            continue
        if isinstance(column, list):
            _remember_text(name, column, count, facts, memory)
            continue
        index, numbers = column
        if name == RESUMED_KEY:
            marked = np.arange(count) if index is None else index
            for row in marked.tolist():
                if row + 1 < count:
                    builder.restart(builder.rows + row, int(step[row + 1]))
            if len(marked) and marked[-1] == count - 1:
                memory["resumed_at_end"] = True
            note(memory, "resumed {n} times", len(marked))
            continue
        if name.lower() == "seed":
            distinct = np.unique(numbers)
            if len(distinct) == 1 and facts.get(name, float(distinct[0])) == float(distinct[0]):
                facts[name] = float(distinct[0])
                continue
        clean = clean_text(name)
        if clean not in known:
            if len(known) >= max_metrics:
                note(memory, f"{{n}} blocks of metrics beyond the first {max_metrics:,} names are not shown")
                continue
            known.add(clean)
            metrics.append(clean)
        if clean in values:
            note(memory, f"{clean}: {{n}} blocks of a second column of that name are not shown")
            continue
        values[clean] = (index, numbers.astype(np.float64, copy=False))
    if memory.pop("resumed_before", False):  # the marker was the last line of the block before
        builder.restart(builder.rows, int(step[0]))
    if memory.pop("resumed_at_end", False):
        memory["resumed_before"] = True
    builder.add(Rows(step, values, epoch, time))
    memory["rows"] = rows_before + count
    memory["last_step"] = int(step[-1])


def _numeric_column(names: tuple[str, ...], by_lower: Mapping[str, str], columns: Columns) -> str | None:
    return next(
        (by_lower[name] for name in names if name in by_lower and not isinstance(columns[by_lower[name]], list)), None
    )


def _steps(
    columns: Columns, step_name: str | None, epoch_name: str | None, count: int, rows_before: int, memory: Memory
) -> np.ndarray:
    """int64 `[count]`: the step of every row, by the rule that the whole file follows (`memory["axis"]`)."""
    axis = memory.get("axis")
    if axis is None:
        axis = memory["axis"] = "step" if step_name else "epoch" if epoch_name else "row"
    if step_name and axis != "step":
        raise ReadAgain({"axis": "step"})
    if axis == "row":
        return np.arange(rows_before, rows_before + count)
    name = step_name if axis == "step" else epoch_name
    column = columns.get(name) if name else None
    last = memory.get("last_step", 0)
    if column is None or isinstance(column, list):
        return np.full(count, last, dtype=np.int64)
    index, numbers = column
    if index is None:
        with np.errstate(invalid="ignore"):  # NaN and infinity become some number, which then is not equal
            whole = numbers.astype(np.int64, copy=False)
        if np.array_equal(whole, numbers):
            return whole
    present = np.arange(count) if index is None else index
    if numbers.dtype.kind == "f":
        usable = np.isfinite(numbers) & (np.abs(numbers) < 2**62)
        whole = np.round(np.where(usable, numbers, 0.0))
        if not np.array_equal(whole[usable], numbers[usable]):
            if axis == "epoch":  # fractions of an epoch, as some trainers log them: they order nothing exactly
                raise ReadAgain({"axis": "row"})
            note(memory, "{n} blocks have steps with a fraction; they were rounded")
        present, numbers = present[usable], whole[usable]
    # A row without a step belongs to the step before it.
    position: np.ndarray = np.full(count, -1, dtype=np.int64)
    position[present] = np.arange(len(present))
    position = np.maximum.accumulate(position)
    steps: np.ndarray = np.append(numbers.astype(np.int64), last)  # position -1 picks `last`
    return steps[position]


def _dense(column: Any, count: int) -> np.ndarray:
    """float64 `[count]`, NaN where the column has nothing."""
    index, numbers = column
    if index is None:
        return numbers.astype(np.float64, copy=False)
    dense = np.full(count, np.nan)
    dense[index] = numbers
    return dense


def _times(column: Any, count: int) -> np.ndarray | None:
    """float64 `[count]`, seconds, from numbers (milliseconds since 1970 are told by their size) or dates."""
    if isinstance(column, list):
        rows = np.asarray([row for row, _ in column])
        column = (rows, np.asarray([seconds_of_date(text) for _, text in column]))
    dense = _dense(column, count)
    in_ms = dense > UNIX_MS_FROM
    return np.where(in_ms, dense / 1000.0, dense) if in_ms.any() else dense


def seconds_of_date(text: str) -> float:
    """Unix seconds of an ISO 8601 date (UTC where it names no zone); NaN if it is none."""
    from datetime import datetime, timezone

    try:
        date = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return math.nan
    return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()


def _remember_text(name: str, cells: list[tuple[int, str]], count: int, facts: dict[str, Any], memory: Memory) -> None:
    """One text throughout is configuration; several are named in the notes."""
    varying = memory.setdefault("texts", [])
    distinct = {text for _, text in cells}
    if name in varying:
        return
    if len(distinct) == 1 and len(cells) == count and facts.get(name, cells[0][1]) == cells[0][1]:
        facts[name] = cells[0][1]
        return
    facts.pop(name, None)
    varying.append(name)
    note(memory, f"{clean_text(name)}: text, not shown")
