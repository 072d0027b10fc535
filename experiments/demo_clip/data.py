"""Artwork, heads and backgrounds → batches of 64 × 64 pictures with captions, composited on the fly.

A batch is a pure function of (seed, step): a run that was interrupted sees the same batches when it goes on.
Read `Composer.batch` first.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from core.articles import with_article
from core.errors import InputError
from core.pose.text import CAPTIONS, EXPRESSIONS, LIGHTS, TEMPLATES, caption_numbers, describe
from experiments.demo_clip.artwork import COCO_EMOJI, RASTER_PX, Artwork, EmojiClass
from experiments.demo_clip.backgrounds import KIND_CAPTIONS, KINDS, draw_backgrounds
from experiments.demo_clip.head_bank import HeadBank

Tokenize = Callable[[Sequence[str]], torch.Tensor]

IMAGE_PX = 64
AHEAD = 2  # batches that each composing process keeps ready
BACKGROUND_BANKS = {"train": (6_000, 21), "held_out": (1_000, 22)}  # pictures, seed
VALIDATION_SHARE = 0.04  # of the training styles' drawings, kept back to watch progress without the held-out styles

NAME_TEMPLATES = ("{}", "a {}", "a photo of a {}", "a picture of a {}", "an emoji of a {}", "a drawing of a {}")
PLACES = {"sky": "in the sky", "ground": "on the ground", "road": "on a road", "wall": "in front of a wall",
          "grass": "on grass", "water": "on water", "foliage": "in front of trees"}  # fmt: skip
FRAGMENT_CAPTIONS = ("a part of", "a fragment", "a part of something", "a fragment of something", "a cropped part")
BACKGROUND_TEMPLATES = ("{}", "{}", "a photo of {}", "{}, nothing else", "only {}")

# Words that fit many pictures of one Unicode group; see `Keys`.
GROUP_WORDS: dict[int, tuple[str, ...]] = {
    0: ("a face", "a smiley"),
    1: ("a person",),
    3: ("an animal or plant", "nature"),
    4: ("food", "something to eat or drink"),
    5: ("a vehicle or place",),
    6: ("an activity",),
    7: ("a thing", "an item"),
    8: ("a symbol", "a sign"),
    9: ("a flag",),
}
OBJECT_GROUPS = (3, 4, 5, 6, 7)
FLIPPABLE_GROUPS = (1, 3, 4, 5)


class Keys:
    """Numbers for words that fit more than one picture of a batch.

    A caption with a key is no negative for the pictures that bear the same key: "a flag" is not held against another
    flag. -1: no key.
    """

    NONE = -1
    OBJECT, FRAGMENT, MAN, WOMAN, CHILD, PEOPLE, BUILDING, ROOM = 20, 21, 22, 23, 24, 25, 26, 27
    KIND = 40  # + background kind
    POSE = 100  # + caption number

    @staticmethod
    def of(emoji: EmojiClass) -> list[tuple[int, str]]:
        """(key, general words) that fit this emoji."""
        words = set(emoji.name.replace(":", " ").replace("-", " ").split())
        found = [(emoji.group, text) for text in GROUP_WORDS.get(emoji.group, ())]
        if emoji.group in OBJECT_GROUPS:
            found.append((Keys.OBJECT, "an object"))
        if emoji.group == 1 and words & {"family", "couple", "people", "women", "men", "holding", "kiss"}:
            found.append((Keys.PEOPLE, "a group of people"))
        elif emoji.group == 1 and words & {"man", "prince", "Santa", "grandfather"}:
            found.append((Keys.MAN, "a man"))
        elif emoji.group == 1 and words & {"woman", "princess", "Mrs."}:
            found.append((Keys.WOMAN, "a woman"))
        elif emoji.group == 1 and words & {"boy", "girl", "child", "baby"}:
            found.append((Keys.CHILD, "a child"))
        buildings = {"building", "house", "houses", "office", "hospital", "bank", "hotel", "school", "store", "factory",
                     "castle", "church", "mosque", "temple", "synagogue", "tower", "shrine", "hut"}  # fmt: skip
        if emoji.group == 5 and words & buildings:
            found.append((Keys.BUILDING, "a building"))
        if words & {"bed", "couch", "door", "bathtub"}:
            found.append((Keys.ROOM, "a room"))
        return found


@dataclass(frozen=True)
class Shares:
    """How many pictures of each kind a batch holds."""

    singles: int = 84
    composites: int = 10
    fragments: int = 4
    backgrounds: int = 4
    heads: int = 26

    @property
    def total(self) -> int:
        return self.singles + self.composites + self.fragments + self.backgrounds + self.heads

    def times(self, factor: int) -> Shares:
        """The same mixture in a batch `factor` times as large."""
        return Shares(*(count * factor for count in astuple(self)))


@dataclass(frozen=True)
class Batch:
    """Pictures, captions, and which belong together. Heads come last.

    Attributes:
        pixels_BCHW: float32 in 0..1, not normalised.
        captions: K unique texts; the 45 pose captions first.
        positive_BK: bool, the caption fits the picture.
        ignored_BK: bool, the caption may fit though it was not written for the picture: neither positive nor negative.
        class_B: int64, the emoji's class for pictures of one emoji, else -1.
        class_K: int64, the same for captions that name one emoji.
        angles_deg_H3: float32, yaw, pitch, roll of the last H pictures.
    """

    pixels_BCHW: torch.Tensor
    captions: list[str]
    positive_BK: torch.Tensor
    ignored_BK: torch.Tensor
    class_B: torch.Tensor
    class_K: torch.Tensor
    angles_deg_H3: torch.Tensor


@dataclass(frozen=True)
class _Picture:
    """What a batch needs to know of one picture besides its pixels."""

    caption: str
    caption_key: int
    keys: tuple[int, ...]
    emoji: int = -1
    pose: int = -1


def prepare_backgrounds(work_dir: Path) -> None:
    """Draws the background banks that are absent: `backgrounds/NAME.npy` and `NAME.kinds.npy`."""
    folder = work_dir / "backgrounds"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (count, seed) in BACKGROUND_BANKS.items():
        if (folder / f"{name}.kinds.npy").is_file():
            continue
        rng = np.random.default_rng(seed)
        kinds = np.arange(count) % len(KINDS)
        np.save(folder / f"{name}.npy", draw_backgrounds(rng, kinds))
        np.save(folder / f"{name}.kinds.npy", kinds)


class Composer:
    """Makes pictures from the artwork of some styles.

    Args:
        work_dir: the prepared folder.
        role: `train`, or a held-out role (`near`, `far`).
        backgrounds, heads: names of the banks to draw from.
        drawings: `all`, or the training styles' drawings split into `train` and `validation`.

    Raises:
        InputError: the folder is not prepared; the message names the command.
    """

    def __init__(
        self,
        work_dir: Path,
        *,
        role: str = "train",
        backgrounds: str = "train",
        heads: str = "train",
        drawings: str = "all",
    ) -> None:
        artwork = Artwork(work_dir, (role,))
        self.classes = artwork.classes
        pixels = np.concatenate([artwork.pixels[style.key] for style in artwork.styles])
        classes = np.concatenate([artwork.class_ids[style.key] for style in artwork.styles])
        if drawings != "all":
            kept_back = np.random.default_rng(5).random(len(classes)) < VALIDATION_SHARE
            kept_back &= np.bincount(classes, minlength=len(self.classes))[classes] >= 3
            chosen = kept_back if drawings == "validation" else ~kept_back
            pixels, classes = pixels[chosen], classes[chosen]
        self.drawings_N, self.class_N = pixels, classes
        self.smaller = {2: _halved(pixels)}  # copies to draw small pictures from without aliasing
        self.smaller[4] = _halved(self.smaller[2])
        self.rows_by_class = {int(number): np.flatnonzero(classes == number) for number in np.unique(classes)}
        self.known_classes = np.array(sorted(self.rows_by_class))
        self.heads = HeadBank.open(work_dir, heads)
        folder = work_dir / "backgrounds"
        if not (folder / f"{backgrounds}.kinds.npy").is_file():
            raise InputError(
                "The backgrounds are not prepared.",
                where=str(folder),
                next_step=f"python -m experiments.train_demo_clip prepare --work_dir {work_dir}",
            )
        self.backgrounds = np.load(folder / f"{backgrounds}.npy")
        self.background_kinds = np.load(folder / f"{backgrounds}.kinds.npy")

    def batch(self, seed: int, step: int, shares: Shares) -> Batch:
        """The training batch of a step; equal arguments give equal batches on every machine of one kind."""
        rng = np.random.default_rng((seed, step))
        # every emoji occurs at most once in a batch, so that no name is held against a second picture of it
        order = rng.permutation(self.known_classes)
        parts = [
            self.singles(rng, order[: shares.singles]),
            self.composites(rng, order[shares.singles :], shares.composites),
            self.fragments(rng, rng.choice(self.known_classes, shares.fragments)),
            self.backgrounds_only(rng, shares.backgrounds),
        ]
        head_pixels, head_pictures, angles = self.head_pictures(rng, shares.heads)
        pictures = [picture for _, members in parts for picture in members] + head_pictures
        pixels = torch.cat([pixels for pixels, _ in parts] + [head_pixels])
        pixels = _noisy(rng, pixels)
        return _assemble(pixels, pictures, angles)

    def singles(self, rng: np.random.Generator, numbers: np.ndarray) -> tuple[torch.Tensor, list[_Picture]]:
        """One emoji each, whole, on a plain or procedural ground."""
        count = len(numbers)
        easy = rng.random(count) < 0.4  # large, upright and centred on a plain ground, as in an icon sheet
        scale = np.where(easy, rng.uniform(0.85, 1.02, count), rng.uniform(0.4, 1.02, count))
        room = np.maximum(1 - scale, 0.04)[:, None]
        centre = rng.uniform(-1, 1, (count, 2)) * room
        turn_deg = np.where(rng.random(count) < 0.6, rng.uniform(-20, 20, count), 0)
        grounds, kinds = self._grounds(rng, count, plain_share=np.where(easy, 0.9, 0.35))
        layers = self._layers(rng, numbers, scale, centre, turn_deg)
        pictures = [self._named(rng, int(number), int(kind)) for number, kind in zip(numbers, kinds, strict=True)]
        return _over(grounds, layers), pictures

    def composites(
        self, rng: np.random.Generator, numbers: np.ndarray, count: int
    ) -> tuple[torch.Tensor, list[_Picture]]:
        """Two emoji each (a third of the time three) side by side on a ground; `numbers` gives 3 classes for each."""
        numbers = numbers[: 3 * count].reshape(3, count)
        three = rng.random(count) < 0.33
        grounds, kinds = self._grounds(rng, count, plain_share=np.full(count, 0.2))
        pictures_BCHW = grounds
        places = np.stack([_spread_places(rng, 3 if many else 2) for many in three])  # [count, 3, 2]
        for layer in range(3):
            scale = rng.uniform(0.36, 0.5, count) * np.where(three, 0.92, 1.08)
            drawn = self._layers(rng, numbers[layer], scale, places[:, layer], rng.uniform(-12, 12, count))
            if layer == 2:
                drawn = drawn * torch.from_numpy(three.astype(np.float32))[:, None, None, None]
            pictures_BCHW = _over(pictures_BCHW, drawn)
        described = []
        for column in range(count):
            names = [self.classes[int(number)].name for number in numbers[: 3 if three[column] else 2, column]]
            text = ", ".join(with_article(name) for name in names[:-1]) + " and " + with_article(names[-1])
            place = PLACES.get(KINDS[kinds[column]], "") if rng.random() < 0.7 else ""
            described.append(_Picture(f"{text} {place}".strip(), Keys.NONE, (Keys.OBJECT,)))
        return pictures_BCHW, described

    def fragments(self, rng: np.random.Generator, numbers: np.ndarray) -> tuple[torch.Tensor, list[_Picture]]:
        """A part of one emoji each, enlarged until its outline leaves the picture."""
        count = len(numbers)
        scale = rng.uniform(2.3, 4.0, count)
        rows = np.array([rng.choice(self.rows_by_class[int(number)]) for number in numbers])
        # look at a random opaque place of the drawing, away from its outline where it has such a place
        alpha = torch.from_numpy(np.ascontiguousarray(self.smaller[4][rows][..., 3])).float()[:, None]
        inner = F.avg_pool2d(alpha, 7, stride=1, padding=3)[:, 0].numpy()
        centre = np.zeros((count, 2))
        for index in range(count):
            y, x = np.nonzero(inner[index] >= inner[index].max() * 0.85)
            pick = rng.integers(len(y))
            centre[index] = (np.array([x[pick], y[pick]]) + 0.5) / inner.shape[1] * 2 - 1
        grounds, _ = self._grounds(rng, count, plain_share=np.full(count, 0.5))
        layers = self._layers(rng, numbers, scale, -centre * scale[:, None], np.zeros(count), rows=rows)
        pictures = []
        for number in numbers:
            name = self.classes[int(number)].name
            if rng.random() < 0.5:
                start = ("a part of", "a fragment of", "part of", "a cropped part of")[rng.integers(4)]
                pictures.append(_Picture(f"{start} {with_article(name)}", Keys.NONE, (Keys.FRAGMENT,)))
            else:
                pictures.append(_Picture(str(rng.choice(FRAGMENT_CAPTIONS)), Keys.FRAGMENT, (Keys.FRAGMENT,)))
        return _over(grounds, layers), pictures

    def backgrounds_only(self, rng: np.random.Generator, count: int) -> tuple[torch.Tensor, list[_Picture]]:
        """Grounds without anything on them."""
        rows = rng.integers(len(self.backgrounds), size=count)
        pictures = []
        for row in rows:
            kind = int(self.background_kinds[row])
            words = KIND_CAPTIONS[KINDS[kind]]
            text = words[0] if rng.random() < 0.5 else str(rng.choice(words))
            template = str(rng.choice(BACKGROUND_TEMPLATES))
            pictures.append(_Picture(template.format(text), Keys.KIND + kind, (Keys.KIND + kind,)))
        return self._ground_pixels(rng, rows), pictures

    def head_pictures(self, rng: np.random.Generator, count: int) -> tuple[torch.Tensor, list[_Picture], np.ndarray]:
        """Rendered heads on a ground, half of them mirrored; angles `[count, 3]` in degrees."""
        rows = rng.integers(len(self.heads.pixels), size=count)
        mirrored = rng.random(count) < 0.5
        angles = self.heads.angles_deg_N3[rows] * np.where(mirrored[:, None], [-1, 1, -1], 1)
        layers = _to_planes(self.heads.pixels[rows])
        layers = torch.where(torch.from_numpy(mirrored)[:, None, None, None], layers.flip(3), layers)
        grounds, _ = self._grounds(rng, count, plain_share=np.full(count, 0.5))
        pictures = []
        for index, row in enumerate(rows):
            pose = int(caption_numbers(angles[index])[0])
            text = CAPTIONS[pose]
            draw = rng.random()
            if draw < 0.3:
                expression = EXPRESSIONS[self.heads.expression_N[row]]
                light = LIGHTS[self.heads.light_N[row]]
                if mirrored[index]:
                    light = {
                        "light from the left": "light from the right",
                        "light from the right": "light from the left",
                    }.get(light, light)
                text = describe(
                    angles[index],
                    expressions=[expression] if rng.random() < 0.7 else None,
                    lights=[light] if rng.random() < 0.5 else None,
                )[0]
            if draw < 0.6:
                text = str(rng.choice(TEMPLATES)).format(text)
            pictures.append(_Picture(text, Keys.POSE + pose, (Keys.POSE + pose,), pose=pose))
        return _over(grounds, _jittered(rng, layers)), pictures, angles

    def _named(self, rng: np.random.Generator, number: int, kind: int) -> _Picture:
        """A caption for one whole emoji: its name most of the time, a synonym, or a word for its kind."""
        emoji = self.classes[number]
        general = Keys.of(emoji)
        keys = tuple(key for key, _ in general)
        draw = rng.random()
        if draw < 0.10 and general:
            key, text = general[rng.integers(len(general))]
            return _Picture(text if rng.random() < 0.6 else f"a photo of {text}", key, keys, emoji=number)
        name = emoji.name
        if draw < 0.30 and emoji.synonyms and emoji.synonyms[0] in COCO_EMOJI:
            name = emoji.synonyms[0]
        elif draw < 0.22 and emoji.synonyms:
            name = str(rng.choice(emoji.synonyms))
        text = templated(name)[rng.integers(len(NAME_TEMPLATES))]
        place = PLACES.get(KINDS[kind], "")
        if place and rng.random() < 0.35:
            text = f"{text} {place}"
        return _Picture(text, Keys.NONE, keys, emoji=number)

    def _grounds(
        self, rng: np.random.Generator, count: int, plain_share: np.ndarray
    ) -> tuple[torch.Tensor, np.ndarray]:
        """Grounds `[count, 3, 64, 64]` and their kinds; `plain_share` of them one flat colour, often white or grey."""
        rows = rng.integers(len(self.backgrounds), size=count)
        pixels = self._ground_pixels(rng, rows)
        kinds = self.background_kinds[rows].copy()
        flat = rng.random(count) < plain_share
        colours = rng.random((count, 3))
        grey = rng.random(count) < 0.7
        colours[grey] = rng.choice([1.0, 1.0, 0.94, 0.5, 0.2, 0.0], grey.sum())[:, None]
        flat_pixels = torch.from_numpy(colours.astype(np.float32))[:, :, None, None].expand_as(pixels)
        kinds[flat] = KINDS.index("plain")
        return torch.where(torch.from_numpy(flat)[:, None, None, None], flat_pixels, pixels), kinds

    def _ground_pixels(self, rng: np.random.Generator, rows: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(self.backgrounds[rows]).permute(0, 3, 1, 2).float().contiguous()
        mirrored = torch.from_numpy(rng.random(len(rows)) < 0.5)[:, None, None, None]
        light = torch.from_numpy(rng.uniform(0.75, 1.2, (len(rows), 1, 1, 1)).astype(np.float32) / 255)
        return (torch.where(mirrored, pixels.flip(3), pixels) * light).clamp_(0, 1)

    def _layers(
        self,
        rng: np.random.Generator,
        numbers: np.ndarray,
        scale: np.ndarray,
        centre: np.ndarray,
        turn_deg: np.ndarray,
        rows: np.ndarray | None = None,
    ) -> torch.Tensor:
        """Drawings placed in the picture: premultiplied RGBA `[N, 4, 64, 64]`.

        Args:
            scale: the drawing's side as a part of the picture's.
            centre: where its centre goes, `[N, 2]`, x right and y down, the picture spanning ±1.
            rows: which drawing of each class; drawn at random if absent.
        """
        if rows is None:
            rows = np.array([rng.choice(self.rows_by_class[int(number)]) for number in numbers], dtype=np.int64)
        groups = np.array([self.classes[int(number)].group for number in numbers])
        directed = np.array([bool({"left", "right"} & set(self.classes[int(n)].name.split())) for n in numbers], bool)
        flip = np.isin(groups, FLIPPABLE_GROUPS) & ~directed & (rng.random(len(numbers)) < 0.4)
        to_source = _picture_to_source(scale, centre, turn_deg, flip)
        shrink = RASTER_PX / (IMAGE_PX * scale)  # source pixels for each pixel of the picture
        factor_N = np.where(shrink > 3.6, 4, np.where(shrink > 1.8, 2, 1))
        layers = torch.empty(len(numbers), 4, IMAGE_PX, IMAGE_PX)
        for factor, drawings in ((1, self.drawings_N), (2, self.smaller[2]), (4, self.smaller[4])):
            chosen = np.flatnonzero(factor_N == factor)
            if len(chosen):
                shape = [len(chosen), 4, IMAGE_PX, IMAGE_PX]
                grid = F.affine_grid(torch.from_numpy(to_source[chosen]), shape, align_corners=False)
                layers[chosen] = F.grid_sample(_to_planes(drawings[rows[chosen]]), grid, align_corners=False)
        return _jittered(rng, layers)


def batches(
    composer: Composer,
    seed: int,
    draws: Sequence[int],
    shares: Shares,
    tokenize: Tokenize,
    workers: int = 0,
) -> Iterator[tuple[Batch, torch.Tensor]]:
    """The batches of these draws in order, with the tokens of their captions `[K, L]`.

    With `workers` processes they are composed ahead, and are the same. Finished batches wait in shared memory: where
    there is little of it there are fewer workers.
    """
    steps = _Draws(composer, seed, draws, shares, tokenize)
    workers = min(workers, _room_for_batches(shares) // (AHEAD + 1), len(draws) // 2)
    if workers < 1:
        yield from (steps[index] for index in range(len(draws)))
        return
    yield from DataLoader(steps, batch_size=None, num_workers=workers, prefetch_factor=AHEAD)


class _Draws(Dataset[tuple[Batch, torch.Tensor]]):
    """`Composer.batch` as `DataLoader` asks for it."""

    def __init__(self, composer: Composer, seed: int, draws: Sequence[int], shares: Shares, tokenize: Tokenize) -> None:
        self.composer, self.seed, self.draws, self.shares, self.tokenize = composer, seed, draws, shares, tokenize

    def __len__(self) -> int:
        return len(self.draws)

    def __getitem__(self, index: int) -> tuple[Batch, torch.Tensor]:
        batch = self.composer.batch(self.seed, self.draws[index], self.shares)
        return batch, self.tokenize(batch.captions)


def _room_for_batches(shares: Shares) -> int:
    """How many batches fit in half of what the system has for shared memory (a container may have only 64 MB)."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return 1_000
    return shutil.disk_usage(shared).free // 2 // (shares.total * 3 * IMAGE_PX**2 * 4)


def _picture_to_source(scale: np.ndarray, centre: np.ndarray, turn_deg: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Affine maps `[N, 2, 3]` from places in the picture (±1) to places in the drawing (±1)."""
    turn = np.deg2rad(turn_deg)
    mirror = np.where(flip, -1.0, 1.0)
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    to_source = np.zeros((len(scale), 2, 3), np.float32)
    to_source[:, 0, 0], to_source[:, 0, 1] = mirror * cos, mirror * sin
    to_source[:, 1, 0], to_source[:, 1, 1] = -sin, cos
    to_source[:, :, 2] = -np.einsum("nij,nj->ni", to_source[:, :, :2], centre)
    return to_source


def _halved(drawings_NHW4: np.ndarray) -> np.ndarray:
    count, height, width, _ = drawings_NHW4.shape
    blocks = drawings_NHW4.reshape(count, height // 2, 2, width // 2, 2, 4)
    return (blocks.sum(axis=(2, 4), dtype=np.uint16) // 4).astype(np.uint8)


def _jittered(rng: np.random.Generator, layers_N4HW: torch.Tensor) -> torch.Tensor:
    """Brightness, contrast and saturation of premultiplied layers, one draw each; a twentieth become grey."""
    count = len(layers_N4HW)
    saturation = rng.uniform(0.6, 1.3, count) * (rng.random(count) > 0.05)
    contrast, brightness = rng.uniform(0.75, 1.2, count), rng.uniform(0.75, 1.2, count)
    mix = np.zeros((count, 3, 4), np.float32)  # rgb' = brightness · (contrast · (saturated rgb − ½ alpha) + ½ alpha)
    mix[:, :, :3] = saturation[:, None, None] * np.eye(3) + (1 - saturation[:, None, None]) / 3
    mix[:, :, :3] *= (contrast * brightness)[:, None, None]
    mix[:, :, 3] = (0.5 * (1 - contrast) * brightness)[:, None]
    flat = layers_N4HW.reshape(count, 4, -1)
    rgb = torch.bmm(torch.from_numpy(mix), flat).clamp_(min=0)
    torch.minimum(rgb, flat[:, 3:], out=rgb)
    return torch.cat([rgb, flat[:, 3:]], dim=1).view_as(layers_N4HW)


def _noisy(rng: np.random.Generator, pixels_BCHW: torch.Tensor) -> torch.Tensor:
    """A little sensor noise on a third of the pictures."""
    rows = np.flatnonzero(rng.random(len(pixels_BCHW)) < 0.33)
    strength = rng.uniform(0, 0.04, (len(rows), 1, 1, 1)).astype(np.float32)
    noise = rng.standard_normal((len(rows), *pixels_BCHW.shape[1:]), dtype=np.float32) * strength
    pixels_BCHW[rows] += torch.from_numpy(noise)
    return pixels_BCHW.clamp_(0, 1)


def _over(grounds_N3HW: torch.Tensor, layers_N4HW: torch.Tensor) -> torch.Tensor:
    return torch.addcmul(grounds_N3HW + layers_N4HW[:, :3], grounds_N3HW, layers_N4HW[:, 3:], value=-1)


def _to_planes(rgba_NHW4: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgba_NHW4)).permute(0, 3, 1, 2).to(torch.float32).contiguous() / 255


def _spread_places(rng: np.random.Generator, count: int) -> np.ndarray:
    """Three places `[3, 2]` in ±1 (x right, y down); the first `count` do not crowd one another."""
    if count == 2:
        places = np.array([[-0.46, 0.1], [0.46, 0.1], [0, 0]])
    else:
        places = np.array([[-0.48, 0.38], [0.48, 0.38], [0, -0.46]])
    places[:count] = places[:count][rng.permutation(count)]
    moved: np.ndarray = places + rng.uniform(-0.08, 0.08, (3, 2))
    return moved


def templated(name: str) -> list[str]:
    """A name in each of `NAME_TEMPLATES`: `dog`, `a dog`, `a photo of a dog` …"""
    return [template.replace("a {}", with_article(name)).replace("{}", name) for template in NAME_TEMPLATES]


def name_prompts(names: Sequence[str]) -> list[str]:
    """One prompt for each name: `a photo of a dog`."""
    return [f"a photo of {with_article(name)}" for name in names]


def _assemble(pixels_BCHW: torch.Tensor, pictures: list[_Picture], angles_deg_H3: np.ndarray) -> Batch:
    columns = {caption: column for column, caption in enumerate(CAPTIONS)}
    keys = [Keys.POSE + number for number in range(len(CAPTIONS))]
    classes = [-1] * len(CAPTIONS)
    for picture in pictures:
        if picture.caption not in columns:
            columns[picture.caption] = len(columns)
            keys.append(picture.caption_key)
            classes.append(picture.emoji if picture.caption_key == Keys.NONE else -1)
    positive = np.zeros((len(pictures), len(columns)), bool)
    shared = np.zeros_like(positive)
    key_K = np.array(keys)
    for row, picture in enumerate(pictures):
        positive[row, columns[picture.caption]] = True
        if picture.pose >= 0:
            positive[row, picture.pose] = True
        for key in picture.keys:
            shared[row] |= key_K == key
    return Batch(
        pixels_BCHW=pixels_BCHW,
        captions=list(columns),
        positive_BK=torch.from_numpy(positive),
        ignored_BK=torch.from_numpy(shared & ~positive),
        class_B=torch.tensor([picture.emoji for picture in pictures]),
        class_K=torch.tensor(classes),
        angles_deg_H3=torch.from_numpy(angles_deg_H3.astype(np.float32)),
    )
