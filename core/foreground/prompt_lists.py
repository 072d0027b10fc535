"""The lists themselves: the note's own, COCO's 80 classes, words for stuff, and the presets made of them. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ..articles import with_article
from ..errors import InputError
from ..words import Common
from .words import Says

Group = Literal["positive", "negative", "neutral"]
GROUPS: tuple[Group, ...] = ("positive", "negative", "neutral")

# The note's own lists, in the note's order.
NOTE_POSITIVE = (
    "a person",
    "a man",
    "a woman",
    "a child",
    "a group of people",
    "a bicycle",
    "a car",
    "a motorcycle",
    "a bus",
    "a truck",
    "a building",
    "a room",
    "an object",
)
NOTE_NEGATIVE = (
    "sky",
    "ground",
    "road",
    "wall",
    "grass",
    "tree",
    "background",
    "a sleeve",
    "a pant leg",
    "clothing",
    "a texture",
    "a part of",
    "a fragment",
)
NEUTRAL = ("a photo", "an image")

# COCO's 80 classes by supercategory, in the order of COCO's category ids.
COCO_BY_SUPERCATEGORY: dict[str, tuple[str, ...]] = {
    "person": ("person",),
    "vehicle": ("bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    "outdoor": ("traffic light", "fire hydrant", "stop sign", "parking meter", "bench"),
    "animal": ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    "accessory": ("backpack", "umbrella", "handbag", "tie", "suitcase"),
    "sports": (
        "frisbee",
        "skis",
        "snowboard",
        "sports ball",
        "kite",
        "baseball bat",
        "baseball glove",
        "skateboard",
        "surfboard",
        "tennis racket",
    ),
    "kitchen": ("bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl"),
    "food": (
        "banana",
        "apple",
        "sandwich",
        "orange",
        "broccoli",
        "carrot",
        "hot dog",
        "pizza",
        "donut",
        "cake",
    ),
    "furniture": ("chair", "couch", "potted plant", "bed", "dining table", "toilet"),
    "electronic": ("tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    "appliance": ("microwave", "oven", "toaster", "sink", "refrigerator"),
    "indoor": ("book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush"),
}
COCO_80: tuple[str, ...] = tuple(name for names in COCO_BY_SUPERCATEGORY.values() for name in names)

# Words for stuff that segmentation work on CLIP puts on the background side (SCLIP's list for VOC-21).
STUFF = (
    "sky",
    "wall",
    "tree",
    "wood",
    "grass",
    "road",
    "sea",
    "river",
    "mountain",
    "sands",
    "desk",
    "bed",
    "building",
    "cloud",
    "lamp",
    "door",
    "window",
    "wardrobe",
    "ceiling",
    "shelf",
    "curtain",
    "stair",
    "floor",
    "hill",
    "rail",
    "fence",
)


def _union(*lists: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(prompt for prompts in lists for prompt in prompts))


DEFAULT_POSITIVE = _union(NOTE_POSITIVE, map(with_article, COCO_80))  # 87
DEFAULT_NEGATIVE = NOTE_NEGATIVE  # 13


@dataclass(frozen=True)
class PromptPreset:
    """A named list a person can add to one of the groups.

    Attributes:
        name: stable, for menus and files.
        group: the side it is meant for.
        prompts: in order.
    """

    name: str
    group: Group
    prompts: tuple[str, ...]


PRESETS: tuple[PromptPreset, ...] = (
    PromptPreset("note + COCO", "positive", DEFAULT_POSITIVE),
    PromptPreset("note positive", "positive", NOTE_POSITIVE),
    PromptPreset("COCO-80", "positive", tuple(map(with_article, COCO_80))),
    *(
        PromptPreset(f"COCO {supercategory}", "positive", tuple(map(with_article, names)))
        for supercategory, names in COCO_BY_SUPERCATEGORY.items()
    ),
    PromptPreset("note negative", "negative", NOTE_NEGATIVE),
    PromptPreset("note background", "negative", NOTE_NEGATIVE[:7]),
    PromptPreset("note fragments", "negative", NOTE_NEGATIVE[7:]),
    PromptPreset("stuff", "negative", STUFF),
    PromptPreset("neutral", "neutral", NEUTRAL),
)


def preset(name: str) -> PromptPreset:
    """The preset of that name. Raises `InputError` that lists the names."""
    if not is_preset(name):
        raise InputError(
            Says.preset_unknown(name=name), next_step=Common.choose_one(names=", ".join(p.name for p in PRESETS))
        )
    return next(each for each in PRESETS if each.name == name)


def is_preset(name: str) -> bool:
    return any(each.name == name for each in PRESETS)
