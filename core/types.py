"""Values that cross the stages, and the legend of the names.

Suffixes say shape and unit, in order:

    B  images in a batch       C  channels (3, RGB)     H, W  pixels
    N  rows (images, points)   D  embedding width       P     patches
    K  prompts or captions     _px pixels   _deg degrees   _m metres   _s seconds   _ms milliseconds   _bytes bytes

`rgb_HWC` is uint8 0..255, upright (EXIF applied), alpha composited on white. `pixels_BCHW` is what a model takes: uint8
(normalised on the device) or float32 (already normalised). `features_BD` is a model's raw float32 output; `vectors_ND`
is what is stored and searched. Boxes are `box_xyxy_px`, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .messages import Message


@dataclass(frozen=True)
class ImageSource:
    """Where one image comes from, read lazily. Exactly one of `path`, `data`, `rgb_HWC` is set.

    Attributes:
        id: the row's name in every result: a path relative to the folder given, a member name, an upload's own name.
    """

    id: str
    path: Path | None = None
    data: bytes | None = None
    rgb_HWC: np.ndarray | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = sum(part is not None for part in (self.path, self.data, self.rgb_HWC))
        assert given == 1, f"an ImageSource has exactly one of path, data, rgb_HWC; {self.id!r} has {given}"


@dataclass(frozen=True)
class Reject:
    """An input that gave no row, and why. `code` is stable (`empty`, `truncated`, `too_large`, `not_an_image` …)."""

    id: str
    code: str
    reason: Message


@dataclass(frozen=True)
class Notice:
    """Something done on the user's behalf that changes time or numbers (a halved batch, another device, a cut prompt).

    `subject` is the one thing it concerns where there is one: the caption that was cut, in full.
    """

    code: str
    text: Message
    subject: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a job is. `done` counts rows and rejects; `total` is known before the first image is read."""

    stage: str
    done: int
    total: int
    images_per_s: float = 0.0
    seconds_left: float | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class VectorizeRequest:
    """What to compute. Member order is kept; a model may stand in it once.

    Attributes:
        models: catalogue ids, one or several (an ensemble: vectors are concatenated in this order).
        batch_size: images per forward pass, 1..4096.
        device: `auto | cpu | gpu | cuda:N | mps`.
        dtype: `auto | fp32 | bf16 | fp16`. fp32 uses each family's own preprocessing and is the reference.
        normalize: L2-normalise each member's features before they are concatenated.
    """

    models: tuple[str, ...]
    batch_size: int = 32
    device: str = "auto"
    dtype: str = "auto"
    normalize: bool = False


@dataclass(frozen=True)
class Member:
    """One model's part in a vector: columns `start:stop`, and what it cost.

    `load_s` is 0.0 when the model was already loaded. `gmacs` is the image tower's multiply-accumulates for one image
    (1e9), from the catalogue.
    """

    model_id: str
    start: int
    stop: int
    load_s: float
    device: str
    dtype: str
    gmacs: float
    encode_s: float = 0.0

    @property
    def dim(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class VectorTable:
    """Vectors with their ids, in the order of the input, and everything that was not vectorised.

    Attributes:
        ids: N names, unique.
        vectors_ND: float32 `[N, D]`.
        members: the spans of D, in order.
        passport: plain JSON values; see `core.models.passport`.
        rejects: inputs without a row.
        ms_N: float32 `[N]`, milliseconds of decode, preprocess and encode per image (a share of its batch).
        seconds: wall time of the whole job, model loading excluded.
        notices: what was done on the user's behalf.
    """

    ids: tuple[str, ...]
    vectors_ND: np.ndarray
    members: tuple[Member, ...]
    passport: dict[str, Any]
    rejects: tuple[Reject, ...] = ()
    ms_N: np.ndarray | None = None
    seconds: float = 0.0
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        assert self.vectors_ND.ndim == 2 and len(self.ids) == len(self.vectors_ND), "one id for each row"

    @property
    def dim(self) -> int:
        return int(self.vectors_ND.shape[1])

    @property
    def relative_compute(self) -> float:
        """Multiply-accumulates of all members over those of the first: 1.0 for one model."""
        first = self.members[0].gmacs
        return sum(member.gmacs for member in self.members) / first if first else float(len(self.members))


@dataclass(frozen=True)
class ModelStatus:
    """One loaded (or loading) model, as `ModelManager.status()` reports it."""

    model_id: str
    device: str
    dtype: str
    state: str  # loading | ready | evicting
    size_bytes: int
    leases: int
    load_s: float
    last_used_s_ago: float
