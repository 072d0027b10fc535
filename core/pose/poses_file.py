"""A CSV of poses in; each row's caption, and its embedding, out. Streams: a million rows never lie in memory together.

    path ─open_poses─▶ columns, delimiter, rows ─blocks of 8,192─▶ angles, problems ─captions─▶ (units) ─▶ writer

In: a header that names `yaw`, `pitch`, `roll` (in any order, `yaw_deg` and `Yaw (deg)` too) among other columns, or no
header and three columns or more, of which the first three are taken. Comma, semicolon or tab; UTF-8.

Out, row for row in the order of the file (a row that cannot be used stays, with its problem instead of a caption), by
suffix:

| suffix | what lies in it |
| --- | --- |
| `.csv` | the file's own columns, `yaw_deg pitch_deg roll_deg` (wrapped), `caption`, `problem`, `v0` … `v{D-1}` |
| `.parquet` | the same, the vector in one column `vector` (fixed-size list of float32) |
| `.npz` | once for each distinct caption `captions`, `vectors`; for each row `caption_row` (−1: none), `angles_deg` |

`.npz` is the smallest by far: discrete text has 45 captions at most. Its `problems` name the lines. An own column whose
name is one of ours gets `_given` behind it.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..types import Notice, Progress, Reject
from ..words import Common
from .angles import wrap_deg
from .embedding import Wording, encode_units, lend_text_model, model_facts
from .words import Says

if TYPE_CHECKING:
    import threading

    from ..models.encoder import Encoder
    from ..models.manager import ModelManager

SUFFIXES = (".csv", ".parquet", ".npz")
ANGLES = ("yaw", "pitch", "roll")
OUR_COLUMNS = ("yaw_deg", "pitch_deg", "roll_deg", "caption", "problem", "vector")
BLOCK_ROWS = 8192
REJECTS_NAMED = 1000
WRAPPED_NAMED = 5
PREVIEW_ROWS = 100
MAX_NPZ_BYTES = 2 * 2**30
TEXTS_KEPT = 50_000
"""Vectors as text, for a CSV; a wide one is some kilobytes."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
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

    @property
    def own_names(self) -> list[str]:
        """The file's own columns as they are named in the output: each once, and none as ours."""
        names: list[str] = []
        for number, name in enumerate(self.header, start=1):
            name = name or f"column {number}"
            name = f"{name}_given" if name in OUR_COLUMNS or re.fullmatch(r"v\d+", name) else name
            while name in names:
                name = f"{name}_{number}"
            names.append(name)
        return names


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of the file.

    Attributes:
        cells: each row's cells as they stand there.
        lines: the line of the file each row ends at, counted from 1.
        angles_deg_N3: float64, wrapped into ±180; NaN in a row with a problem.
        problems: a sentence for each row that cannot be used, else empty.
        wrapped: rows of this block whose angles were beyond ±180.
        read_bytes: of the file, up to here.
    """

    cells: list[list[str]]
    lines: list[int]
    angles_deg_N3: np.ndarray
    problems: list[str]
    wrapped: list[int]
    read_bytes: int


@dataclass(frozen=True)
class PosesResult:
    """What `convert` did.

    Attributes:
        rows: in the file; usable: with a caption.
        captions: distinct ones.
        dim: of the embedding, 0 without a model.
        model: as `Embedded.model`, empty without a model.
        rejects: the first `REJECTS_NAMED` rows that could not be used, by their line.
        output: the file written.
        notices: wrapped angles, a missing header, captions that were cut, more rejects than are named.
        preview: the first rows: line, angles as used, caption, problem.
    """

    rows: int
    usable: int
    captions: int
    dim: int
    model: dict[str, str]
    rejects: tuple[Reject, ...]
    output: Path
    notices: tuple[Notice, ...]
    preview: tuple[tuple[int, tuple[float, float, float], str, str], ...]


# --- reading ----------------------------------------------------------------------------------------------------------


def open_poses(path: Path) -> PosesFile:
    """Finds the columns.

    Raises:
        InputError: no such file, empty, not text, or without columns for yaw, pitch and roll.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            beginning = file.read(1 << 16)
    except OSError as error:
        raise InputError(
            Common.file_cannot_read(error=error.strerror),
            where=str(path),
            next_step=Says.give_csv_columns_yaw_pitch(),
        ) from error
    if b"\0" in beginning:
        raise InputError(Says.not_text_file(), where=path.name, next_step=Says.save_poses_csv_utf_8())
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(beginning)
    except UnicodeDecodeError as error:
        raise InputError(Says.file_not_utf_8_text(), where=path.name, next_step=Says.save_csv_utf_8()) from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:  # a byte order mark and nothing after it, or blanks that only Unicode knows
        raise InputError(Common.file_empty(), where=path.name, next_step=Says.needs_columns_yaw_pitch_roll())
    delimiter = max(",;\t", key=first.count)
    cells = tuple(cell.strip() for cell in next(csv.reader([first], delimiter=delimiter)))
    named = [_NAME_PATTERN.match(cell.lower()) for cell in cells]
    found = {match[1]: column for column, match in reversed(list(enumerate(named))) if match}
    if len(found) == len(ANGLES):
        repeated = [name for name in ANGLES if sum(bool(match) and match[1] == name for match in named) > 1]  # type: ignore[index]
        if repeated:
            raise InputError(
                Says.header_names_twice(column=repeated[0]), where=path.name, next_step=Says.rename_one_two_columns()
            )
        return PosesFile(path, delimiter, cells, True, (found["yaw"], found["pitch"], found["roll"]), size_bytes)
    if len(cells) >= len(ANGLES) and not found and all(_is_number(cell) for cell in cells[:3]):
        header = tuple(f"column {column}" for column in range(1, len(cells) + 1))
        return PosesFile(path, delimiter, header, False, (0, 1, 2), size_bytes)
    missing = ", ".join(name for name in ANGLES if name not in found)
    raise InputError(
        Says.there_no_column_first_line(names=missing, line=first[:120]),
        where=path.name,
        next_step=Says.begin_file_line_yaw_pitch(),
    )


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
            reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"is no CSV ({error})"
            raise InputError(
                f"The file {reason}.",
                where=f"{poses.path.name}, after line {reader.line_num}",
                next_step=Says.mend_line_save_poses_again(),
            ) from error
    if cells:
        yield _block(poses, cells, lines, poses.size_bytes)


def _block(poses: PosesFile, cells: list[list[str]], lines: list[int], read_bytes: int) -> Block:
    columns = poses.angle_columns
    problems = [""] * len(cells)
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
            problems[row] = Says.cells_under_column_names(cells=len(cells[row]), columns=width)
        else:
            raw_N3[row], problems[row] = _read_row(cells[row], columns)
    wrapped = np.flatnonzero((np.abs(raw_N3) > 180).any(axis=1)).tolist()
    return Block(cells, lines, wrap_deg(raw_N3), problems, wrapped, read_bytes)


def _read_row(row: Sequence[str], columns: tuple[int, int, int]) -> tuple[list[float], str]:
    """Three numbers and no problem, or three NaN and what is wrong with the first bad cell."""
    values = []
    for name, column in zip(ANGLES, columns, strict=True):
        cell = row[column].strip() if column < len(row) else ""
        if not cell:
            return [math.nan] * 3, f"{name} is empty"
        if not _is_number(cell):
            spelled = cell.lower().lstrip("+-")
            if spelled == "nan":
                return [math.nan] * 3, f"{name} is NaN"
            if spelled in ("inf", "infinity"):
                return [math.nan] * 3, f"{name} is infinite"
            hint = "; write the decimal point as a point" if re.fullmatch(r"[+-]?\d+,\d+", cell) else ""
            return [math.nan] * 3, f"{name} is not a number: {cell[:40]!r}{hint}"
        values.append(float(cell))
        if not math.isfinite(values[-1]):
            return [math.nan] * 3, f"{name} is infinite"
    return values, ""


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


# --- the whole way ----------------------------------------------------------------------------------------------------


def convert(
    path: Path,
    output: Path,
    wording: Wording | None = None,
    *,
    manager: ModelManager | None = None,
    model: str = "",
    device: str = "auto",
    dtype: str = "fp32",
    cancel: threading.Event | None = None,
    max_values: int | None = None,
    max_captions: int | None = None,
) -> Iterator[Progress | PosesResult]:
    """Reads a CSV of poses and writes captions, and with a model embeddings too. `Progress` first, the result last.

    Closing the generator, or an error, leaves no output behind.

    Args:
        output: `.csv`, `.parquet` or `.npz`.
        manager, model: None and empty: captions alone.
        max_values: refuse to write more numbers than this row by row (`.csv`, `.parquet`).
        max_captions: refuse to encode more distinct captions than this.

    Raises:
        InputError: as `open_poses`; no usable row; one of the bounds. Unsupported, Cancelled, as the manager raises.
    """
    check_output(output)
    poses = open_poses(path)
    wording = wording or Wording()
    wording.captions([[0.0, 0.0, 0.0]])  # a bad template is told before anything is loaded
    with ExitStack() as stack:
        encoder = None
        notices: list[Notice] = []
        if manager is not None and model:
            lease = stack.enter_context(lend_text_model(manager, model, device, dtype, cancel))
            encoder = lease.encoder
            notices += lease.notices
        place = output.with_name(f".tmp-{uuid.uuid4().hex[:12]}{output.suffix}")
        stack.callback(place.unlink, missing_ok=True)
        try:
            writer = _WRITERS[output.suffix.lower()](place, poses, encoder.dim if encoder else 0)
            stack.callback(writer.close)
            for item in _run(
                poses, output, wording, encoder, manager, writer, notices, cancel, max_values, max_captions
            ):
                if isinstance(item, PosesResult):
                    writer.finish()
                    writer.close()
                    place.replace(output)
                yield item
        except OSError as error:
            raise InputError(
                Common.file_cannot_written(error=error.strerror or error),
                where=str(output),
                next_step=Says.give_place_can_written_room(),
            ) from error


def _run(
    poses: PosesFile,
    output: Path,
    wording: Wording,
    encoder: Encoder | None,
    manager: ModelManager | None,
    writer: _Writer,
    notices: list[Notice],
    cancel: threading.Event | None,
    max_values: int | None,
    max_captions: int | None,
) -> Iterator[Progress | PosesResult]:
    rows = usable = wrapped = rejected = 0
    wrapped_lines: list[int] = []
    rejects: list[Reject] = []
    preview: list[tuple[int, tuple[float, float, float], str, str]] = []
    distinct: set[str] = set()
    cut: dict[str, Notice] = {}
    yield Progress("poses", 0, 0)
    for block in read_blocks(poses):
        good = [row for row, problem in enumerate(block.problems) if not problem]
        captions = [""] * len(block.cells)
        units_ND = None
        if good:
            told = wording.captions(block.angles_deg_N3[good])
            for row, caption in zip(good, told, strict=True):
                captions[row] = caption
            distinct.update(told)
            if max_captions is not None and len(distinct) > max_captions:
                raise InputError(
                    Says.more_than_different_captions(limit=max_captions),
                    where=f"{poses.path.name}, line {block.lines[-1]}",
                    next_step=Says.use_discrete_mode_which_45(),
                )
            if encoder is not None:
                assert manager is not None
                units_GD, found = encode_units(encoder, told, manager, cancel)
                cut.update({notice.subject or notice.text: notice for notice in found})
                units_ND = np.zeros((len(captions), encoder.dim), dtype=np.float32)
                units_ND[good] = units_GD
        writer.write(block, captions, units_ND)
        for row, problem in enumerate(block.problems):
            if problem:
                rejected += 1
                if len(rejects) < REJECTS_NAMED:
                    rejects.append(Reject(f"line {block.lines[row]}", "pose", problem))
        for row in range(min(len(block.cells), PREVIEW_ROWS - len(preview))):
            yaw, pitch, roll = block.angles_deg_N3[row].tolist()
            preview.append((block.lines[row], (yaw, pitch, roll), captions[row], block.problems[row]))
        wrapped += len(block.wrapped)
        wrapped_lines += [block.lines[row] for row in block.wrapped][: WRAPPED_NAMED - len(wrapped_lines)]
        rows += len(block.cells)
        usable += len(good)
        if max_values is not None and writer.values > max_values:
            raise InputError(
                Says.output_would_more_than_numbers(limit=max_values),
                where=output.suffix,
                next_step=Says.choose_npz_which_holds_each(),
            )
        expected = max(rows, round(rows * poses.size_bytes / max(block.read_bytes, 1)))
        yield Progress("poses", rows, expected)
    if not rows:
        raise InputError(Says.file_header_no_rows(), where=poses.path.name)
    if not usable:
        first = rejects[0]
        raise InputError(
            Says.no_row_can_used_read(rows=rows, reason=first.reason),
            where=f"{poses.path.name}, {first.id}",
            next_step=Says.give_yaw_pitch_roll_numbers(),
        )
    if not poses.has_header:
        notices.append(Notice("no_header", Says.no_header_first_three_columns()))
    if wrapped:
        named = ", ".join(str(line) for line in wrapped_lines) + (", …" if wrapped > len(wrapped_lines) else "")
        notices.append(Notice("wrapped", Says.row_s_angles_beyond_180(count=wrapped, lines=named)))
    if rejected > len(rejects):
        notices.append(Notice("more_rejects", Says.more_rows_could_not_used(count=rejected - len(rejects))))
    notices += cut.values()
    yield PosesResult(
        rows=rows,
        usable=usable,
        captions=len(distinct),
        dim=encoder.dim if encoder else 0,
        model=model_facts(encoder) if encoder else {},
        rejects=tuple(rejects),
        output=output,
        notices=tuple(notices),
        preview=tuple(preview),
    )


# --- writing ----------------------------------------------------------------------------------------------------------


def check_output(output: Path) -> None:
    """Raises `InputError` unless the suffix names a format and the folder is there. Asked before any work is done."""
    if output.suffix.lower() not in SUFFIXES:
        raise InputError(
            Says.poses_file_written_not(suffixes=", ".join(SUFFIXES), suffix=output.suffix or "without a suffix"),
            where=str(output),
            next_step=Says.give_output_one_suffixes(),
        )
    if not output.resolve().parent.is_dir():
        raise InputError(
            Common.folder_write_does_not_exist(), where=str(output.resolve().parent), next_step=Says.make_first()
        )
    if output.is_dir():
        raise InputError(Says.output_folder_already(), where=str(output), next_step=Common.choose_another_name())


def _row_of_new(captions: Sequence[str], known: Mapping[str, object]) -> dict[str, int]:
    """Captions not met before, each with a row of this block that has it."""
    return {caption: row for row, caption in enumerate(captions) if caption and caption not in known}


class _Writer(ABC):
    """Takes blocks, then `finish` or `close`. Attribute `values`: numbers written row by row so far."""

    def __init__(self, place: Path, poses: PosesFile, dim: int) -> None:
        self.place, self.poses, self.dim = place, poses, dim
        self.values = 0

    @abstractmethod
    def write(self, block: Block, captions: Sequence[str], units_ND: np.ndarray | None) -> None:
        """One block's rows; `units_ND` has a row for each, zeros where there is no caption."""

    @abstractmethod
    def finish(self) -> None:
        """Everything reaches the disk."""

    def close(self) -> None:  # noqa: B027  # a writer that holds no file has nothing to let go of
        """Lets go of the file, finished or not."""


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


class _CsvWriter(_Writer):
    """The text of a caption's vector is made once, however many rows have it."""

    def __init__(self, place: Path, poses: PosesFile, dim: int) -> None:
        super().__init__(place, poses, dim)
        self._file = place.open("w", encoding="utf-8", newline="")
        self._vector_texts: dict[str, str] = {}
        self._row = csv.writer(_Echo(), lineterminator="\r\n").writerow  # both quoted inside a cell
        names = [*poses.own_names, *OUR_COLUMNS[:5], *(f"v{number}" for number in range(dim))]
        self._file.write(self._line(names) + "\n")

    def write(self, block: Block, captions: Sequence[str], units_ND: np.ndarray | None) -> None:
        if units_ND is not None:
            if len(self._vector_texts) > TEXTS_KEPT:
                self._vector_texts.clear()
            for caption, row in _row_of_new(captions, self._vector_texts).items():
                self._vector_texts[caption] = "," + ",".join(f"{value:.8g}" for value in units_ND[row].tolist())
            self.values += len(captions) * self.dim
        none = "," * self.dim
        width = len(self.poses.header)
        angles = block.angles_deg_N3.tolist()
        lines = []
        for row, caption in enumerate(captions):
            own = (block.cells[row] + [""] * width)[:width]
            problem = block.problems[row]
            ours = ["", "", ""] if problem else angles[row]
            shown = f"'{caption}" if caption.startswith(_FORMULA_STARTS) else caption
            lines.append(self._line([*own, *ours, shown, problem]) + self._vector_texts.get(caption, none) + "\n")
        self._file.writelines(lines)

    def _line(self, cells: Sequence[object]) -> str:
        """Without its end."""
        return str(self._row(cells))[:-2]

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _ParquetWriter(_Writer):
    def __init__(self, place: Path, poses: PosesFile, dim: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        super().__init__(place, poses, dim)
        fields = [(name, pa.string()) for name in poses.own_names]
        fields += [(name, pa.float64()) for name in OUR_COLUMNS[:3]] + [
            (name, pa.string()) for name in OUR_COLUMNS[3:5]
        ]
        if dim:
            fields.append(("vector", pa.list_(pa.float32(), dim)))
        self._schema = pa.schema(fields)
        self._parquet = pq.ParquetWriter(place, self._schema, compression="zstd")

    def write(self, block: Block, captions: Sequence[str], units_ND: np.ndarray | None) -> None:
        import pyarrow as pa

        width = len(self.poses.header)
        rows = [(row + [""] * width)[:width] for row in block.cells]
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        columns += [pa.array(column, pa.float64(), from_pandas=True) for column in block.angles_deg_N3.T]
        columns += [pa.array([text or None for text in texts], pa.string()) for texts in (captions, block.problems)]
        if self.dim:
            vectors_ND = np.zeros((len(captions), self.dim), np.float32) if units_ND is None else units_ND
            missing = pa.array([not caption for caption in captions])
            values = pa.array(vectors_ND.ravel(), pa.float32())
            columns.append(pa.FixedSizeListArray.from_arrays(values, self.dim, mask=missing))
            self.values += vectors_ND.size
        self._parquet.write_batch(pa.record_batch(columns, schema=self._schema))

    def finish(self) -> None:
        self._parquet.close()

    def close(self) -> None:
        self._parquet.close()


class _NpzWriter(_Writer):
    """Holds what it will write: each distinct caption's vector once, and 28 bytes for each row."""

    def __init__(self, place: Path, poses: PosesFile, dim: int) -> None:
        super().__init__(place, poses, dim)
        self._row_of: dict[str, int] = {}
        self._vectors: list[np.ndarray] = []
        self._caption_rows: list[np.ndarray] = []
        self._angles: list[np.ndarray] = []
        self._problems: list[str] = []

    def write(self, block: Block, captions: Sequence[str], units_ND: np.ndarray | None) -> None:
        for caption, row in _row_of_new(captions, self._row_of).items():
            self._row_of[caption] = len(self._row_of)
            if units_ND is not None:
                self._vectors.append(units_ND[row].copy())
        if len(self._vectors) * self.dim * 4 > MAX_NPZ_BYTES:
            raise InputError(
                Says.vectors_different_captions_too_much(count=len(self._vectors)),
                where=self.poses.path.name,
                next_step=Says.choose_parquet(),
            )
        self._caption_rows.append(np.array([self._row_of.get(caption, -1) for caption in captions], np.int32))
        self._angles.append(block.angles_deg_N3)
        self._problems += [
            f"line {line}: {text}" for line, text in zip(block.lines, block.problems, strict=True) if text
        ]

    def finish(self) -> None:
        vectors_KD = np.stack(self._vectors) if self._vectors else np.zeros((len(self._row_of), 0), np.float32)
        with self.place.open("wb") as file:  # a name would get another `.npz`
            np.savez(
                file,
                captions=np.array(list(self._row_of), dtype=np.str_),
                vectors=vectors_KD,
                caption_row=np.concatenate(self._caption_rows),
                angles_deg=np.concatenate(self._angles),
                problems=np.array(self._problems, dtype=np.str_),
            )


_WRITERS: dict[str, Callable[[Path, PosesFile, int], _Writer]] = {
    ".csv": _CsvWriter,
    ".parquet": _ParquetWriter,
    ".npz": _NpzWriter,
}
