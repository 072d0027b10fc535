"""The audit of encoders whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from core.errors import InputError
from core.pose.angles import rotation_matrices
from core.pose.audit import Candidate, PoseAudit, audit, audit_all, ms_per_1000, sample_poses
from core.pose.text import caption_numbers
from core.types import Progress


def rotations(angles_N3):
    return rotation_matrices(angles_N3).reshape(-1, 9)


def codes(angles_N3):
    """45 unrelated directions."""
    return np.random.default_rng(0).normal(size=(45, 32))[caption_numbers(angles_N3)]


def test_the_widest_collision_is_the_angle_that_scipy_says():
    """An encoder with one code for two halves of all poses: the widest pair of either half."""
    angles_N3 = sample_poses(40)
    found = audit("halves", lambda angles: (angles[:, :1] > 0).astype(float), poses=40)
    turns = [Rotation.from_matrix(matrix) for matrix in rotation_matrices(angles_N3)]
    apart = [
        np.rad2deg((turns[one].inv() * turns[other]).magnitude())
        for one, other in zip(*np.triu_indices(40, 1), strict=True)
        if (angles_N3[one, 0] > 0) == (angles_N3[other, 0] > 0)
    ]
    assert found.distinct == 2 and found.widest_collision_deg == pytest.approx(max(apart), abs=1e-9)


def test_a_rotation_matrix_keeps_the_order_and_tears_nowhere():
    """‖A − B‖ is a function of the angle between them: 2√2 · sin(angle / 2)."""
    found = audit("matrix", rotations, poses=80)
    assert found.rank_correlation == pytest.approx(1.0, abs=1e-6)
    assert found.distinct == found.poses == 80 and found.widest_collision_deg == 0
    assert found.pairs == 80 * 79 // 2 and found.dim == 9
    assert max(found.tears) < 0.01 and found.largest_step < 0.01


def test_raw_angles_tear_at_180_and_only_there():
    found = audit("angles", lambda angles_N3: angles_N3 / 90, poses=80)
    assert found.rank_correlation > 0.9 and found.largest_step < 0.01
    mean = np.linalg.norm(sample_poses(80)[:, None] - sample_poses(80)[None], axis=-1)
    expected = 359.5 / mean[np.triu_indices(80, 1)].mean()
    assert found.tears == pytest.approx((expected,) * 3, rel=1e-6)


def test_forty_five_codes_collide_jump_and_tear():
    found = audit("codes", codes, poses=300)
    assert found.distinct == len(set(caption_numbers(sample_poses(300)).tolist())) <= 45
    assert 40 < found.widest_collision_deg < 90
    assert found.largest_step > 0.7 and min(found.tears) > 0.7
    assert found.rank_correlation < 0.5


def test_an_encoder_that_says_nothing_is_no_error():
    found = audit("none", lambda angles_N3: np.zeros((len(angles_N3), 4)), poses=10)
    assert found.rank_correlation == 0 and found.distinct == 1 and found.tears == (0, 0, 0)


def test_scale_does_not_matter():
    small, large = (audit("x", lambda angles, by=by: by * codes(angles), poses=60) for by in (1e-3, 1e3))
    assert small.rank_correlation == pytest.approx(large.rank_correlation)
    assert small.largest_step == pytest.approx(large.largest_step) and small.tears == pytest.approx(large.tears)


def test_what_is_timed_is_what_was_asked_for(monkeypatch):
    asked = []
    clock = iter(np.arange(0.0, 100.0, 0.05).tolist())
    monkeypatch.setattr("core.pose.audit.time.perf_counter", lambda: next(clock))

    def slow(angles_N3):
        asked.append(len(angles_N3))
        return codes(angles_N3)

    found = audit("codes", codes, poses=10, timed=slow, timed_poses=64)
    assert asked == [8, 64, 64, 64], "a warm-up and three rounds"
    assert found.timed_poses == 64 and found.ms_per_1000 == pytest.approx(50 / 64 * 1000)
    clock = iter([0.0, 0.5, 1.0, 1.1, 2.0, 2.1])
    assert ms_per_1000(slow, 100) == pytest.approx(5000), "a slow round is enough"


def test_several_are_made_when_it_is_their_turn():
    made = []

    def maker(name):
        return lambda: made.append(name) or codes

    steps = audit_all([Candidate("a", maker("a"), timed_poses=5), Candidate("b", maker("b"), timed_poses=5)], poses=10)
    assert next(steps) == Progress("a", 0, 2) and made == []
    assert isinstance(next(steps), PoseAudit) and made == ["a"]
    assert [type(step) for step in steps] == [Progress, PoseAudit] and made == ["a", "b"]


@pytest.mark.parametrize(
    ("encode", "words"),
    [
        (lambda angles: np.full((len(angles), 2), np.nan), "not finite"),
        (lambda angles: np.zeros((1, 2)), "for 10 poses"),
    ],
)
def test_an_encoder_that_breaks_its_word_is_named(encode, words):
    with pytest.raises(InputError, match=words) as caught:
        audit("broken", encode, poses=10)
    assert caught.value.where == "broken"


def test_two_poses_are_too_few():
    with pytest.raises(InputError, match="at least three"):
        audit("x", codes, poses=2)
