"""What people are told: one code, one template in each language, and nothing said around them."""

from __future__ import annotations

import ast
import copy
import importlib
import json
import pickle
import pkgutil
import re
import string
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import core
import core.errors
import webapp
from core.errors import ImageRejected, InputError, WorkbenchError
from core.messages import NOTHING, Message, Template, Vocabulary, all_of, english, joined, listed, reason_of

REPO_DIR = Path(__file__).resolve().parent.parent
SOURCES = [
    file for folder in ("core", "webapp") for file in (REPO_DIR / folder).rglob("*.py") if file.name != "messages.py"
]


class Says(Vocabulary, package="test"):
    plain = Template("Nothing is drawn.", "还没有绘制任何内容。")
    counted = Template("{count:,} of {name!r} left: {reason}.", "{name!r} 还剩 {count:,} 个：{reason}。")


def every_template() -> dict[str, Template]:
    """All of core's and the page's, by code."""
    for package in (core, webapp):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith(".words"):
                importlib.import_module(module.name)
    found: dict[str, Template] = {}
    for vocabulary in Vocabulary.__subclasses__():
        if vocabulary is Says:
            continue
        for template in vocabulary.templates().values():
            assert template.code not in found, f"{template.code} stands twice"
            found[template.code] = template
    return found


def fields(template: str) -> list[tuple[str, str, str]]:
    return sorted(
        (name, conversion or "", spec or "")
        for _, name, spec, conversion in string.Formatter().parse(template)
        if name is not None
    )


# ---- a message ----


def test_a_message_is_english_and_gives_the_other_language_from_the_same_values() -> None:
    message = Says.counted(count=1234, name="a.csv", reason=Says.plain())
    assert message == "1,234 of 'a.csv' left: Nothing is drawn.."
    assert message.said("zh") == "'a.csv' 还剩 1,234 个：还没有绘制任何内容。。"
    assert message.code == "test.counted" and message.said("en") == str(message)


def test_several_messages_are_one_value() -> None:
    message = Says.counted(count=2, name="x", reason=[Says.plain(), english("as it is")])
    assert message.endswith("left: Nothing is drawn.; as it is.")
    assert message.said("zh").endswith("还没有绘制任何内容。；as it is。")


def test_a_strangers_braces_are_no_template() -> None:
    message = Says.counted(count=1, name="{0.__class__} {count}", reason=english("{name}"))
    assert "'{0.__class__} {count}'" in message and message.endswith("{name}.")
    assert "'{0.__class__} {count}'" in message.said("zh")
    assert reason_of(OSError(2, "{no} such")).said("zh") == "没有该文件或文件夹"
    assert reason_of(OSError(2, "{no} such")) == "{no} such"


@pytest.mark.parametrize("through", [copy.deepcopy, lambda message: pickle.loads(pickle.dumps(message))])
def test_it_survives_copies_and_process_boundaries(through) -> None:
    message = through(Says.counted(count=3, name="x", reason=Says.plain()))
    assert isinstance(message, Message) and message.said("zh") == "'x' 还剩 3 个：还没有绘制任何内容。。"
    assert json.loads(json.dumps({"reason": message})) == {"reason": str(message)}


def test_joined_and_listed() -> None:
    assert joined(Says.plain(), NOTHING, Says.plain()).said("zh") == "还没有绘制任何内容。还没有绘制任何内容。"
    assert all_of(["yaw", Says.plain()]).said("zh") == "yaw和还没有绘制任何内容。"
    assert all_of(["yaw"]) == "yaw" and all_of(["yaw", "pitch", "roll"]) == "yaw and pitch and roll"
    assert joined() == "" and joined(NOTHING, Says.plain()).code == "test.plain"
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more" and listed(["a", "b", "c"], 1).said("zh").startswith("a 等")


def test_the_reasons_of_the_system_and_of_json_are_said_in_both_languages(tmp_path: Path) -> None:
    with pytest.raises(OSError) as missing:
        (tmp_path / "none").read_text()
    assert reason_of(missing.value).said("zh") == "没有该文件或文件夹"
    with pytest.raises(json.JSONDecodeError) as bad:
        json.loads('{"a": ]')
    assert reason_of(bad.value).said("zh") == "第 1 行第 7 列（字符 6）：此处应为一个值"
    assert reason_of(bad.value) == str(bad.value)


def test_what_zipfile_and_pillow_say_most_often_is_chinese_on_the_chinese_page() -> None:
    """The page said: 压缩包已损坏，或不是 ZIP（File is not a zip file）。"""
    damaged = reason_of(zipfile.BadZipFile("Bad CRC-32 for file 'd.png'"))
    assert damaged == "Bad CRC-32 for file 'd.png'" and damaged.said("zh") == "CRC-32 校验不符"
    assert reason_of(OSError("image file is truncated (5 bytes not processed)")).said("zh") == "图片数据不完整"
    assert reason_of(ValueError("of its own kind")).said("zh") == "of its own kind"


# ---- errors ----


def test_an_error_keeps_its_messages_across_processes() -> None:
    error = ImageRejected(Says.plain(), where="a.png", next_step=Says.plain(), code_detail="empty")
    again = pickle.loads(pickle.dumps(error))
    assert again.what.said("zh") == "还没有绘制任何内容。" and again.code_detail == "empty"
    assert str(again) == "Nothing is drawn. [a.png] Next: Nothing is drawn."
    assert again.said == "Nothing is drawn. Nothing is drawn."


def test_a_trainers_own_english_becomes_a_message() -> None:
    error = InputError("Only English {here}.")
    assert error.what.said("zh") == "Only English {here}." and error.next_step == ""


# ---- the vocabularies ----


def test_both_languages_take_the_same_values_in_the_same_way() -> None:
    differing = {code: (t.en, t.zh) for code, t in every_template().items() if fields(t.en) != fields(t.zh)}
    assert not differing


def test_every_sentence_has_words_in_both_languages() -> None:
    templates = every_template()
    assert len(templates) > 300, "the packages are found"
    assert not [code for code, each in templates.items() if not each.en.strip() or not each.zh.strip()]
    english_twice = {
        code: each.zh
        for code, each in templates.items()
        if each.zh == each.en and re.search(r"[a-z]{4,} [a-z]{2,}", each.zh)
    }
    assert not english_twice, "someone copied the English"


def test_no_sentence_stands_in_a_vocabulary_that_nobody_says() -> None:
    files = [*SOURCES, REPO_DIR / "core" / "messages.py"]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    said = set(re.findall(r"\.(\w+)\b(?!\s*=\s*Template)", source))
    unsaid = [code for code in every_template() if code.rpartition(".")[2] not in said]
    assert not unsaid


SPOKEN = {
    name for name, each in vars(core.errors).items() if isinstance(each, type) and issubclass(each, WorkbenchError)
}
SPOKEN |= {"Reject", "Notice", "Problem", "Unreadable", "Excluded"}


def literals() -> Iterator[str]:
    """Places in the source where a sentence is written into an error, a reject or a notice, past the vocabularies."""
    for file in SOURCES:
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            if name not in SPOKEN:
                continue
            given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg != "where")]
            for value in given:
                parts = value.values if isinstance(value, ast.JoinedStr) else [value]
                text = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
                if isinstance(value, ast.JoinedStr | ast.Constant) and " " in text.strip():
                    yield f"{file.relative_to(REPO_DIR)}:{value.lineno}: {text}"


def test_no_sentence_is_written_past_the_vocabularies() -> None:
    assert not list(literals())
