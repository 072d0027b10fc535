"""Head angles in degrees, in the viewer's frame.

The frame: x to image right, y up, z towards the viewer. A head at (0, 0, 0) looks at the viewer, nose along +z.

    yaw   > 0 turns the nose to image right
    pitch > 0 turns it up
    roll  > 0 tips the top of the head to image right (shown for a frontal head; in general a turn about the nose)

The rotation is intrinsic yaw, then pitch, then roll: R = Ry(yaw) · Rx(−pitch) · Rz(−roll). So yaw is exactly the nose's
azimuth and pitch exactly its elevation, and the angles stay unique up to pitch ±90. (300W-LP and AFLW2000 put yaw in
the middle, where pitch and roll merge as |yaw| nears 90; their yaw has the other sign too.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.errors import InputError


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
        raise InputError(
            f"Angles must be numbers: {error}.", next_step="give yaw, pitch and roll in degrees"
        ) from error
    angles = angles[None] if angles.ndim == 1 else angles
    if angles.ndim != 2 or angles.shape[1] != 3:
        raise InputError(
            f"Poses need three columns, yaw, pitch, roll; the shape is {angles.shape}.",
            next_step="give an array of shape [N, 3] in degrees",
        )
    bad_rows = np.flatnonzero(~np.isfinite(angles).all(axis=1))
    if len(bad_rows):
        row = int(bad_rows[0])
        names = [
            name for name, value in zip(("yaw", "pitch", "roll"), angles[row], strict=True) if not np.isfinite(value)
        ]
        raise InputError(
            f"{' and '.join(names)} is not a finite number"
            + (f" (and {len(bad_rows) - 1} more such rows)." if len(bad_rows) > 1 else "."),
            where=f"row {row}",
            next_step="remove the row or fill in the angle in degrees",
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
    yaw, pitch, roll = np.deg2rad(checked_angles(angles_deg_N3)).T
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def stack(*rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    turn_right = stack((np.cos(yaw), zero, np.sin(yaw)), (zero, one, zero), (-np.sin(yaw), zero, np.cos(yaw)))
    look_up = stack((one, zero, zero), (zero, np.cos(pitch), np.sin(pitch)), (zero, -np.sin(pitch), np.cos(pitch)))
    tip_right = stack((np.cos(roll), np.sin(roll), zero), (-np.sin(roll), np.cos(roll), zero), (zero, zero, one))
    matrices: np.ndarray = turn_right @ look_up @ tip_right
    return matrices


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
