"""mAP and CMC against a second implementation, written query by query from the protocol's words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from experiments.reid.evaluate import evaluate


def by_the_book(features: np.ndarray, person: np.ndarray, camera: np.ndarray) -> tuple[float, dict[int, float], int]:
    """mAP, CMC and counted queries, in plain loops and Euclidean distances."""
    unit = [row / np.sqrt((row**2).sum()) for row in features]
    aps, first = [], []
    for query in range(len(unit)):
        gallery = [
            (float(np.sqrt(((unit[query] - unit[other]) ** 2).sum())), other)
            for other in range(len(unit))
            if not (person[other] == person[query] and camera[other] == camera[query])
        ]
        gallery.sort()
        hits, precisions = 0, []
        for rank, (_, other) in enumerate(gallery, start=1):
            if person[other] == person[query]:
                hits += 1
                precisions.append(hits / rank)
                if hits == 1:
                    first.append(rank)
        if precisions:
            aps.append(sum(precisions) / len(precisions))
    return sum(aps) / len(aps), {k: sum(rank <= k for rank in first) / len(first) for k in (1, 5, 10)}, len(aps)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(6, 40), people=st.integers(1, 8), cameras=st.integers(2, 4), seed=st.integers(0, 10_000))
def test_equals_the_second_implementation(count: int, people: int, cameras: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    person, camera = random.integers(people, size=count), random.integers(cameras, size=count)
    person[:2], camera[:2] = 0, (0, 1)  # at least one query counts
    features = random.standard_normal((count, 5)).astype(np.float32) + 0.7 * np.eye(8, 5)[person % 8]
    found = evaluate(features, person, camera)
    mean_ap, cmc, queries = by_the_book(features.astype(np.float64), person, camera)
    assert found.mean_ap == pytest.approx(mean_ap, abs=1e-9)
    assert found.cmc == pytest.approx(cmc, abs=1e-9)
    assert (found.queries, found.skipped) == (queries, count - queries)


def test_a_case_worked_out_by_hand() -> None:
    """On the circle, by angle: A1 0°, B1 10°, A2 20°, B2 80°; query A1 sees B1, A2, B2: AP 1/2, first hit second."""
    degrees = np.array([0.0, 10.0, 20.0, 80.0])
    features = np.stack([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], axis=1) * [[1], [5], [2], [9]]
    found = evaluate(features, np.array([7, 8, 7, 8]), np.array([0, 0, 1, 1]))
    # A1: B1 A2 → 1/2; B1: A1, A2 at 10° each (a tie), B2 → 1/3; A2: B1, A1 → 1/2; B2: A2, B1 → 1/2
    assert found.mean_ap == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 1 / 2) / 4)
    assert found.cmc == {1: 0.0, 5: 1.0, 10: 1.0}


def test_the_same_person_under_the_same_camera_is_left_out() -> None:
    features = np.array([[1.0, 0], [1, 0.01], [0, 1], [0.5, 0.5]])
    person, camera = np.array([1, 1, 1, 2]), np.array([0, 0, 1, 0])
    found = evaluate(features, person, camera)
    # for query 0, picture 1 (nearest, same camera) does not count as a hit: person 2 comes before picture 2
    assert found.mean_ap == pytest.approx((1 / 2 + 1 / 2 + (1 / 2 + 2 / 3) / 2) / 3)
    assert found.queries == 3 and found.skipped == 1  # person 2 was seen by one camera only


def test_a_perfect_and_a_useless_feature() -> None:
    person, camera = np.repeat(np.arange(5), 4), np.tile(np.arange(4), 5)
    perfect = evaluate(np.eye(5)[person], person, camera)
    assert perfect.metrics("test") == {"test/mAP": 100, "test/rank1": 100, "test/rank5": 100, "test/rank10": 100}
    shuffled = evaluate(np.random.default_rng(0).standard_normal((20, 9)), person, camera)
    assert shuffled.mean_ap < 0.6


def test_what_cannot_be_evaluated_is_said() -> None:
    with pytest.raises(InputError, match="2 triples are not finite"):
        evaluate(np.array([[1.0, np.nan], [np.inf, 1], [1, 1]]), np.zeros(3), np.arange(3))
    with pytest.raises(InputError, match="under another camera"):
        evaluate(np.eye(3), np.zeros(3), np.zeros(3))
