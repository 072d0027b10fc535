"""Search in a table: the nearest rows to a vector, to an image, to words. numpy only until a model is needed.

Scores are cosines, −1..1. They rank; how high is high enough differs from model to model.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ImageRejected, InputError, Unsupported
from ..settings import ImageLimits
from ..types import ImageSource, Member, Notice, VectorizeRequest, VectorTable
from ..words import Common
from .ensemble import member_of, member_vectors, row_lengths
from .words import Says

if TYPE_CHECKING:
    from ..models.manager import ModelManager


@dataclass(frozen=True)
class Hit:
    """One row found: its id, its cosine to the query, and where it stands in the table."""

    id: str
    score: float
    row: int


def by_vector(query_D: np.ndarray, table: VectorTable, k: int = 10) -> list[Hit]:
    """The `k` rows nearest to a vector of the table's width, best first; equal scores keep the table's order.

    The cosine is that of the whole vector: in an ensemble that was not normalised, members with longer features weigh
    more.

    Raises:
        InputError: the vector has another width, or is not finite.
    """
    return _ranked(query_D, table.vectors_ND, table, k)


def by_image(
    source: ImageSource,
    table: VectorTable,
    manager: ModelManager,
    k: int = 10,
    *,
    device: str = "auto",
    limits: ImageLimits = ImageLimits(),
    cancel: threading.Event | None = None,
) -> list[Hit]:
    """The `k` rows nearest to another image, encoded as the table was.

    Raises:
        ImageRejected: the image cannot be used.
        PassportMismatch: today's models would give other vectors than the table's.
        UnknownModel, WeightsMissing, …: as in loading a model.
    """
    from .comparable import check_passport, dtype_here
    from .pipeline import vectorize_all

    request = VectorizeRequest(
        models=tuple(member.model_id for member in table.members),
        batch_size=1,
        device=device,
        dtype=dtype_here(table.members[0], manager, device),
        normalize=bool(table.passport.get("normalize")),
    )
    made = vectorize_all([source], request, manager, limits=limits, cancel=cancel)
    check_passport(table.passport, made.passport)
    if made.rejects:
        raise ImageRejected(made.rejects[0].reason, where=source.id, code_detail=made.rejects[0].code)
    return by_vector(made.vectors_ND[0], table, k)


def by_text(
    texts: Sequence[str],
    table: VectorTable,
    manager: ModelManager,
    k: int = 10,
    *,
    model_id: str | None = None,
    device: str = "auto",
    cancel: threading.Event | None = None,
) -> tuple[list[list[Hit]], list[Notice]]:
    """For each text the `k` rows nearest to it; notices of what the table's passport leaves open, and of texts that
    were too long for the model.

    Words and images share a space inside one model only. So one member with a text tower is asked, and only its span of
    the vectors: the only such member, or the one named by `model_id`.

    Raises:
        Unsupported: no member has a text tower, or the one named has none.
        InputError: several have one and none was named.
        PassportMismatch: today's weights are not the table's.
    """
    from ..models.passport import model_passport
    from .comparable import check_member, dtype_here

    member = _text_member(table, manager, model_id)
    with manager.lease(member.model_id, device, dtype_here(member, manager, device), cancel) as lease:
        warnings = check_member(table, member, model_passport(lease.encoder))
        features_KD, cut = manager.text_cache.encode(lease.encoder, list(texts))
    vectors_ND = member_vectors(table, member.model_id)
    hits = [_ranked(query_D, vectors_ND, table, k) for query_D in features_KD]
    return hits, [*(Notice("passport", warning) for warning in warnings), *cut]


def text_members(table: VectorTable, manager: ModelManager) -> list[Member]:
    """The members that can be asked with words."""
    return [member for member in table.members if manager.find(member.model_id).has_text]


def _text_member(table: VectorTable, manager: ModelManager, model_id: str | None) -> Member:
    able = text_members(table, manager)
    if model_id is not None:
        member = member_of(table, model_id)
        if member not in able:
            raise Unsupported(Common.no_text_tower(), where=model_id, next_step=Common.choose_clip_model())
        return member
    if not able:
        raise Unsupported(Says.none_reads_words(), next_step=Says.vectorize_with_clip())
    if len(able) > 1:
        names = ", ".join(member.model_id for member in able)
        raise InputError(Says.several_read_words(), next_step=Says.name_one_to_ask(names=names))
    return able[0]


def _ranked(query_D: np.ndarray, vectors_ND: np.ndarray, table: VectorTable, k: int) -> list[Hit]:
    query = np.asarray(query_D, dtype=np.float64)
    if query.shape != (vectors_ND.shape[1],):
        raise InputError(Says.query_shape(shape=list(query.shape), dim=vectors_ND.shape[1]))
    if not np.isfinite(query).all():
        raise InputError(Says.query_not_finite())
    unit_query = query / (np.linalg.norm(query) or 1.0)
    lengths_N = row_lengths(vectors_ND)
    scores_N = (vectors_ND @ unit_query.astype(np.float32)) / np.where(lengths_N > 0, lengths_N, 1)
    best = np.argsort(-scores_N, kind="stable")[: max(0, k)]
    return [Hit(table.ids[row], float(scores_N[row]), int(row)) for row in best]
