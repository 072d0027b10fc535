"""mAP and CMC as multi-modal re-identification reports them (`utils/metrics.py` of MambaPro and TOP-ReID).

Features are L2-normalised and compared by Euclidean distance. For each query, gallery entries of the same person *and*
the same camera are left out, which also removes the query itself; a query without a match elsewhere does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import InputError

RANKS = (1, 5, 10)
_QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class Retrieval:
    """How well queries find their person.

    Attributes:
        mean_ap: mean average precision, 0..1; AP is Σ precision at each hit / hits.
        cmc: rank → share of queries with a hit among that many, 0..1.
        queries: how many counted. skipped: how many had no match under another camera.
    """

    mean_ap: float
    cmc: dict[int, float]
    queries: int
    skipped: int

    def metrics(self, prefix: str) -> dict[str, float]:
        """`prefix/mAP` and `prefix/rank1 …`, in percent."""
        ranks = {f"{prefix}/rank{rank}": 100 * share for rank, share in self.cmc.items()}
        return {f"{prefix}/mAP": 100 * self.mean_ap, **ranks}


def evaluate(features_ND: np.ndarray, person_N: np.ndarray, camera_N: np.ndarray) -> Retrieval:
    """Query = gallery = all rows.

    Args:
        features_ND: not normalised. person_N, camera_N: labels of the rows.

    Raises:
        InputError: features that are not finite; no query has a match under another camera.
    """
    if not np.isfinite(features_ND).all():
        rows = int((~np.isfinite(features_ND)).any(1).sum())
        raise InputError(f"The features of {rows} triples are not finite.", next_step="Lower SOLVER.BASE_LR.")
    features = features_ND.astype(np.float64)
    features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    precisions: list[float] = []
    first_hits: list[int] = []
    for start in range(0, len(features), _QUERIES_AT_ONCE):
        queries = slice(start, start + _QUERIES_AT_ONCE)
        similarity_QN = features[queries] @ features.T  # of unit vectors: falls as the Euclidean distance grows
        order_QN = np.argsort(-similarity_QN, axis=1, kind="stable")
        same_person_QN = person_N[order_QN] == person_N[queries, None]
        kept_QN = ~(same_person_QN & (camera_N[order_QN] == camera_N[queries, None]))
        for same_N, kept_N in zip(same_person_QN, kept_QN, strict=True):
            hits = np.flatnonzero(same_N[kept_N])  # ranks, counted from 0, of what is found
            if len(hits):
                precisions.append(float(np.mean(np.arange(1, len(hits) + 1) / (hits + 1))))
                first_hits.append(int(hits[0]))
    if not precisions:
        raise InputError(
            "No picture has another of the same person under another camera.",
            where="evaluation",
            next_step="A test set needs people who were seen by at least two cameras.",
        )
    found = np.array(first_hits)
    cmc = {rank: float((found < rank).mean()) for rank in RANKS}
    return Retrieval(float(np.mean(precisions)), cmc, len(precisions), len(features) - len(precisions))
