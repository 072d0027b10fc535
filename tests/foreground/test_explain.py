"""Shapley shares against enumeration, and "without this prompt" against doing it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.foreground.explain import explain, shapley
from core.foreground.prompts import PromptSet
from core.foreground.scoring import Rule, score


def enumerate_shapley(logits_K: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """By the definition: every subset, v(S) = positive part of its softmax, v(∅) = 0.5."""
    n = len(logits_K)
    values = np.empty(1 << n)
    for subset in range(1 << n):
        members = [k for k in range(n) if subset >> k & 1]
        if not members:
            values[subset] = 0.5
            continue
        e = np.exp(logits_K[members] - logits_K[members].max())
        values[subset] = e[is_positive[members]].sum() / e.sum()
    shares = np.zeros(n)
    for k in range(n):
        for subset in range(1 << n):
            if not subset >> k & 1:
                size = bin(subset).count("1")
                weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                shares[k] += weight * (values[subset | 1 << k] - values[subset])
    return shares


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-1, 1), st.booleans()), min_size=1, max_size=8),
    st.sampled_from([0.0, 1.0, 14.3, 100.0]),
)
def test_shares_equal_enumeration_for_any_cosines_at_any_temperature(players, scale):
    logits = np.array([cosine * scale for cosine, _ in players])
    is_positive = np.array([side for _, side in players])
    np.testing.assert_allclose(shapley(logits[None], is_positive)[0], enumerate_shapley(logits, is_positive), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_shares_equal_enumeration_for_twelve_prompts(seed):
    rng = np.random.default_rng(seed)
    logits, is_positive = rng.uniform(-100, 100, 12) * rng.choice([0.05, 0.3, 1.0]), rng.random(12) < 0.6
    np.testing.assert_allclose(shapley(logits[None], is_positive)[0], enumerate_shapley(logits, is_positive), atol=1e-6)


def sampled(logits_K: np.ndarray, is_positive: np.ndarray, orders: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error of marginal gains over random orders: no integral in it."""
    rng = np.random.default_rng(seed)
    n = len(logits_K)
    e = np.exp(logits_K - logits_K.max())
    gains = np.zeros((orders, n))
    for row in range(orders):
        order = rng.permutation(n)
        values = np.cumsum(e[order] * is_positive[order]) / np.cumsum(e[order])
        gains[row, order] = np.diff(values, prepend=0.5)
    return gains.mean(axis=0), gains.std(axis=0) / math.sqrt(orders)


@pytest.mark.parametrize("spread", [4.0, 25.0, 200.0])
def test_a_hundred_prompts_agree_with_a_converged_reference(spread):
    rng = np.random.default_rng(int(spread))
    logits = rng.uniform(-spread / 2, spread / 2, (3, 100))
    is_positive = np.arange(100) < 87
    reference = shapley(logits, is_positive, accurate=True)
    assert np.abs(shapley(logits, is_positive) - reference).max() < 1e-4
    # The reference itself, against orders drawn at random.
    mean, error = sampled(logits[0], is_positive, 5_000, seed=1)
    assert (np.abs(reference[0] - mean) < 5 * error + 1e-9).all()


def test_the_reference_has_converged():
    """The integral by other nodes altogether: twice as many in p, and SciPy's quadrature in t."""
    from scipy.integrate import quad

    logits, is_positive = np.array([0.0, -3.0, 1.0, -20.0]), np.array([True, False, False, True])
    e = np.exp(logits - logits.max())
    nodes, weights = np.polynomial.legendre.leggauss(12)

    def inner(u: float, k: int) -> float:
        t, total = math.exp(u), 0.0
        for p, w in zip((nodes + 1) / 2, weights / 2, strict=True):
            x = np.exp(-e * t)
            g = 1 - p * (1 - x)
            q = e * x / g
            total += w * g.prod() / g[k] * (is_positive[k] * q[k] - p * (1 - x[k]) * q[is_positive].sum())
        return total * t

    expected = [quad(inner, -40, 30, args=(k,), limit=500, epsabs=1e-11)[0] - 0.5 / 4 for k in range(4)]
    np.testing.assert_allclose(shapley(logits[None], is_positive)[0], expected, atol=1e-7)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(0, 2**31), st.floats(0, 400))
def test_shares_add_up_to_the_score_and_keep_their_sign(n, seed, spread):
    rng = np.random.default_rng(seed)
    logits, is_positive = rng.uniform(-spread / 2, spread / 2, (4, n)), rng.random(n) < 0.5
    shares = shapley(logits, is_positive)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(0.5 + shares.sum(axis=1), e[:, is_positive].sum(axis=1) / e.sum(axis=1), atol=1e-9)
    # A positive prompt never lowers p_pos_sum, whatever it joins; another never raises it.
    assert (shares[:, is_positive] > -1e-4).all() and (shares[:, ~is_positive] < 1e-4).all()


def test_rows_do_not_influence_each_other_and_equal_prompts_share_alike():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 5, (7, 30))
    logits[3] *= 30
    logits[:, 5] = logits[:, 4]
    is_positive = np.arange(30) < 20
    together = shapley(logits, is_positive)
    alone = np.concatenate([shapley(row[None], is_positive) for row in logits])
    np.testing.assert_allclose(together, alone, atol=1e-7)
    np.testing.assert_allclose(together[:, 4], together[:, 5], atol=1e-7)
    order = rng.permutation(30)
    np.testing.assert_allclose(shapley(logits[:, order], is_positive[order]), together[:, order], atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(0, 3), st.sampled_from(["note", "balanced"]),
    st.sampled_from([1.0, 20.0, 100.0]), st.integers(0, 2**31),
)  # fmt: skip
def test_without_a_prompt_is_what_scoring_without_it_gives(n_pos, n_neg, n_neutral, mode, scale, seed):
    names = [f"p{i}" for i in range(n_pos)], [f"n{i}" for i in range(n_neg)], [f"u{i}" for i in range(n_neutral)]
    prompts = PromptSet(*map(tuple, names))
    cosines = np.random.default_rng(seed).uniform(-1, 1, (3, len(prompts.texts)))
    rule = Rule()
    explained = explain(score(cosines, scale, prompts, mode=mode, rule=rule), mode=mode, rule=rule)
    for k, text in enumerate(prompts.texts):
        fewer = PromptSet(*(tuple(t for t in group if t != text) for group in names))
        again = score(np.delete(cosines, k, axis=1), scale, fewer, mode=mode, rule=rule)
        np.testing.assert_allclose(explained.p_pos_without_BK[:, k], again.p_pos_sum_B, atol=1e-9)
        np.testing.assert_allclose(explained.p_neg_without_BK[:, k], again.p_neg_sum_B, atol=1e-9)


def test_what_would_change_is_named():
    prompts = PromptSet(("a dog",), ("a texture", "sky"))
    logits = np.array([[0.0, 1.0, -5.0], [5.0, 0.0, 0.0]])
    scores = score(logits, 1.0, prompts)
    assert scores.multiplier_B.tolist() == [0.1, 2.0]
    explained = explain(scores)
    assert explained.changes(0) == [("a texture", "negative", 2.0)]
    assert explained.changes(1) == [("a dog", "positive", 0.1)]
    assert explained.top(0, 1) == [1]


@pytest.mark.parametrize("mode", ["note", "balanced"])
def test_the_only_prompt_there_is_has_no_without(mode):
    explained = explain(score(np.array([[0.3]]), 10.0, PromptSet(("a dog",), ()), mode=mode), mode=mode)
    assert np.isnan(explained.p_pos_without_BK).all() and explained.changes(0) == []
    assert explained.share_BK[0, 0] == pytest.approx(0.5)


def test_balanced_shares_add_up_to_the_balanced_score():
    prompts = PromptSet(("a", "b", "c"), ("d",))
    scores = score(np.array([[0.3, 0.1, 0.2, 0.25]]), 40.0, prompts, mode="balanced")
    explained = explain(scores, mode="balanced")
    assert 0.5 + explained.share_BK[0].sum() == pytest.approx(scores.p_pos_sum_B[0], abs=1e-9)


def test_no_rows_give_no_shares():
    assert shapley(np.zeros((0, 4)), np.ones(4, dtype=bool)).shape == (0, 4)
