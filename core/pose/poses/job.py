"""A CSV of poses, from the file to the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...files import replacing
from ...messages import Message, reason_of
from ...types import Notice, Progress, Reject
from ...words import Common
from ..embedding import Wording, encode_units, lend_text_model, model_facts
from ..words import Says
from .reading import Block, PosesFile, open_poses, read_blocks
from .writing import WRITERS, check_output

if TYPE_CHECKING:
    import threading

    from ...models.encoder import Encoder
    from ...models.manager import Lease, ModelManager

REJECTS_NAMED = 1000
WRAPPED_NAMED = 5
PREVIEW_ROWS = 100
PreviewRow = tuple[int, tuple[float, float, float], str, Message]
"""Line of the file, angles as used, caption, problem."""


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
        preview: the first rows.
    """

    rows: int
    usable: int
    captions: int
    dim: int
    model: dict[str, str]
    rejects: tuple[Reject, ...]
    output: Path
    notices: tuple[Notice, ...]
    preview: tuple[PreviewRow, ...]


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
    tally = _Tally(poses)
    lent: AbstractContextManager[Lease | None] = nullcontext()
    if manager is not None and model:
        lent = lend_text_model(manager, model, device, dtype, cancel)
    make_writer = WRITERS[output.suffix.lower()]
    with lent as lease:
        encoder = lease.encoder if lease else None
        try:
            with (
                replacing(output) as (draft,),
                closing(make_writer(draft, poses, encoder.dim if encoder else 0)) as writer,
            ):
                yield Progress("poses", 0, 0)
                for block in read_blocks(poses):
                    captions = _captions(block, wording)
                    tally.add(block, captions)
                    if max_captions is not None and len(tally.captions) > max_captions:
                        raise InputError(
                            Says.too_many_captions(limit=max_captions),
                            where=f"{poses.path.name}, line {block.lines[-1]}",
                            next_step=Says.too_many_captions_next(),
                        )
                    units_ND = None
                    if encoder is not None and manager is not None:
                        units_ND, cut = _units(captions, encoder, manager, cancel)
                        tally.cut.update({notice.subject or notice.text: notice for notice in cut})
                    writer.write(block, captions, units_ND)
                    if max_values is not None and writer.values > max_values:
                        raise InputError(
                            Says.too_many_values(limit=max_values),
                            where=output.suffix,
                            next_step=Says.too_many_values_next(),
                        )
                    yield tally.progress(block)
                tally.refuse_nothing_usable()
                writer.finish()
        except OSError as error:
            raise InputError(
                Common.file_unwritable(error=reason_of(error)), where=str(output), next_step=Says.give_place()
            ) from error
    yield PosesResult(
        rows=tally.rows,
        usable=tally.usable,
        captions=len(tally.captions),
        dim=encoder.dim if encoder else 0,
        model=model_facts(encoder) if encoder else {},
        rejects=tuple(tally.rejects),
        output=output,
        notices=(*(lease.notices if lease else ()), *tally.notices()),
        preview=tuple(tally.preview),
    )


def _captions(block: Block, wording: Wording) -> list[str]:
    """For each row its caption; empty where there is a problem."""
    usable = [row for row, problem in enumerate(block.problems) if not problem]
    if not usable:
        return [""] * len(block.cells)
    told = iter(wording.captions(block.angles_deg_N3[usable]))
    return ["" if problem else next(told) for problem in block.problems]


def _units(
    captions: Sequence[str], encoder: Encoder, manager: ModelManager, cancel: threading.Event | None
) -> tuple[np.ndarray, list[Notice]]:
    """Unit vectors `[N, D]`, zeros where there is no caption; and what was cut."""
    units_ND = np.zeros((len(captions), encoder.dim), dtype=np.float32)
    usable = [row for row, caption in enumerate(captions) if caption]
    if not usable:
        return units_ND, []
    units_ND[usable], cut = encode_units(encoder, [captions[row] for row in usable], manager, cancel)
    return units_ND, cut


@dataclass
class _Tally:
    """What the rows came to; `rejected` and `wrapped` count all, the lists beside them name the first."""

    poses: PosesFile
    rows: int = 0
    usable: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)
    wrapped: int = 0
    wrapped_lines: list[int] = field(default_factory=list)
    preview: list[PreviewRow] = field(default_factory=list)
    captions: set[str] = field(default_factory=set)
    cut: dict[str, Notice] = field(default_factory=dict)

    def add(self, block: Block, captions: Sequence[str]) -> None:
        bad = [row for row, problem in enumerate(block.problems) if problem]
        self.rejected += len(bad)
        for row in bad[: REJECTS_NAMED - len(self.rejects)]:
            self.rejects.append(Reject(f"line {block.lines[row]}", "pose", block.problems[row]))
        for row in range(min(len(block.cells), PREVIEW_ROWS - len(self.preview))):
            yaw, pitch, roll = block.angles_deg_N3[row].tolist()
            self.preview.append((block.lines[row], (yaw, pitch, roll), captions[row], block.problems[row]))
        self.wrapped += len(block.wrapped)
        self.wrapped_lines += [block.lines[row] for row in block.wrapped][: WRAPPED_NAMED - len(self.wrapped_lines)]
        self.rows += len(block.cells)
        self.usable = self.rows - self.rejected
        self.captions.update(captions)
        self.captions.discard("")

    def progress(self, block: Block) -> Progress:
        """The file's rows are not known before its end: estimated from how much of it is read."""
        expected = round(self.rows * self.poses.size_bytes / max(block.read_bytes, 1))
        return Progress("poses", self.rows, max(self.rows, expected))

    def refuse_nothing_usable(self) -> None:
        """Raises `InputError` where no row has a caption."""
        if not self.rows:
            raise InputError(Says.no_rows(), where=self.poses.path.name)
        if not self.usable:
            first = self.rejects[0]
            raise InputError(
                Says.no_usable_row(rows=self.rows, reason=first.reason),
                where=f"{self.poses.path.name}, {first.id}",
                next_step=Says.no_usable_row_next(),
            )

    def notices(self) -> list[Notice]:
        made = []
        if not self.poses.has_header:
            made.append(Notice("no_header", Says.no_header()))
        if self.wrapped:
            lines = ", ".join(map(str, self.wrapped_lines)) + (", …" if self.wrapped > len(self.wrapped_lines) else "")
            made.append(Notice("wrapped", Says.wrapped(count=self.wrapped, lines=lines)))
        if self.rejected > len(self.rejects):
            made.append(Notice("more_rejects", Says.more_rejects(count=self.rejected - len(self.rejects))))
        return [*made, *self.cut.values()]
