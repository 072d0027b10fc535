"""What an encoder makes of the space of poses: does it keep near poses near, which does it confuse, where does it tear?

An encoder is anything that takes float64 `[N, 3]` degrees to float32 `[N, D]`. Distances between embeddings are
Euclidean, and parts of the mean distance of the sampled pairs, so that encoders of any scale stand side by side.

    rank_correlation     Spearman, over pairs of poses: geodesic angle against embedding distance. 1: order kept
    distinct             how many embeddings N different poses have
    widest_collision_deg the largest angle between two poses with the very same embedding
    largest_step         the largest distance that a quarter of a degree makes anywhere within ±90, ±60, ±45
    tears                the distance across ±180, where half a degree lies between: 0 none, 1 as far as any two poses
    ms_per_1000          milliseconds for 1,000 poses
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..types import Progress
from .angles import geodesic_deg, rotation_matrices
from .words import Says

Encode = Callable[[np.ndarray], np.ndarray]

YAW_LIMIT_DEG, PITCH_LIMIT_DEG, ROLL_LIMIT_DEG = 90.0, 60.0, 45.0
"""The poses looked at: those of faces, not of the backs of heads."""
STEP_DEG = 0.25
SEAM_DEG = 0.25
"""To either side of ±180."""
SAME = 1e-6
"""Embeddings nearer than this part of the mean distance are one."""
WARM_UP_POSES = 8
SLOW_S = 0.2


@dataclass(frozen=True)
class PoseAudit:
    """Figures of one encoder; see the module's text.

    Attributes:
        name: of the encoder.
        dim: width of its embedding.
        poses: N, sampled; pairs: how many pairs of them were compared.
        tears: of yaw, pitch, roll.
        timed_poses: how many poses were really timed; `ms_per_1000` is scaled from them.
    """

    name: str
    dim: int
    poses: int
    pairs: int
    rank_correlation: float
    distinct: int
    widest_collision_deg: float
    largest_step: float
    tears: tuple[float, float, float]
    ms_per_1000: float
    timed_poses: int


def sample_poses(count: int, seed: int = 0) -> np.ndarray:
    """`count` poses drawn evenly within ±90, ±60, ±45 degrees, float64 `[N, 3]`; the same for the same seed."""
    limits = np.array([YAW_LIMIT_DEG, PITCH_LIMIT_DEG, ROLL_LIMIT_DEG])
    return np.random.default_rng(seed).uniform(-limits, limits, (count, 3))


def audit(
    name: str,
    encode: Encode,
    *,
    poses: int = 400,
    seed: int = 0,
    timed: Encode | None = None,
    timed_poses: int = 1000,
) -> PoseAudit:
    """Looks at one encoder.

    Args:
        poses: how many are sampled; all their pairs are compared.
        timed: what is timed where it is not `encode`: the same embeddings by another way (without a cache).
        timed_poses: how many are timed at once, each another pose; fewer for an encoder that is slow.

    Raises:
        InputError: fewer than three poses, or an encoder that gives NaN or another number of rows.
    """
    from scipy.stats import spearmanr

    if poses < 3:
        raise InputError(Says.audit_too_few(), where=str(poses))
    angles_N3 = sample_poses(poses, seed)
    embeddings_ND = _checked(encode(angles_N3), poses, name)
    upper = np.triu_indices(poses, k=1)
    rotations_N33 = rotation_matrices(angles_N3)
    apart_deg = geodesic_deg(rotations_N33[upper[0]], rotations_N33[upper[1]])
    distances = _distances(embeddings_ND)[upper]
    mean = float(distances.mean())
    scale = mean if mean > 0 else 1.0
    same = distances <= SAME * scale
    correlation = float(spearmanr(apart_deg, distances).statistic) if np.ptp(distances) > 0 else 0.0
    return PoseAudit(
        name=name,
        dim=embeddings_ND.shape[1],
        poses=poses,
        pairs=len(distances),
        rank_correlation=correlation,
        distinct=_distinct(poses, upper, same),
        widest_collision_deg=float(apart_deg[same].max()) if same.any() else 0.0,
        largest_step=_largest_step(encode, name) / scale,
        tears=_tears(encode, name, scale),
        ms_per_1000=ms_per_1000(timed or encode, timed_poses, seed + 1),
        timed_poses=timed_poses,
    )


@dataclass(frozen=True)
class Candidate:
    """One encoder of `audit_all`: `make` is called when it is its turn; the rest as for `audit`."""

    name: str
    make: Callable[[], Encode]
    timed: Encode | None = None
    timed_poses: int = 1000


def audit_all(candidates: Sequence[Candidate], *, poses: int = 400, seed: int = 0) -> Iterator[Progress | PoseAudit]:
    """Audits several, one after the other: a `Progress` before each, then its `PoseAudit`."""
    for done, one in enumerate(candidates):
        yield Progress(one.name, done, len(candidates))
        yield audit(one.name, one.make(), poses=poses, seed=seed, timed=one.timed, timed_poses=one.timed_poses)


# --- the figures ------------------------------------------------------------------------------------------------------


def _checked(embeddings_ND: np.ndarray, rows: int, name: str) -> np.ndarray:
    embeddings_ND = np.asarray(embeddings_ND)
    if embeddings_ND.ndim != 2 or len(embeddings_ND) != rows or not np.isfinite(embeddings_ND).all():
        raise InputError(Says.audit_bad_values(shape=embeddings_ND.shape, rows=rows), where=name)
    return embeddings_ND


def _distances(embeddings_ND: np.ndarray) -> np.ndarray:
    """Euclidean, `[N, N]`; equal rows have exactly 0."""
    from scipy.spatial.distance import cdist

    rows_ND = embeddings_ND.astype(np.float64)
    return cdist(rows_ND, rows_ND)


def _distinct(count: int, upper: tuple[np.ndarray, np.ndarray], same: np.ndarray) -> int:
    """Groups of poses that have one embedding."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = upper[0][same], upper[1][same]
    links = coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    return int(connected_components(links, directed=False)[0])


def _largest_step(encode: Encode, name: str) -> float:
    """Along each angle, the two others at rest or off the middle."""
    largest = 0.0
    for axis, limit in enumerate((YAW_LIMIT_DEG, PITCH_LIMIT_DEG, ROLL_LIMIT_DEG)):
        places = np.arange(-limit, limit + STEP_DEG / 2, STEP_DEG)
        path_N3: np.ndarray = np.zeros((len(places), 3))
        path_N3[:, axis] = places
        embeddings_ND = _checked(encode(path_N3), len(places), name).astype(np.float64)
        largest = max(largest, float(np.linalg.norm(np.diff(embeddings_ND, axis=0), axis=1).max()))
    return largest


def _tears(encode: Encode, name: str, scale: float) -> tuple[float, float, float]:
    tears = []
    for axis in range(3):
        sides_23: np.ndarray = np.zeros((2, 3))
        sides_23[:, axis] = 180 - SEAM_DEG, -180 + SEAM_DEG
        below, above = _checked(encode(sides_23), 2, name).astype(np.float64)
        tears.append(float(np.linalg.norm(below - above)) / scale)
    return tears[0], tears[1], tears[2]


def ms_per_1000(encode: Encode, poses: int, seed: int = 0) -> float:
    """Milliseconds for 1,000 poses, scaled from `poses` others at once: the best of three rounds, or one slow one."""
    angles_N3 = sample_poses(poses, seed)
    encode(sample_poses(min(poses, WARM_UP_POSES), seed + 1))
    best_s = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        encode(angles_N3)
        best_s = min(best_s, time.perf_counter() - started)
        if best_s > SLOW_S:
            break
    return 1e6 * best_s / poses
