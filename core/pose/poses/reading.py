"""A CSV of poses: where its angles stand, and its rows, block by block."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...messages import NOTHING, Message, english, reason_of
from ...words import Common
from ..angles import ANGLE_NAMES, ANGLES, wrap_deg
from ..words import Says

BLOCK_ROWS = 8192
_NAME_PATTERN = re.compile(r"^(yaw|pitch|roll)(?:[ _-]*(?:\(|\[)?(?:deg|degrees|°)(?:\)|\])?)?$")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class PosesFile:
    """What a CSV holds, before its rows are read.

    Attributes:
        path, delimiter: of the file.
        header: its column names, or `column 1` … where it has none.
        has_header: whether the first line is one.
        angle_columns: where yaw, pitch and roll stand.
        size_bytes: of the file; progress is counted in rows and estimated from this.
    """

    path: Path
    delimiter: str
    header: tuple[str, ...]
    has_header: bool
    angle_columns: tuple[int, int, int]
    size_bytes: int


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of the file.

    Attributes:
        cells: each row's cells as they stand there.
        lines: the line of the file each row ends at, counted from 1.
        angles_deg_N3: float64, wrapped into ±180; NaN in a row with a problem.
        problems: why a row cannot be used; `NOTHING` for the others.
        wrapped: rows of this block whose angles were beyond ±180.
        read_bytes: of the file, up to here.
    """

    cells: list[list[str]]
    lines: list[int]
    angles_deg_N3: np.ndarray
    problems: list[Message]
    wrapped: list[int]
    read_bytes: int


def open_poses(path: Path) -> PosesFile:
    """Finds the columns.

    Raises:
        InputError: no such file, empty, not text, or without columns for yaw, pitch and roll.
    """
    text, size_bytes = _beginning(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:  # a byte order mark and nothing after it, or blanks that only Unicode knows
        raise InputError(Common.file_empty(), where=path.name, next_step=Says.needs_columns())
    delimiter = max(",;\t", key=first.count)
    cells = tuple(cell.strip() for cell in next(csv.reader([first], delimiter=delimiter)))
    columns_of = _named_columns(cells)
    missing = [name for name, columns in columns_of.items() if not columns]
    if not missing:
        for name, columns in columns_of.items():
            if len(columns) > 1:
                raise InputError(Says.column_twice(column=name), where=path.name, next_step=Says.column_twice_next())
        yaw, pitch, roll = (columns[0] for columns in columns_of.values())
        return PosesFile(path, delimiter, cells, True, (yaw, pitch, roll), size_bytes)
    if len(missing) == len(ANGLES) <= len(cells) and all(_is_number(cell) for cell in cells[:3]):
        header = tuple(f"column {column}" for column in range(1, len(cells) + 1))
        return PosesFile(path, delimiter, header, False, (0, 1, 2), size_bytes)
    raise InputError(
        Says.no_column(names=", ".join(missing), line=first[:120]), where=path.name, next_step=Says.no_column_next()
    )


def _beginning(path: Path) -> tuple[str, int]:
    """The first lines as text, and the file's size in bytes. Raises `InputError`: it cannot be read, or is no text."""
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            beginning = file.read(1 << 16)
    except OSError as error:
        raise InputError(
            Common.file_unreadable(error=reason_of(error)), where=str(path), next_step=Says.give_csv()
        ) from error
    if b"\0" in beginning:
        raise InputError(Says.not_text(), where=path.name, next_step=Says.not_text_next())
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(beginning), size_bytes
    except UnicodeDecodeError as error:
        raise InputError(Says.not_utf_8(), where=path.name, next_step=Says.not_utf_8_next()) from error


def _named_columns(cells: Sequence[str]) -> dict[str, list[int]]:
    """For yaw, pitch and roll the columns that a first line names so."""
    columns_of: dict[str, list[int]] = {name: [] for name in ANGLES}
    for column, cell in enumerate(cells):
        match = _NAME_PATTERN.match(cell.lower())
        if match:
            columns_of[match[1]].append(column)
    return columns_of


def read_blocks(poses: PosesFile) -> Iterator[Block]:
    """The rows, `BLOCK_ROWS` at a time; empty lines are no rows.

    Raises:
        InputError: the file stops being readable text or CSV; names the line.
    """
    cells: list[list[str]] = []
    lines: list[int] = []
    with poses.path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=poses.delimiter)
        header_due = poses.has_header
        try:
            for row in reader:
                if not row or (len(row) == 1 and not row[0].strip()):
                    continue
                if header_due:
                    header_due = False
                    continue
                cells.append(row)
                lines.append(reader.line_num)
                if len(cells) == BLOCK_ROWS:
                    yield _block(poses, cells, lines, raw.tell())
                    cells, lines = [], []
        except (csv.Error, UnicodeDecodeError) as error:
            no_text = isinstance(error, UnicodeDecodeError)
            raise InputError(
                Says.not_utf_8() if no_text else Says.no_csv(error=english(error)),
                where=f"{poses.path.name}, after line {reader.line_num}",
                next_step=Says.mend_line(),
            ) from error
    if cells:
        yield _block(poses, cells, lines, poses.size_bytes)


def _block(poses: PosesFile, cells: list[list[str]], lines: list[int], read_bytes: int) -> Block:
    columns = poses.angle_columns
    problems = [NOTHING] * len(cells)
    width = len(poses.header)
    try:
        texts_3N = [[row[column] for row in cells] for column in columns]
        if max(map(len, cells)) > width or any("_" in "".join(texts_N) for texts_N in texts_3N):
            raise ValueError("some row wants a closer look")  # Python reads 1_0 as ten
        raw_N3 = np.array([list(map(float, texts_N)) for texts_N in texts_3N]).T.copy()
        doubtful = np.flatnonzero(~np.isfinite(raw_N3).all(axis=1)).tolist()
    except (ValueError, IndexError):
        raw_N3 = np.full((len(cells), 3), np.nan)
        doubtful = list(range(len(cells)))
    for row in doubtful:
        if any(cell.strip() for cell in cells[row][width:]):
            problems[row] = Says.too_many_cells(cells=len(cells[row]), columns=width)
        else:
            raw_N3[row], problems[row] = _read_row(cells[row], columns)
    wrapped = np.flatnonzero((np.abs(raw_N3) > 180).any(axis=1)).tolist()
    return Block(cells, lines, wrap_deg(raw_N3), problems, wrapped, read_bytes)


def _read_row(row: Sequence[str], columns: tuple[int, int, int]) -> tuple[list[float], Message]:
    """Three numbers and no problem, or three NaN and what is wrong with the first bad cell."""
    values = []
    for angle, column in zip(ANGLE_NAMES, columns, strict=True):
        cell = row[column].strip() if column < len(row) else ""
        problem = _problem_of(angle(), cell)
        if problem:
            return [math.nan] * 3, problem
        values.append(float(cell))
    return values, NOTHING


def _problem_of(angle: Message, cell: str) -> Message:
    """Why a cell is no angle; `NOTHING` if it is one."""
    if not cell:
        return Says.angle_empty(angle=angle)
    if _is_number(cell):
        return NOTHING if math.isfinite(float(cell)) else Says.angle_infinite(angle=angle)
    spelled = cell.lower().lstrip("+-")
    if spelled == "nan":
        return Says.angle_nan(angle=angle)
    if spelled in ("inf", "infinity"):
        return Says.angle_infinite(angle=angle)
    if re.fullmatch(r"[+-]?\d+,\d+", cell):
        return Says.angle_decimal_comma(angle=angle, cell=cell)
    return Says.angle_no_number(angle=angle, cell=cell[:40])


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None
