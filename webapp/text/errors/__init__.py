"""What `core` says, in Chinese: errors, rejects, notices, the notes on runs.

Core speaks English and knows nothing of languages. Its sentences are translated here, when they are shown:

    translated("Unknown dtype 'fp8'.", "zh")  ->  "没有名为 'fp8' 的数据类型。"

The tables stand beside this file, one for each of core's packages: English template → Chinese template. A template is
what the source says, with `{names}` where it puts values in:

    "Unknown dtype {name}.": "没有名为 {name} 的数据类型。",

Values are carried over as they are. Where a value is words of core's, the Chinese template says so:

    {name:words}       words of `parts.py`, or several joined by `; `
    {name:sentences}   another sentence of these tables, or several joined by `; `
    {name:reasons}     `name: sentence; name: sentence`, the sentences translated
    {name:list}        the visitor's own names, perhaps cut short by core: `a, b and 3 more`

A sentence that no template fits is shown in English.

`tests/webapp/test_error_words.py` reads core's source and names every sentence that has no translation.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from webapp.text.errors import foreground, images, models, page, parts, pose, runs, vectorize

if TYPE_CHECKING:
    from webapp.text import Language

SENTENCES: dict[str, str] = {
    **images.SENTENCES,
    **models.SENTENCES,
    **vectorize.SENTENCES,
    **foreground.SENTENCES,
    **pose.SENTENCES,
    **runs.SENTENCES,
    **page.SENTENCES,
}
_DEEPEST = 4
"""Values inside of values inside of …: core goes two deep. A bound, since the text may be a stranger's."""
_MOST_PARTS = 40
"""Sentences joined to one value: core joins eight. A bound for the same reason."""


def translated(text: str, language: Language) -> str:
    """A sentence of core's in the visitor's language; English is core's own. Plain text, to be escaped like any."""
    return in_chinese(text) if language == "zh" else text


def in_chinese(text: str) -> str:
    """A sentence of core's in Chinese; as it is, if there are no words for it."""
    return _book("sentences").translated(text, 0) or text


@dataclass(frozen=True)
class _Template:
    """An English template taken apart at its gaps, and the Chinese one."""

    literals: tuple[str, ...]
    names: tuple[str, ...]
    chinese: str

    def values(self, text: str) -> dict[str, str] | None:
        """What stands in the gaps if the whole text fits, each as short as it can be from the left; else None.

        Finding the literals one after the other decides it in one pass over the text: where a later place of a literal
        would fit, the first one does too. (A regular expression would try all places against all others.)
        """
        if not self.names:
            return {} if text == self.literals[0] else None
        first, *between, last = self.literals
        if not (text.startswith(first) and text.endswith(last)) or len(text) < len(first) + len(last):
            return None
        begin, stop = len(first), len(text) - len(last)
        found = []
        for literal in between:
            end = text.find(literal, begin, stop)
            if end < 0:
                return None
            found.append(text[begin:end])
            begin = end + len(literal)
        return dict(zip(self.names, [*found, text[begin:stop]], strict=True))


class _Book:
    """Templates to look a text up in: whole sentences at once, those with gaps by the longest literal text first."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._whole: dict[str, str] = {}
        self._templates: list[_Template] = []
        for english, chinese in table.items():
            template = _taken_apart(english, chinese)
            if template.names:
                self._templates.append(template)
            else:
                self._whole[template.literals[0]] = chinese.format()
        self._templates.sort(key=lambda each: -sum(map(len, each.literals)))

    def translated(self, text: str, depth: int) -> str | None:
        whole = self._whole.get(text)
        if whole is not None:
            return whole
        for template in self._templates:
            values = template.values(text)
            if values is not None:
                return template.chinese.format_map({name: _Value(value, depth) for name, value in values.items()})
        return None


@cache
def _book(name: Literal["sentences", "words", "list"]) -> _Book:
    """The templates for a kind of text; made at first use."""
    return _Book({"sentences": SENTENCES, "words": parts.PARTS, "list": parts.LISTS}[name])


def _taken_apart(english: str, chinese: str) -> _Template:
    literals, names = [""], []
    for literal, name, _, _ in string.Formatter().parse(english):
        literals[-1] += literal
        if name is not None:
            names.append(name)
            literals.append("")
    return _Template(tuple(literals), tuple(names), chinese)


class _Value(str):
    """A value on its way into a Chinese template: `{name}` puts it in as it is; for `{name:kind}` see above."""

    depth: int

    def __new__(cls, text: str, depth: int) -> _Value:
        self = super().__new__(cls, text)
        self.depth = depth + 1
        return self

    def __format__(self, kind: str) -> str:
        text = str(self)
        each = text.split("; ")
        if not kind or self.depth > _DEEPEST or len(each) > _MOST_PARTS:
            return text
        if kind == "reasons":
            return "；".join(map(self._reason, each))
        book = _book("words" if kind == "words" else "list" if kind == "list" else "sentences")
        spoken = [book.translated(part, self.depth) for part in each]
        if len(each) > 1 and None not in spoken:  # asked first: one template could span them all
            return "；".join(filter(None, spoken))
        return book.translated(text, self.depth) or text

    def _reason(self, text: str) -> str:
        name, colon, reason = text.partition(": ")
        spoken = _book("sentences").translated(reason, self.depth) if colon else None
        return text if spoken is None else f"{name}：{spoken}"
