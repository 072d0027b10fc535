"""Procedural backgrounds: sky, ground, road, wall, grass, water, foliage, cloth, textures, plain colours.

Every kind has words; its first words name it. Drawn from a seeded generator, 64 × 64 RGB, values 0..1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BACKGROUND_PX = 64

# kind → captions; the first is the kind's own name, as prompts use it
KIND_CAPTIONS: dict[str, tuple[str, ...]] = {
    "sky": ("sky", "the sky", "a blue sky", "clouds in the sky", "a cloudy sky", "an evening sky"),
    "ground": ("ground", "the ground", "bare ground", "soil", "sand", "dirt on the ground"),
    "road": ("road", "a road", "an empty road", "asphalt", "a street", "pavement"),
    "wall": ("wall", "a wall", "a brick wall", "a tiled wall", "a painted wall"),
    "grass": ("grass", "green grass", "a lawn", "a meadow", "a field of grass"),
    "water": ("water", "the sea", "a lake", "waves on water", "river"),
    "foliage": ("tree", "trees", "leaves", "foliage", "a forest", "leaves of a tree"),
    "clothing": ("clothing", "cloth", "fabric", "a piece of clothing", "a knitted fabric"),
    "sleeve": ("a sleeve", "a sleeve of a shirt", "clothing, a sleeve"),
    "pant leg": ("a pant leg", "a trouser leg", "clothing, a pant leg"),
    "texture": ("a texture", "texture", "a pattern", "noise", "a surface", "an abstract texture"),
    "plain": (
        "background",
        "a background",
        "an empty background",
        "nothing",
        "a plain background",
        "blurred background",
    ),
}
KINDS = tuple(KIND_CAPTIONS)


def draw_backgrounds(rng: np.random.Generator, kinds: np.ndarray) -> np.ndarray:
    """One background for each entry of `kinds` (indices into `KINDS`), uint8 `[N, 64, 64, 3]`."""
    painters: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
        "sky": _sky, "ground": _ground, "road": _road, "wall": _wall, "grass": _grass, "water": _water,
        "foliage": _foliage, "clothing": _cloth, "sleeve": _sleeve, "pant leg": _pant_leg, "texture": _texture,
        "plain": _plain,
    }  # fmt: skip
    pictures = np.stack([painters[KINDS[kind]](rng) for kind in kinds])
    return (pictures.clip(0, 1) * 255).astype(np.uint8)


_Y, _X = np.mgrid[0:BACKGROUND_PX, 0:BACKGROUND_PX] / BACKGROUND_PX


def _noise(rng: np.random.Generator, cells: int, *, cells_x: int | None = None) -> np.ndarray:
    """Smooth noise `[64, 64]` in 0..1: random values on a grid of `cells`, interpolated bilinearly."""
    columns = cells_x or cells
    grid = rng.random((cells + 1, columns + 1))
    y, x = _Y * cells, _X * columns
    row, column = y.astype(int), x.astype(int)
    fy, fx = y - row, x - column
    top = grid[row, column] * (1 - fx) + grid[row, column + 1] * fx
    bottom = grid[row + 1, column] * (1 - fx) + grid[row + 1, column + 1] * fx
    mixed: np.ndarray = top * (1 - fy) + bottom * fy
    return mixed


def _octaves(rng: np.random.Generator, *cells: int) -> np.ndarray:
    """Noise of several scales, halving in strength, 0..1."""
    weights = 0.5 ** np.arange(len(cells))
    total: np.ndarray = (
        sum(weight * _noise(rng, cell) for weight, cell in zip(weights, cells, strict=True)) / weights.sum()
    )
    return total


def _mix(low_rgb: np.ndarray, high_rgb: np.ndarray, amount_HW: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = low_rgb + (high_rgb - low_rgb) * amount_HW[..., None]
    return mixed


def _near(rng: np.random.Generator, rgb: tuple[float, float, float], spread: float = 0.08) -> np.ndarray:
    return np.clip(np.array(rgb) + rng.normal(0, spread, 3), 0, 1)


def _sky(rng: np.random.Generator) -> np.ndarray:
    tops = [(0.25, 0.5, 0.9), (0.45, 0.65, 0.95), (0.55, 0.6, 0.7), (0.15, 0.15, 0.4)]
    bottoms = [(0.75, 0.87, 1.0), (0.95, 0.7, 0.5), (0.85, 0.88, 0.9), (0.6, 0.5, 0.6)]
    sky = _mix(_near(rng, tops[rng.integers(4)], 0.05), _near(rng, bottoms[rng.integers(4)], 0.05), _Y)
    clouds = np.clip((_octaves(rng, 3, 6, 12) - rng.uniform(0.45, 0.7)) * 5, 0, 1) * rng.uniform(0.3, 1)
    return sky + (np.array([0.97, 0.97, 0.99]) - sky) * clouds[..., None]


def _ground(rng: np.random.Generator) -> np.ndarray:
    colours = [(0.45, 0.33, 0.22), (0.8, 0.7, 0.5), (0.55, 0.45, 0.35), (0.35, 0.27, 0.2)]
    base = _near(rng, colours[rng.integers(4)], 0.05)
    return _mix(base * 0.65, np.minimum(base * 1.25, 1), 0.6 * _octaves(rng, 4, 16, 32) + 0.4 * rng.random(_X.shape))


def _road(rng: np.random.Generator) -> np.ndarray:
    base = np.full(3, rng.uniform(0.25, 0.55)) + rng.normal(0, 0.015, 3)
    road = _mix(base * 0.85, base * 1.15, 0.5 * _noise(rng, 8) + 0.5 * rng.random(_X.shape))
    if rng.random() < 0.8:  # a dashed line running away from the viewer, or across
        centre, slope = rng.uniform(0.2, 0.8), rng.uniform(-0.4, 0.4)
        along, across = (_Y, _X) if rng.random() < 0.7 else (_X, _Y)
        line = np.abs(across - centre - slope * (along - 0.5)) < 0.015 + 0.03 * along
        dashes = np.mod(along * rng.uniform(2, 4) + rng.random(), 1) < rng.choice([0.6, 1.1])
        road[line & dashes] = _near(rng, ((0.95, 0.95, 0.95), (0.95, 0.8, 0.3))[rng.integers(2)], 0.02)
    return road


def _wall(rng: np.random.Generator) -> np.ndarray:
    style = rng.integers(3)
    if style == 0:  # painted plaster
        base = rng.uniform(0.45, 0.95, 3)
        return _mix(base * 0.9, np.minimum(base * 1.05, 1), _octaves(rng, 2, 8, 32))
    rows = rng.integers(4, 12)
    columns = rows // 2 if style == 1 else rows
    base = _near(rng, (0.6, 0.3, 0.22), 0.07) if style == 1 else rng.uniform(0.4, 0.95, 3)
    y = _Y * rows
    x = _X * columns + (0.5 * (y.astype(int) % 2) if style == 1 else 0)
    shade = rng.uniform(0.8, 1.15, (rows + 1, columns + 2))[y.astype(int), x.astype(int)]
    wall = base * shade[..., None] + rng.normal(0, 0.02, (*_X.shape, 1))
    mortar = (np.mod(y, 1) < 0.12) | (np.mod(x, 1) < 0.12 * columns / rows)
    wall[mortar] = _near(rng, (0.78, 0.76, 0.72), 0.06)
    return wall


def _grass(rng: np.random.Generator) -> np.ndarray:
    base = _near(rng, (0.3, 0.58, 0.2), 0.07)
    blades = 0.6 * _noise(rng, 12, cells_x=48) + 0.4 * rng.random(_X.shape)
    return _mix(base * 0.55, np.minimum(base * 1.4, 1), 0.7 * blades + 0.3 * _noise(rng, 4))


def _water(rng: np.random.Generator) -> np.ndarray:
    base = _near(rng, (0.18, 0.45, 0.65), 0.08)
    phase = _Y * rng.uniform(30, 70) + 3 * _noise(rng, 5) + 1.5 * _noise(rng, 12)
    waves = 0.5 + 0.5 * np.sin(phase)
    return _mix(base * 0.8, np.minimum(base * 1.5 + 0.1, 1), waves * _noise(rng, 6, cells_x=4))


def _foliage(rng: np.random.Generator) -> np.ndarray:
    base = _near(rng, ((0.2, 0.45, 0.15), (0.3, 0.5, 0.1), (0.65, 0.4, 0.1))[rng.integers(3)], 0.05)
    leaves = np.floor(_octaves(rng, 8, 16, 24) * 6) / 5
    return _mix(base * 0.3, np.minimum(base * 1.5, 1), leaves)


def _cloth(rng: np.random.Generator) -> np.ndarray:
    first, second = rng.random(3), rng.random(3)
    turn, frequency = rng.uniform(0, np.pi), rng.uniform(15, 60)
    u, v = _X * np.cos(turn) + _Y * np.sin(turn), -_X * np.sin(turn) + _Y * np.cos(turn)
    weave = 0.5 + 0.25 * np.sin(u * frequency) + (0.25 * np.sin(v * frequency) if rng.random() < 0.6 else 0)
    cloth = _mix(first, first + (second - first) * rng.uniform(0.1, 1), weave)
    return cloth * (0.65 + 0.5 * _noise(rng, 3))[..., None]  # folds


def _tube(rng: np.random.Generator, turn: float) -> np.ndarray:
    """A shaded tube of cloth across the picture, before a plain ground."""
    across = (_X - 0.5) * np.cos(turn) + (_Y - 0.5) * np.sin(turn) + rng.uniform(-0.1, 0.1)
    half_width = rng.uniform(0.2, 0.36)
    inside = np.abs(across) < half_width
    shade = np.sqrt(np.clip(1 - (across / half_width) ** 2, 0, 1))
    cloth = _cloth(rng) * (0.4 + 0.6 * shade)[..., None]
    return np.where(inside[..., None], cloth, _plain(rng))


def _sleeve(rng: np.random.Generator) -> np.ndarray:
    return _tube(rng, rng.choice([-1, 1]) * rng.uniform(0.6, 1.4))


def _pant_leg(rng: np.random.Generator) -> np.ndarray:
    return _tube(rng, rng.uniform(-0.25, 0.25))


def _texture(rng: np.random.Generator) -> np.ndarray:
    first, second = rng.random(3), rng.random(3)
    style = rng.integers(4)
    if style == 0:
        amount = rng.random(_X.shape)
    elif style == 1:
        amount = _octaves(rng, *rng.integers(2, 40, 3))
    elif style == 2:
        turn = rng.uniform(0, np.pi)
        amount = 0.5 + 0.5 * np.sin((_X * np.cos(turn) + _Y * np.sin(turn)) * rng.uniform(20, 120))
    else:
        cells = rng.integers(4, 20)
        amount = ((_X * cells).astype(int) + (_Y * cells).astype(int)) % 2 * 0.8 + 0.2 * _noise(rng, 6)
    return _mix(first, second, amount)


def _plain(rng: np.random.Generator) -> np.ndarray:
    first = rng.random(3) if rng.random() < 0.7 else np.full(3, rng.random())
    second = np.clip(first + rng.normal(0, 0.15, 3) * (rng.random() < 0.5), 0, 1)
    turn = rng.uniform(0, np.pi)
    amount = np.clip(0.5 + (_X - 0.5) * np.cos(turn) + (_Y - 0.5) * np.sin(turn), 0, 1)
    return _mix(first, second, amount)
