"""The words: both languages complete, and each visitor answered in their own."""

from __future__ import annotations

import re
import string
from importlib import import_module
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from core.models.catalogue import CATALOGUE
from webapp.app import TABS
from webapp.shell.page import THEME_COOKIE, theme_of
from webapp.text import COOKIE, WORDS, in_both, label, language_of, say, translations

for tab in TABS:  # the words of a tab are there once it is imported
    import_module(f"{tab}.tab")
EN, ZH = WORDS["en"], WORDS["zh"]
WEBAPP_DIR = Path(__file__).resolve().parents[2] / "webapp"


def names_in(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}


def source() -> str:
    files = [
        file
        for file in WEBAPP_DIR.rglob("*.py")
        if file.name != "words.py" and "text" not in file.relative_to(WEBAPP_DIR).parts
    ]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_every_key_has_words_in_both_languages() -> None:
    assert EN.keys() == ZH.keys()
    empty = [
        f"{language}: {key}" for language, words in WORDS.items() for key, text in words.items() if not text.strip()
    ]
    assert not empty


def test_both_languages_put_in_the_same_values() -> None:
    differing = {key: (EN[key], ZH[key]) for key in EN if names_in(EN[key]) != names_in(ZH[key])}
    assert not differing


def test_chinese_is_chinese() -> None:
    """Someone copied an English line to `zh` and forgot it. Names and file formats are the same in both."""
    english = {key: text for key, text in ZH.items() if text == EN[key] and re.search(r"[a-z]{4,} [a-z]{2,}", text)}
    assert not english


def test_every_model_has_advice_in_chinese() -> None:
    assert not [spec.id for spec in CATALOGUE if not re.search("[\u4e00-\u9fff]", spec.advice.said("zh"))]


def test_every_key_asked_for_exists() -> None:
    asked = set(re.findall(r'(?:label|in_both|words)\(\s*"(\w+)"', source()))
    asked |= set(re.findall(r'say\(\s*\w+,\s*"(\w+)"', source()))
    assert len(asked) > 20, "the pattern finds the calls"
    assert asked <= EN.keys(), f"no words for {sorted(asked - EN.keys())}"


def test_no_words_that_nobody_says() -> None:
    """Either the key itself stands in the code, or what it begins with, in an f-string: `f"error_{code}"`."""
    text = source()
    begins = re.findall(r'f"(\w+_)\{', text)
    unsaid = [key for key in EN if not re.search(rf"[\"']{key}[\"']", text) and not key.startswith(tuple(begins))]
    assert not unsaid


@pytest.mark.parametrize(
    ("accept_language", "expected"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("zh-TW", "zh"),
        ("de-DE,de;q=0.9,zh;q=0.5,en;q=0.3", "zh"),
        ("fr", "en"),
        ("", "en"),
        ("zh;q=nonsense, en;q=0.1", "en"),
        ("*", "en"),
    ],
)
def test_the_browser_decides(accept_language: str, expected: str) -> None:
    assert language_of({"accept-language": accept_language}) == expected


def test_the_option_outranks_the_browser_and_the_visitors_choice_outranks_both() -> None:
    browser = {"accept-language": "en"}
    assert language_of(browser, "zh") == "zh"
    assert language_of({**browser, "cookie": f"a=b; {COOKIE}=en"}, "zh") == "en"
    assert language_of({**browser, "cookie": f"{COOKIE}=zh"}) == "zh"


@pytest.mark.parametrize("cookie", [f"{COOKIE}=de", f"{COOKIE}=", f"{COOKIE}=<script>", 'x="; ;;=', "\x00"])
def test_a_strange_cookie_is_no_choice(cookie: str) -> None:
    assert language_of({"cookie": cookie, "accept-language": "zh"}) == "zh"


def test_another_programs_cookie_on_this_host_does_not_hide_ours() -> None:
    """The page answered 500: Python's cookie parser gives up on names that browsers and other programs use."""
    strange = "a/b=1; {x}=2; c@d=3; "
    assert language_of({"cookie": f"{strange}{COOKIE}=zh", "accept-language": "en"}) == "zh"
    assert theme_of(Headers({"cookie": f"{strange}{THEME_COOKIE}=dark"})) == "dark"


def test_say_puts_values_in() -> None:
    assert say("en", "models_unloaded", count=3) == "Unloaded: 3."
    assert "3" in say("zh", "models_unloaded", count=3)


def test_a_label_without_words_is_found_when_the_page_is_built() -> None:
    with pytest.raises(AssertionError, match="no_such_key"):
        label("no_such_key")


def test_in_both_marks_each_language_and_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EN, "probe", "<b>&")
    monkeypatch.setitem(ZH, "probe", "甲")
    assert in_both("probe") == '<span lang="en">&lt;b&gt;&amp;</span><span lang="zh">甲</span>'


def test_a_visitors_own_words_are_never_taken_for_ours() -> None:
    """The config key `pose_encoder`, a choice of the Runs tab, stood there as "Pose encoder": Gradio's front end looks
    every choice up among our keys."""
    assert not set(translations().translations["en"]) & set(EN)
    assert label("pose_encoder").key in translations().translations["en"]
