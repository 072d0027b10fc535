"""The arithmetic behind a verdict. Arrays in, numbers out; nothing here knows what a run is.

Every test, interval and distribution is scipy's, or held against scipy's in the tests. The choices that are ours:

* **Test**: paired sign-flip permutation of the mean difference, two-sided. Exact (all 2**n flips) up to
  `EXACT_UP_TO_PAIRS` pairs, 99,999 random flips with a fixed seed above. With n pairs its p-value cannot go below
  2 / 2**n, which is why fewer than `MIN_PAIRS` pairs can never reach 0.05.
* **Interval of the verdict**: Student's t on the paired differences. It covers 95 % for normal differences at any n; a
  percentile bootstrap does not at the handful of seeds people can afford (see `MEASURED_COVERAGE`).
* **Bands**: percentile bootstrap over seeds, drawn with the coverage it really has.
* **Several arms**: Holm's step-down adjustment.
* **Planning**: power of the two-sided paired t test from the noncentral t distribution. The permutation test's p-values
  come in coarse steps when pairs are few: what a t test would see in 80 % of cases it sees, measured on 4,000 simulated
  comparisons each, in 63 % at six pairs, 77 % at seven, and 78 to 80 % from eight on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

ALPHA = 0.05
CONFIDENCE = 0.95
POWER = 0.8
MIN_PAIRS = 6
EXACT_UP_TO_PAIRS = 16
RANDOM_FLIPS = 99_999
MOST_SEEDS_PLANNED = 100_000

# Share of nominal 95 % percentile-bootstrap intervals that contain the true value, by number of seeds: measured on
# 40,000 samples of normal data each, 2,000 resamples (standard error at most 0.3 points). The tests measure it again.
MEASURED_COVERAGE: dict[str, dict[int, float]] = {
    "mean": {2: 0.503, 3: 0.751, 4: 0.799, 5: 0.836, 6: 0.857, 7: 0.875, 8: 0.886, 10: 0.903, 12: 0.911, 16: 0.923}
    | {20: 0.928, 30: 0.935},
    "iqm": {2: 0.502, 3: 0.749, 4: 0.875, 5: 0.900, 6: 0.909, 7: 0.914, 8: 0.934, 10: 0.935, 12: 0.939, 16: 0.942}
    | {20: 0.942, 30: 0.946},
}


def paired_p_values(differences_KN: np.ndarray) -> np.ndarray:
    """Two-sided p-values of "the mean difference is zero" for K independent comparisons of N pairs each.

    Args:
        differences_KN: float `[K, N]` (or `[N]` for one), finite.

    Returns:
        float `[K]` (or a 0-d array). Exact where N <= EXACT_UP_TO_PAIRS.
    """
    from scipy import stats

    differences = np.asarray(differences_KN, dtype=np.float64)
    pairs = differences.shape[-1]
    exact = pairs <= EXACT_UP_TO_PAIRS
    result = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",  # one sample: flips the sign of each difference
        vectorized=True,
        n_resamples=np.inf if exact else RANDOM_FLIPS,
        alternative="two-sided",
        axis=-1,
        batch=None if exact else 10_000,
        rng=np.random.default_rng(0),
    )
    return np.asarray(result.pvalue)


def smallest_p_value(pairs: int) -> float:
    """The smallest p-value that `paired_p_values` can return for this many pairs."""
    return 2.0 ** (1 - pairs) if pairs <= EXACT_UP_TO_PAIRS else 2.0 / (RANDOM_FLIPS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 6, 1979), in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors: np.ndarray = len(p) - np.arange(len(p))
    adjusted = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result.tolist()


def t_interval(values_KN: np.ndarray, confidence: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray]:
    """Student's t interval of the mean over the last axis: (low, high). Fewer than two values: NaN."""
    from scipy import stats

    values = np.asarray(values_KN, dtype=np.float64)
    count = values.shape[-1]
    if count < 2:
        nothing = np.full(values.shape[:-1], np.nan)
        return nothing, nothing
    centre = values.mean(axis=-1)
    half_width = stats.t.ppf((1 + confidence) / 2, count - 1) * values.std(axis=-1, ddof=1) / math.sqrt(count)
    return centre - half_width, centre + half_width


def interquartile_mean(values_N: np.ndarray) -> float:
    """Mean of the middle half, `scipy.stats.trim_mean(x, 0.25)`. NaN for no value."""
    from scipy import stats

    return float(stats.trim_mean(np.asarray(values_N, dtype=np.float64), 0.25)) if len(values_N) else math.nan


def effect_size(differences_N: np.ndarray) -> float | None:
    """Cohen's d of paired differences: mean over standard deviation. None if they do not vary or are too few."""
    differences = np.asarray(differences_N, dtype=np.float64)
    if len(differences) < 2:
        return None
    spread = float(differences.std(ddof=1))
    # Equal differences leave rounding dust in the standard deviation: 1e-17 is no spread.
    if spread <= 1e-12 * float(np.abs(differences).max()):
        return None
    return float(differences.mean()) / spread


def power_of_t_test(effect: float, pairs: int, alpha: float = ALPHA) -> float:
    """Power of a two-sided paired t test for a true difference of `effect` standard deviations."""
    from scipy import stats

    critical = stats.t.ppf(1 - alpha / 2, pairs - 1)
    shift = abs(effect) * math.sqrt(pairs)
    # Beyond a shift of 2 the other tail adds less than 1e-4, and nct.cdf loses precision there.
    other_tail = stats.nct.cdf(-critical, pairs - 1, shift) if shift < 2 else 0.0
    return float(stats.nct.sf(critical, pairs - 1, shift) + other_tail)


def detectable_effect(pairs: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """The true difference, in standard deviations of the differences, that is seen with this `power`."""
    from scipy import optimize

    assert pairs >= 2
    return float(optimize.brentq(lambda effect: power_of_t_test(effect, pairs, alpha) - power, 1e-9, 40.0))


def pairs_needed(effect: float | None, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Pairs needed to see a true difference of `effect` standard deviations; None beyond MOST_SEEDS_PLANNED.

    Counts what the permutation test itself needs before it can reach `alpha` at all.
    """
    fewest = MIN_PAIRS
    while smallest_p_value(fewest) >= alpha:
        fewest += 1
    if effect is None or power_of_t_test(effect, fewest, alpha) >= power:
        return fewest
    if power_of_t_test(effect, MOST_SEEDS_PLANNED, alpha) < power:
        return None
    low, high = fewest, fewest * 2
    while power_of_t_test(effect, high, alpha) < power:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of_t_test(effect, middle, alpha) >= power else (middle, high)
    return high


def measured_coverage(statistic: str, seeds: int) -> float:
    """What a nominal 95 % percentile bootstrap of `statistic` (`mean` or `iqm`) really covers with this many seeds.

    Between the measured numbers of seeds the next smaller one is stated, so that the claim is never too high.
    """
    table = MEASURED_COVERAGE[statistic]
    known = [count for count in table if count <= seeds]
    return table[max(known)] if known else math.nan


def _iqm(values: np.ndarray, axis: int) -> np.ndarray:
    from scipy import stats

    return np.asarray(stats.trim_mean(values, 0.25, axis=axis))


def bootstrap_interval(
    values_NS: np.ndarray, statistic: str = "mean", resamples: int = 2_000
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap over the first axis (seeds) at each of S positions: (low_S, high_S).

    The same seeds are drawn at every position, so a band is as smooth as its runs. Its true coverage is
    `measured_coverage(statistic, N)`, not 95 %. Fewer than two seeds: NaN.
    """
    values = np.asarray(values_NS, dtype=np.float64)
    if len(values) < 2:
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    if statistic == "mean":
        return _bootstrap_of_means(values, resamples)
    assert statistic == "iqm", statistic
    from scipy import stats

    interval = stats.bootstrap(
        (values,),
        _iqm,
        axis=0,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, 4_000_000 // max(values.size, 1)),  # at most 32 MB of resamples at a time
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return np.asarray(interval.low), np.asarray(interval.high)


def _bootstrap_of_means(values_NS: np.ndarray, resamples: int) -> tuple[np.ndarray, np.ndarray]:
    """`scipy.stats.bootstrap` of the mean, the same draws and the same numbers, many times faster.

    A mean of drawn seeds is how often each was drawn times its value: one product of matrices for a whole band, where
    scipy gathers every value of every resample. The tests hold the two against each other.
    """
    seeds, positions = values_NS.shape
    drawn_RN = np.random.default_rng(0).integers(0, seeds, (resamples, seeds))
    rows_RN = np.arange(resamples)[:, None]
    counts_RN = np.bincount((rows_RN * seeds + drawn_RN).ravel(), minlength=resamples * seeds)
    weights_RN = counts_RN.reshape(resamples, seeds) / seeds
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    bounds_2S = np.empty((2, positions))
    step = max(1, 4_000_000 // resamples)  # at most 32 MB of means at a time
    for start in range(0, positions, step):
        some = slice(start, start + step)
        bounds_2S[:, some] = np.quantile(weights_RN @ values_NS[:, some], tails, axis=0)
    return bounds_2S[0], bounds_2S[1]


@dataclass(frozen=True)
class Paired:
    """One paired comparison, before any adjustment for other arms.

    Attributes:
        pairs: N.
        difference: mean of arm minus baseline; NaN without a pair.
        interval: 95 % t interval of it, or None below two pairs.
        p_value: unadjusted, two-sided; None below MIN_PAIRS.
        effect: Cohen's d of the differences, or None.
        spread: their standard deviation, or None below two pairs.
    """

    pairs: int
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    effect: float | None
    spread: float | None


@lru_cache(maxsize=1_000)
def _p_value_of(differences: tuple[float, ...]) -> float:
    """Kept: a page that is drawn again asks again, and above EXACT_UP_TO_PAIRS the answer takes a tenth of a second."""
    return float(paired_p_values(np.asarray(differences)))


def compare_pairs(differences_N: np.ndarray) -> Paired:
    """Everything that the differences of one arm to the baseline say by themselves. Values are finite."""
    differences = np.asarray(differences_N, dtype=np.float64)
    pairs = len(differences)
    interval = None
    if pairs >= 2:
        low, high = t_interval(differences)
        interval = (float(low), float(high))
    return Paired(
        pairs=pairs,
        difference=float(differences.mean()) if pairs else math.nan,
        interval=interval,
        p_value=_p_value_of(tuple(differences.tolist())) if pairs >= MIN_PAIRS else None,
        effect=effect_size(differences),
        spread=float(differences.std(ddof=1)) if pairs >= 2 else None,
    )
