"""The lists are the note's and COCO's; checks name what they change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.foreground.prompt_lists import (
    COCO_80,
    DEFAULT_NEGATIVE,
    DEFAULT_POSITIVE,
    NOTE_NEGATIVE,
    NOTE_POSITIVE,
    PRESETS,
    preset,
)
from core.foreground.prompts import MAX_PROMPTS, PromptSet, captions, check, parse, read, render


def codes(notices) -> list[str]:
    return [notice.code for notice in notices]


def test_the_default_lists_are_the_notes_own_and_all_of_coco():
    assert len(DEFAULT_POSITIVE) == 87 and len(set(DEFAULT_POSITIVE)) == 87
    assert len(DEFAULT_NEGATIVE) == 13
    assert DEFAULT_POSITIVE[:13] == NOTE_POSITIVE
    note = "a person, a man, a woman, a child, a group of people, a bicycle, a car, a motorcycle, a bus, a truck"
    assert NOTE_POSITIVE[:10] == tuple(note.split(", "))
    assert NOTE_POSITIVE[10:] == ("a building", "a room", "an object")
    negative = "sky, ground, road, wall, grass, tree, background, a sleeve, a pant leg, clothing, a texture, a part of"
    assert (*negative.split(", "), "a fragment") == NOTE_NEGATIVE


def test_coco_80_is_torchvisions_list():
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    names = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    assert tuple(name for name in names if name not in ("N/A", "__background__")) == COCO_80


def test_every_coco_class_stands_in_the_default_list_with_its_article():
    bare = {prompt.removeprefix("an ").removeprefix("a ") for prompt in DEFAULT_POSITIVE}
    assert set(COCO_80) <= bare
    assert "an airplane" in DEFAULT_POSITIVE and "a dog" in DEFAULT_POSITIVE and "scissors" in DEFAULT_POSITIVE
    assert "a airplane" not in DEFAULT_POSITIVE


def test_presets_have_unique_names_and_can_be_found():
    names = [one.name for one in PRESETS]
    assert len(set(names)) == len(names)
    assert preset("COCO vehicle").prompts[:2] == ("a bicycle", "a car")
    assert preset("stuff").group == "negative" and len(preset("stuff").prompts) == 26
    with pytest.raises(InputError, match="note negative"):
        preset("no such list")


def test_importing_the_lists_costs_no_torch():
    code = (
        "import sys; import core.foreground.prompts, core.foreground.components, core.foreground.treatments, "
        "core.foreground.scoring, core.foreground.explain; "
        "sys.exit('torch' in sys.modules or 'open_clip' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_empty_and_repeated_prompts_are_left_out_and_named():
    checked, notices = check(PromptSet(("a dog", "", " a dog ", "a  cat", "a cat"), ("sky", "   "), ()))
    assert checked.positive == ("a dog", "a cat") and checked.negative == ("sky",)
    assert codes(notices) == ["prompt_empty", "prompt_duplicate", "prompt_empty"]
    assert "place 2" in notices[0].text and "'a dog'" in notices[1].text and "'a cat'" in notices[1].text


def test_a_prompt_in_two_groups_stays_in_both_and_is_named():
    checked, notices = check(PromptSet(("a building", "a dog"), ("a building",), ()))
    assert checked.positive == ("a building", "a dog") and checked.negative == ("a building",)
    assert codes(notices) == ["prompt_shared"] and "positive and negative" in notices[0].text


@pytest.mark.parametrize("text", ["一只狗", "собака", "كلب", "いぬ"])
def test_another_script_than_latin_gets_a_warning_and_is_kept(text):
    checked, notices = check(PromptSet((text,), ("sky",)))
    assert checked.positive == (text,)
    assert codes(notices) == ["prompt_language"] and "English" in notices[0].text


def test_accents_are_latin():
    assert check(PromptSet(("a café", "naïve art"), ("sky",)))[1] == ()


def test_one_empty_group_is_allowed_and_said_and_two_are_not():
    assert codes(check(PromptSet((), ("sky",)))[1]) == ["group_empty"]
    assert codes(check(PromptSet(("a dog",), ()))[1]) == ["group_empty"]
    with pytest.raises(InputError, match="no positive and no negative"):
        check(PromptSet((), ("  ",), ("a photo",)))


def test_too_many_or_too_long_prompts_are_refused_with_the_limit():
    with pytest.raises(InputError, match="1,000"):
        check(PromptSet(tuple(f"thing {i}" for i in range(MAX_PROMPTS)), ("sky",)))
    with pytest.raises(InputError, match="characters"):
        check(PromptSet(("x" * 5000,), ("sky",)))
    with pytest.raises(InputError, match="templates"):
        captions([f"a {i}" for i in range(900)], "full")


def test_a_text_box_is_one_prompt_a_line_and_a_file_may_hold_remarks(tmp_path: Path):
    assert parse("a dog\n# remark\na cat\n\n") == ("a dog", "a cat")
    assert parse("a dog\n\na cat") == ("a dog", "", "a cat")
    assert parse('["a dog", "b"]') == ("a dog", "b")
    assert parse("[a dog] in brackets") == ("[a dog] in brackets",)
    assert parse("") == ()
    file = tmp_path / "p.txt"
    file.write_text("\ufeffa dog\r\n一只猫\r\n", encoding="utf-8")
    assert read(file) == ("a dog", "一只猫")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "missing.txt")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read(file)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(max_size=12), max_size=8), st.lists(st.text(max_size=12), max_size=8))
def test_checking_never_invents_reorders_or_silently_drops(positive, negative):
    try:
        checked, notices = check(PromptSet(tuple(positive), tuple(negative)))
    except InputError:
        assert not any(text.split() for text in positive + negative)
        return
    for given_list, kept in ((positive, checked.positive), (negative, checked.negative)):
        clean = [" ".join(text.split()) for text in given_list]
        assert list(kept) == list(dict.fromkeys(text for text in clean if text))
        if len(kept) < len(given_list):
            assert {"prompt_empty", "prompt_duplicate"} & set(codes(notices))
    assert check(checked)[0] == checked


def test_templates_are_open_clips_and_bring_their_own_article():
    from open_clip import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES

    assert render("a dog", "none") == ("a dog",)
    assert render("a dog", "one") == ("a photo of a dog.",)
    assert render("a dog", "simple") == tuple(template("dog") for template in SIMPLE_IMAGENET_TEMPLATES)
    assert render("an apple", "full") == tuple(template("apple") for template in OPENAI_IMAGENET_TEMPLATES)
    assert len(render("sky", "full")) == 80 and len(render("sky", "simple")) == 7
    texts, per_prompt = captions(("a dog", "sky"), "simple")
    assert per_prompt == 7 and texts[7:] == render("sky", "simple")
    with pytest.raises(InputError, match="none, one, simple, full"):
        render("a dog", "eleven")
