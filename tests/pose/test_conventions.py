"""Radians, 6D, geodesic distance, other people's conventions: against scipy's `Rotation` and 6DRepNet's matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from core.errors import InputError
from core.pose.angles import (
    CONVENTIONS,
    convention_rotations,
    from_radians,
    from_viewer,
    geodesic_deg,
    guess_convention,
    rotation_matrices,
    rotations_of_six_d,
    six_d,
    to_radians,
    to_viewer,
)

angle = st.floats(-180, 180)
within = st.floats(-89.0, 89.0)
pose = st.tuples(angle, angle, angle)


def head_68() -> np.ndarray:
    """A face flat enough to read: jaw arc, brows, nose, eyes, mouth; x right, y up, z towards the viewer."""
    jaw = [(np.sin(t), -np.cos(t) * 0.9 + 0.1, -0.4 + 0.5 * np.cos(t)) for t in np.linspace(-1.6, 1.6, 17)]
    brows = [(x, 0.5, 0.4) for x in np.linspace(-0.7, 0.7, 10)]
    nose = [(0.0, y, 0.5 + 0.4 * (0.4 - y)) for y in np.linspace(0.35, -0.1, 4)]
    nose += [(x, -0.2, 0.6) for x in np.linspace(-0.2, 0.2, 5)]
    eyes = [(s * 0.4 + 0.1 * np.cos(a), 0.3 + 0.05 * np.sin(a), 0.35) for s in (-1, 1) for a in np.arange(6)]
    mouth = [(0.3 * np.cos(a), -0.5 + 0.1 * np.sin(a), 0.5) for a in np.linspace(0, 6, 20)]
    return np.array([*jaw, *brows, *nose, *eyes, *mouth])


def seen_px(angles_deg: np.ndarray, convention: str) -> np.ndarray:
    """Landmarks as a data set of that convention would have them, y down."""
    turned = np.einsum("nij,kj->nki", convention_rotations(angles_deg, convention), head_68())
    return turned[..., :2] * [100, -100] + 225


# ------------------------------------------------------------------ rotations


@given(pose)
def test_ours_is_scipy_s_intrinsic_yaw_pitch_roll(angles: tuple[float, float, float]) -> None:
    yaw, pitch, roll = angles
    expected = Rotation.from_euler("YXZ", [yaw, -pitch, -roll], degrees=True).as_matrix()
    assert np.allclose(rotation_matrices(angles)[0], expected, atol=1e-12)


def get_r_of_6drepnet(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """6DRepNet's `utils.get_R(x, y, z)` in radians, written out from its repository."""
    cx, sx, cy, sy, cz, sz = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    r_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    r_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    r_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return r_z @ r_y @ r_x


@given(pose)
def test_aflw_is_the_transpose_of_6drepnet_s_matrix_with_yaw_in_the_middle(angles: tuple[float, float, float]) -> None:
    yaw, pitch, roll = angles
    matrix = convention_rotations(angles, "aflw")[0]
    assert np.allclose(matrix, get_r_of_6drepnet(*np.deg2rad([pitch, yaw, roll])).T, atol=1e-12)
    assert np.allclose(matrix, Rotation.from_euler("XYZ", [-pitch, -yaw, -roll], degrees=True).as_matrix(), atol=1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(angles=st.tuples(angle, within, angle))
def test_a_pose_goes_to_another_convention_and_back(convention: str, angles: tuple[float, float, float]) -> None:
    there = from_viewer([angles], convention)
    assert geodesic_deg(convention_rotations(there, convention), rotation_matrices([angles]))[0] < 1e-5
    assert geodesic_deg(rotation_matrices(to_viewer(there, convention)), rotation_matrices([angles]))[0] < 1e-5


def test_the_sign_alone_would_not_do() -> None:
    ours = to_viewer([[-40.0, 30.0, 0.0]], "aflw")[0]
    assert ours == pytest.approx([44.0953, 22.5210, 20.3606], abs=1e-4)  # scipy: XYZ(-30, 40, 0) read as YXZ
    assert to_viewer([[-40.0, 0.0, 10.0]], "aflw")[0] == pytest.approx([40, 0, 10], abs=1e-9)


def test_the_subject_s_left_is_the_viewer_s_right() -> None:
    assert to_viewer([[20.0, 10.0, 5.0]], "subject")[0] == pytest.approx([-20, 10, -5], abs=1e-9)


@given(pose, pose)
def test_geodesic_distance_is_scipy_s(a: tuple[float, float, float], b: tuple[float, float, float]) -> None:
    rotations = rotation_matrices([a, b])
    relative = Rotation.from_matrix(rotations[0]).inv() * Rotation.from_matrix(rotations[1])
    assert geodesic_deg(rotations[:1], rotations[1:])[0] == pytest.approx(np.rad2deg(relative.magnitude()), abs=1e-6)


@pytest.mark.parametrize("turn_deg", [0.0, 1e-6, 90.0, 180.0 - 1e-6, 180.0])
def test_geodesic_distance_keeps_its_digits_at_both_ends(turn_deg: float) -> None:
    assert geodesic_deg(np.eye(3), rotation_matrices([turn_deg, 0, 0]))[0] == pytest.approx(turn_deg, abs=1e-9)


@given(pose, st.floats(0.1, 10), st.floats(0.1, 10), st.floats(-5, 5))
def test_six_d_comes_back_also_from_columns_that_are_not_orthonormal(
    angles: tuple[float, float, float], a: float, b: float, c: float
) -> None:
    rotation = rotation_matrices(angles)
    columns = six_d(rotation)
    assert np.allclose(rotations_of_six_d(columns), rotation, atol=1e-9)
    skewed = np.concatenate([a * columns[:, :3], b * columns[:, 3:] + c * columns[:, :3]], axis=1)
    assert np.allclose(rotations_of_six_d(skewed), rotation, atol=1e-6)


@pytest.mark.parametrize("bad", [[0] * 6, [1, 0, 0, 2, 0, 0], [np.nan] * 6])
def test_columns_without_a_plane_are_refused(bad: list[float]) -> None:
    with pytest.raises(InputError, match="row 1"):
        rotations_of_six_d([[1, 0, 0, 0, 1, 0], bad])


@given(pose)
def test_radians_come_back(angles: tuple[float, float, float]) -> None:
    assert np.allclose(from_radians(to_radians(angles)), [angles], atol=1e-9)


def test_radians_beyond_half_a_turn_are_wrapped_and_nan_is_named() -> None:
    assert from_radians([[3 * np.pi / 2, 0, 0]])[0] == pytest.approx([-90, 0, 0])
    with pytest.raises(InputError, match="row 1"):
        from_radians([[0, 0, 0], [0, np.nan, 0]])


def test_an_unknown_convention_is_refused_in_words() -> None:
    for change in (to_viewer, from_viewer):
        with pytest.raises(InputError, match="aflw"):
            change([[0.0, 0, 0]], "hopenet")


# ------------------------------------------------------------------ which convention?


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_landmarks_tell_the_convention(convention: str) -> None:
    poses = np.random.default_rng(0).uniform(-1, 1, (60, 3)) * [60, 30, 30]
    found = guess_convention(poses, seen_px(poses, convention))
    assert found.convention == convention, found
    assert found.pitch > 0.5


def test_without_roll_aflw_and_subject_look_alike() -> None:
    poses = np.random.default_rng(0).uniform(-1, 1, (60, 3)) * [60, 30, 0.5]
    assert guess_convention(poses, seen_px(poses, "aflw")).convention == "ambiguous"
    assert guess_convention(poses, seen_px(poses, "viewer")).convention == "viewer"


def test_what_fits_none_is_ambiguous() -> None:
    random = np.random.default_rng(0)
    poses = random.uniform(-1, 1, (60, 3)) * [60, 30, 30]
    points = seen_px(poses, "viewer")
    for wrong, word in (
        (poses * [1, -1, 1], "Pitch"),
        (poses * [1, 1, -1], "roll"),
        (random.permutation(poses), "Yaw"),
        (poses * 0, "Yaw"),
    ):
        found = guess_convention(wrong, points)
        assert found.convention == "ambiguous" and word in found.reason
    assert "too few" in guess_convention(poses[:5], points[:5]).reason
    with pytest.raises(InputError, match="68"):
        guess_convention(poses, points[:, :5])
