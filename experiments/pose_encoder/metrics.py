"""How far predicted landmarks are from the true ones. Reference for NME and bins: 3DDFA's `benchmark_aflw2000.py`.

NME   mean distance of the 68 landmarks over √(w·h) of the true landmarks' box, in percent; for |yaw| 0–30, 30–60 and
      60–90 apart (AFLW's yaw; 30 and 60 belong to the lower bin), and the mean of the three bins, so that the many
      frontal faces of a data set do not hide the few profiles
AUC   area under the share of faces with NME below x, for x up to 8 %, in percent of the best possible
FR    share of faces with NME above 8 %, in percent
geodesic   the angle between the rotation that the predicted landmarks show and the one that the true ones show, in
      degrees; read off by a scaled-orthographic fit of the frontal landmarks with the mean head's depth
"""

from __future__ import annotations

import numpy as np

from core.pose.angles import geodesic_deg
from experiments.pose_encoder.data import Faces
from experiments.pose_encoder.landmarks import MEAN_HEAD

YAW_BINS = {"yaw_0_30": (-1.0, 30.0), "yaw_30_60": (30.0, 60.0), "yaw_60_90": (60.0, 180.0)}
ALPHA = 0.08


def landmark_errors(predicted_NK2: np.ndarray, seen_NK2: np.ndarray) -> np.ndarray:
    """NME of each face as a fraction, `[N]`."""
    box_N = np.sqrt(np.prod(np.ptp(seen_NK2, axis=1), axis=1))
    errors: np.ndarray = np.linalg.norm(predicted_NK2 - seen_NK2, axis=2).mean(axis=1) / box_N
    return errors


def summarise(predicted_NK2: np.ndarray, faces: Faces) -> dict[str, float]:
    """`nme`, `nme_yaw_0_30` …, `auc`, `fr`, `geodesic_deg`; a bin without faces is left out of the mean and absent."""
    errors_N = landmark_errors(predicted_NK2.astype(np.float64), faces.seen_NK2.astype(np.float64))
    bins = {}
    for name, (low, high) in YAW_BINS.items():
        inside = (faces.bin_yaw_deg_N > low) & (faces.bin_yaw_deg_N <= high)
        if inside.any():
            bins[f"nme_{name}"] = 100.0 * float(errors_N[inside].mean())
    turns = geodesic_deg(
        shown_rotations(faces.front_NK2, predicted_NK2), shown_rotations(faces.front_NK2, faces.seen_NK2)
    )
    return {
        "nme": float(np.mean(list(bins.values()))),
        **bins,
        "auc": 100.0 * float(np.maximum(ALPHA - errors_N, 0.0).mean()) / ALPHA,
        "fr": 100.0 * float((errors_N > ALPHA).mean()),
        "geodesic_deg": float(turns.mean()),
    }


def shown_rotations(front_NK2: np.ndarray, posed_NK2: np.ndarray) -> np.ndarray:
    """The rotation under which a face seen from the front looks like this, `[N, 3, 3]`.

    Least squares for the 2 × 3 projection of the frontal landmarks, to which the mean head lends its depth, then the
    nearest scaled rotation.
    """
    head = MEAN_HEAD - MEAN_HEAD.mean(axis=0)
    box = np.sqrt(np.prod(np.ptp(head[:, :2], axis=0)))
    depth = np.broadcast_to(head[:, 2:] / box, (len(front_NK2), len(head), 1))
    shape = np.concatenate([front_NK2, depth], axis=2).astype(np.float64)
    shape -= shape.mean(axis=1, keepdims=True)
    view = np.swapaxes(np.linalg.pinv(shape) @ posed_NK2.astype(np.float64), 1, 2)
    left, _, right = np.linalg.svd(view, full_matrices=False)
    rows = left @ right
    return np.concatenate([rows, np.cross(rows[:, :1], rows[:, 1:])], axis=1)
