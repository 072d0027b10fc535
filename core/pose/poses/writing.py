"""Poses with their captions and vectors into a file: one writer a format."""

from __future__ import annotations

import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...files import csv_cell
from ...words import Common
from ..words import Says
from .reading import Block, PosesFile

OUR_COLUMNS = ("yaw_deg", "pitch_deg", "roll_deg", "caption", "problem", "vector")
MAX_NPZ_BYTES = 2 * 2**30
TEXTS_KEPT = 50_000
"""Vectors as text, for a CSV; a wide one is some kilobytes."""


def check_output(output: Path) -> None:
    """Raises `InputError` unless the suffix names a format and the folder is there. Asked before any work is done."""
    if output.suffix.lower() not in SUFFIXES:
        raise InputError(
            Says.no_such_format(suffixes=", ".join(SUFFIXES), suffix=output.suffix or Says.no_suffix()),
            where=str(output),
            next_step=Says.no_such_format_next(),
        )
    if not output.resolve().parent.is_dir():
        raise InputError(
            Common.no_folder_to_write_to(), where=str(output.resolve().parent), next_step=Says.make_folder()
        )
    if output.is_dir():
        raise InputError(Common.output_is_folder(), where=str(output), next_step=Common.choose_another_name())


def own_names(poses: PosesFile) -> list[str]:
    """The file's own columns as they are named in the output: each once, and none as ours."""
    names: list[str] = []
    for number, name in enumerate(poses.header, start=1):
        name = name or f"column {number}"
        name = f"{name}_given" if name in OUR_COLUMNS or re.fullmatch(r"v\d+", name) else name
        while name in names:
            name = f"{name}_{number}"
        names.append(name)
    return names


def _row_of_new(captions: Sequence[str], known: Mapping[str, object]) -> dict[str, int]:
    """Captions not met before, each with a row of this block that has it."""
    return {caption: row for row, caption in enumerate(captions) if caption and caption not in known}


class Writer(ABC):
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


class _CsvWriter(Writer):
    """The text of a caption's vector is made once, however many rows have it."""

    def __init__(self, place: Path, poses: PosesFile, dim: int) -> None:
        super().__init__(place, poses, dim)
        self._file = place.open("w", encoding="utf-8", newline="")
        self._vector_texts: dict[str, str] = {}
        self._texts = [number for number in range(len(poses.header)) if number not in poses.angle_columns]
        self._row = csv.writer(_Echo(), lineterminator="\r\n").writerow  # both quoted inside a cell
        names = [*map(csv_cell, own_names(poses)), *OUR_COLUMNS[:5], *(f"v{number}" for number in range(dim))]
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
            own = block.cells[row][:width]
            problem = block.problems[row]
            if problem or len(own) < width:
                own = [csv_cell(cell) for cell in own] + [""] * (width - len(own))
            else:
                for column in self._texts:  # the others are the angles: numbers
                    own[column] = csv_cell(own[column])
            ours = ["", "", ""] if problem else angles[row]
            line = self._line([*own, *ours, csv_cell(caption), problem])
            lines.append(f"{line}{self._vector_texts.get(caption, none)}\n")
        self._file.writelines(lines)

    def _line(self, cells: Sequence[object]) -> str:
        """Without its end."""
        return str(self._row(cells))[:-2]

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _ParquetWriter(Writer):
    def __init__(self, place: Path, poses: PosesFile, dim: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        super().__init__(place, poses, dim)
        fields = [(name, pa.string()) for name in own_names(poses)]
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


class _NpzWriter(Writer):
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
                Says.too_much_for_npz(count=len(self._vectors)),
                where=self.poses.path.name,
                next_step=Says.too_much_for_npz_next(),
            )
        self._caption_rows.append(np.array([self._row_of.get(caption, -1) for caption in captions], np.int32))
        self._angles.append(block.angles_deg_N3)
        self._problems += [
            Says.line(line=line, problem=problem)
            for line, problem in zip(block.lines, block.problems, strict=True)
            if problem
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


WRITERS: dict[str, Callable[[Path, PosesFile, int], Writer]] = {
    ".csv": _CsvWriter,
    ".parquet": _ParquetWriter,
    ".npz": _NpzWriter,
}

SUFFIXES = tuple(WRITERS)
