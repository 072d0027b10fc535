"""The arithmetic of a verdict: against scipy called directly, and calibrated on data whose truth is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.runs import statistics


@pytest.mark.parametrize("pairs", [6, 8, 12])
def test_p_values_are_those_of_counting_all_sign_flips(pairs: int) -> None:
    differences = np.random.default_rng(pairs).normal(0.4, 1.0, pairs)
    signs = np.array(list(itertools.product([1, -1], repeat=pairs)))
    means = (signs * differences).mean(axis=1)
    expected = np.mean(np.abs(means) >= abs(differences.mean()) - 1e-12)
    assert statistics.paired_p_values(differences) == pytest.approx(expected, abs=1e-12)


def test_several_comparisons_at_once_are_those_one_by_one() -> None:
    differences_KN = np.random.default_rng(0).normal(size=(5, 7))
    together = statistics.paired_p_values(differences_KN)
    assert together.tolist() == [float(statistics.paired_p_values(row)) for row in differences_KN]


def test_many_pairs_use_random_flips_near_the_exact_answer_and_always_the_same() -> None:
    pairs = statistics.EXACT_UP_TO_PAIRS + 2
    differences = np.random.default_rng(3).normal(0.5, 1.0, pairs)
    first, again = (float(statistics.paired_p_values(differences)) for _ in range(2))
    assert first == again
    signs_KN = 1 - 2 * ((np.arange(2**pairs)[:, None] >> np.arange(pairs)) & 1)
    exact = np.mean(np.abs(signs_KN @ differences) >= abs(differences.sum()) - 1e-12)
    assert first != exact
    assert first == pytest.approx(exact, abs=0.005)


def test_the_smallest_p_value_is_reached_when_all_differences_agree() -> None:
    for pairs in (6, 9):
        assert statistics.paired_p_values(np.linspace(1, 2, pairs)) == statistics.smallest_p_value(pairs)
    assert statistics.smallest_p_value(5) > 0.05 > statistics.smallest_p_value(statistics.MIN_PAIRS)


@pytest.mark.parametrize("pairs", [6, 8, 20])
def test_simulated_nulls_raise_a_false_alarm_in_at_most_five_of_a_hundred(pairs: int) -> None:
    simulations = 4_000 if pairs <= statistics.EXACT_UP_TO_PAIRS else 300
    rng = np.random.default_rng(1000 + pairs)
    normal = rng.normal(size=(simulations, pairs))
    skewed = rng.exponential(size=(simulations, pairs)) - rng.exponential(size=(simulations, pairs))
    for differences_KN in (normal, skewed):
        if pairs <= statistics.EXACT_UP_TO_PAIRS:
            p_values = statistics.paired_p_values(differences_KN)
        else:
            p_values = np.array([_coarse_p_value(row, rng) for row in differences_KN])
        alarms = int((p_values < 0.05).sum())
        # One-sided 99.9 % binomial bound: a test whose true rate is 5 % exceeds it once in a thousand seeds.
        assert alarms <= stats.binom.ppf(0.999, simulations, 0.05), (pairs, alarms / simulations)
        assert alarms > 0, "a test that never alarms proves nothing"


def _coarse_p_value(differences: np.ndarray, rng: np.random.Generator) -> float:
    """The random-flip branch with 999 flips instead of 99,999: as valid by construction, and quick enough to repeat."""
    result = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", vectorized=True, n_resamples=999, rng=rng
    )
    return float(result.pvalue)


def test_holm_keeps_the_family_wise_rate_over_three_arms() -> None:
    rng = np.random.default_rng(77)
    simulations = 2_000
    base = rng.normal(size=(simulations, 8))
    arms = [rng.normal(size=(simulations, 8)) - base for _ in range(3)]  # as in life: all share the baseline
    p_values = np.stack([statistics.paired_p_values(differences) for differences in arms], axis=1)
    alarms = sum(min(statistics.holm(row)) < 0.05 for row in p_values.tolist())
    assert alarms <= stats.binom.ppf(0.999, simulations, 0.05)
    unadjusted = int((p_values.min(axis=1) < 0.05).sum())
    assert unadjusted > alarms, "without the adjustment there must be more false alarms, or nothing was adjusted"


@pytest.mark.parametrize("pairs", [6, 8, 20])
def test_the_interval_covers_the_truth_in_93_to_97_of_a_hundred(pairs: int) -> None:
    truth = 0.3
    differences_KN = np.random.default_rng(pairs).normal(truth, 1.0, size=(20_000, pairs))
    low, high = statistics.t_interval(differences_KN)
    covered = float(np.mean((low <= truth) & (truth <= high)))
    assert 0.93 <= covered <= 0.97, covered


@pytest.mark.parametrize(("statistic", "seeds"), [("mean", 3), ("mean", 6), ("mean", 8), ("mean", 20), ("iqm", 6)])
def test_the_bootstrap_covers_what_we_say_it_covers(statistic: str, seeds: int) -> None:
    samples_NS = np.random.default_rng(seeds).normal(size=(seeds, 3_000))
    low, high = statistics.bootstrap_interval(samples_NS, statistic)
    covered = float(np.mean((low <= 0) & (high >= 0)))
    assert covered == pytest.approx(statistics.measured_coverage(statistic, seeds), abs=0.02)


def test_a_bootstrap_at_six_seeds_does_not_keep_95_percent_and_we_say_so() -> None:
    assert statistics.measured_coverage("mean", 6) < 0.90
    assert statistics.measured_coverage("mean", 9) == statistics.measured_coverage("mean", 8), "never claims too much"
    assert math.isnan(statistics.measured_coverage("mean", 1))


def test_t_interval_is_scipys() -> None:
    values = np.random.default_rng(5).normal(size=9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    low, high = statistics.t_interval(values)
    assert (low, high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_interquartile_mean_is_the_mean_of_the_middle_half() -> None:
    assert statistics.interquartile_mean(np.array([100.0, 1, 2, 3, 4, 5, 6, -50])) == np.mean([2, 3, 4, 5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_monotone_bounded_and_no_smaller_than_what_it_adjusts(p_values: list[float]) -> None:
    adjusted = statistics.holm(p_values)
    assert all(raw <= one <= 1 for raw, one in zip(p_values, adjusted, strict=True))
    assert min(adjusted) == pytest.approx(min(1.0, min(p_values) * len(p_values)))
    order = np.argsort(p_values, kind="stable")
    assert all(np.diff(np.array(adjusted)[order]) >= 0)


def test_holm_by_hand() -> None:
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize(("pairs", "alpha"), [(6, 0.05), (8, 0.05 / 3), (20, 0.05)])
def test_the_detectable_effect_is_seen_in_eighty_of_a_hundred(pairs: int, alpha: float) -> None:
    effect = statistics.detectable_effect(pairs, alpha)
    differences = np.random.default_rng(9).normal(effect, 1.0, size=(40_000, pairs))
    seen = float(np.mean(stats.ttest_1samp(differences, 0, axis=1).pvalue < alpha))
    assert seen == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("pairs", "stated"), [(6, 0.63), (7, 0.77), (8, 0.78)])
def test_the_permutation_test_sees_it_as_often_as_stated(pairs: int, stated: float) -> None:
    effect = statistics.detectable_effect(pairs)
    differences_KN = np.random.default_rng(1).normal(effect, 1.0, size=(4_000, pairs))
    seen = float(np.mean(statistics.paired_p_values(differences_KN) < 0.05))
    assert seen == pytest.approx(stated, abs=0.025)


def test_pairs_needed_is_the_smallest_number_with_that_power() -> None:
    for effect in (0.3, 0.7, 1.5):
        pairs = statistics.pairs_needed(effect)
        assert pairs is not None
        assert statistics.power_of_t_test(effect, pairs) >= 0.8
        assert pairs == statistics.MIN_PAIRS or statistics.power_of_t_test(effect, pairs - 1) < 0.8


def test_pairs_needed_counts_what_the_permutation_test_needs() -> None:
    assert statistics.pairs_needed(50.0) == statistics.MIN_PAIRS
    with_four_arms = statistics.pairs_needed(50.0, alpha=0.05 / 4)
    assert with_four_arms == 8  # 2 / 2**7 = 0.0156 is not below 0.0125; 2 / 2**8 is
    assert statistics.pairs_needed(1e-4) is None


def test_equal_differences_have_no_effect_size_instead_of_an_infinite_one() -> None:
    assert statistics.effect_size(np.full(8, 0.1) + 0.2) is None
    assert statistics.effect_size(np.array([1.0])) is None
    assert statistics.effect_size(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)
