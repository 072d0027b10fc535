"""A generated re-identification set: people as drawn figures, each seen in visible light, near infrared and heat.

    python -m experiments.train_reid generate --output data/reid_figures

writes RGBNT201's own layout, so what trains here trains there. Not photographs, and not meant to look like them; meant
to be hard for the same reasons:

* **Identities** share colours and differ in how these are put together: garments with patterns of several sizes, hair,
  bags, proportions. Materials have a brightness in near infrared and a warmth of their own, unrelated to their colour.
* **Cameras** (four) differ in side of view, colour cast, background, sharpness.
* **Lighting and chance** differ from shot to shot: exposure (visible light may be nearly absent, heat never is), side
  light, pose, place, things in front.

Train, validation and test are different people: identities are numbered, and each is drawn from (seed, number) alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CAMERAS = 4
MODALITIES = ("RGB", "NI", "TI")
_SUPERSAMPLE = 2
_JPEG_QUALITY = 95

SKIN_RGB = np.array([[240, 200, 170], [214, 165, 130], [165, 112, 78], [100, 68, 48]]) / 255
HAIR_RGB = np.array([[30, 24, 20], [80, 52, 32], [185, 150, 95], [150, 150, 150]]) / 255
CLOTH_RGB = (
    np.array(
        [[30, 30, 34], [225, 225, 222], [120, 124, 130], [40, 62, 120], [170, 40, 44], [60, 110, 66], [200, 170, 60],
         [120, 74, 120]]
    )
    / 255
)  # fmt: skip
PATTERNS = ("plain", "rows", "columns", "checks", "dots", "halves")


@dataclass(frozen=True)
class Person:
    """What stays the same from shot to shot. Lengths in body heights; `near` and `warm` in 0..1, one for each part."""

    height: float
    shoulders: float
    hips: float
    legs: float
    head: float
    long_hair: bool
    bald: bool
    long_sleeves: bool
    bottom: str  # trousers | shorts | skirt
    bag: str  # none | back | hand
    pattern: str
    period: float
    pattern_in_near: float
    skin_rgb: np.ndarray
    hair_rgb: np.ndarray
    top_rgb: np.ndarray
    second_rgb: np.ndarray
    bottom_rgb: np.ndarray
    shoes_rgb: np.ndarray
    bag_rgb: np.ndarray
    near: dict[str, float]
    warm: dict[str, float]


@dataclass(frozen=True)
class Shot:
    """What changes from shot to shot."""

    camera: int
    from_behind: bool
    side: float  # 0 facing, 1 in profile
    mirrored: bool
    stride: float
    arms: float
    centre_x: float
    feet_y: float
    scale: float
    exposure: float
    side_light: float
    hidden_from: float  # height, in picture heights, below which something stands in front; 1: nothing
    seed: int


def draw_person(seed: int, number: int) -> Person:
    """The identity of a number; equal arguments give equal people."""
    random = np.random.default_rng((seed, number))
    top, second, bottom = random.choice(len(CLOTH_RGB), 3, replace=False)
    parts = ("skin", "hair", "top", "second", "bottom", "shoes", "bag")
    near = dict(zip(parts, random.uniform(0.2, 0.95, len(parts)), strict=True)) | {"skin": random.uniform(0.6, 0.75)}
    warm = dict(zip(parts, random.uniform(0.25, 0.7, len(parts)), strict=True))
    warm |= {"skin": 0.92, "hair": 0.55, "bag": random.uniform(0.12, 0.3)}
    return Person(
        height=random.uniform(0.86, 1.0),
        shoulders=random.uniform(0.095, 0.135),
        hips=random.uniform(0.075, 0.115),
        legs=random.uniform(0.44, 0.53),
        head=random.uniform(0.055, 0.068),
        long_hair=bool(random.random() < 0.4),
        bald=bool(random.random() < 0.12),
        long_sleeves=bool(random.random() < 0.6),
        bottom=str(random.choice(("trousers", "shorts", "skirt"), p=(0.55, 0.25, 0.2))),
        bag=str(random.choice(("none", "back", "hand"), p=(0.5, 0.3, 0.2))),
        pattern=str(random.choice(PATTERNS, p=(0.3, 0.2, 0.15, 0.1, 0.1, 0.15))),
        period=float(random.choice((0.05, 0.09, 0.15))),
        pattern_in_near=float(random.choice((0.0, 0.5, 1.0))),
        skin_rgb=SKIN_RGB[random.integers(len(SKIN_RGB))],
        hair_rgb=HAIR_RGB[random.integers(len(HAIR_RGB))],
        top_rgb=CLOTH_RGB[top],
        second_rgb=CLOTH_RGB[second],
        bottom_rgb=CLOTH_RGB[bottom],
        shoes_rgb=CLOTH_RGB[random.integers(3)],
        bag_rgb=CLOTH_RGB[random.integers(len(CLOTH_RGB))],
        near=near,
        warm=warm,
    )


def draw_shot(seed: int, number: int, camera: int, repeat: int) -> Shot:
    """One look of a camera at a person; equal arguments give equal shots."""
    random = np.random.default_rng((seed, number, camera, repeat))
    behind = random.random() < (0.15, 0.85, 0.4, 0.5)[camera]
    return Shot(
        camera=camera,
        from_behind=bool(behind),
        side=float(np.clip(random.normal((0.15, 0.2, 0.7, 0.4)[camera], 0.15), 0, 1)),
        mirrored=bool(random.random() < 0.5),
        stride=random.uniform(-0.07, 0.07),
        arms=random.uniform(-0.05, 0.05),
        centre_x=random.normal(0.0, 0.02),
        feet_y=random.uniform(0.93, 0.99),
        scale=random.uniform(0.86, 0.98),
        exposure=float(np.exp(random.uniform(np.log(0.25), np.log(1.15)))),
        side_light=random.uniform(-0.35, 0.35),
        hidden_from=float(random.uniform(0.6, 0.9)) if random.random() < 0.15 else 1.0,
        seed=int(random.integers(2**31)),
    )


def render(person: Person, shot: Shot, height_px: int, width_px: int) -> np.ndarray:
    """The three pictures of one shot: uint8 `[3, H, W, 3]` in the order of `MODALITIES`."""
    high, wide = height_px * _SUPERSAMPLE, width_px * _SUPERSAMPLE
    rows, columns = np.mgrid[0:high, 0:wide]
    size = person.height * shot.scale
    y = (shot.feet_y - (rows + 0.5) / high) / size  # 0 at the feet, 1 at the crown
    x = ((columns + 0.5) / wide - 0.5 - shot.centre_x) * (wide / high) / size * (-1 if shot.mirrored else 1)

    random = np.random.default_rng(shot.seed)
    visible, near, warm = _background(shot, high, wide, random)
    for name, mask, colour in _parts(person, shot, x, y):
        shade = 1 - 0.25 * np.clip(np.abs(x) / 0.15, 0, 1) ** 2  # round bodies darken towards their edges
        visible[mask] = (colour * shade[..., None])[mask]
        near[mask] = (_near_of(person, name, colour) * shade)[mask]
        warm[mask] = person.warm[name] * (0.9 + 0.1 * shade[mask])
    if shot.hidden_from < 1:
        front = (rows + 0.5) / high > shot.hidden_from
        visible[front], near[front], warm[front] = (0.35, 0.33, 0.3), 0.4, 0.15
    return _expose(shot, x, _shrunk(visible), _shrunk(near[..., None]), _shrunk(warm[..., None]), random)


def generate(
    folder: Path, *, train_ids: int, test_ids: int, shots: int, seed: int, height_px: int = 64, width_px: int = 32
) -> Iterator[int]:
    """Writes the set in RGBNT201's layout, `folder/{train_171,test}/{RGB,NI,TI}/*.jpg`; yields after each identity.

    Args:
        train_ids: people in `train_171`, from whom training takes its validation. test_ids: other people.
        shots: by each of the four cameras.
        seed: of the whole set.
    """
    for number in range(train_ids + test_ids):
        split = folder / ("train_171" if number < train_ids else "test")
        person = draw_person(seed, number)
        for modality in MODALITIES:
            (split / modality).mkdir(parents=True, exist_ok=True)
        for camera in range(CAMERAS):
            for repeat in range(shots):
                pictures = render(person, draw_shot(seed, number, camera, repeat), height_px, width_px)
                name = f"{number:06d}_cam{camera + 1}_0_{repeat:02d}.jpg"
                for modality, picture in zip(MODALITIES, pictures, strict=True):
                    Image.fromarray(picture).save(split / modality / name, quality=_JPEG_QUALITY, subsampling=0)
        yield number


# --- the body -------------------------------------------------------------------------------------------------------


def _parts(person: Person, shot: Shot, x: np.ndarray, y: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(material, mask, colour `[H, W, 3]` or `[3]`) from back to front."""
    narrow = 1 - 0.35 * shot.side  # a body seen from the side is narrower
    shoulders, hips = person.shoulders * narrow, person.hips * narrow
    waist, neck, chin = person.legs, 0.835, 1 - 2 * person.head
    swing = shot.stride * (0.4 + 0.6 * shot.side)
    cloth = _top_colours(person, x, y, narrow)
    parts: list[tuple[str, np.ndarray, np.ndarray]] = []

    bag_behind = person.bag == "back" and not shot.from_behind
    backpack = _box(x, y, shoulders * 0.85, waist + 0.06, neck - 0.02, centre=-0.05 * shot.side)
    if bag_behind:
        parts.append(("bag", _box(x, y, shoulders * 1.12, waist + 0.1, neck - 0.03), person.bag_rgb))
    bare_from = {"trousers": 0.03, "shorts": 0.25, "skirt": 0.22}[person.bottom]
    for side, step in ((-1, swing), (1, -swing)):
        hip, foot = side * hips * 0.5, side * hips * 0.55 + step
        leg = _capsule(x, y, (hip, waist), (foot, 0.03), 0.042 * (0.8 + hips * 2.5))
        parts.append(("skin", leg & (y < bare_from), person.skin_rgb))
        parts.append(("bottom", leg & (y >= bare_from), person.bottom_rgb))
        parts.append(("shoes", _ellipse(x, y, foot + 0.012, 0.018, 0.042, 0.02), person.shoes_rgb))
    if person.bottom == "skirt":
        flare = hips * (1 + 0.6 * np.clip((waist - y) / (waist - bare_from), 0, 1))
        parts.append(("bottom", (np.abs(x) < flare) & (y > bare_from) & (y < waist + 0.02), person.bottom_rgb))
    parts.append(("skin", _box(x, y, 0.022, neck - 0.01, chin + 0.03), person.skin_rgb))
    half = hips + (shoulders - hips) * np.clip((y - waist) / (neck - waist), 0, 1)
    torso = (np.abs(x) < half) & (y > waist - 0.01) & (y < neck - 0.35 * np.abs(x))
    parts.append(("top", torso, cloth))
    for side, lift in ((-1, shot.arms), (1, -shot.arms)):
        shoulder, hand = (side * (shoulders + 0.004), neck - 0.045), (side * (shoulders + 0.02) + lift, waist - 0.03)
        arm = _capsule(x, y, shoulder, hand, 0.025)
        sleeve_to = waist + 0.02 if person.long_sleeves else neck - 0.14
        parts.append(("skin", arm & (y < sleeve_to), person.skin_rgb))
        parts.append(("top", arm & (y >= sleeve_to), cloth))
        if side > 0 and person.bag == "hand":
            parts.append(("bag", _box(x, y, 0.045, waist - 0.14, waist - 0.03, centre=hand[0]), person.bag_rgb))
    if person.bag == "back" and shot.from_behind:
        parts.append(("bag", backpack, person.bag_rgb))

    head_y = 1 - person.head
    if person.long_hair and not person.bald:
        parts.append(
            ("hair", _ellipse(x, y, 0, head_y - 0.035, person.head * 0.98, person.head + 0.045), person.hair_rgb)
        )
    parts.append(("skin", _ellipse(x, y, 0, head_y, person.head * 0.78, person.head), person.skin_rgb))
    if not person.bald:
        cap = _ellipse(x, y, 0, head_y + 0.008, person.head * 0.84, person.head)
        brow = head_y - person.head if shot.from_behind else head_y + person.head * 0.3
        parts.append(("hair", cap & (y > brow), person.hair_rgb))
    return parts


def _top_colours(person: Person, x: np.ndarray, y: np.ndarray, narrow: float) -> np.ndarray:
    """Colour of the upper garment at every place, `[H, W, 3]`; the pattern moves and narrows with the body."""
    across, along = x / narrow / person.period, y / person.period
    second = {
        "plain": np.zeros(x.shape, bool),
        "rows": np.mod(along, 1) < 0.5,
        "columns": np.mod(across, 1) < 0.5,
        "checks": (np.mod(along, 1) < 0.5) ^ (np.mod(across, 1) < 0.5),
        "dots": np.hypot(np.mod(across, 1) - 0.5, np.mod(along, 1) - 0.5) < 0.3,
        "halves": y > (person.legs + 0.835) / 2,
    }[person.pattern]
    return np.where(second[..., None], person.second_rgb, person.top_rgb)


def _near_of(person: Person, name: str, colour: np.ndarray) -> np.ndarray | float:
    """Brightness in near infrared: the material's own; of a printed pattern only `pattern_in_near` remains."""
    if name != "top":
        return person.near[name]
    is_second = np.all(colour == person.second_rgb, axis=-1)
    shift = person.pattern_in_near * (person.near["second"] - person.near["top"])
    return person.near["top"] + shift * is_second


def _ellipse(x: np.ndarray, y: np.ndarray, cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1


def _box(x: np.ndarray, y: np.ndarray, half: float, low: float, high: float, centre: float = 0.0) -> np.ndarray:
    return (np.abs(x - centre) < half) & (y > low) & (y < high)


def _capsule(
    x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float], radius: float
) -> np.ndarray:
    along = np.array(end) - np.array(start)
    t = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (along @ along), 0, 1)
    return np.hypot(x - start[0] - t * along[0], y - start[1] - t * along[1]) < radius


# --- the scene and the camera ---------------------------------------------------------------------------------------


def _background(
    shot: Shot, high: int, wide: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each camera looks at its own wall and floor; people of all identities stand before the same ones."""
    place = np.random.default_rng(9_000 + shot.camera)
    wall, floor = place.uniform(0.25, 0.75, 3), place.uniform(0.2, 0.6, 3)
    horizon = int(high * (place.uniform(0.55, 0.8) + random.normal(0, 0.02)))
    visible = np.empty((high, wide, 3))
    visible[:horizon], visible[horizon:] = wall, floor
    near = visible.mean(2) * place.uniform(0.6, 1.2)
    warm = np.full((high, wide), place.uniform(0.15, 0.35))
    for _ in range(4):  # doors, posts, signs: they shift a little, as the crop does
        left = int(wide * (place.uniform(-0.2, 1.0) + random.normal(0, 0.06)))
        top = int(high * place.uniform(0, 0.8))
        block = np.s_[max(top, 0) : top + int(high * place.uniform(0.1, 0.5)), max(left, 0) : max(left + wide // 4, 0)]
        visible[block] = place.uniform(0.15, 0.85, 3)
        near[block] = place.uniform(0.15, 0.8)
        warm[block] = place.uniform(0.1, 0.45)
    return visible, near, warm


def _expose(
    shot: Shot,
    x: np.ndarray,
    visible: np.ndarray,
    near: np.ndarray,
    warm: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Light, the camera's cast and blur, noise; visible light and near infrared share the scene, not the exposure."""
    place = np.random.default_rng(9_100 + shot.camera)
    cast, gamma, blur = place.uniform(0.85, 1.15, 3), place.uniform(0.8, 1.25), place.uniform(0.0, 0.6)
    side = _shrunk((1 + shot.side_light * np.clip(x / 0.2, -1, 1))[..., None])
    flash = random.uniform(0.7, 1.1)
    drift = random.normal(0, 0.05)
    pictures = [
        np.clip(visible * cast * side * shot.exposure, 0, 1) ** gamma,
        np.repeat(np.clip(near * (0.5 + 0.5 * side) * flash, 0, 1), 3, axis=2),
        np.repeat(np.clip(warm + drift, 0, 1), 3, axis=2),
    ]
    noisy = []
    for index, (picture, strength) in enumerate(zip(pictures, (0.025, 0.03, 0.02), strict=True)):
        grey = picture.shape[:2] + ((3,) if index == 0 else (1,))
        softened = _softened(picture, blur if index < 2 else blur + 0.5)
        noisy.append(np.clip(softened + strength * random.standard_normal(grey), 0, 1))
    return (np.stack(noisy) * 255 + 0.5).astype(np.uint8)


def _softened(picture: np.ndarray, amount: float) -> np.ndarray:
    """Mixes each pixel with its neighbours above, below and beside; `amount` 0 leaves the picture as it is."""
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4
    weight = amount / (1 + amount)
    return picture * (1 - weight) + around * weight


def _shrunk(picture: np.ndarray) -> np.ndarray:
    high, wide, channels = picture.shape
    blocks = picture.reshape(high // _SUPERSAMPLE, _SUPERSAMPLE, wide // _SUPERSAMPLE, _SUPERSAMPLE, channels)
    return blocks.mean(axis=(1, 3))
