"""The words that stand for foreground and background: the note's lists, presets, templates, and checks.

A light module: no torch. The 7 and 80 templates are read from open_clip when they are first asked for.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import InputError
from ..types import Notice
from ..words import Common
from .words import Says

Group = Literal["positive", "negative", "neutral"]
GROUPS: tuple[Group, ...] = ("positive", "negative", "neutral")
TemplateSet = Literal["none", "one", "simple", "full"]
TEMPLATE_SETS: tuple[TemplateSet, ...] = ("none", "one", "simple", "full")

MAX_PROMPTS = 1_000  # of all groups together
MAX_TEXTS = 20_000  # prompts × templates: what the text tower is asked to read
MAX_PROMPT_CHARS = 2_000

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

_NO_ARTICLE = {"skis", "scissors", "broccoli"}
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)


def with_article(noun: str) -> str:
    """`dog` → `a dog`, `apple` → `an apple`, `skis` → `skis`."""
    if noun in _NO_ARTICLE:
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _union(*lists: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(prompt for prompts in lists for prompt in prompts))


DEFAULT_POSITIVE = _union(NOTE_POSITIVE, map(with_article, COCO_80))  # 87
DEFAULT_NEGATIVE = NOTE_NEGATIVE  # 13


@dataclass(frozen=True)
class Preset:
    """A named list a person can add to one of the groups.

    Attributes:
        name: stable, for menus and files.
        group: the side it is meant for.
        prompts: in order.
    """

    name: str
    group: Group
    prompts: tuple[str, ...]


PRESETS: tuple[Preset, ...] = (
    Preset("note + COCO", "positive", DEFAULT_POSITIVE),
    Preset("note positive", "positive", NOTE_POSITIVE),
    Preset("COCO-80", "positive", tuple(map(with_article, COCO_80))),
    *(
        Preset(f"COCO {supercategory}", "positive", tuple(map(with_article, names)))
        for supercategory, names in COCO_BY_SUPERCATEGORY.items()
    ),
    Preset("note negative", "negative", NOTE_NEGATIVE),
    Preset("note background", "negative", NOTE_NEGATIVE[:7]),
    Preset("note fragments", "negative", NOTE_NEGATIVE[7:]),
    Preset("stuff", "negative", STUFF),
    Preset("neutral", "neutral", NEUTRAL),
)


def preset(name: str) -> Preset:
    """The preset of that name. Raises `InputError` that lists the names."""
    for candidate in PRESETS:
        if candidate.name == name:
            return candidate
    raise InputError(
        Says.there_no_preset(name=name), next_step=Common.choose_one(names=", ".join(p.name for p in PRESETS))
    )


@dataclass(frozen=True)
class PromptSet:
    """Three groups of prompts. All of them stand in the softmax; neutral ones in neither sum.

    Attributes:
        positive: what a foreground object is called.
        negative: background and fragments.
        neutral: optional; what is neither.
    """

    positive: tuple[str, ...] = DEFAULT_POSITIVE
    negative: tuple[str, ...] = DEFAULT_NEGATIVE
    neutral: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All K prompts: positive, negative, neutral."""
        return self.positive + self.negative + self.neutral

    @property
    def groups(self) -> tuple[Group, ...]:
        """The group of each of the K prompts."""
        return tuple(group for group in GROUPS for _ in getattr(self, group))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Where each group lies in `texts`."""
        first, second = len(self.positive), len(self.positive) + len(self.negative)
        return slice(0, first), slice(first, second), slice(second, len(self.texts))


def check(prompts: PromptSet) -> tuple[PromptSet, tuple[Notice, ...]]:
    """What will be scored, and what was changed or should be known.

    Surrounding white space goes; empty prompts and repetitions within a group are left out and named; a prompt that
    stands in two groups stays in both and is named; other scripts than Latin get a word of warning.

    Raises:
        InputError: no positive and no negative prompt at all, too many prompts, or one too long.
    """
    notices: list[Notice] = []
    kept: dict[Group, tuple[str, ...]] = {}
    for group in GROUPS:
        empty: list[int] = []
        repeated: dict[str, int] = {}
        seen: dict[str, None] = {}
        for position, raw in enumerate(getattr(prompts, group), start=1):
            if not isinstance(raw, str):
                raise InputError(Says.prompt_text_list_holds(group=group, kind=type(raw).__name__))
            text = " ".join(raw.split())
            if len(text) > MAX_PROMPT_CHARS:
                raise InputError(
                    Says.prompt_characters_allowed(group=group, count=len(text), limit=MAX_PROMPT_CHARS),
                    where=text[:60] + "…",
                    next_step=Says.one_prompt_per_line_clip(),
                )
            if not text:
                empty.append(position)
            elif text in seen:
                repeated[text] = repeated.get(text, 0) + 1
            else:
                seen[text] = None
        kept[group] = tuple(seen)
        if empty:
            places = ", ".join(map(str, empty[:10])) + (" …" if len(empty) > 10 else "")
            notices.append(
                Notice("prompt_empty", Says.empty_prompt_s_left_out(count=len(empty), group=group, places=places))
            )
        if repeated:
            names = ", ".join(repr(text) for text in repeated)
            notices.append(Notice("prompt_duplicate", Says.repeated_prompts_count_once(group=group, prompts=names)))
    checked = PromptSet(kept["positive"], kept["negative"], kept["neutral"])
    if not checked.positive and not checked.negative:
        raise InputError(Says.there_no_positive_no_negative(), next_step=Says.write_least_one_choose_preset())
    if len(checked.texts) > MAX_PROMPTS:
        raise InputError(Says.prompts_too_many_allowed(count=len(checked.texts), limit=MAX_PROMPTS))
    notices += _names_of_shared(checked)
    foreign = [text for text in checked.texts if _other_script(text)]
    if foreign:
        notices.append(
            Notice(
                "prompt_language",
                f"CLIP learned from English; these prompts will work less well: {', '.join(foreign[:10])}"
                f"{' …' if len(foreign) > 10 else ''}.",
            )
        )
    for group, meaning in (("positive", "p_pos_sum is 0"), ("negative", "p_neg_sum is 0")):
        if not kept[group]:  # type: ignore[index]
            notices.append(Notice("group_empty", f"There are no {group} prompts, so {meaning} for every component."))
    return checked, tuple(notices)


def _names_of_shared(prompts: PromptSet) -> list[Notice]:
    owners: dict[str, list[str]] = {}
    for text, group in zip(prompts.texts, prompts.groups, strict=True):
        owners.setdefault(text, []).append(group)
    shared = [f"{text!r} ({' and '.join(groups)})" for text, groups in owners.items() if len(groups) > 1]
    if not shared:
        return []
    return [Notice("prompt_shared", Says.two_groups_once_so_pulling(prompts=", ".join(shared)))]


def _other_script(text: str) -> bool:
    return any(char.isalpha() and not unicodedata.name(char, "").startswith("LATIN") for char in text)


def parse(text: str) -> tuple[str, ...]:
    """Prompts from a text box or a file: one per line, lines that start with `#` are remarks; or a JSON list.

    Empty lines at the end are no prompts; those between are kept, so that `check` can name them.
    """
    stripped = text.lstrip("\ufeff").strip()
    if stripped.startswith("["):
        try:
            values = json.loads(stripped)
        except (ValueError, RecursionError):
            values = None  # a prompt may begin with a bracket
        if isinstance(values, list):
            if not all(isinstance(value, str) for value in values):
                raise InputError(Says.json_list_prompts_may_hold())
            return tuple(values)
    return tuple(line.strip() for line in stripped.splitlines() if not line.lstrip().startswith("#"))


def read(path: Path) -> tuple[str, ...]:
    """`parse` for a UTF-8 file. Raises `InputError` if it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            Says.prompt_file_cannot_read(error=error), where=str(path), next_step=Says.one_prompt_per_line_utf()
        ) from error


def render(prompt: str, templates: TemplateSet) -> tuple[str, ...]:
    """The captions that stand for one prompt; their embeddings are averaged.

    `none`: the prompt itself. `one`: "a photo of …". `simple`, `full`: OpenAI's 7 and 80 ImageNet templates, which
    bring their own article, so the prompt's is taken off ("a dog" → "itap of a dog.").

    Raises:
        InputError: an unknown set of templates.
    """
    if templates == "none":
        return (prompt,)
    if templates == "one":
        return (f"a photo of {prompt}.",)
    if templates not in TEMPLATE_SETS:
        raise InputError(
            Says.there_no_templates(name=templates), next_step=Common.choose(names=", ".join(TEMPLATE_SETS))
        )
    from open_clip import zero_shot_metadata as metadata

    functions = metadata.SIMPLE_IMAGENET_TEMPLATES if templates == "simple" else metadata.OPENAI_IMAGENET_TEMPLATES
    noun = _ARTICLE.sub("", prompt) or prompt
    return tuple(function(noun) for function in functions)


def captions(prompts: Sequence[str], templates: TemplateSet) -> tuple[tuple[str, ...], int]:
    """Every prompt's captions in one list, and how many there are to a prompt.

    Raises:
        InputError: more than `MAX_TEXTS` captions.
    """
    per_prompt = len(render("a thing", templates))
    if per_prompt * len(prompts) > MAX_TEXTS:
        raise InputError(
            Says.prompts_templates_more_than_captions(prompts=len(prompts), templates=per_prompt, limit=MAX_TEXTS),
            next_step=Says.use_fewer_prompts_fewer_templates(),
        )
    return tuple(caption for prompt in prompts for caption in render(prompt, templates)), per_prompt
