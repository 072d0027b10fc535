"""Angles on their device: what `core.pose.angles` and `core.pose.text` do with arrays, for tensors."""

from __future__ import annotations

import torch

from ..angles import checked_angles
from ..text import (
    PITCH_CENTRES_DEG,
    PITCH_EDGES_DEG,
    PITCH_WORDS,
    ROLL_CENTRES_DEG,
    ROLL_EDGE_DEG,
    ROLL_WORDS,
    YAW_CENTRES_DEG,
    YAW_EDGES_DEG,
)


def checked_tensor(angles_deg_B3: torch.Tensor) -> torch.Tensor:
    """`checked_angles` for tensors: `[B, 3]` floating point, finite, wrapped into ±180.

    Raises:
        InputError: as `checked_angles`.
    """
    angles = torch.as_tensor(angles_deg_B3)
    if not angles.is_floating_point():
        angles = angles.float()
    if angles.ndim != 2 or angles.shape[1] != 3 or not bool(torch.isfinite(angles).all()):
        return torch.from_numpy(checked_angles(angles.detach().double().cpu().numpy())).to(angles)  # says what is wrong
    beyond = angles.abs() > 180.0
    return torch.where(beyond, torch.remainder(angles + 180.0, 360.0) - 180.0, angles)


def caption_numbers_of(angles_deg_B3: torch.Tensor) -> torch.Tensor:
    """`core.pose.text.caption_numbers` for checked tensors: int64 `[B]`."""
    yaw, pitch, roll = angles_deg_B3.unbind(dim=1)
    yaw_bin = sum((yaw >= edge).long() for edge in YAW_EDGES_DEG)
    pitch_bin = sum((pitch >= edge).long() for edge in PITCH_EDGES_DEG)
    roll_bin = 1 + (roll >= ROLL_EDGE_DEG).long() - (roll <= -ROLL_EDGE_DEG).long()
    numbers: torch.Tensor = (yaw_bin * len(PITCH_WORDS) + pitch_bin) * len(ROLL_WORDS) + roll_bin
    return numbers


def interpolation_weights(angles_deg_B3: torch.Tensor) -> torch.Tensor:
    """Each caption's part in a pose, float32 `[B, 45]`: at most eight neighbours, together 1."""
    weights_B1 = angles_deg_B3.new_ones(len(angles_deg_B3), 1)
    for axis, centres_deg in enumerate((YAW_CENTRES_DEG, PITCH_CENTRES_DEG, ROLL_CENTRES_DEG)):
        centres_K = angles_deg_B3.new_tensor(centres_deg)
        angle_B1 = angles_deg_B3[:, axis : axis + 1].clamp(centres_deg[0], centres_deg[-1])
        hats_BK = (1.0 - (angle_B1 - centres_K).abs() / (centres_deg[1] - centres_deg[0])).clamp(min=0.0)
        weights_B1 = (weights_B1[:, :, None] * hats_BK[:, None, :]).flatten(1)
    return weights_B1.float()
