"""Generated rooms with known labels: furniture of boxes, ray-cast to colour, depth, class and instance; numpy only.

World frame: z up, metres, the floor at z = 0. What makes the task more than geometry: door, window, picture and rug
are flat, so that only what is painted on them tells them from the wall or floor they lie on, and from each other;
colours are drawn for each object and overlap between classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.bifusion.frames import Frame, Scene

_NAMES = ("wall", "floor", "ceiling", "door", "window", "picture", "rug", "table", "chair", "bed", "cabinet", "sofa")
CLASSES = dict(enumerate(_NAMES, start=1))
_ID = {name: number for number, name in CLASSES.items()}
_PATTERNS = ("plain", "stripes", "checker", "dots", "panel", "bars")
_FLAT_M = 0.03
_DEPTH_NOISE = 0.004  # of the depth
_COLOUR_NOISE = 4.0  # grey levels


@dataclass(frozen=True)
class _Box:
    """An axis-aligned box: corners in metres, class, instance, two colours 0..255 and how they are laid out."""

    low: np.ndarray
    high: np.ndarray
    label: int
    instance: int
    colours_23: np.ndarray
    pattern: str = "plain"
    period_m: float = 0.3


def generate_room(seed: int, *, views: int = 4, height_px: int = 72, width_px: int = 96) -> Scene:
    """One room, its cameras standing near the walls and looking across it.

    Args:
        seed: decides everything.
        views: cameras.
        height_px, width_px: size of colour and depth, which share one set of intrinsics.
    """
    random = np.random.default_rng([20_261, seed])
    size_m = np.array([random.uniform(3.6, 5.6), random.uniform(3.2, 4.8), random.uniform(2.4, 2.9)])
    boxes = _furnish(random, size_m)
    shell = {label: _colours(random, 0.35) for label in (1, 2, 3)}
    focal = random.uniform(0.62, 0.72)  # of the width: 70 to 78 degrees across
    frames: list[Frame] = []
    while len(frames) < views:
        camera_to_world = _camera(random, size_m, boxes, len(frames))
        frame = _render(random, str(len(frames)), camera_to_world, focal, size_m, boxes, shell, height_px, width_px)
        if _sees_enough(frame):
            frames.append(frame)
    return Scene(f"room_{seed:04d}", tuple(frames))


# ------------------------------------------------------------------------------------------------------------ furniture


def _furnish(random: np.random.Generator, size_m: np.ndarray) -> list[_Box]:
    boxes: list[_Box] = []
    taken: list[tuple[float, float, float, float]] = []
    number = 0
    makers = {"table": _table, "chair": _chair, "bed": _bed, "cabinet": _cabinet, "sofa": _sofa}
    wanted = ["table", "chair", "chair", *random.permutation(["bed", "cabinet", "sofa", "cabinet"])[:3]]
    for name in wanted:
        parts, extent_m = makers[name](random)
        place = _free_place(random, size_m, taken, extent_m, against_wall=name not in ("table", "chair"))
        if place is None:
            continue
        number += 1
        origin, turns = place
        for low, high, colours, pattern, period in parts:
            corners = np.stack([_turned(corner, extent_m, turns) for corner in (low, high)])
            corners[:, :2] += origin
            boxes.append(_Box(corners.min(0), corners.max(0), _ID[name], number, colours, pattern, period))
    for name in ("door", "window", "picture", "picture", "window"):
        number += 1
        boxes.append(_on_wall(random, size_m, name, number))
    number += 1
    boxes.append(_rug(random, size_m, number))
    return boxes


def _colours(random: np.random.Generator, contrast: float) -> np.ndarray:
    """A base colour of any hue and a second one, `contrast` of the range away."""
    base = random.uniform(70, 215, 3)
    return np.clip(np.stack([base, base + contrast * 255 * random.choice([-1, 1]) * random.uniform(0.6, 1, 3)]), 0, 255)


_Part = tuple[np.ndarray, np.ndarray, np.ndarray, str, float]


def _part(
    low: tuple[float, float, float], high: tuple[float, float, float], colours: np.ndarray, pattern: str = "plain"
) -> _Part:
    return np.array(low), np.array(high), colours, pattern, 0.25


def _table(random: np.random.Generator) -> tuple[list[_Part], np.ndarray]:
    x, y, z = random.uniform(0.9, 1.5), random.uniform(0.6, 0.9), random.uniform(0.68, 0.78)
    colours = _colours(random, 0.2)
    legs = [
        _part((a, b, 0.0), (a + 0.07, b + 0.07, z - 0.05), colours) for a in (0.03, x - 0.1) for b in (0.03, y - 0.1)
    ]
    return [_part((0, 0, z - 0.05), (x, y, z), colours), *legs], np.array([x, y])


def _chair(random: np.random.Generator) -> tuple[list[_Part], np.ndarray]:
    x, z, back = random.uniform(0.42, 0.55), random.uniform(0.42, 0.5), random.uniform(0.8, 1.0)
    colours = _colours(random, 0.2)
    legs = [_part((a, b, 0.0), (a + 0.05, b + 0.05, z), colours) for a in (0.0, x - 0.05) for b in (0.0, x - 0.05)]
    return [
        _part((0, 0, z - 0.05), (x, x, z), colours),
        _part((0, x - 0.06, z), (x, x, back), colours),
        *legs,
    ], np.array([x, x])


def _bed(random: np.random.Generator) -> tuple[list[_Part], np.ndarray]:
    x, y, z = random.uniform(1.2, 1.6), random.uniform(1.9, 2.1), random.uniform(0.4, 0.55)
    cover, frame = _colours(random, 0.4), _colours(random, 0.2)
    return [
        _part((0, 0, 0.0), (x, y, z), cover, str(random.choice(["stripes", "checker", "plain"]))),
        _part((0, y - 0.08, 0.0), (x, y, z + 0.45), frame),
        _part((0.1, y - 0.55, z), (x - 0.1, y - 0.1, z + 0.12), np.full((2, 3), 235.0)),
    ], np.array([x, y])


def _cabinet(random: np.random.Generator) -> tuple[list[_Part], np.ndarray]:
    x, y, z = random.uniform(0.7, 1.3), random.uniform(0.4, 0.6), random.uniform(0.8, 1.9)
    return [_part((0, 0, 0.0), (x, y, z), _colours(random, 0.25), "panel")], np.array([x, y])


def _sofa(random: np.random.Generator) -> tuple[list[_Part], np.ndarray]:
    x, y, z = random.uniform(1.4, 2.0), random.uniform(0.75, 0.9), random.uniform(0.38, 0.46)
    colours = _colours(random, 0.2)
    return [
        _part((0, 0, 0.0), (x, y, z), colours),
        _part((0, y - 0.2, z), (x, y, z + 0.4), colours),
        _part((0, 0, z), (0.18, y, z + 0.2), colours),
        _part((x - 0.18, 0, z), (x, y, z + 0.2), colours),
    ], np.array([x, y])


def _turned(corner: np.ndarray, extent_m: np.ndarray, turns: int) -> np.ndarray:
    """A corner after quarter turns about the vertical, the footprint kept in the positive quadrant."""
    x, y, z = corner
    width, depth = extent_m
    for _ in range(turns):
        x, y = depth - y, x
        width, depth = depth, width
    return np.array([x, y, z])


def _free_place(
    random: np.random.Generator,
    size_m: np.ndarray,
    taken: list[tuple[float, float, float, float]],
    extent_m: np.ndarray,
    *,
    against_wall: bool,
) -> tuple[np.ndarray, int] | None:
    """Where a footprint fits, and how often it is turned; what has a back turns it to the wall."""
    for _attempt in range(40):
        turns = int(random.integers(4))
        width, depth = extent_m if turns % 2 == 0 else extent_m[::-1]
        room_x, room_y = size_m[0] - width - 0.1, size_m[1] - depth - 0.1
        if room_x <= 0 or room_y <= 0:
            continue
        x, y = random.uniform(0.05, room_x), random.uniform(0.05, room_y)
        if against_wall:  # the back is at high y before turning; a quarter turn takes +y to −x
            x = (x, 0.05, x, room_x + 0.05)[turns]
            y = (room_y + 0.05, y, 0.05, y)[turns]
        box = (x, y, x + width, y + depth)
        if all(
            box[2] + 0.1 < other[0] or other[2] + 0.1 < box[0] or box[3] + 0.1 < other[1] or other[3] + 0.1 < box[1]
            for other in taken
        ):
            taken.append(box)
            return np.array([x, y]), turns
    return None


def _on_wall(random: np.random.Generator, size_m: np.ndarray, name: str, number: int) -> _Box:
    """A thin box on one of the four walls."""
    if name == "door":
        width, height, bottom = random.uniform(0.8, 1.0), random.uniform(1.95, 2.1), 0.0
        pattern, colours = "panel", _colours(random, 0.3)
    elif name == "window":
        width, height, bottom = random.uniform(0.9, 1.4), random.uniform(0.9, 1.2), random.uniform(0.8, 1.0)
        pattern, colours = "bars", np.stack([random.uniform([150, 190, 215], [210, 230, 255]), np.full(3, 245.0)])
    else:
        width, height, bottom = random.uniform(0.5, 0.9), random.uniform(0.4, 0.7), random.uniform(1.2, 1.6)
        pattern, colours = str(random.choice(["checker", "dots"])), _colours(random, 0.6)
    axis, side = int(random.integers(2)), int(random.integers(2))
    along = random.uniform(0.1, max(0.11, size_m[1 - axis] - width - 0.1))
    low, high = np.zeros(3), np.zeros(3)
    low[axis] = 0.0 if side == 0 else size_m[axis] - _FLAT_M
    high[axis] = low[axis] + _FLAT_M
    low[1 - axis], high[1 - axis] = along, along + width
    low[2], high[2] = bottom, min(bottom + height, size_m[2] - 0.1)
    return _Box(low, high, _ID[name], number, colours, pattern, 0.14)


def _rug(random: np.random.Generator, size_m: np.ndarray, number: int) -> _Box:
    extent = np.array([random.uniform(1.2, 2.0), random.uniform(0.9, 1.5)])
    low = random.uniform(0.2, size_m[:2] - extent - 0.2)
    pattern = str(random.choice(["stripes", "checker"]))
    return _Box(np.append(low, 0.0), np.append(low + extent, 0.01), _ID["rug"], number, _colours(random, 0.5), pattern)


# --------------------------------------------------------------------------------------------------------------- camera


def _camera(random: np.random.Generator, size_m: np.ndarray, boxes: list[_Box], view: int) -> np.ndarray:
    """Camera → world: near a corner or wall, each view another side, outside the furniture, looking across and down."""
    for _attempt in range(200):
        angle = 2 * np.pi * (view / 4 + random.uniform(-0.1, 0.1)) + np.pi / 4
        centre = size_m[:2] / 2
        position = np.array([*(centre + 0.42 * size_m[:2] * [np.cos(angle), np.sin(angle)]), random.uniform(1.3, 1.8)])
        if not any(((position > box.low - 0.25) & (position < box.high + 0.25)).all() for box in boxes):
            break
    target = np.array([*(centre + random.uniform(-0.5, 0.5, 2)), random.uniform(0.5, 1.2)])
    forward = target - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)  # x right, y down, z forward
    pose[:3, 3] = position
    return pose


def _sees_enough(frame: Frame) -> bool:
    """A camera that stares at one cabinet shows nothing of a room."""
    counts = np.bincount(frame.label_HW.ravel(), minlength=13)
    return int((counts > 30).sum()) >= 4 and counts.max() < 0.75 * counts.sum()


# ------------------------------------------------------------------------------------------------------------ rendering


def _render(
    random: np.random.Generator,
    name: str,
    camera_to_world: np.ndarray,
    focal: float,
    size_m: np.ndarray,
    boxes: list[_Box],
    shell: dict[int, np.ndarray],
    height_px: int,
    width_px: int,
) -> Frame:
    focal_px = width_px * focal
    intrinsics = np.array([[focal_px, 0, (width_px - 1) / 2], [0, focal_px, (height_px - 1) / 2], [0, 0, 1]])
    v_P, u_P = (index.ravel() for index in np.mgrid[0:height_px, 0:width_px])
    rays_P3 = np.stack([u_P, v_P, np.ones_like(u_P)], 1) @ np.linalg.inv(intrinsics).T  # z = 1: distances are depths
    rays_P3 = rays_P3 @ camera_to_world[:3, :3].T
    rays_P3 = np.where(np.abs(rays_P3) < 1e-9, 1e-9, rays_P3)
    origin = camera_to_world[:3, 3]

    # the room's shell is left where a ray would leave it; boxes are entered where it reaches them
    exits_P3 = np.where(rays_P3 > 0, size_m - origin, -origin) / rays_P3
    axis_P, depth_P = exits_P3.argmin(1), exits_P3.min(1)
    upward_P = rays_P3[:, 2] > 0
    label_P = np.where(axis_P < 2, 1, np.where(upward_P, 3, 2))
    instance_P = np.zeros(len(label_P), np.int64)
    low_KP = np.stack([box.low for box in boxes])
    high_KP = np.stack([box.high for box in boxes])
    first_PK3 = (low_KP[None] - origin) / rays_P3[:, None]
    second_PK3 = (high_KP[None] - origin) / rays_P3[:, None]
    near_PK3, far_PK3 = np.minimum(first_PK3, second_PK3), np.maximum(first_PK3, second_PK3)
    enter_PK, leave_PK = near_PK3.max(2), far_PK3.min(2)
    enter_PK = np.where((enter_PK < leave_PK) & (enter_PK > 1e-3), enter_PK, np.inf)
    nearest_P = enter_PK.argmin(1)
    rows = np.arange(len(nearest_P))
    hit_P = enter_PK[rows, nearest_P] < depth_P
    depth_P = np.where(hit_P, enter_PK[rows, nearest_P], depth_P)
    axis_P = np.where(hit_P, near_PK3[rows, nearest_P].argmax(1), axis_P)
    label_P = np.where(hit_P, np.array([box.label for box in boxes])[nearest_P], label_P)
    instance_P = np.where(hit_P, np.array([box.instance for box in boxes])[nearest_P], 0)
    places_P3 = origin + depth_P[:, None] * rays_P3

    colour_P3 = np.zeros((len(rows), 3))
    for label, colours in shell.items():
        chosen = ~hit_P & (label_P == label)
        pattern = "plain" if label != 2 else "stripes"
        colour_P3[chosen] = _paint(places_P3[chosen], axis_P[chosen], np.zeros(3), size_m, colours, pattern, 0.5)
    for number, box in enumerate(boxes):
        chosen = hit_P & (nearest_P == number)
        if chosen.any():
            colour_P3[chosen] = _paint(
                places_P3[chosen], axis_P[chosen], box.low, box.high, box.colours_23, box.pattern, box.period_m
            )
    shade_P = np.array([0.82, 0.92, 1.0])[axis_P] * np.where((axis_P == 2) & upward_P, 0.8, 1.0)
    colour_P3 = colour_P3 * shade_P[:, None] + random.normal(0, _COLOUR_NOISE, colour_P3.shape)
    depth_P = depth_P * (1 + random.normal(0, _DEPTH_NOISE, depth_P.shape))
    shape = (height_px, width_px)
    return Frame(
        name=name,
        rgb_HWC=np.clip(colour_P3, 0, 255).astype(np.uint8).reshape(*shape, 3),
        depth_HW_m=(np.round(depth_P * 1000) / 1000).astype(np.float32).reshape(shape),  # whole millimetres, as files
        label_HW=label_P.astype(np.uint16).reshape(shape),
        instance_HW=instance_P.astype(np.uint16).reshape(shape),
        color_intrinsics_33=intrinsics,
        depth_intrinsics_33=intrinsics,
        camera_to_world_44=camera_to_world,
    )


def _paint(
    places_N3: np.ndarray,
    axis_N: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    colours_23: np.ndarray,
    pattern: str,
    period_m: float,
) -> np.ndarray:
    """Colours of places on a box's faces, laid out along the two axes of each face."""
    assert pattern in _PATTERNS, pattern
    others_N2 = np.array([[1, 2], [0, 2], [0, 1]])[axis_N]
    rows = np.arange(len(axis_N))[:, None]
    inner_N2 = (places_N3 - low)[rows, others_N2]
    share_N2 = inner_N2 / np.maximum((high - low)[others_N2], 1e-6)
    cells_N2 = np.floor(inner_N2 / period_m).astype(np.int64)
    edge_N = np.abs(share_N2 - 0.5).max(1)
    if pattern == "stripes":
        second_N = cells_N2[:, 0] % 2 == 1
    elif pattern == "checker":
        second_N = cells_N2.sum(1) % 2 == 1
    elif pattern == "dots":
        second_N = np.linalg.norm(inner_N2 / period_m - cells_N2 - 0.5, axis=1) < 0.3
    elif pattern == "panel":  # a frame, and a rectangle within
        second_N = (edge_N > 0.45) | ((edge_N > 0.3) & (edge_N < 0.35))
    elif pattern == "bars":  # a window's cross and frame
        second_N = (edge_N > 0.44) | (np.abs(share_N2 - 0.5).min(1) < 0.04)
    else:
        second_N = np.zeros(len(axis_N), bool)
    return colours_23[second_N.astype(np.int64)]
