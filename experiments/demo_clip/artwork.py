"""Emoji artwork with names: fetched from npm once, rasterised once, kept in a work folder, never in the repository.

Every style becomes `artwork/STYLE.npy`, uint8 `[N, 96, 96, 4]`, RGBA with colours premultiplied by alpha (so that
resampling makes no dark seams), and `artwork/STYLE.json`, the N class numbers. The classes are shared: the
Unicode emoji without skin tones, in `artwork/classes.json`.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import re
import shutil
import subprocess
import tarfile
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from core.errors import InputError, NetworkUnavailable, PackageMissing
from core.files import replacing, write

RASTER_PX = 96
NAMES_PACKAGE = "emojibase-data@17.0.0"  # MIT


@dataclass(frozen=True)
class Style:
    """One family of drawings.

    Attributes:
        key: file name in the work folder.
        package: npm package with its version.
        role: `train`; `near` and `far` are held out of training and only evaluated.
        naming: how icon names lead to emoji: `chars` (the package's table), `slug` (by words), `country` (ISO code).
    """

    key: str
    package: str
    title: str
    author: str
    licence: str
    role: Literal["train", "near", "far"]
    naming: Literal["chars", "slug", "country"]


STYLES = (
    Style("noto", "@iconify-json/noto@1.2.9", "Noto Emoji", "Google", "Apache-2.0", "train", "chars"),
    Style("noto_v1", "@iconify-json/noto-v1@1.2.5", "Noto Emoji v1", "Google", "Apache-2.0", "train", "slug"),
    Style(
        "fluent_flat",
        "@iconify-json/fluent-emoji-flat@1.2.6",
        "Fluent Emoji Flat",
        "Microsoft",
        "MIT",
        "train",
        "chars",
    ),
    Style("fluent", "@iconify-json/fluent-emoji@1.2.7", "Fluent Emoji (shaded)", "Microsoft", "MIT", "train", "slug"),
    # the package says Apache-2.0, which is its code's; the project's LICENSE.md puts the drawings under CC BY 4.0
    Style("fxemoji", "@iconify-json/fxemoji@1.2.2", "Firefox OS Emoji", "Mozilla", "CC-BY-4.0", "train", "slug"),
    Style("emojione", "@iconify-json/emojione@1.2.3", "Emoji One 2.3", "Emoji One", "CC-BY-4.0", "train", "slug"),
    Style("flag", "@iconify-json/flag@1.2.12", "Flag Icons", "Panayiotis Lipiridis", "MIT", "train", "country"),
    Style("circle_flags", "@iconify-json/circle-flags@1.2.11", "Circle Flags", "HatScripts", "MIT", "train", "country"),
    Style(
        "twemoji",
        "@iconify-json/twemoji@1.2.5",
        "Twemoji",
        "Twitter, Inc. and other contributors",
        "CC-BY-4.0",
        "near",
        "chars",
    ),
    Style(
        "openmoji",
        "@iconify-json/openmoji@1.2.29",
        "OpenMoji",
        "the OpenMoji project (HfG Schwäbisch Gmünd)",
        "CC-BY-SA-4.0",
        "far",
        "chars",
    ),
)

# COCO's classes that have an emoji, by the Unicode names of their emoji. Classes without one are left out.
COCO_EMOJI: dict[str, tuple[str, ...]] = {
    "person": ("person", "man", "woman", "boy", "girl", "child", "older person", "person standing"),
    "bicycle": ("bicycle",),
    "car": ("automobile", "oncoming automobile"),
    "motorcycle": ("motorcycle",),
    "airplane": ("airplane", "small airplane"),
    "bus": ("bus", "oncoming bus"),
    "train": ("train", "locomotive", "high-speed train", "bullet train"),
    "truck": ("delivery truck", "articulated lorry", "pickup truck"),
    "boat": ("sailboat", "motor boat", "speedboat", "canoe"),
    "traffic light": ("horizontal traffic light", "vertical traffic light"),
    "stop sign": ("stop sign",),
    "bird": ("bird", "black bird"),
    "cat": ("cat", "cat face", "black cat"),
    "dog": ("dog", "dog face", "guide dog"),
    "horse": ("horse", "horse face"),
    "sheep": ("ewe", "ram"),
    "cow": ("cow", "cow face"),
    "elephant": ("elephant",),
    "bear": ("bear", "polar bear"),
    "zebra": ("zebra",),
    "giraffe": ("giraffe",),
    "backpack": ("backpack",),
    "umbrella": ("umbrella", "umbrella with rain drops", "closed umbrella", "umbrella on ground"),
    "handbag": ("handbag",),
    "tie": ("necktie",),
    "suitcase": ("luggage",),
    "frisbee": ("flying disc",),
    "skis": ("skis",),
    "sports ball": ("soccer ball", "basketball", "volleyball", "baseball"),
    "kite": ("kite",),
    "skateboard": ("skateboard",),
    "tennis racket": ("tennis",),
    "bottle": ("bottle with popping cork", "baby bottle"),
    "wine glass": ("wine glass",),
    "cup": ("hot beverage", "teacup without handle", "cup with straw"),
    "knife": ("kitchen knife",),
    "spoon": ("spoon",),
    "bowl": ("bowl with spoon",),
    "banana": ("banana",),
    "apple": ("red apple", "green apple"),
    "sandwich": ("sandwich",),
    "orange": ("tangerine",),
    "broccoli": ("broccoli",),
    "carrot": ("carrot",),
    "hot dog": ("hot dog",),
    "pizza": ("pizza",),
    "donut": ("doughnut",),
    "cake": ("shortcake", "birthday cake"),
    "chair": ("chair", "seat"),
    "couch": ("couch and lamp",),
    "potted plant": ("potted plant",),
    "bed": ("bed",),
    "toilet": ("toilet",),
    "tv": ("television",),
    "laptop": ("laptop",),
    "mouse": ("computer mouse",),
    "keyboard": ("keyboard",),
    "cell phone": ("mobile phone", "mobile phone with arrow"),
    "book": ("closed book", "open book", "green book", "blue book", "orange book"),
    "clock": ("alarm clock", "mantelpiece clock", "one o’clock", "three o’clock"),
    "scissors": ("scissors",),
    "teddy bear": ("teddy bear",),
    "toothbrush": ("toothbrush",),
}


@dataclass(frozen=True)
class EmojiClass:
    """One name of the class list.

    Attributes:
        code: code points in lower-case hex, joined by `-`, without the variation selector.
        name: the Unicode name in words (`dog face`, `flag France`).
        group: Unicode's group number (3: animals and nature, 4: food …), -1 where it has none.
        synonyms: other words for it: keywords, COCO's class.
    """

    code: str
    name: str
    group: int
    synonyms: tuple[str, ...]


class Artwork:
    """The rasterised styles of a work folder, opened read-only (memory-mapped).

    Raises:
        InputError: the folder has not been prepared; the message names the command.
    """

    def __init__(self, work_dir: Path, roles: Sequence[str] = ("train",)) -> None:
        folder = work_dir / "artwork"
        self.styles = [style for style in STYLES if style.role in roles]
        if not all((folder / f"{name}.json").is_file() for name in ("classes", *(style.key for style in self.styles))):
            raise InputError(
                "The emoji artwork is not prepared.",
                where=str(folder),
                next_step=f"python -m experiments.train_demo_clip prepare --work_dir {work_dir}",
            )
        records = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
        self.classes = [EmojiClass(**{**record, "synonyms": tuple(record["synonyms"])}) for record in records]
        self.pixels = {style.key: np.load(folder / f"{style.key}.npy", mmap_mode="r") for style in self.styles}
        self.class_ids = {
            style.key: np.array(json.loads((folder / f"{style.key}.json").read_text())) for style in self.styles
        }

    @cached_property
    def number_by_name(self) -> dict[str, int]:
        return {emoji.name: number for number, emoji in enumerate(self.classes)}

    def coco_numbers(self) -> dict[str, list[int]]:
        """COCO class → class numbers of its emoji."""
        numbers = self.number_by_name
        return {coco: [numbers[name] for name in names if name in numbers] for coco, names in COCO_EMOJI.items()}


def prepare(work_dir: Path, *, processes: int = 2) -> None:
    """Fetches the packages that are absent and rasterises the styles that are absent.

    Raises:
        PackageMissing: `npm` or `resvg_py` is not installed.
        NetworkUnavailable: npm cannot reach its registry.
    """
    packages_dir, folder = work_dir / "npm", work_dir / "artwork"
    folder.mkdir(parents=True, exist_ok=True)
    for package in (NAMES_PACKAGE, *(style.package for style in STYLES)):
        _fetch(package, packages_dir)
    classes, codes_by_words = _names(packages_dir)
    _write_json(folder / "classes.json", [asdict(emoji) for emoji in classes])
    number_by_code = {emoji.code: number for number, emoji in enumerate(classes)}
    for style in STYLES:
        if (folder / f"{style.key}.json").is_file():
            continue
        icons = _icons_by_class(_folder(style.package, packages_dir), style, number_by_code, codes_by_words)
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            images = pool.map(_rasterise, [svg for _, svg in icons], chunksize=32)
        kept = [(number, image) for (number, _), image in zip(icons, images, strict=True) if image is not None]
        np.save(folder / f"{style.key}.npy", np.stack([image for _, image in kept]))
        _write_json(folder / f"{style.key}.json", [number for number, _ in kept])
        print(f"{style.key}: {len(kept)} drawings, {len(icons) - len(kept)} could not be rasterised", flush=True)


def _fetch(package: str, packages_dir: Path) -> None:
    target = _folder(package, packages_dir)
    if target.is_dir():
        return
    if shutil.which("npm") is None:
        raise PackageMissing(
            "npm is needed once, to fetch the emoji artwork.",
            where=package,
            next_step=f"install Node.js, or unpack the package's archive to {target} by hand",
        )
    packages_dir.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", "--silent", package]
    done = subprocess.run(command, cwd=packages_dir, capture_output=True, text=True)
    if done.returncode != 0:
        raise NetworkUnavailable(
            "npm could not fetch a package of emoji artwork.",
            where=f"{package}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no message'}",
            next_step="check the network, then run prepare again; what is already here is kept",
        )
    archive = packages_dir / done.stdout.strip().splitlines()[-1]
    with tarfile.open(archive) as tar, replacing(target) as (draft,):
        tar.extractall(draft, filter="data")


def _folder(package: str, packages_dir: Path) -> Path:
    """`@scope/name@1.2` → `PACKAGES/scope-name-1.2`, npm's own archive name without its ending."""
    return packages_dir / package.removeprefix("@").replace("/", "-").replace("@", "-")


def _names(packages_dir: Path) -> tuple[list[EmojiClass], dict[str, str]]:
    """The class list, and from words (letters and digits only) to code points."""
    names_dir = _folder(NAMES_PACKAGE, packages_dir) / "package" / "en"
    classes = _classes(_read_json(names_dir / "data.json"))
    words = {_squash(emoji.name): emoji.code for emoji in classes}
    for style in STYLES:  # the training styles' own tables know older spellings; those of the held-out styles stay out
        table = _folder(style.package, packages_dir) / "package" / "chars.json"
        if style.role == "train" and table.is_file():
            for code, slug in _read_json(table).items():
                words.setdefault(_squash(slug), _plain_code(code))
    for table in sorted((names_dir / "shortcodes").glob("*.json")):
        for code, slugs in _read_json(table).items():
            for slug in [slugs] if isinstance(slugs, str) else slugs:
                words.setdefault(_squash(slug), _plain_code(code))
    for emoji in classes:
        if "-" not in emoji.code:
            words.setdefault(_squash(unicodedata.name(chr(int(emoji.code, 16)), "")), emoji.code)
    return classes, words


def _classes(records: list[dict[str, Any]]) -> list[EmojiClass]:
    coco_by_label = {label: coco for coco, labels in COCO_EMOJI.items() for label in labels}
    classes = []
    for record in records:
        group, label = record.get("group", 2), record["label"].replace(": ", " ")
        if group == 2 or label.startswith("regional indicator"):
            continue  # skin tones, hair and letters are components, not pictures of something
        synonyms = [tag for tag in record.get("tags", []) if len(tag) > 2 and tag != label]
        if label in coco_by_label:
            synonyms.insert(0, coco_by_label[label])
        classes.append(EmojiClass(_plain_code(record["hexcode"]), label, int(group), tuple(synonyms)))
    return classes


def _icons_by_class(
    folder: Path, style: Style, number_by_code: dict[str, int], codes_by_words: dict[str, str]
) -> list[tuple[int, str]]:
    """(class number, SVG text) of every icon that is a class of ours, one for each class."""
    package = folder / "package"
    icons = _read_json(package / "icons.json")
    bodies: dict[str, dict[str, Any]] = icons["icons"]
    slugs_by_code: dict[str, str] = {}
    if style.naming == "chars":
        slugs_by_code = {_plain_code(code): slug for code, slug in _read_json(package / "chars.json").items()}
    elif style.naming == "slug":
        for slug in bodies:
            words = _squash(re.sub(r"^flag-for-", "flag-", slug))
            if words in codes_by_words:
                slugs_by_code.setdefault(codes_by_words[words], slug)
    else:
        for code in number_by_code:
            points = code.split("-")
            if len(points) == 2 and all(point.startswith("1f1") and len(point) == 5 for point in points):
                country = "".join(chr(int(point, 16) - 0x1F1E6 + ord("a")) for point in points)
                slugs_by_code[code] = next((s for s in (f"{country}-4x3", country) if s in bodies), "")
    found = []
    for code, number in number_by_code.items():
        icon = bodies.get(slugs_by_code.get(code, ""))
        if icon is None:
            continue
        width, height = icon.get("width", icons.get("width", 16)), icon.get("height", icons.get("height", 16))
        left, top = icon.get("left", 0), icon.get("top", 0)
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{icon["body"]}</svg>'
        )
        found.append((number, svg))
    return found


def _rasterise(svg: str) -> np.ndarray | None:
    """SVG → uint8 `[96, 96, 4]`, premultiplied, centred on a transparent square; None if it cannot be drawn."""
    try:
        import resvg_py
    except ImportError as missing:
        raise PackageMissing(
            "resvg_py is needed to rasterise the emoji artwork.", next_step="pip install resvg_py"
        ) from missing
    try:
        png = resvg_py.svg_to_bytes(svg_string=svg, width=RASTER_PX * 2, skip_system_fonts=True)
    except ValueError:
        return None
    image = Image.open(io.BytesIO(bytes(png))).convert("RGBA").convert("RGBa")
    image.thumbnail((RASTER_PX, RASTER_PX), Image.Resampling.BOX)
    square = np.zeros((RASTER_PX, RASTER_PX, 4), np.uint8)
    top, left = (RASTER_PX - image.height) // 2, (RASTER_PX - image.width) // 2
    square[top : top + image.height, left : left + image.width] = np.asarray(image)
    return square if square[..., 3].any() else None


def _squash(words: str) -> str:
    plain = unicodedata.normalize("NFKD", words.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", plain)


def _plain_code(code: str) -> str:
    return "-".join(point for point in code.lower().split("-") if point != "fe0f")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write_json(path: Path, value: Any) -> None:
    """Written whole or not at all: a half-written file would look prepared."""
    write(path, json.dumps(value, ensure_ascii=False))
