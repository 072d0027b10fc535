"""AUROC and AP against scikit-learn, and intervals that resample images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from core.foreground.metrics import figures_of, intervals, weighted_auroc_ap


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 60), st.integers(0, 2**31), st.booleans())
def test_auroc_and_ap_are_scikit_learns_with_weights_and_ties(n, seed, ties):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    truth[:2] = [True, False]
    scores = rng.integers(0, 4, n).astype(float) if ties else rng.random(n)
    weights = rng.integers(0, 4, (5, n)).astype(float)
    weights[:, :2] = 1
    ours = weighted_auroc_ap(truth, scores, weights)
    for row, weight in enumerate(weights):
        assert ours[0, row] == pytest.approx(roc_auc_score(truth, scores, sample_weight=weight), abs=1e-9)
        assert ours[1, row] == pytest.approx(average_precision_score(truth, scores, sample_weight=weight), abs=1e-9)


def test_a_weighting_without_one_class_has_no_auroc():
    assert np.isnan(weighted_auroc_ap(np.array([True, False]), np.array([1.0, 0.0]), np.array([[1.0, 0.0]]))[0, 0])


def test_intervals_resample_images_not_segments():
    """Twenty images of fifty alike segments each: as segments they would look like a thousand independent ones."""
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(20), 50)
    truth = np.tile(np.arange(50) % 2 == 0, 20)
    shift = rng.normal(0, 1.5, 20)[image]
    scores = np.where(truth, shift, 0) + rng.normal(0, 0.5, 1000)
    clustered, _ = intervals(truth, scores, image, 20, resamples=400, seed=0)
    as_segments, _ = intervals(truth, scores, np.arange(1000), 1000, resamples=400, seed=0)
    assert clustered.value == as_segments.value
    assert clustered.low < clustered.value < clustered.high
    assert clustered.high - clustered.low > 3 * (as_segments.high - as_segments.low)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        image = np.repeat(np.arange(40), 5)
        truth = rng.random(200) < 0.5
        scores = truth + rng.normal(0, 1.0, 200)
        interval, _ = intervals(truth, scores, image, 40, resamples=200, seed=seed)
        hits += interval.low <= 0.7602 <= interval.high  # Φ(1/√2) for two unit normals one apart
    assert hits >= 50


def test_the_same_seed_gives_the_same_intervals():
    rng = np.random.default_rng(0)
    arguments = rng.random(50) < 0.5, rng.random(50), np.repeat(np.arange(10), 5), 10
    assert intervals(*arguments, resamples=100, seed=3) == intervals(*arguments, resamples=100, seed=3)
    assert intervals(*arguments, resamples=100, seed=3) != intervals(*arguments, resamples=100, seed=4)


def test_one_image_or_one_class_has_no_interval_but_no_error():
    truth, scores = np.array([True, False, True]), np.array([0.9, 0.1, 0.8])
    auroc, ap = intervals(truth, scores, np.zeros(3, dtype=int), 1, resamples=100, seed=0)
    assert auroc.value == 1.0 and ap.value == 1.0 and np.isnan(auroc.low)
    auroc, _ = intervals(np.ones(3, dtype=bool), scores, np.arange(3), 3, resamples=100, seed=0)
    assert np.isnan(auroc.value)


# --- truth


def test_areas_are_cocos():
    rows = [
        {"image": str(i), "treatment": "t", "foreground": i % 2 == 0, "area": area, "p_pos_sum": i,
         "semantic_multiplier": 1.0, "cos_margin": None, "own": None, "reweighted": None}
        for i, area in enumerate([1023, 1023, 1024, 9215, 9216, 9216])
    ]  # fmt: skip
    counts = {
        f.area: f.n_foreground + f.n_background for f in figures_of(rows, ["t"], resamples=10) if f.score == "p_pos_sum"
    }
    assert counts == {"all": 6, "small": 2, "medium": 2, "large": 2}
    assert {f.score for f in figures_of(rows, ["t"], resamples=10)} == {"p_pos_sum", "semantic_multiplier"}
