"""Prompts as they are given, checked and put into templates; the lists to choose from stand in `prompt_lists.py`.

A light module: no torch. The 7 and 80 templates are read from open_clip when they are first asked for.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import InputError
from ..messages import Message, all_of, reason_of
from ..types import Notice
from ..words import Common
from .prompt_lists import DEFAULT_NEGATIVE, DEFAULT_POSITIVE, GROUPS, Group
from .words import GROUP_NAMES, Says

TemplateSet = Literal["none", "one", "simple", "full"]
TEMPLATE_SETS: tuple[TemplateSet, ...] = ("none", "one", "simple", "full")

MAX_PROMPTS = 1_000  # of all groups together
MAX_TEXTS = 20_000  # prompts × templates: what the text tower is asked to read
MAX_PROMPT_CHARS = 2_000

_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)


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
        kept[group], about_group = _checked_group(group, getattr(prompts, group))
        notices += about_group
    checked = PromptSet(kept["positive"], kept["negative"], kept["neutral"])
    if not checked.positive and not checked.negative:
        raise InputError(Says.no_prompts(), next_step=Says.write_a_prompt())
    if len(checked.texts) > MAX_PROMPTS:
        raise InputError(Says.prompts_too_many(count=len(checked.texts), limit=MAX_PROMPTS))
    return checked, (*notices, *_about_texts(checked))


def _checked_group(group: Group, prompts: Sequence[str]) -> tuple[tuple[str, ...], list[Notice]]:
    """One group's prompts, cleaned and each once; what was left out."""
    name = GROUP_NAMES[group]()
    empty: list[int] = []
    repeated: list[str] = []
    kept: dict[str, None] = {}
    for position, raw in enumerate(prompts, start=1):
        if not isinstance(raw, str):
            raise InputError(Says.prompt_not_text(group=name, kind=type(raw).__name__))
        text = " ".join(raw.split())
        if len(text) > MAX_PROMPT_CHARS:
            raise InputError(
                Says.prompt_too_long(group=name, count=len(text), limit=MAX_PROMPT_CHARS),
                where=text[:60] + "…",
                next_step=Says.one_prompt_per_line(),
            )
        if not text:
            empty.append(position)
        elif text in kept:
            repeated.append(text)
        else:
            kept[text] = None
    notices = []
    if empty:
        text = Says.prompts_empty(count=len(empty), group=name, places=_some(empty))
        notices.append(Notice("prompt_empty", text))
    if repeated:
        names = ", ".join(map(repr, dict.fromkeys(repeated)))
        notices.append(Notice("prompt_duplicate", Says.prompts_repeated(group=name, prompts=names)))
    return tuple(kept), notices


def _about_texts(prompts: PromptSet) -> list[Notice]:
    """Prompts in two groups, in other scripts than Latin, and groups without any."""
    notices = []
    owners: dict[str, list[Message]] = {}
    for text, group in zip(prompts.texts, prompts.groups, strict=True):
        owners.setdefault(text, []).append(GROUP_NAMES[group]())
    shared = [
        Says.prompt_of_groups(prompt=text, groups=all_of(groups)) for text, groups in owners.items() if len(groups) > 1
    ]
    if shared:
        notices.append(Notice("prompt_shared", Says.prompts_shared(prompts=shared)))
    foreign = [text for text in prompts.texts if _other_script(text)]
    if foreign:
        notices.append(Notice("prompt_language", Says.prompts_not_english(prompts=_some(foreign))))
    for group, total in (("positive", "p_pos_sum"), ("negative", "p_neg_sum")):
        if not getattr(prompts, group):
            notices.append(Notice("group_empty", Says.group_empty(group=GROUP_NAMES[group](), sum=total)))
    return notices


def _some(values: Sequence[object]) -> str:
    return ", ".join(map(str, values[:10])) + (" …" if len(values) > 10 else "")


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
                raise InputError(Says.prompt_list_not_text())
            return tuple(values)
    return tuple(line.strip() for line in stripped.splitlines() if not line.lstrip().startswith("#"))


def read(path: Path) -> tuple[str, ...]:
    """`parse` for a UTF-8 file. Raises `InputError` if it cannot be read."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            Says.prompt_file_unreadable(error=reason_of(error)),
            where=str(path),
            next_step=Says.one_prompt_per_line_utf8(),
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
            Says.templates_unknown(name=templates), next_step=Common.choose(names=", ".join(TEMPLATE_SETS))
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
            Says.captions_too_many(prompts=len(prompts), templates=per_prompt, limit=MAX_TEXTS),
            next_step=Says.use_fewer_prompts(),
        )
    return tuple(caption for prompt in prompts for caption in render(prompt, templates)), per_prompt
