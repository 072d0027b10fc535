"""Several models as one vector: the members' features side by side, in the order given. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..types import Member, VectorizeRequest, VectorTable
from ..words import Common
from .words import Says

MAX_BATCH = 4096


def check_request(request: VectorizeRequest) -> None:
    """Refuses what no run could do, before anything is loaded. Raises `InputError`."""
    if not request.models:
        raise InputError(Says.no_model_chosen(), next_step=Says.name_one())
    repeated = sorted({model_id for model_id in request.models if request.models.count(model_id) > 1})
    if repeated:
        raise InputError(Says.model_repeated(), where=", ".join(repeated), next_step=Says.name_each_model_once())
    if not 1 <= request.batch_size <= MAX_BATCH:
        raise InputError(Says.batch_size_range(limit=MAX_BATCH), where=str(request.batch_size))


def spans(dims: Sequence[int]) -> list[tuple[int, int]]:
    """Half-open column ranges of members of these widths, side by side."""
    stops = np.cumsum(dims).tolist()
    return list(zip([0, *stops[:-1]], stops, strict=True))


def join(features_by_member: Sequence[np.ndarray], normalize: bool) -> np.ndarray:
    """Members' raw features, each `[N, D_m]` → `vectors_ND` float32.

    With `normalize` each member's part of each row has length 1 (a row of zeros stays), so that all members weigh the
    same in a cosine of the whole vector.
    """
    rows = len(features_by_member[0])
    columns = spans([features.shape[1] for features in features_by_member])
    vectors_ND = np.empty((rows, columns[-1][1]), dtype=np.float32)
    for features, (start, stop) in zip(features_by_member, columns, strict=True):
        vectors_ND[:, start:stop] = unit_rows(features) if normalize else features
    return vectors_ND


def unit_rows(vectors_ND: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32; rows of zeros stay zeros."""
    lengths_N = row_lengths(vectors_ND)
    return vectors_ND / np.where(lengths_N > 0, lengths_N, 1).astype(np.float32)[:, None]


def row_lengths(vectors_ND: np.ndarray) -> np.ndarray:
    """L2 norms, float64 `[N]`, summed in float64 without a float64 copy of the matrix."""
    return np.sqrt(np.einsum("nd,nd->n", vectors_ND, vectors_ND, dtype=np.float64, casting="safe"))


def member_of(table: VectorTable, model_id: str) -> Member:
    """The member of that name. Raises `InputError`, naming those there are."""
    for member in table.members:
        if member.model_id == model_id:
            return member
    names = ", ".join(member.model_id for member in table.members)
    raise InputError(Says.not_in_table(), where=model_id, next_step=Common.choose_one(names=names))


def member_vectors(table: VectorTable, model_id: str) -> np.ndarray:
    """The columns of one member, `[N, D_m]`, a view."""
    member = member_of(table, model_id)
    return table.vectors_ND[:, member.start : member.stop]
