"""The nine fields, the rule, both modes, and what happens at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.foreground.prompts import PromptSet
from core.foreground.scoring import (
    FIELDS,
    Rule,
    add_fields,
    cosine_view,
    list_notices,
    ranking,
    score,
    softmax,
)

TWO = PromptSet(("a dog", "a cat"), ("sky", "wall", "grass"))
THREE = PromptSet(("a dog", "a cat"), ("sky",), ("a photo", "an image"))


def cosines(seed: int, rows: int, prompts: PromptSet) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.1, 0.4, (rows, len(prompts.texts)))


def test_the_fields_are_exactly_the_specified_ones():
    scores = score(cosines(0, 3, TWO), 20.0, TWO)
    fields = scores.fields(1)
    assert tuple(fields) == FIELDS
    assert set(FIELDS) == {
        "s_pos", "s_neg", "s_pos_text", "s_neg_text", "p_pos_sum", "p_neg_sum", "p_pos_max", "p_neg_max",
        "semantic_multiplier",
    }  # fmt: skip
    p = softmax(cosines(0, 3, TWO) * 20.0)[1]
    assert fields["s_pos"] == fields["p_pos_max"] == pytest.approx(p[:2].max())
    assert fields["s_neg"] == fields["p_neg_max"] == pytest.approx(p[2:].max())
    assert fields["s_pos_text"] == TWO.positive[p[:2].argmax()]
    assert fields["s_neg_text"] == TWO.negative[p[2:].argmax()]
    assert fields["p_pos_sum"] == pytest.approx(p[:2].sum()) and fields["p_neg_sum"] == pytest.approx(p[2:].sum())


@pytest.mark.parametrize(
    ("p_pos", "p_neg", "expected"),
    [
        (0.49, 0.51, 0.1),
        (0.5, 0.5, 1.0),
        (0.71, 0.19, 2.0),
        (0.7, 0.1, 1.0),
        (0.75, 0.2, 1.0),
        (0.41, 0.3, 1.0),
        (0.4, 0.3, 0.5),
        (0.0, 0.0, 0.5),
        (0.9, 0.6, 0.1),
    ],
)
def test_the_rule_at_and_around_its_thresholds(p_pos, p_neg, expected):
    assert float(Rule().multiplier(np.array(p_pos), np.array(p_neg))) == expected


def test_thresholds_and_multipliers_are_configurable():
    rule = Rule(negative_above=0.9, positive_above=0.5, negative_below=0.6, likely_above=0.1, foreground=3.0)
    assert float(rule.multiplier(np.array(0.55), np.array(0.45))) == 3.0


@pytest.mark.parametrize(
    "wrong",
    [{"negative_above": 1.5}, {"likely_above": -0.1}, {"foreground": float("inf")}, {"ambiguous": float("nan")}],
)
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(InputError):
        Rule(**wrong)


def test_no_evidence_gives_the_highest_multiplier_with_the_default_lists_and_the_notice_says_so():
    prompts = PromptSet()
    flat = np.zeros((1, 100))
    assert score(flat, 100.0, prompts).multiplier_B[0] == 2.0
    balanced = score(flat, 100.0, prompts, mode="balanced")
    assert balanced.p_pos_sum_B[0] == pytest.approx(0.5) and balanced.multiplier_B[0] == 1.0
    notices = {notice.code: notice.text for notice in list_notices(prompts)}
    assert "0.87" in notices["lists_unbalanced"] and "multiplier 2" in notices["lists_unbalanced"]
    assert "lists_unbalanced" not in {notice.code for notice in list_notices(prompts, "balanced")}


def test_the_ambiguous_branch_is_dead_without_neutral_prompts_and_said_to_be():
    assert "branch_dead" in {notice.code for notice in list_notices(TWO)}
    assert "branch_dead" not in {notice.code for notice in list_notices(THREE)}
    # a rule that makes it reachable is not slandered
    assert "branch_dead" not in {notice.code for notice in list_notices(TWO, rule=Rule(likely_above=0.6))}
    sure_of_neutral = np.array([[0.1, 0.1, 0.1, 0.9, 0.1]])
    scores = score(sure_of_neutral, 50.0, THREE)
    assert scores.multiplier_B[0] == 0.5
    assert scores.p_pos_sum_B[0] + scores.p_neg_sum_B[0] < 0.01


def test_balanced_is_the_softmax_of_each_groups_log_mean_exp():
    values = cosines(3, 5, THREE) * 30
    groups = np.stack([np.log(np.exp(values[:, part]).mean(axis=1)) for part in THREE.slices], axis=1)
    expected = softmax(groups)
    scores = score(values / 30, 30.0, THREE, mode="balanced")
    np.testing.assert_allclose(scores.p_pos_sum_B, expected[:, 0], atol=1e-12)
    np.testing.assert_allclose(scores.p_neg_sum_B, expected[:, 1], atol=1e-12)


def test_balanced_does_not_care_how_often_a_list_repeats_itself():
    once = PromptSet(("a dog",), ("sky",))
    many = PromptSet(("a dog", "a hound", "a puppy"), ("sky",))
    scores = score(np.array([[0.3, 0.25]]), 40.0, once, mode="balanced")
    repeated = score(np.array([[0.3, 0.3, 0.3, 0.25]]), 40.0, many, mode="balanced")
    assert repeated.p_pos_sum_B[0] == pytest.approx(scores.p_pos_sum_B[0], abs=1e-12)
    assert score(np.array([[0.3, 0.3, 0.3, 0.25]]), 40.0, many).p_pos_sum_B[0] > scores.p_pos_sum_B[0] + 0.02


@pytest.mark.parametrize("mode", ["note", "balanced"])
def test_an_empty_group_has_defined_fields(mode):
    only_positive = score(np.array([[0.2, 0.1]]), 50.0, PromptSet(("a dog", "a cat"), ()), mode=mode).fields(0)
    assert only_positive["s_neg"] == 0.0 and only_positive["s_neg_text"] == "" and only_positive["p_neg_sum"] == 0.0
    assert only_positive["p_pos_sum"] == pytest.approx(1.0) and only_positive["semantic_multiplier"] == 2.0
    only_negative = score(np.array([[0.2]]), 50.0, PromptSet((), ("sky",)), mode=mode).fields(0)
    assert only_negative["s_pos"] == 0.0 and only_negative["s_pos_text"] == "" and only_negative["p_pos_sum"] == 0.0
    assert only_negative["semantic_multiplier"] == 0.1


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match="note or balanced"):
        score(cosines(0, 1, TWO), 1.0, TWO, mode="fair")


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 3), st.floats(0.1, 100), st.integers(0, 2**31),
    st.sampled_from(["note", "balanced"]),
)  # fmt: skip
def test_probabilities_are_probabilities(n_pos, n_neg, n_neutral, scale, seed, mode):
    if n_pos + n_neg == 0:
        return
    prompts = PromptSet(
        tuple(f"p{i}" for i in range(n_pos)),
        tuple(f"n{i}" for i in range(n_neg)),
        tuple(f"u{i}" for i in range(n_neutral)),
    )
    values = np.random.default_rng(seed).uniform(-1, 1, (4, len(prompts.texts)))
    scores = score(values, scale, prompts, mode=mode)
    np.testing.assert_allclose(scores.probabilities_BK.sum(axis=1), 1, atol=1e-9)
    total = scores.p_pos_sum_B + scores.p_neg_sum_B
    assert (total <= 1 + 1e-9).all() and (n_neutral > 0 or np.allclose(total, 1))
    assert set(scores.multiplier_B.tolist()) <= {0.1, 0.5, 1.0, 2.0}
    for row in range(4):
        fields = scores.fields(row)
        assert all(math.isfinite(value) for value in fields.values() if isinstance(value, float))
        assert fields["s_pos"] <= fields["p_pos_sum"] + 1e-12 and fields["s_neg"] <= fields["p_neg_sum"] + 1e-12


NAMES = st.sampled_from([*FIELDS, "id", "bbox", "score", "s_pos_given", "s_pos_given2", "note"])
VALUES = st.one_of(st.integers(), st.text(max_size=5), st.none(), st.lists(st.integers(), max_size=3))


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(NAMES, VALUES, max_size=12))
def test_whatever_a_component_brought_is_still_there_and_the_nine_fields_are_ours(brought):
    ours = score(cosines(1, 1, TWO), 20.0, TWO).fields(0)
    merged = add_fields(brought, ours)
    for name in FIELDS:
        assert merged[name] == ours[name]
    for name, value in brought.items():
        if name not in FIELDS:
            assert merged[name] == value
        else:
            moved = [key for key in merged if key.startswith(f"{name}_given") and key not in brought]
            assert len(moved) == 1 and merged[moved[0]] == value
    assert len(merged) == len(set(brought) | set(FIELDS)) + len(set(brought) & set(FIELDS))


def test_scoring_a_scored_file_again_keeps_every_round():
    ours = {"s_pos": 0.3}
    assert add_fields({"s_pos": 0.1, "s_pos_given": 0.2}, ours) == {
        "s_pos": 0.3, "s_pos_given": 0.2, "s_pos_given2": 0.1,
    }  # fmt: skip


def test_ranking_is_score_times_multiplier_and_stable():
    reweighted, order = ranking([0.9, None, 0.5, 0.9], [0.1, 1.0, 2.0, 0.1])
    assert reweighted == pytest.approx([0.09, 1.0, 1.0, 0.09])
    assert order == [1, 2, 0, 3]


def test_the_cosine_view_is_the_plain_maximum_and_margin():
    view = cosine_view(np.array([[0.1, 0.3, 0.25, 0.2, 0.0]]), TWO)[0]
    assert view["cos_pos"] == 0.3 and view["cos_pos_text"] == "a cat"
    assert view["cos_neg"] == 0.25 and view["cos_neg_text"] == "sky"
    assert view["cos_margin"] == pytest.approx(0.05)
    assert cosine_view(np.array([[0.1]]), PromptSet((), ("sky",)))[0]["cos_margin"] is None
