"""The verdict card, in words and as a picture."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from tests.webapp.runs.builders import EVIL, card, experiment, judge, plain, view_of
from webapp.runs import verdict


def test_the_card_says_who_is_worse_by_how_much_and_what_could_have_been_seen() -> None:
    words = plain(card(experiment(clip=4.5)))
    assert "clip is worse than mlp by" in words
    assert re.search(r"by 0\.(49|5)\d* in test/nme", words)
    assert re.search(
        r"95 % interval 0\.\d+ to 0\.\d+ · p = 0\.0078 · 8 paired seeds · you would see differences", words
    )


def test_a_better_arm_is_called_better_with_a_positive_interval() -> None:
    words = plain(card(experiment(clip=3.5)))
    assert "clip is better than mlp by" in words
    assert re.search(r"95 % interval 0\.4\d+ to 0\.5\d+", words), "an interval around the size that the sentence names"


def test_chance_is_called_chance_and_says_how_many_more_seeds() -> None:
    words = plain(card(experiment(clip=4.001)))
    assert "No difference is shown between clip and mlp" in words
    assert "more seeds would show a difference of this size" in words


def test_five_pairs_are_refused_with_the_reason_in_both_languages() -> None:
    runs = experiment(seeds=5, clip=9.0)
    assert "at least 6 are needed" in plain(card(runs))
    assert "至少需要 6 对" in plain(card(runs, "zh"))
    assert "worse" not in re.findall(r'<article class="(\w+)"', card(runs))


def test_the_card_speaks_chinese() -> None:
    words = plain(card(experiment(clip=4.5), "zh"))
    assert "clip 不如 mlp" in words
    assert "8 对种子" in words
    assert "置换检验" in words, "the method too"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_names_with_html_stay_names(language: str) -> None:
    runs = [replace(run, name=EVIL, config={**run.config, "pose_encoder": EVIL}) for run in experiment(clip=4.5)[8:]]
    runs = experiment()[:8] + runs
    made = card(runs, language)
    assert "<img" not in made
    assert html.escape(EVIL, quote=True) in made


def test_better_lies_on_the_tinted_side_of_the_picture() -> None:
    runs = experiment(clip=3.5)
    view = view_of(runs)
    report = judge(runs, view)
    picture = verdict.forest(report.comparisons[0], verdict.reach_of(report), True, "en")
    dot = float(re.search(r'circle cx="([\d.]+)"', picture)[1])  # type: ignore[index]
    start, width = map(float, re.search(r'class="good" x="([\d.]+)" y="0" width="([\d.]+)"', picture).groups())  # type: ignore[union-attr]
    assert start <= dot <= start + width


def test_all_pictures_have_one_scale_and_an_arm_far_away_becomes_an_arrow() -> None:
    runs = experiment(clip=4.1, table=4.2, none=40.0)
    report = judge(runs, view_of(runs))
    reach = verdict.reach_of(report)
    assert 0.2 < reach < 0.5, "set by the two that are near"
    dots = {}
    for one in report.comparisons:
        picture = verdict.forest(one, reach, True, "en")
        found = re.search(r'circle cx="([\d.]+)"', picture)
        dots[one.arm] = float(found[1]) - 130 if found else None
        assert ("<path" in picture) == (one.arm == "none")
    assert dots["none"] is None
    assert dots["table"] == pytest.approx(2 * dots["clip"], rel=0.2)  # type: ignore[operator]


def test_too_few_seeds_for_so_many_arms_is_not_called_chance() -> None:
    """Six pairs and two arms: -0.31, interval -0.36 to -0.26, and the card said that it may be chance."""
    runs = experiment(6, clip=4.5, table=4.6)
    for language, words, least in (("en", "can be shown yet", "no p below 0.0625"), ("zh", "种子太少", "低于 0.0625")):
        shown = plain(card(runs, language))
        assert words in shown
        assert least in shown
        assert "may be chance" not in shown
    sentence = judge(runs, view_of(runs)).sentence(judge(runs, view_of(runs)).comparisons[0])
    assert "more seeds are needed before anything can be shown" in sentence


def test_many_arms_are_counted_before_they_are_listed() -> None:
    runs = experiment(clip=4.5, a=4.5, b=4.0, c=3.5, d=4.0)
    assert "5 arms against mlp: 1 better · 2 worse · 2 no difference shown" in plain(card(runs))
    assert "arms against" not in plain(card(experiment(clip=4.5)))


def test_which_of_two_runs_of_a_seed_counts_is_the_visitors_and_stands_in_the_card() -> None:
    runs = experiment(clip=4.5)
    again = [replace(run, id=f"z-{run.id}", name=f"z-{run.name}", path=f"z-{run.path}") for run in experiment(clip=3.5)]
    runs += [run for run in again if run.config["pose_encoder"] == "clip"]
    words = plain(card(runs))
    assert "clip is better than mlp" in words
    assert "several runs of one arm and seed (8 times): the latest counts" in words
    assert "clip is worse than mlp" in plain(card(runs, duplicates="first"))
    assert "同组同种子有多次训练（8 处）：计入第一次" in plain(card(runs, "zh", duplicates="first"))
    assert "say which counts" in plain(card(runs, duplicates="refuse"))
