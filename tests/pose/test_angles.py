"""Angles: the viewer's frame, wrapping without rounding, rotations and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.pose.angles import angles_of_rotations, checked_angles, rotation_matrices, wrap_deg

NOSE, TOP = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
angle = st.floats(-180, 180)


def test_the_viewer_s_frame_is_what_a_person_sees() -> None:
    turned_right, turned_up, tipped = rotation_matrices([[30, 0, 0], [0, 30, 0], [0, 0, 30]])
    assert (turned_right @ NOSE)[0] == pytest.approx(0.5)  # yaw > 0: the nose goes to image right
    assert (turned_up @ NOSE)[1] == pytest.approx(0.5)  # pitch > 0: the nose goes up
    assert (tipped @ TOP)[0] == pytest.approx(0.5)  # roll > 0: the head's top goes to image right
    assert np.allclose(rotation_matrices([0, 0, 0]), np.eye(3))


@given(yaw=angle, pitch=st.floats(-90, 90), roll=angle)
def test_yaw_is_the_nose_s_azimuth_and_pitch_its_elevation(yaw: float, pitch: float, roll: float) -> None:
    nose = rotation_matrices([yaw, pitch, roll])[0] @ NOSE
    expected = [
        np.sin(np.deg2rad(yaw)) * np.cos(np.deg2rad(pitch)),
        np.sin(np.deg2rad(pitch)),
        np.cos(np.deg2rad(yaw)) * np.cos(np.deg2rad(pitch)),
    ]
    assert np.allclose(nose, expected, atol=1e-12)


@given(yaw=angle, pitch=angle, roll=angle)
def test_rotations_are_rotations(yaw: float, pitch: float, roll: float) -> None:
    rotation = rotation_matrices([yaw, pitch, roll])[0]
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


@given(yaw=st.floats(-179.9, 179.9), pitch=st.floats(-89, 89), roll=st.floats(-179.9, 179.9))
def test_angles_come_back_from_their_rotation(yaw: float, pitch: float, roll: float) -> None:
    assert np.allclose(angles_of_rotations(rotation_matrices([yaw, pitch, roll])), [[yaw, pitch, roll]], atol=1e-6)


@given(yaw=angle, roll=angle, pitch=st.sampled_from([90.0, -90.0]))
def test_looking_straight_up_the_rotation_still_comes_back(yaw: float, pitch: float, roll: float) -> None:
    rotation = rotation_matrices([yaw, pitch, roll])
    angles = angles_of_rotations(rotation)
    assert angles[0, 2] == 0
    assert np.allclose(rotation_matrices(angles), rotation, atol=1e-6)


def test_a_mirrored_picture_negates_yaw_and_roll() -> None:
    mirror = np.diag([-1.0, 1, 1])
    pose = np.array([35.0, -12, 20])
    mirrored = mirror @ rotation_matrices(pose)[0] @ mirror
    assert np.allclose(angles_of_rotations(mirrored), pose * [-1, 1, -1])


@given(st.floats(-180, 180))
def test_angles_within_half_a_turn_are_left_alone(value: float) -> None:
    assert wrap_deg(value).tobytes() == np.float64(value).tobytes()


@pytest.mark.parametrize(
    ("value", "wrapped"), [(181, -179), (-181, 179), (540, -180), (-540, -180), (360, 0), (1e6, -80)]
)
def test_whole_turns_are_taken_off(value: float, wrapped: float) -> None:
    assert wrap_deg(value) == wrapped


def test_all_bad_rows_are_counted_and_the_first_is_named() -> None:
    poses = np.zeros((5, 3))
    poses[2, 0] = poses[2, 2] = np.nan
    poses[4, 1] = np.inf
    with pytest.raises(InputError, match=r"yaw and roll is not a finite number \(and 1 more such rows\)") as caught:
        checked_angles(poses)
    assert caught.value.where == "row 2"
