"""68 landmarks of 3-D heads in iBUG order, of many shapes and expressions.

Head frame as in `core.pose.angles`: x to image right, y up, z towards the viewer at rest. The unit is half the width of
the face at the ears. "Left" in this file is image left, where iBUG begins to count.

    0–16 jaw, left ear to right · 17–21, 22–26 brows · 27–30 bridge of the nose, 31–35 its base
    36–41, 42–47 eyes · 48–59 outer lips, 60–67 inner lips
"""

from __future__ import annotations

import numpy as np

LANDMARKS = 68
# The landmark at the same place of the mirrored face.
MIRRORED = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
     41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)  # fmt: skip

JAW, NOSE_TIP = slice(0, 17), 30
BROWS, BRIDGE, NOSE_BASE = slice(17, 27), slice(27, 31), slice(31, 36)
EYES = (slice(36, 42), slice(42, 48))
MOUTH = slice(48, 68)
UPPER_LIDS, LOWER_LIDS = [37, 38, 43, 44], [40, 41, 46, 47]
UPPER_LIP, LOWER_LIP = [49, 50, 51, 52, 53, 61, 62, 63], [55, 56, 57, 58, 59, 65, 66, 67]
LIP_CORNERS = [48, 54, 60, 64]


def _mean_head() -> np.ndarray:
    around = np.linspace(-1.0, 1.0, 17)
    jaw = np.stack(
        [
            np.sin(around * np.pi / 2),
            0.15 - 1.4 * np.cos(around * np.pi / 2) ** 0.85,
            0.2 - 1.1 * np.abs(around) ** 1.7,
        ],
        axis=1,
    )
    left_brow = [
        (-0.82, 0.50, 0.10),
        (-0.68, 0.62, 0.28),
        (-0.52, 0.66, 0.40),
        (-0.36, 0.63, 0.48),
        (-0.21, 0.57, 0.52),
    ]
    bridge = [(0.0, 0.32, 0.52), (0.0, 0.14, 0.64), (0.0, -0.03, 0.77), (0.0, -0.20, 0.90)]
    left_base = [(-0.24, -0.33, 0.56), (-0.13, -0.37, 0.64)]
    left_eye = [(-0.64, 0.27, 0.22), (-0.53, 0.34, 0.34), (-0.39, 0.34, 0.37), (-0.28, 0.26, 0.34),
                (-0.40, 0.21, 0.36), (-0.53, 0.21, 0.33)]  # fmt: skip
    left_outer = [(-0.38, -0.68, 0.38), (-0.23, -0.60, 0.54), (-0.09, -0.56, 0.62)]
    left_lower = [(-0.09, -0.86, 0.56), (-0.23, -0.80, 0.50)]
    head = np.zeros((LANDMARKS, 3))
    head[JAW] = jaw
    head[17:22], head[27:31], head[31:33], head[36:42] = left_brow, bridge, left_base, left_eye
    head[33] = (0.0, -0.40, 0.68)
    head[48:51], head[51] = left_outer, (0.0, -0.58, 0.63)
    head[57], head[58:60] = (0.0, -0.87, 0.57), left_lower
    head[60], head[61], head[62] = (-0.31, -0.68, 0.42), (-0.11, -0.66, 0.57), (0.0, -0.665, 0.58)
    head[67], head[66] = (-0.11, -0.71, 0.55), (0.0, -0.715, 0.56)
    for place, twin in enumerate(MIRRORED):
        if not head[twin].any():
            head[twin] = head[place] * [-1, 1, 1]
    return head


MEAN_HEAD = _mean_head()
MEAN_HEAD.setflags(write=False)


def generate_heads(random: np.random.Generator, identities: int, faces_each: int) -> np.ndarray:
    """`[identities · faces_each, 68, 3]`: each identity one shape, each of its faces another expression."""
    shapes = _shapes(random, identities)
    return _with_expressions(random, np.repeat(shapes, faces_each, axis=0))


def _shapes(random: np.random.Generator, count: int) -> np.ndarray:
    """Heads at rest. Proportions vary by a tenth or two of themselves, and a smooth field varies the rest."""

    def vary(size: float) -> np.ndarray:
        return size * random.standard_normal((count, 1))

    heads = np.repeat(MEAN_HEAD[None], count, axis=0)
    low = np.clip(-(MEAN_HEAD[JAW, 1] + 0.1) / 1.15, 0.0, 1.0)  # 0 at the ears, 1 at the chin
    heads[:, JAW, 0] *= 1 + vary(0.12) * low * (1 - 0.5 * low)
    heads[:, JAW, 1] -= vary(0.09) * low
    heads[:, JAW, 2] += vary(0.08) * low + vary(0.12) * (1 - low)
    heads[:, BRIDGE, 1] += vary(0.05) * np.linspace(0.2, 1, 4)
    heads[:, BRIDGE, 2] += vary(0.09) * np.linspace(0.3, 1, 4)
    heads[:, NOSE_BASE, 1] += vary(0.05)
    heads[:, NOSE_BASE, 0] *= 1 + vary(0.15)
    heads[:, NOSE_BASE, 2] += vary(0.05)
    spread, lids, depth, lift = vary(0.04), vary(0.25), vary(0.05), vary(0.04)
    for side, eye in zip((-1, 1), EYES, strict=True):
        middle = MEAN_HEAD[eye].mean(axis=0)
        heads[:, eye, 0] = middle[0] + side * spread + (heads[:, eye, 0] - middle[0]) * (1 + lids / 3)
        heads[:, eye, 1] = middle[1] + lift + (heads[:, eye, 1] - middle[1]) * (1 + lids)
        heads[:, eye, 2] += depth
    heads[:, BROWS, 1] += vary(0.05) + vary(0.06) * (np.abs(MEAN_HEAD[BROWS, 0]) - 0.5)
    heads[:, BROWS, 2] += vary(0.06)
    lips = MEAN_HEAD[MOUTH, 1].mean()
    heads[:, MOUTH, 0] *= 1 + vary(0.12)
    heads[:, MOUTH, 1] = lips + vary(0.05) + (heads[:, MOUTH, 1] - lips) * (1 + vary(0.2))
    heads[:, MOUTH, 2] += vary(0.06)
    heads += _smooth_field(random, count, size=0.02)
    proportions = 1 + random.standard_normal((count, 1, 3)) * [0.05, 0.06, 0.10]
    return heads * proportions


def _with_expressions(random: np.random.Generator, heads: np.ndarray) -> np.ndarray:
    count = len(heads)

    def amount(often: float) -> np.ndarray:
        """Nothing in most faces, up to 1 in `often` of them."""
        return random.uniform(0, 1, (count, 1)) * (random.uniform(0, 1, (count, 1)) < often)

    heads = heads.copy()
    low = np.clip(-(MEAN_HEAD[JAW, 1] + 0.5) / 0.75, 0.0, 1.0)
    opened, smile, closed, raised = amount(0.4), amount(0.4), amount(0.25), amount(0.3)
    heads[:, LOWER_LIP, 1] -= 0.35 * opened
    heads[:, JAW, 1] -= 0.30 * opened * low
    heads[:, JAW, 2] -= 0.12 * opened * low
    side = np.sign(MEAN_HEAD[LIP_CORNERS, 0])
    heads[:, LIP_CORNERS, 0] += 0.12 * smile * side
    heads[:, LIP_CORNERS, 1] += 0.10 * smile
    heads[:, LIP_CORNERS, 2] -= 0.08 * smile
    for upper, lower in zip(UPPER_LIDS, reversed(LOWER_LIDS), strict=True):
        heads[:, upper] += closed * (heads[:, lower] - heads[:, upper])
    heads[:, BROWS, 1] += 0.12 * raised
    return heads


def _smooth_field(random: np.random.Generator, count: int, size: float) -> np.ndarray:
    """Displacements `[count, 68, 3]` that neighbouring landmarks share: a Gaussian process over the mean head."""
    apart = np.linalg.norm(MEAN_HEAD[:, None] - MEAN_HEAD[None], axis=2)
    root = np.linalg.cholesky(np.exp(-((apart / 0.5) ** 2)) + 1e-6 * np.eye(LANDMARKS))
    return size * np.einsum("kl,nlc->nkc", root, random.standard_normal((count, LANDMARKS, 3)))
