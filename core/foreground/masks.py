"""Which pixels belong to a component, held compactly and unpacked one crop at a time.

Thousands of masks of a large image do not fit in memory as arrays. Here a mask is a box, a value in a label image that
all share, runs (COCO's RLE), or a small array; `crop` gives the pixels inside a box when they are needed. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..images.crops import Box
from .words import Says


class Mask(Protocol):
    """The pixels of one component."""

    def crop(self, box_xyxy_px: Box) -> np.ndarray:
        """bool or float32 0..1, `[h, w]` of the box; 0 wherever the component is not."""
        ...


@dataclass(frozen=True)
class BoxMask:
    """Every pixel of a box."""

    box_xyxy_px: Box

    def crop(self, box_xyxy_px: Box) -> np.ndarray:
        return _placed(True, self.box_xyxy_px, box_xyxy_px, np.dtype(bool))


@dataclass(frozen=True, eq=False)
class LabelMask:
    """The pixels of a label image that have one value. The image is shared by all its components."""

    labels_HW: np.ndarray
    value: int

    def crop(self, box_xyxy_px: Box) -> np.ndarray:
        x0, y0, x1, y1 = box_xyxy_px
        return self.labels_HW[y0:y1, x0:x1] == self.value


@dataclass(frozen=True, eq=False)
class ArrayMask:
    """A small array that lies at `box_xyxy_px`; bool, or float32 0..1 for soft edges."""

    mask_hw: np.ndarray
    box_xyxy_px: Box

    def crop(self, box_xyxy_px: Box) -> np.ndarray:
        return _placed(self.mask_hw, self.box_xyxy_px, box_xyxy_px, self.mask_hw.dtype)


@dataclass(frozen=True, eq=False)
class RunMask:
    """COCO's run-length encoding: lengths of runs down the columns, the first of zeros.

    Attributes:
        ends: int64, where each run ends: the running sum of the lengths; the last is h · w.
        size_hw: of the mask.
        image_hw: of the image; where it differs, the nearest mask pixel is taken.
    """

    ends: np.ndarray
    size_hw: tuple[int, int]
    image_hw: tuple[int, int]

    def crop(self, box_xyxy_px: Box) -> np.ndarray:
        x0, y0, x1, y1 = box_xyxy_px
        h, w = self.size_hw
        if self.size_hw == self.image_hw:  # unpack whole columns
            first = int(np.searchsorted(self.ends, x0 * h, side="right"))
            last = int(np.searchsorted(self.ends, x1 * h - 1, side="right"))
            stops = np.minimum(self.ends[first : last + 1], x1 * h)
            lengths = np.diff(stops, prepend=x0 * h)
            odd = np.arange(first, last + 1) % 2 == 1  # odd runs are ones
            return np.repeat(odd, lengths).reshape(x1 - x0, h)[:, y0:y1].T
        height_px, width_px = self.image_hw
        columns = _nearest(np.arange(x0, x1), width_px, w)
        rows = _nearest(np.arange(y0, y1), height_px, h)
        # Columns first: neighbouring look-ups then fall into neighbouring runs.
        return (np.searchsorted(self.ends, columns[:, None] * h + rows[None, :], side="right") % 2 == 1).T

    def box(self) -> Box | None:
        """The smallest box around the ones, in image pixels; None if there are none."""
        starts, ends = _ones(self.ends)
        if not len(starts):
            return None
        (h, _), (height_px, width_px) = self.size_hw, self.image_hw
        first: np.ndarray = starts // h
        last: np.ndarray = (ends - 1) // h
        many = first != last  # a run over a column's end touches the last row and the first
        top = 0 if many.any() else int((starts % h).min())
        bottom = h if many.any() else int(((ends - 1) % h).max()) + 1
        left, right = int(first.min()), int(last.max()) + 1
        if self.size_hw == self.image_hw:
            return left, top, right, bottom
        columns = _nearest(np.arange(width_px), width_px, self.size_hw[1])
        rows = _nearest(np.arange(height_px), height_px, h)
        x0, x1 = (int(np.searchsorted(columns, edge)) for edge in (left, right))
        y0, y1 = (int(np.searchsorted(rows, edge)) for edge in (top, bottom))
        if x1 <= x0 or y1 <= y0:
            return None
        box = tight_box(self.crop((x0, y0, x1, y1)))  # a smaller image may skip the outermost pixels
        return None if box is None else (x0 + box[0], y0 + box[1], x0 + box[2], y0 + box[3])

    @property
    def area(self) -> int:
        """Number of ones, in the mask's own pixels."""
        starts, ends = _ones(self.ends)
        return int((ends - starts).sum())


def from_rle(counts: str | bytes | list[int], size_hw: tuple[int, int], image_hw: tuple[int, int]) -> RunMask:
    """A COCO RLE, plain (a list) or compressed (a string).

    Checked before anything is unpacked. (pycocotools hands out unset memory where the runs end early, and the claimed
    size alone decides how much it takes.)

    Raises:
        ValueError: with the reason, if the runs are damaged or do not add up to the size.
    """
    if isinstance(counts, (str, bytes)):
        lengths = _lengths_from_string(counts)
    elif isinstance(counts, list):
        if not all(type(count) is int and 0 <= count < 2**40 for count in counts):
            raise ValueError(Says.rle_counts_values())
        lengths = np.array(counts, dtype=np.int64)
    else:
        raise ValueError(Says.rle_counts_kind())
    if len(lengths) and int(lengths.min()) < 0:
        raise ValueError(Says.rle_negative_run())
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    if total != size_hw[0] * size_hw[1]:
        raise ValueError(Says.rle_total(total=total, height=size_hw[0], width=size_hw[1]))
    return RunMask(ends, size_hw, image_hw)


def to_rle(mask_HW: np.ndarray) -> dict[str, object]:
    """A mask as COCO's compressed RLE, `{"size": [H, W], "counts": str}`."""
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(np.asarray(mask_HW) > 0, dtype=np.uint8))
    return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode("ascii")}


def tight_box(mask_HW: np.ndarray) -> Box | None:
    """The smallest box around the pixels above 0; None if there are none."""
    rows, columns = np.flatnonzero((mask_HW > 0).any(axis=1)), np.flatnonzero((mask_HW > 0).any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _lengths_from_string(counts: str | bytes) -> np.ndarray:
    """COCO's string: 5 bits a character, lowest first, bit 6 says "more"; from the fourth run on, differences.

    Each is the difference to the run before the last.
    """
    try:
        raw = counts.encode("ascii") if isinstance(counts, str) else counts
    except UnicodeEncodeError:
        raise ValueError(Says.rle_characters()) from None
    codes = np.frombuffer(raw, dtype=np.uint8).astype(np.int64) - 48
    if not len(codes):
        return codes
    if codes.min() < 0 or codes.max() > 63:
        raise ValueError(Says.rle_characters())
    last = (codes & 0x20) == 0
    if not last[-1]:
        raise ValueError(Says.rle_ends_early())
    stops = np.flatnonzero(last)
    starts = np.concatenate([[0], stops[:-1] + 1])
    sizes = stops - starts + 1
    if sizes.max() > 8:
        raise ValueError(Says.rle_number_too_large())
    place = np.arange(len(codes)) - np.repeat(starts, sizes)
    values = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    values -= np.where(codes[stops] & 0x10, np.int64(1) << (5 * sizes), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _ones(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the runs of ones start and end, empty ones left out."""
    starts, stops = ends[:-1][::2], ends[1::2]
    starts = starts[: len(stops)]
    real = stops > starts
    return starts[real], stops[real]


def _nearest(positions: np.ndarray, image_px: int, mask_px: int) -> np.ndarray:
    return np.minimum((positions * 2 + 1) * mask_px // (2 * image_px), mask_px - 1)


def resize_nearest(labels_HW: np.ndarray, image_hw: tuple[int, int]) -> np.ndarray:
    """A label image in another size: each pixel takes the label under its centre."""
    rows = _nearest(np.arange(image_hw[0]), image_hw[0], labels_HW.shape[0])
    columns = _nearest(np.arange(image_hw[1]), image_hw[1], labels_HW.shape[1])
    return labels_HW[rows[:, None], columns[None, :]]


def _placed(values: np.ndarray | bool, have: Box, want: Box, dtype: np.dtype) -> np.ndarray:
    """What `values`, lying at `have`, looks like through the window `want`."""
    x0, y0, x1, y1 = want
    window = np.zeros((y1 - y0, x1 - x0), dtype=dtype)
    left, top, right, bottom = max(x0, have[0]), max(y0, have[1]), min(x1, have[2]), min(y1, have[3])
    if right > left and bottom > top:
        inside = values
        if isinstance(values, np.ndarray):
            inside = values[top - have[1] : bottom - have[1], left - have[0] : right - have[0]]
        window[top - y0 : bottom - y0, left - x0 : right - x0] = inside
    return window
