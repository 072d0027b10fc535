"""Captions → unit vectors, through the model manager and its text cache.

    yaw, pitch, roll (deg) ─text.py─▶ captions ─text tower, cached─▶ features_KD ─L2─▶ units_ND

A caption costs the text tower once per weights, dtype and kind of device: the 45 discrete ones are a table of 45 rows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import InputError, Unsupported, WeightsMissing, stop_if_set
from ..models.described import DEMO_MODEL
from ..types import Member, Notice, VectorTable
from .text import describe
from .words import Says

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from ..models.manager import Lease, ModelManager

# OpenAI's own names, as in `clip.load`.
OPENAI_NAMES = {
    "ViT-B/32": "openai_clip_vit_b32",
    "ViT-B/16": "openai_clip_vit_b16",
    "ViT-L/14": "openai_clip_vit_l14",
    "RN50": "openai_clip_rn50",
    "RN101": "openai_clip_rn101",
}
CAPTIONS_AT_ONCE = 256  # between two looks at `cancel`


@dataclass(frozen=True)
class Wording:
    """How a pose is put into words; see `text.describe`.

    Attributes:
        continuous: the numbers themselves instead of the table's words.
        expression, light: a word or two, or empty.
        template: text with one `{}`.
    """

    continuous: bool = False
    expression: str = ""
    light: str = ""
    template: str = "{}"

    def captions(self, angles_deg_N3: npt.ArrayLike) -> list[str]:
        """One caption for each pose. Raises `InputError` as `text.describe`."""
        count = len(np.atleast_2d(np.asarray(angles_deg_N3, dtype=object)))
        return describe(
            angles_deg_N3,
            continuous=self.continuous,
            expressions=[self.expression.strip()] * count if self.expression.strip() else None,
            lights=[self.light.strip()] * count if self.light.strip() else None,
            template=self.template,
        )


@dataclass(frozen=True, eq=False)
class Embedded:
    """N captions and their embeddings.

    Attributes:
        captions: N, as given.
        units_ND: float32 `[N, D]`, rows of length 1.
        model: id, weights_sha256, device, dtype.
        load_s, seconds: of loading the model (0.0 if it was there), and of everything after it.
        notices: captions that were cut, and what the manager did on the user's behalf.
    """

    captions: tuple[str, ...]
    units_ND: np.ndarray
    model: dict[str, str]
    load_s: float
    seconds: float
    notices: tuple[Notice, ...] = ()

    @property
    def dim(self) -> int:
        return int(self.units_ND.shape[1])


def catalogue_id(name: str) -> str:
    """The catalogue's id of one of `OPENAI_NAMES`; any other name stays as it is."""
    return OPENAI_NAMES.get(name, name)


def default_model(weights_dir: Path) -> str:
    """OpenAI's ViT-B/32 if its weights are here, else another CLIP whose weights are, else the built-in one."""
    from ..models.weights import usable_clips

    usable = usable_clips(weights_dir)
    best = OPENAI_NAMES["ViT-B/32"]
    return best if best in usable else usable[0] if usable else DEMO_MODEL


def embed_poses(
    angles_deg_N3: npt.ArrayLike,
    manager: ModelManager,
    model: str,
    wording: Wording | None = None,
    *,
    device: str = "auto",
    dtype: str = "fp32",
    cancel: threading.Event | None = None,
) -> Embedded:
    """Poses → captions → embeddings. Raises as `text.describe` and `embed_captions`."""
    captions = (wording or Wording()).captions(angles_deg_N3)
    return embed_captions(captions, manager, model, device=device, dtype=dtype, cancel=cancel)


def embed_captions(
    captions: Sequence[str],
    manager: ModelManager,
    model: str,
    *,
    device: str = "auto",
    dtype: str = "fp32",
    cancel: threading.Event | None = None,
) -> Embedded:
    """N captions, repeated or not → their embeddings, in order.

    Args:
        model: catalogue id of a model with a text tower.
        dtype: `fp32` is the reference; sixteen bits are quicker where the hardware has them.
        cancel: looked at after every `CAPTIONS_AT_ONCE` distinct captions.

    Raises:
        Unsupported: the model has no text tower. Cancelled. UnknownModel, WeightsMissing … as the manager raises.
    """
    with lend_text_model(manager, model, device, dtype, cancel) as lease:
        encoder = lease.encoder
        started = time.perf_counter()
        units_ND, notices = encode_units(encoder, captions, manager, cancel)
        return Embedded(
            captions=tuple(captions),
            units_ND=units_ND,
            model=model_facts(encoder),
            load_s=lease.load_s,
            seconds=time.perf_counter() - started,
            notices=(*lease.notices, *notices),
        )


def encode_units(
    encoder: Encoder, captions: Sequence[str], manager: ModelManager, cancel: threading.Event | None = None
) -> tuple[np.ndarray, list[Notice]]:
    """As `embed_captions`, with an encoder already lent: (`units_ND`, notices)."""
    if not captions:
        raise InputError(Says.no_caption())
    distinct = list(dict.fromkeys(captions))
    parts, notices = [], []
    for begin in range(0, len(distinct), CAPTIONS_AT_ONCE):
        stop_if_set(cancel)
        features_KD, cut = manager.text_cache.encode(encoder, distinct[begin : begin + CAPTIONS_AT_ONCE])
        parts.append(unit_rows(features_KD))
        notices += cut
    units_KD = np.concatenate(parts)
    if len(distinct) == len(captions):
        return units_KD, notices
    row_of = {caption: row for row, caption in enumerate(distinct)}
    return units_KD[[row_of[caption] for caption in captions]], notices


def unit_rows(features_ND: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32; a row of zeros stays."""
    lengths_N1 = np.linalg.norm(features_ND.astype(np.float64), axis=1, keepdims=True)
    units_ND: np.ndarray = (features_ND / np.where(lengths_N1 > 0, lengths_N1, 1.0)).astype(np.float32)
    return units_ND


@contextmanager
def lend_text_model(
    manager: ModelManager, model: str, device: str = "auto", dtype: str = "fp32", cancel: threading.Event | None = None
) -> Iterator[Lease]:
    """`manager.lease` for a model with a text tower.

    Raises:
        Unsupported: it has none; told before it is loaded. WeightsMissing: names the model that is always there.
    """
    if not manager.find(model).has_text:
        raise Unsupported(
            Says.no_text_tower(model=model), where=model, next_step=Says.no_text_tower_next(model=DEMO_MODEL)
        )
    with ExitStack() as stack:
        try:
            lease = stack.enter_context(manager.lease(model, device, dtype, cancel))
        except WeightsMissing as error:
            raise with_model_always_there(error, model) from None
        yield lease


def with_model_always_there(error: WeightsMissing, model: str) -> WeightsMissing:
    """The same error, its next step naming the built-in model too."""
    if model == DEMO_MODEL:
        return error
    next_step = Says.or_always_there(hint=error.next_step, model=DEMO_MODEL)
    return WeightsMissing(error.what, where=error.where, next_step=next_step)


def model_facts(encoder: Encoder) -> dict[str, str]:
    """What made a vector: id, weights_sha256, device, dtype."""
    from ..models.device import dtype_name

    return {
        "id": encoder.spec.id,
        "weights_sha256": encoder.weights_sha256,
        "device": str(encoder.device),
        "dtype": dtype_name(encoder.dtype),
    }


def vector_table(made: Embedded, manager: ModelManager) -> VectorTable:
    """The distinct captions as rows of a table with a passport, for the house's vector files; ids are the captions."""
    from ..models.passport import canary_vectors, model_passport, table_passport

    facts = made.model
    with manager.lease(facts["id"], facts["device"], facts["dtype"]) as lease:
        passport = table_passport([model_passport(lease.encoder)], True, [canary_vectors(lease.encoder)])
    row_of = {caption: row for row, caption in enumerate(made.captions)}
    return VectorTable(
        ids=tuple(row_of),
        vectors_ND=made.units_ND[list(row_of.values())],
        members=(Member(facts["id"], 0, made.dim, made.load_s, facts["device"], facts["dtype"], 0.0, made.seconds),),
        passport=passport,
        seconds=made.seconds,
        notices=made.notices,
    )
