"""NME against 3DDFA's own lines, bins at their edges, AUC by integration, rotations that landmarks show."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from core.pose.angles import geodesic_deg, rotation_matrices
from experiments.pose_encoder.data import Faces
from experiments.pose_encoder.landmarks import MEAN_HEAD
from experiments.pose_encoder.metrics import landmark_errors, shown_rotations, summarise


def faces(bin_yaw_deg: list[float], seed: int = 0) -> Faces:
    random = np.random.default_rng(seed)
    count = len(bin_yaw_deg)
    front = random.normal(size=(count, 68, 2)).astype(np.float32)
    seen = random.normal(size=(count, 68, 2)).astype(np.float32)
    names = np.array([str(row) for row in range(count)])
    return Faces(front, np.zeros((count, 3), np.float32), seen, np.array(bin_yaw_deg), names, names)


def nme_of_3ddfa(pts68_fit: np.ndarray, pts68_gt: np.ndarray) -> float:
    """`calc_nme` of 3DDFA's benchmark_aflw2000.py for one face, `[2, 68]` each, written out from its repository."""
    minx, maxx = np.min(pts68_gt[0, :]), np.max(pts68_gt[0, :])
    miny, maxy = np.min(pts68_gt[1, :]), np.max(pts68_gt[1, :])
    llength = sqrt((maxx - minx) * (maxy - miny))
    dis = pts68_fit - pts68_gt[:2, :]
    dis = np.sqrt(np.sum(np.power(dis, 2), 0))
    return float(np.mean(dis) / llength)


def test_nme_is_3ddfa_s() -> None:
    data = faces([0.0] * 5)
    predicted = data.seen_NK2 + np.random.default_rng(1).normal(size=data.seen_NK2.shape) * 0.1
    expected = [nme_of_3ddfa(fit.T, truth.T) for fit, truth in zip(predicted, data.seen_NK2, strict=True)]
    assert landmark_errors(predicted, data.seen_NK2) == pytest.approx(expected, rel=1e-6)


def test_bins_weigh_alike_and_30_and_60_belong_to_the_lower() -> None:
    yaws = [0.0, 30.0, 30.01, 60.0, 60.01, 89.0, 90.0]
    data = faces(yaws)
    errors = np.arange(1, 8) / 100
    box = np.ptp(data.seen_NK2, axis=1).prod(axis=1) ** 0.5
    predicted = data.seen_NK2 + (errors * box)[:, None, None] * np.array([1.0, 0.0])
    found = summarise(predicted, data)
    assert [found[f"nme_yaw_{each}"] for each in ("0_30", "30_60", "60_90")] == pytest.approx([1.5, 3.5, 6.0], rel=1e-4)
    assert found["nme"] == pytest.approx((1.5 + 3.5 + 6) / 3, rel=1e-4), "the mean of bins, not of faces"


def test_an_empty_bin_is_absent_rather_than_zero() -> None:
    found = summarise(faces([0.0, 10.0]).seen_NK2 + 0.1, faces([0.0, 10.0]))
    assert "nme_yaw_60_90" not in found and found["nme"] == found["nme_yaw_0_30"]


def test_auc_and_failure_rate_are_those_of_the_cumulative_curve() -> None:
    data = faces([0.0] * 6)
    errors = np.array([0.01, 0.02, 0.05, 0.0799, 0.09, 0.5])
    box = np.ptp(data.seen_NK2, axis=1).prod(axis=1) ** 0.5
    predicted = data.seen_NK2 + (errors * box)[:, None, None] * np.array([0.0, 1.0])
    found = summarise(predicted, data)
    x = np.linspace(0, 0.08, 200_001)
    curve = (errors[None] <= x[:, None]).mean(axis=1)
    assert found["auc"] == pytest.approx(100 * np.trapezoid(curve, x) / 0.08, abs=0.01)
    assert found["fr"] == pytest.approx(100 * 2 / 6)


def test_landmarks_show_the_rotation_they_were_turned_by() -> None:
    poses = np.random.default_rng(0).uniform(-80, 80, (50, 3))
    turned = np.einsum("nij,kj->nki", rotation_matrices(poses), MEAN_HEAD - MEAN_HEAD.mean(axis=0))
    box = np.sqrt(np.prod(np.ptp(MEAN_HEAD[:, :2], axis=0)))
    front = np.repeat((MEAN_HEAD[None, :, :2] - MEAN_HEAD[:, :2].mean(axis=0)) / box, 50, axis=0)
    shown = shown_rotations(front, 1.7 * turned[..., :2])
    assert geodesic_deg(shown, rotation_matrices(poses)).max() < 1e-3, "scale does not matter"
    assert np.allclose(np.linalg.det(shown), 1)


def test_the_geodesic_error_is_the_turn_between_what_is_shown() -> None:
    shape = MEAN_HEAD - MEAN_HEAD.mean(axis=0)
    box = np.sqrt(np.prod(np.ptp(MEAN_HEAD[:, :2], axis=0)))
    asked, given = rotation_matrices([[40.0, 10, 0], [0, 0, 0]]), rotation_matrices([[55.0, 10, 0], [0, 0, 5]])
    seen, predicted = ((shape @ np.swapaxes(each, 1, 2))[..., :2] / box for each in (asked, given))
    names = np.array(["a", "b"])
    front = np.repeat(shape[None, :, :2] / box, 2, axis=0)
    data = Faces(front, np.zeros((2, 3)), seen, np.zeros(2), names, names)
    assert summarise(predicted, data)["geodesic_deg"] == pytest.approx((15 + 5) / 2, abs=1e-3)
