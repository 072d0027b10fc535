"""A parametric head drawn at any pose: about twenty ellipsoids, ray-cast exactly, orthographic, numpy only.

Head units: the skull's half height is 1. Head frame as in `angles.py`: x right, y up, z towards the viewer at rest.
Neck and shoulders stay upright while the head turns, so the tilt can be read against them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from .angles import checked_angles, rotation_matrices

SPECULAR = 0.12


@dataclass(frozen=True)
class HeadLooks:
    """How N heads look. Fields are arrays whose first axis is N; sizes are factors around 1 unless said otherwise.

    Attributes:
        width, jaw, nose, ears, eye_gap: factors of the parts' sizes.
        hair_volume: thickness of the hair, factor; hair_length: 0 short … 1 to the shoulders.
        smile: −1 sad … 1 smiling. mouth_open: 0 … 1. eyes_open: 0 … 1. brow_lift: in head units.
        skin_rgb, hair_rgb, shirt_rgb, iris_rgb, lip_rgb: `[N, 3]` in 0..1.
        light: `[N, 3]` unit vectors towards the light, viewer's frame. ambient: 0..1.
        extent: half the picture's width in head units. offset: `[N, 2]`, the head's centre in the picture, head units.
    """

    width: np.ndarray
    jaw: np.ndarray
    nose: np.ndarray
    ears: np.ndarray
    eye_gap: np.ndarray
    hair_volume: np.ndarray
    hair_length: np.ndarray
    smile: np.ndarray
    mouth_open: np.ndarray
    eyes_open: np.ndarray
    brow_lift: np.ndarray
    skin_rgb: np.ndarray
    hair_rgb: np.ndarray
    shirt_rgb: np.ndarray
    iris_rgb: np.ndarray
    lip_rgb: np.ndarray
    light: np.ndarray
    ambient: np.ndarray
    extent: np.ndarray
    offset: np.ndarray

    def __len__(self) -> int:
        return len(self.width)

    def __getitem__(self, rows: slice | np.ndarray) -> HeadLooks:
        return HeadLooks(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @staticmethod
    def plain(count: int) -> HeadLooks:
        """`count` equal heads of average shape, lit from the front and above."""

        def rows(*values: float) -> np.ndarray:
            value = np.asarray(values, np.float32)
            return np.tile(value if len(value) > 1 else value[0], (count, 1) if len(value) > 1 else count)

        return HeadLooks(
            width=rows(1), jaw=rows(1), nose=rows(1), ears=rows(1), eye_gap=rows(1), hair_volume=rows(1),
            hair_length=rows(0), smile=rows(0), mouth_open=rows(0), eyes_open=rows(1), brow_lift=rows(0),
            skin_rgb=rows(0.86, 0.66, 0.53), hair_rgb=rows(0.25, 0.16, 0.10), shirt_rgb=rows(0.25, 0.40, 0.62),
            iris_rgb=rows(0.15, 0.20, 0.25), lip_rgb=rows(0.72, 0.32, 0.32), light=rows(0.27, 0.53, 0.80),
            ambient=rows(0.45), extent=rows(1.4), offset=rows(0, 0),
        )  # fmt: skip


@dataclass(frozen=True)
class _Ellipsoid:
    """One part of N heads: centre `[N, 3]`, radii `[N, 3]`, colour `[N, 3]`; `turns` with the head or stays upright."""

    centre: np.ndarray
    radii: np.ndarray
    rgb: np.ndarray
    turns: bool = True


def render_heads(
    looks: HeadLooks, angles_deg_N3: npt.ArrayLike, *, size_px: int = 64, supersample: int = 2
) -> np.ndarray:
    """Pictures of heads on a transparent ground, uint8 `[N, size_px, size_px, 4]`, colours premultiplied by alpha.

    Args:
        looks: N heads.
        angles_deg_N3: yaw, pitch, roll in degrees, `[N, 3]`.
        size_px: side of the square picture.
        supersample: rays along each side of a pixel.

    Raises:
        InputError: angles that are not finite, or of another shape.
    """
    angles = checked_angles(angles_deg_N3)
    assert len(angles) == len(looks), "one pose for each head"
    chunk = max(1, 2**19 // (size_px * supersample) ** 2)  # keeps the ray arrays within the processor's cache
    pictures = [
        _render(looks[start : start + chunk], angles[start : start + chunk], size_px, supersample)
        for start in range(0, len(looks), chunk)
    ]
    return np.concatenate(pictures) if pictures else np.zeros((0, size_px, size_px, 4), np.uint8)


def _render(looks: HeadLooks, angles_deg_N3: np.ndarray, size_px: int, supersample: int) -> np.ndarray:
    count, side = len(looks), size_px * supersample
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x_NP = (looks.extent[:, None] * np.tile(steps, side) - looks.offset[:, :1]).astype(np.float32)
    y_NP = (looks.extent[:, None] * np.repeat(-steps, side) - looks.offset[:, 1:]).astype(np.float32)
    turned = rotation_matrices(angles_deg_N3).astype(np.float32)
    upright = np.broadcast_to(np.eye(3, dtype=np.float32), turned.shape)

    nearest_NP = np.full((count, side * side), -np.inf, np.float32)
    colour_NP3 = np.zeros((count, side * side, 3), np.float32)
    half_way = looks.light + np.array([0, 0, 1], np.float32)
    half_way = half_way / np.linalg.norm(half_way, axis=1, keepdims=True)
    for part in _parts(looks):
        rotation = turned if part.turns else upright
        centre = np.einsum("nij,nj->ni", rotation, part.centre)
        form = np.einsum("nij,nj,nkj->nik", rotation, 1.0 / part.radii**2, rotation)  # x·form·x = 1 on the surface
        reach = part.radii.max(axis=1)[:, None]
        dx, dy = x_NP - centre[:, :1], y_NP - centre[:, 1:2]
        head, pixel = np.nonzero((np.abs(dx) < reach) & (np.abs(dy) < reach))
        dx, dy, q = dx[head, pixel], dy[head, pixel], form[head]
        # q22·z² + 2·b·z + c = 0, the nearer root
        b = q[:, 0, 2] * dx + q[:, 1, 2] * dy
        c = q[:, 0, 0] * dx**2 + 2 * q[:, 0, 1] * dx * dy + q[:, 1, 1] * dy**2 - 1
        discriminant = b**2 - q[:, 2, 2] * c
        hit = discriminant > 0
        head, pixel, dx, dy, q, b = head[hit], pixel[hit], dx[hit], dy[hit], q[hit], b[hit]
        dz = (np.sqrt(discriminant[hit]) - b) / q[:, 2, 2]
        depth = centre[head, 2] + dz
        front = depth > nearest_NP[head, pixel]
        head, pixel, q, depth = head[front], pixel[front], q[front], depth[front]
        normal = np.einsum("mij,mj->mi", q, np.stack([dx[front], dy[front], dz[front]], axis=1))
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        nearest_NP[head, pixel] = depth
        ambient = looks.ambient[head]
        lit = np.maximum((normal * looks.light[head]).sum(axis=1), 0)
        gloss = SPECULAR * np.maximum((normal * half_way[head]).sum(axis=1), 0) ** 16
        colour_NP3[head, pixel] = part.rgb[head] * (ambient + (1 - ambient) * lit)[:, None] + gloss[:, None]

    rgba = np.concatenate([colour_NP3.clip(0, 1), np.isfinite(nearest_NP)[..., None].astype(np.float32)], axis=2)
    blocks = rgba.reshape(count, size_px, supersample, size_px, supersample, 4)
    return (blocks.mean(axis=(2, 4)) * 255 + 0.5).astype(np.uint8)


def _parts(looks: HeadLooks) -> list[_Ellipsoid]:
    """The ellipsoids of all heads; a part that a head does not have gets a vanishing radius."""
    count = len(looks)

    def vectors(x: npt.ArrayLike, y: npt.ArrayLike, z: npt.ArrayLike) -> np.ndarray:
        return np.stack([np.broadcast_to(np.asarray(value, np.float32), count) for value in (x, y, z)], axis=1)

    skin, hair, width = looks.skin_rgb, looks.hair_rgb, looks.width
    white = np.full((count, 3), 0.96, np.float32)
    dark_mouth = np.broadcast_to(np.array([0.25, 0.05, 0.06], np.float32), (count, 3))
    jaw, nose, ears = looks.jaw, looks.nose, looks.ears
    volume, length = looks.hair_volume, looks.hair_length
    eye_open, smile, mouth_open = looks.eyes_open, looks.smile, looks.mouth_open
    eye_x = 0.29 * looks.eye_gap * width
    mouth_y = -0.52 * (0.5 + 0.5 * jaw)

    parts = [
        _Ellipsoid(vectors(0, -1.35, -0.2), vectors(0.42 * width, 0.85, 0.42), skin * 0.9, turns=False),
        _Ellipsoid(vectors(0, -2.1, -0.2), vectors(1.5, 0.62, 0.6), looks.shirt_rgb, turns=False),
        _Ellipsoid(vectors(0, 0.05, 0), vectors(0.78 * width, 0.98, 0.85), skin),
        _Ellipsoid(vectors(0, -0.45, 0.17), vectors(0.56 * width * jaw, 0.6 * jaw, 0.6), skin),
        _Ellipsoid(vectors(0, 0.3, -0.16), vectors(0.84 * width * volume, 0.86 * volume, 0.86 * volume), hair),
        # long hair falls behind and beside the face; short hair ends at the neck
        _Ellipsoid(
            vectors(0, -0.1 - 0.35 * length, -0.4),
            vectors(0.86 * width * volume, 0.6 + 0.5 * length, 0.45 + 0.1 * length),
            hair * 0.9,
        ),
        _Ellipsoid(vectors(0, 0.0, 0.83), vectors(0.085, 0.27, 0.14 * nose), skin * 1.04),
        _Ellipsoid(vectors(0, -0.19, 0.92), vectors(0.13 * nose, 0.11 * nose, 0.19 * nose), skin * 1.06),
        _Ellipsoid(vectors(0, mouth_y, 0.745), vectors(0.19, 0.05 + 0.10 * mouth_open, 0.07), looks.lip_rgb),
        _Ellipsoid(vectors(0, mouth_y, 0.79), vectors(0.15, 0.001 + 0.09 * mouth_open, 0.04), dark_mouth),
    ]
    for sign in (-1, 1):
        parts += [
            _Ellipsoid(vectors(sign * 0.80 * width, 0.02, -0.06), vectors(0.13, 0.21 * ears, 0.14 * ears), skin * 0.95),
            _Ellipsoid(
                vectors(sign * eye_x, 0.13, 0.70),
                vectors(0.15, 0.012 + 0.085 * eye_open, 0.13),
                white * eye_open[:, None],
            ),
            _Ellipsoid(
                vectors(sign * eye_x, 0.13, 0.785), vectors(0.07, 0.001 + 0.074 * eye_open, 0.06), looks.iris_rgb
            ),
            _Ellipsoid(vectors(sign * eye_x, 0.33 + looks.brow_lift, 0.73), vectors(0.18, 0.04, 0.10), hair * 0.8),
            _Ellipsoid(vectors(sign * 0.19, mouth_y + 0.07 * smile, 0.715), vectors(0.08, 0.045, 0.07), looks.lip_rgb),
        ]
    return parts


@dataclass(frozen=True)
class HeadMesh:
    """The surface of one head at rest, for viewers that turn it themselves (by `rotation_matrices`).

    Attributes:
        vertices_V3: float32, head units. rgb_V3: 0..1. triangles_T3: int32, rows of `vertices_V3`, seen from outside.
        turns_V: bool, whether a vertex turns with the head; neck and shoulders stay.
    """

    vertices_V3: np.ndarray
    rgb_V3: np.ndarray
    triangles_T3: np.ndarray
    turns_V: np.ndarray


def head_mesh(looks: HeadLooks | None = None, *, detail: int = 16) -> HeadMesh:
    """The first head of `looks` (default: the plain one) as triangles.

    Args:
        detail: points around each ellipsoid; half as many from pole to pole.
    """
    parts = _parts(HeadLooks.plain(1) if looks is None else looks)
    sphere_S3, faces_F3 = _sphere(detail)
    return HeadMesh(
        vertices_V3=np.concatenate([part.centre[:1] + part.radii[:1] * sphere_S3 for part in parts]).astype(np.float32),
        rgb_V3=np.concatenate([np.repeat(part.rgb[:1], len(sphere_S3), axis=0) for part in parts]).clip(0, 1),
        triangles_T3=np.concatenate([faces_F3 + number * len(sphere_S3) for number in range(len(parts))]),
        turns_V=np.repeat([part.turns for part in parts], len(sphere_S3)),
    )


def _sphere(around: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the unit sphere `[S, 3]` and its triangles `[F, 3]`, counter-clockwise from outside; poles at ±y."""
    rings = max(2, around // 2)
    down, turn = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.arange(around) * (2 * np.pi / around), indexing="ij"
    )  # fmt: skip
    points = np.stack([np.sin(down) * np.sin(turn), np.cos(down), np.sin(down) * np.cos(turn)], axis=-1).reshape(-1, 3)
    ring, step = (grid.ravel() for grid in np.meshgrid(np.arange(rings), np.arange(around), indexing="ij"))
    here, beside = ring * around + step, ring * around + (step + 1) % around
    upper = np.stack([here, here + around, beside], axis=1)[ring > 0]
    lower = np.stack([beside, here + around, beside + around], axis=1)[ring < rings - 1]
    return points, np.concatenate([upper, lower]).astype(np.int32)
