"""AUROC and average precision of scored segments, with intervals. Plain arithmetic on arrays.

Segments of one image resemble each other, so the intervals resample images, not segments.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# COCO's sizes, by the area of the segment in pixels.
AREAS: dict[str, tuple[float, float]] = {
    "all": (0, float("inf")),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, float("inf")),
}
SCORES = {
    "p_pos_sum": "the softmax mass on the positive prompts",
    "semantic_multiplier": "the multiplier alone",
    "cos_margin": "the old way: best positive cosine less best negative",
    "own": "the component's own score, where it brought one",
    "reweighted": "own score × multiplier",
}


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % bootstrap interval; NaN where a class is missing."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class EvaluationFigure:
    """One line of the table.

    Attributes:
        treatment, score, area: see `TREATMENTS`, `SCORES`, `AREAS`.
        n_foreground, n_background, n_images: what it rests on.
        auroc, ap: AP's chance level is the prevalence, n_foreground / (n_foreground + n_background).
    """

    treatment: str
    score: str
    area: str
    n_foreground: int
    n_background: int
    n_images: int
    auroc: Interval
    ap: Interval


def figures_of(
    segments: Sequence[dict[str, Any]], treatments: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> tuple[EvaluationFigure, ...]:
    """The table: `p_pos_sum` for every area, the other scores for all areas together.

    Treatments see the same resampled images, so their intervals can be compared.
    """
    figures = []
    for treatment in treatments:
        rows = [row for row in segments if row["treatment"] == treatment]
        for name in SCORES:
            if any(row[name] is None for row in rows):
                continue  # nothing brought a score of its own, or a group of prompts is empty
            for area, (low, high) in AREAS.items() if name == "p_pos_sum" else [("all", AREAS["all"])]:
                chosen = [row for row in rows if low <= row["area"] < high]
                figures.append(_figure(treatment, name, area, chosen, resamples, seed))
    return tuple(figures)


def _figure(
    treatment: str, name: str, area: str, rows: list[dict[str, Any]], resamples: int, seed: int
) -> EvaluationFigure:
    truth_N = np.array([row["foreground"] for row in rows], dtype=bool)
    scores_N = np.array([row[name] for row in rows], dtype=np.float64)
    images, image_N = np.unique([row["image"] for row in rows], return_inverse=True)
    auroc, ap = intervals(truth_N, scores_N, image_N, len(images), resamples=resamples, seed=seed)
    n_foreground = int(truth_N.sum())
    return EvaluationFigure(treatment, name, area, n_foreground, len(rows) - n_foreground, len(images), auroc, ap)


def intervals(
    truth_N: np.ndarray, scores_N: np.ndarray, image_N: np.ndarray, n_images: int, *, resamples: int, seed: int
) -> tuple[Interval, Interval]:
    """AUROC and average precision with 95 % percentile intervals over resampled images (all their segments).

    Resamples without one of the classes have no AUROC and are left out of its interval.
    """
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    if not truth_N.any() or truth_N.all():
        return nothing, nothing
    values = weighted_auroc_ap(truth_N, scores_N, np.ones((1, len(scores_N))))[:, 0]
    if n_images < 2 or resamples < 1:
        return tuple(Interval(float(value), float("nan"), float("nan")) for value in values)  # type: ignore[return-value]
    from scipy import stats

    def statistic(sample: np.ndarray, axis: int) -> np.ndarray:
        """Resampled image numbers `[..., n_images]` → `[2, ...]`; an image drawn twice weighs twice."""
        drawn = np.moveaxis(np.atleast_2d(np.asarray(sample, dtype=int)), axis, -1)
        weights = np.stack([np.bincount(row, minlength=n_images) for row in drawn.reshape(-1, n_images)])
        result = weighted_auroc_ap(truth_N, scores_N, weights[:, image_N].astype(np.float64))
        return result.reshape(2, *drawn.shape[:-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's own interval is NaN where one resample lacks a class; ours is not
        drawn = stats.bootstrap(
            (np.arange(n_images),),
            statistic,
            n_resamples=resamples,
            batch=max(1, 20_000_000 // max(1, 8 * len(scores_N))),
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=-1)
    return tuple(  # type: ignore[return-value]
        Interval(float(values[metric]), float(low[metric]), float(high[metric])) for metric in range(2)
    )


def weighted_auroc_ap(truth_N: np.ndarray, scores_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """AUROC and average precision for R weightings of the same N rows, `[2, R]`; NaN where a class has no weight.

    Agrees with scikit-learn's `roc_auc_score` and `average_precision_score` with `sample_weight`, ties included, but
    sorts once for all R.
    """
    order = np.argsort(-scores_N, kind="stable")
    scores, truth, weights = scores_N[order], truth_N[order], weights_RN[:, order]
    last_of_tie = np.flatnonzero(np.append(np.diff(scores) != 0, True))
    hits = np.cumsum(weights * truth, axis=1)[:, last_of_tie]
    misses = np.cumsum(weights * ~truth, axis=1)[:, last_of_tie]
    all_hits, all_misses = hits[:, -1:], misses[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        new_hits = np.diff(hits, axis=1, prepend=0.0)
        new_misses = np.diff(misses, axis=1, prepend=0.0)
        # A hit beats the misses that come later, and half of those it is tied with.
        wins = (new_hits * (all_misses - misses + new_misses / 2)).sum(axis=1)
        auroc = wins / (all_hits * all_misses)[:, 0]
        precision = np.where(hits + misses > 0, hits / (hits + misses), 0.0)
        ap = (new_hits * precision).sum(axis=1) / all_hits[:, 0]
    return np.stack([auroc, ap])
