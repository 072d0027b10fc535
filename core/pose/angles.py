"""Head angles in degrees, in the viewer's frame.

The frame: x to image right, y up, z towards the viewer. A head at (0, 0, 0) looks at the viewer, nose along +z.

    yaw   > 0 turns the nose to image right
    pitch > 0 turns it up
    roll  > 0 tips the top of the head to image right (shown for a frontal head; in general a turn about the nose)

The rotation is intrinsic yaw, then pitch, then roll: R = Ry(yaw) · Rx(−pitch) · Rz(−roll). So yaw is exactly the nose's
azimuth and pitch exactly its elevation, and the angles stay unique up to pitch ±90. (300W-LP and AFLW2000 put yaw in
the middle, where pitch and roll merge as |yaw| nears 90; their yaw has the other sign too.) Data in another convention
goes through `to_viewer`, by way of the matrix; `guess_convention` says from landmarks which one a data set follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..messages import Message, all_of
from ..words import Common
from .words import Says

ANGLES = ("yaw", "pitch", "roll")
ANGLE_NAMES = (Says.yaw, Says.pitch, Says.roll)


def checked_angles(angles_deg_N3: npt.ArrayLike) -> np.ndarray:
    """Yaw, pitch, roll as float64 `[N, 3]` degrees, wrapped into ±180.

    Args:
        angles_deg_N3: `[N, 3]`, or `[3]` for one pose; any real numbers.

    Raises:
        InputError: another shape, text, or a NaN, infinite or absent angle; names the first such row (counted from 0).
    """
    try:
        angles = np.asarray(angles_deg_N3, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(Says.not_numbers(error=error), next_step=Says.give_degrees()) from error
    angles = angles[None] if angles.ndim == 1 else angles
    if angles.ndim != 2 or angles.shape[1] != 3:
        raise InputError(Says.three_columns(shape=angles.shape), next_step=Says.three_columns_next())
    bad_rows = np.flatnonzero(~np.isfinite(angles).all(axis=1))
    if len(bad_rows):
        row, more = int(bad_rows[0]), len(bad_rows) - 1
        bad = [name() for name, value in zip(ANGLE_NAMES, angles[row], strict=True) if not np.isfinite(value)]
        names = all_of(bad)
        raise InputError(
            Says.not_finite_rows(angles=names, count=more) if more else Says.not_finite(angles=names),
            where=f"row {row}",
            next_step=Says.not_finite_next(),
        )
    return wrap_deg(angles)


def wrap_deg(angles_deg: npt.ArrayLike) -> np.ndarray:
    """Angles beyond ±180 brought back by whole turns into [−180, 180); others returned bit for bit (180 stays 180)."""
    angles = np.asarray(angles_deg, dtype=np.float64)
    return np.where(np.abs(angles) <= 180.0, angles, np.mod(angles + 180.0, 360.0) - 180.0)


def rotation_matrices(angles_deg_N3: npt.ArrayLike) -> np.ndarray:
    """Head frame → viewer's frame, float64 `[N, 3, 3]`; see the module's text for the frame and the order.

    Column 2 is the direction of the nose, column 1 that of the head's top.

    Raises:
        InputError: as `checked_angles`.
    """
    turn_right, look_up, tip_right = _axis_rotations(checked_angles(angles_deg_N3))
    matrices: np.ndarray = turn_right @ look_up @ tip_right
    return matrices


def _axis_rotations(angles_deg_N3: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each pose, the turns by its yaw (nose to image right), its pitch (up) and its roll (top to image right)."""
    yaw, pitch, roll = np.deg2rad(angles_deg_N3).T
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def stack(*rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    turn_right = stack((np.cos(yaw), zero, np.sin(yaw)), (zero, one, zero), (-np.sin(yaw), zero, np.cos(yaw)))
    look_up = stack((one, zero, zero), (zero, np.cos(pitch), np.sin(pitch)), (zero, -np.sin(pitch), np.cos(pitch)))
    tip_right = stack((np.cos(roll), np.sin(roll), zero), (-np.sin(roll), np.cos(roll), zero), (zero, zero, one))
    return turn_right, look_up, tip_right


def angles_of_rotations(rotations_N33: npt.ArrayLike) -> np.ndarray:
    """The inverse of `rotation_matrices`: float64 `[N, 3]` degrees, pitch within ±90, yaw and roll within ±180.

    At pitch ±90, where yaw and roll turn about one axis, roll is given as 0.
    """
    rotations = np.asarray(rotations_N33, dtype=np.float64).reshape(-1, 3, 3)
    pitch = np.arcsin(np.clip(rotations[:, 1, 2], -1.0, 1.0))
    locked = np.abs(rotations[:, 1, 2]) > 1.0 - 1e-12
    yaw = np.where(
        locked,
        np.arctan2(-rotations[:, 2, 0], rotations[:, 0, 0]),
        np.arctan2(rotations[:, 0, 2], rotations[:, 2, 2]),
    )
    roll = np.where(locked, 0.0, np.arctan2(-rotations[:, 1, 0], rotations[:, 1, 1]))
    return np.rad2deg(np.stack([yaw, pitch, roll], axis=1))


def from_radians(angles_rad_N3: npt.ArrayLike) -> np.ndarray:
    """Yaw, pitch, roll in radians → checked degrees `[N, 3]`. Raises as `checked_angles`."""
    try:
        radians = np.asarray(angles_rad_N3, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(Says.not_numbers(error=error), next_step=Says.give_radians()) from error
    return checked_angles(np.rad2deg(radians))


def to_radians(angles_deg_N3: npt.ArrayLike) -> np.ndarray:
    """Checked degrees → radians `[N, 3]`. Raises as `checked_angles`."""
    radians: np.ndarray = np.deg2rad(checked_angles(angles_deg_N3))
    return radians


# --- other representations of a rotation ----------------------------------------------------------------------------


def six_d(rotations_N33: npt.ArrayLike) -> np.ndarray:
    """The first two columns, one after the other, float64 `[N, 6]`; continuous everywhere (Zhou et al. 2019)."""
    rotations = np.asarray(rotations_N33, dtype=np.float64).reshape(-1, 3, 3)
    return np.concatenate([rotations[:, :, 0], rotations[:, :, 1]], axis=1)


def six_d_of_sines(sines: Sequence[Any], cosines: Sequence[Any]) -> list[Any]:
    """The same six numbers from the sines and cosines of yaw, pitch and roll, for arrays and for tensors.

    The first two columns of Ry(yaw) · Rx(−pitch) · Rz(−roll), multiplied out; `rotation_matrices` has the whole.
    """
    (sin_y, sin_p, sin_r), (cos_y, cos_p, cos_r) = sines, cosines
    first = (cos_y * cos_r + sin_y * sin_p * sin_r, -cos_p * sin_r, -sin_y * cos_r + cos_y * sin_p * sin_r)
    second = (cos_y * sin_r - sin_y * sin_p * cos_r, cos_p * cos_r, -sin_y * sin_r - cos_y * sin_p * cos_r)
    return [*first, *second]


def rotations_of_six_d(six_d_N6: npt.ArrayLike) -> np.ndarray:
    """The inverse of `six_d` by Gram–Schmidt: any two columns that are not parallel → rotations `[N, 3, 3]`.

    Raises:
        InputError: another shape, or columns that are parallel, zero or not finite (names the row).
    """
    columns = np.asarray(six_d_N6, dtype=np.float64)
    columns = columns[None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or columns.shape[1] != 6:
        raise InputError(Says.six_d_shape(shape=columns.shape))
    first, second = columns[:, :3], columns[:, 3:]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        first = first / np.linalg.norm(first, axis=1, keepdims=True)
        second = second / np.linalg.norm(second, axis=1, keepdims=True)
        second = second - (first * second).sum(axis=1, keepdims=True) * first
        length = np.linalg.norm(second, axis=1, keepdims=True)
        second = second / length
    bad_rows = np.flatnonzero(~(length[:, 0] > 1e-9) | ~np.isfinite(first).all(axis=1))
    if len(bad_rows):
        raise InputError(Says.six_d_plane(), where=f"row {int(bad_rows[0])}")
    return np.stack([first, second, np.cross(first, second)], axis=2)


def geodesic_deg(rotations_a_N33: npt.ArrayLike, rotations_b_N33: npt.ArrayLike) -> np.ndarray:
    """The angle of the turn that takes one rotation to the other, 0..180 degrees, `[N]`; exact near 0 and near 180.

    Unlike differences of Euler angles it means the same everywhere. Either may have N = 1.
    """
    a, b = (np.asarray(each, dtype=np.float64).reshape(-1, 3, 3) for each in (rotations_a_N33, rotations_b_N33))
    turn = np.swapaxes(a, 1, 2) @ b
    twice_sine = np.stack(
        [turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], axis=1
    )
    twice_cosine = np.trace(turn, axis1=1, axis2=2) - 1.0
    degrees: np.ndarray = np.rad2deg(np.arctan2(np.linalg.norm(twice_sine, axis=1), twice_cosine))
    return degrees


# --- conventions of other data --------------------------------------------------------------------------------------

CONVENTIONS: dict[str, str] = {
    "viewer": "ours: yaw > 0 nose to image right, roll > 0 top to image right; yaw, then pitch, then roll",
    "aflw": "AFLW, 300W-LP, AFLW2000-3D: yaw > 0 nose to image left, roll > 0 top to image right; pitch, then yaw, "
    "then roll",
    "subject": "as the person sees it: yaw > 0 towards their right (image left), roll > 0 to their right (image left); "
    "yaw, then pitch, then roll",
}


def convention_rotations(angles_deg_N3: npt.ArrayLike, convention: str) -> np.ndarray:
    """Yaw, pitch, roll in one of `CONVENTIONS` → head frame to viewer's frame, float64 `[N, 3, 3]`.

    For `aflw` it is the matrix of 3DDFA, Rx·Ry·Rz of the transposed axes, which is the transpose of 6DRepNet's `get_R`.

    Raises:
        InputError: an unknown convention; and as `checked_angles`.
    """
    angles = checked_angles(angles_deg_N3)
    if convention == "viewer":
        return rotation_matrices(angles)
    if convention == "subject":
        return rotation_matrices(angles * [-1.0, 1.0, -1.0])
    if convention == "aflw":
        turn_right, look_up, tip_right = _axis_rotations(angles * [-1.0, 1.0, 1.0])
        matrices: np.ndarray = look_up @ turn_right @ tip_right
        return matrices
    raise InputError(Says.no_such_convention(), where=convention, next_step=Common.one_of(names=", ".join(CONVENTIONS)))


def to_viewer(angles_deg_N3: npt.ArrayLike, convention: str) -> np.ndarray:
    """Angles in one of `CONVENTIONS` → ours, `[N, 3]` degrees: pitch within ±90, yaw and roll within ±180.

    Changing the sign of yaw would not do for `aflw`: its axes are turned in another order, so with yaw −40 and pitch 30
    our pitch is 22.5.

    Raises:
        InputError: as `convention_rotations`.
    """
    if convention == "viewer":
        return checked_angles(angles_deg_N3)
    return angles_of_rotations(convention_rotations(angles_deg_N3, convention))


def from_viewer(angles_deg_N3: npt.ArrayLike, convention: str) -> np.ndarray:
    """The inverse of `to_viewer`; in `aflw` it is yaw that stays within ±90, and pitch that goes to ±180."""
    if convention == "viewer":
        return checked_angles(angles_deg_N3)
    if convention == "subject":
        return angles_of_rotations(rotation_matrices(angles_deg_N3)) * [-1.0, 1.0, -1.0]
    if convention != "aflw":
        convention_rotations(np.zeros((1, 3)), convention)  # says what is wrong
    rotations = rotation_matrices(angles_deg_N3)
    # R = look_up(p) · turn_right(−y) · tip_right(r): its first row is (cos y cos r, cos y sin r, −sin y)
    yaw = -np.arcsin(np.clip(rotations[:, 0, 2], -1.0, 1.0))
    locked = np.abs(rotations[:, 0, 2]) > 1.0 - 1e-12
    pitch = np.where(
        locked,
        np.arctan2(-rotations[:, 2, 1], rotations[:, 1, 1]),
        np.arctan2(rotations[:, 1, 2], rotations[:, 2, 2]),
    )
    roll = np.where(locked, 0.0, np.arctan2(rotations[:, 0, 1], rotations[:, 0, 0]))
    return np.rad2deg(np.stack([yaw, pitch, roll], axis=1))


@dataclass(frozen=True)
class ConventionGuess:
    """What landmarks say about the convention of their angles.

    Attributes:
        convention: one of `CONVENTIONS`, or `ambiguous`.
        yaw, pitch, roll: correlation of each angle with what the landmarks show of it in the viewer's frame; NaN where
            the angle hardly varies.
        reason: why.
    """

    convention: str
    yaw: float
    pitch: float
    roll: float
    reason: Message


MIN_ROWS = 10
MIN_CORRELATION = 0.5
MIN_SPREAD_DEG = 2.0


def guess_convention(angles_deg_N3: npt.ArrayLike, landmarks_NK2_px: npt.ArrayLike) -> ConventionGuess:
    """Which convention angles follow, from the signs of yaw, pitch and roll against what the landmarks show.

    Args:
        angles_deg_N3: yaw, pitch, roll as the data set has them.
        landmarks_NK2_px: 68 landmarks of each head in iBUG order, x to the right, y down.

    A sign counts when the angle varies by at least 2° and its correlation is at least 0.5. The order of the axes does
    not show in signs; it comes with the convention.

    Raises:
        InputError: other shapes; angles or landmarks that are not finite.
    """
    angles = checked_angles(angles_deg_N3)
    points = np.asarray(landmarks_NK2_px, dtype=np.float64)
    if points.shape != (len(angles), 68, 2) or not np.isfinite(points).all():
        raise InputError(
            Says.landmarks_shape(count=len(angles), shape=points.shape), next_step=Says.landmarks_shape_next()
        )
    ears, nose = (points[:, 0] + points[:, 16]) / 2, points[:, 30]
    eye_line = points[:, 42:48].mean(axis=1) - points[:, 36:42].mean(axis=1)
    size = np.sqrt(np.prod(np.ptp(points, axis=1), axis=1)).clip(min=1e-9)
    shown = (
        (nose[:, 0] - ears[:, 0]) / size,
        (ears[:, 1] - nose[:, 1]) / size,
        np.arctan2(eye_line[:, 1], eye_line[:, 0]),
    )
    yaw, pitch, roll = (_correlation(angles[:, axis], shown[axis]) for axis in range(3))

    def guess(convention: str, reason: Message) -> ConventionGuess:
        return ConventionGuess(convention, yaw, pitch, roll, reason)

    if len(angles) < MIN_ROWS:
        return guess("ambiguous", Says.too_few_heads(count=len(angles), needed=MIN_ROWS))
    if not abs(yaw) >= MIN_CORRELATION:
        return guess("ambiguous", Says.yaw_unclear())
    if pitch <= -MIN_CORRELATION:
        return guess("ambiguous", Says.pitch_down())
    if yaw > 0 and roll <= -MIN_CORRELATION:
        return guess("ambiguous", Says.yaw_and_roll_disagree())
    if yaw > 0:
        return guess("viewer", Says.as_viewer())
    if not abs(roll) >= MIN_CORRELATION:
        return guess("ambiguous", Says.roll_unclear())
    if roll > 0:
        return guess("aflw", Says.as_aflw())
    return guess("subject", Says.as_subject())


def _correlation(angle_N: np.ndarray, shown_N: np.ndarray) -> float:
    if len(angle_N) < 2 or angle_N.std() < MIN_SPREAD_DEG or shown_N.std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(angle_N, shown_N)[0, 1])
