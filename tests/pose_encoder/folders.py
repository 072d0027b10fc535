"""Small folders in exactly the layout of the real data sets, made of generated heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from core.pose.angles import convention_rotations
from experiments.pose_encoder.landmarks import generate_heads


def posed_px(poses_deg_N3: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Heads and their landmarks as AFLW2000-3D has them: `[N, 3, 68]` px, y down, z towards the viewer."""
    heads = generate_heads(np.random.default_rng(seed), len(poses_deg_N3), 1)
    turned = np.einsum("nij,nkj->nik", convention_rotations(poses_deg_N3, "aflw"), heads)
    return heads, turned * np.array([90.0, -90.0, 90.0])[:, None] + np.array([225.0, 230.0, 20.0])[:, None]


def pose_para(pose_deg: np.ndarray) -> np.ndarray:
    """`Pose_Para` `[1, 7]`: pitch, yaw, roll in radians, then translation and scale."""
    yaw, pitch, roll = np.deg2rad(pose_deg)
    return np.array([[pitch, yaw, roll, 225.0, 230.0, 0.0, 1e-3]], dtype=np.float32)


def write_aflw2000(folder: Path, poses_deg_N3: np.ndarray, seed: int = 0) -> np.ndarray:
    """`image00002.mat` … with the keys of the real set; returns the heads."""
    folder.mkdir(parents=True, exist_ok=True)
    heads, points = posed_px(poses_deg_N3, seed)
    for number, (pose, px) in enumerate(zip(poses_deg_N3, points, strict=True)):
        savemat(
            folder / f"image{number + 2:05d}.mat",
            {
                "Pose_Para": pose_para(pose),
                "pt3d_68": px.astype(np.float32),
                "pt2d": np.full((2, 21), -1.0),  # the 21 inconsistent points of the real files
                "roi": np.array([[1, 1, 450, 450]]),
                "Shape_Para": np.zeros((199, 1)),
                "Exp_Para": np.zeros((29, 1)),
            },
        )
    return heads


def write_300w_lp(folder: Path, photos: int, turns: int, seed: int = 0) -> None:
    """`AFW/NAME_T.mat`, their flips, and `landmarks/AFW/NAME_T_pts.mat` for every second photo."""
    random = np.random.default_rng(seed)
    poses = random.uniform(-1, 1, (photos * turns, 3)) * [80, 30, 30]
    _, points = posed_px(poses, seed)
    for number, (pose, px) in enumerate(zip(poses, points, strict=True)):
        set_name = ("AFW", "HELEN")[number // turns % 2]
        stem = f"{set_name}_{100 + number // turns}_1_{number % turns}"
        flat = {"Pose_Para": pose_para(pose), "pt2d": px[:2], "roi": np.array([[1, 1, 450, 450]])}
        for place, content in ((set_name, flat), (f"{set_name}_Flip", flat)):
            (folder / place).mkdir(parents=True, exist_ok=True)
            savemat(folder / place / f"{stem}.mat", content)
        (folder / "landmarks" / set_name).mkdir(parents=True, exist_ok=True)
        if number // turns % 2 == 0:
            savemat(folder / "landmarks" / set_name / f"{stem}_pts.mat", {"pts_2d": px[:2].T, "pts_3d": px[:2].T + 0.5})
