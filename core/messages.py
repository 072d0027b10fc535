"""What people are told: a code, a template in each language, and the values that fill it.

Each package lists what it says in its `words.py`, English and Chinese side by side:

    class Says(Vocabulary, package="foreground"):
        margin_range = Template("The margin must lie in 0..2, not {value}.", "边距须在 0..2 之间，不能是 {value}。")

    raise InputError(Says.margin_range(value=margin))

A `Message` is the English sentence (a `str`: it prints, compares and goes into JSON as one) that remembers its template
and its values, so that another language is the other template filled in with the same values. Nobody ever takes a
finished sentence apart.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

Language = Literal["en", "zh"]


@dataclass
class Template:
    """One sentence in each language, with `{names}` as for `str.format`; the names are the same in both.

    `code` is stable: `package.attribute` of the vocabulary that it stands in.
    """

    en: str
    zh: str
    code: str = ""

    def __call__(self, **values: Any) -> Message:
        """The sentence. A value may be a message, or a list of messages (joined by `; `)."""
        return Message(self, values)


class Vocabulary:
    """Base of each package's `Says`."""

    def __init_subclass__(cls, package: str) -> None:
        for name, template in cls.templates().items():
            template.code = f"{package}.{name}"

    @classmethod
    def templates(cls) -> dict[str, Template]:
        return {name: value for name, value in vars(cls).items() if isinstance(value, Template)}


class Message(str):
    """A filled-in template. As a `str` it is English; `said` gives the other languages."""

    __slots__ = ("template", "values")

    template: Template
    values: Mapping[str, Any]

    def __new__(cls, template: Template, values: Mapping[str, Any]) -> Message:
        self = super().__new__(cls, _filled(template.en, values, "en"))
        self.template, self.values = template, values
        return self

    @property
    def code(self) -> str:
        return self.template.code

    def said(self, language: Language) -> str:
        return str(self) if language == "en" else _filled(self.template.zh, self.values, language)

    def __reduce__(self) -> tuple[Any, ...]:  # across a process boundary, and for `copy.deepcopy`
        return Message, (self.template, dict(self.values))


def _filled(template: str, values: Mapping[str, Any], language: Language) -> str:
    return template.format_map({name: _in_language(value, language) for name, value in values.items()})


def _in_language(value: Any, language: Language) -> Any:
    if isinstance(value, Message):
        return value.said(language)
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, Message) for part in value):
        return ("; " if language == "en" else "；").join(part.said(language) for part in value)
    return value


# ---- pieces that every package needs ----


class Pieces(Vocabulary, package="pieces"):
    english = Template("{text}", "{text}")
    one_after_another = Template("{first} {second}", "{first}{second}")
    this_and_that = Template("{first} and {second}", "{first}和{second}")
    and_more = Template("{names} and {count} more", "{names} 等，另有 {count} 个")
    json_error = Template(
        "{problem}: line {line} column {column} (char {char})", "第 {line} 行第 {column} 列（字符 {char}）：{problem}"
    )


NOTHING = Pieces.english(text="")
"""No sentence: an error without a next step, a run without a problem."""


def english(text: object) -> Message:
    """A sentence with one wording only: what a library or a file says, or what only the command line shows."""
    return text if isinstance(text, Message) else Pieces.english(text=str(text))


def joined(*messages: Message) -> Message:
    """Sentences one after the other; empty ones are left out."""
    return _chained(Pieces.one_after_another, [message for message in messages if message] or [NOTHING])


def all_of(names: Sequence[str]) -> Message:
    """Each of a few: `yaw and pitch and roll`. They may be messages."""
    return _chained(Pieces.this_and_that, [english(name) for name in names])


def _chained(pair: Template, messages: Sequence[Message]) -> Message:
    return reduce(lambda first, second: pair(first=first, second=second), messages)


def listed(names: Sequence[object], most: int) -> Message:
    """The first `most` names, and how many more there are: `a, b and 3 more`. They may be messages."""
    first = list(names[:most])
    shown = first if first and all(isinstance(name, Message) for name in first) else ", ".join(map(str, first))
    if len(names) <= most:
        return Pieces.english(text=shown)
    return Pieces.and_more(names=shown, count=len(names) - most)


def reason_of(error: BaseException) -> Message:
    """Why, in the words of the operating system or a library, one line: `No such file or directory`."""
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        name = errno.errorcode[error.errno]  # type: ignore[index]
        said = error.strerror or name
        return _fixed(said, _OS_ZH.get(name, said), f"os.{name}")
    if isinstance(error, json.JSONDecodeError):
        problem = _fixed(error.msg, _JSON_ZH.get(error.msg, error.msg), "json.problem")
        return Pieces.json_error(problem=problem, line=error.lineno, column=error.colno, char=error.pos)
    if len(error.args) == 1 and isinstance(error.args[0], Message):
        return error.args[0]
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    zh = next((zh for begin, zh in _LIBRARY_ZH.items() if said.startswith(begin)), None)
    return english(said) if zh is None else _fixed(said, zh, "library.problem")


def _fixed(en: str, zh: str, code: str) -> Message:
    """Words that are no template, whatever braces stand in them."""
    en, zh = (text.replace("{", "{{").replace("}", "}}") for text in (en, zh))
    return Template(en, zh, code)()


_OS_ZH = {
    "ENOENT": "没有该文件或文件夹",
    "EACCES": "权限不足",
    "EPERM": "操作不被允许",
    "EISDIR": "是文件夹",
    "ENOTDIR": "不是文件夹",
    "EEXIST": "文件已存在",
    "ENAMETOOLONG": "文件名过长",
    "ENOSPC": "磁盘空间不足",
    "EROFS": "文件系统只读",
    "EIO": "读写错误",
    "ELOOP": "符号链接层数过多",
}
_JSON_ZH = {
    "Expecting value": "此处应为一个值",
    "Expecting property name enclosed in double quotes": "此处应为双引号括起的属性名",
    "Illegal trailing comma before end of object": "对象末尾多了逗号",
    "Illegal trailing comma before end of array": "数组末尾多了逗号",
    "Expecting ',' delimiter": "此处应为“,”",
    "Expecting ':' delimiter": "此处应为“:”",
    "Unterminated string starting at": "由此开始的字符串没有结束",
    "Invalid control character at": "此处有非法控制字符",
    "Invalid \\escape": "此处的转义无效",
    "Extra data": "此后有多余内容",
}
# What zipfile and Pillow say most often; by how it begins, since names and numbers may follow.
_LIBRARY_ZH = {
    "File is not a zip file": "文件不是 zip",
    "Bad CRC-32 for file": "CRC-32 校验不符",
    "image file is truncated": "图片数据不完整",
    "broken data stream when reading image file": "图片数据流已损坏",
    "unrecognized data stream contents when reading image file": "图片数据流无法识别",
    "Truncated File Read": "文件读取不完整",
    "cannot identify image file": "无法识别的图片文件",
}
