"""The mean of several runs as a curve with a band: who takes part where, what stays of peaks, what zooming shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.runs import Run, Series, band, statistics


def _run(name: str, points: dict[int, float], time_s: np.ndarray | None = None) -> Run:
    series = Series(np.array(list(points), dtype=np.int64), np.array(list(points.values())), time_s=time_s)
    return Run(id=name, name=name, path=name, formats=("jsonl",), config={}, metrics={"loss": series})


def test_a_band_is_the_mean_of_the_runs_that_reach_a_step_and_says_what_it_covers() -> None:
    runs = [_run(f"r{seed}", {step: seed + step / 10 for step in range(0, 101, 10)}) for seed in range(6)]
    runs.append(_run("short", {0: 100.0, 10: 100.0}))
    drawn = band(runs, "loss")
    assert drawn.x_S.tolist() == list(range(0, 101, 10))
    assert drawn.runs_S.tolist() == [7, 7] + [6] * 9
    assert drawn.mean_S[2:] == pytest.approx(2.5 + drawn.x_S[2:] / 10)
    assert np.all((drawn.low_S < drawn.mean_S) & (drawn.mean_S < drawn.high_S))
    assert drawn.coverage == statistics.MEASURED_COVERAGE["mean"][6]
    assert band(runs, "loss", interval="t").coverage == 0.95


def test_a_band_bridges_no_nan_and_does_not_reach_beyond_a_run() -> None:
    runs = [
        _run("a", {0: 1.0, 10: math.nan, 20: 1.0}),
        _run("b", {0: 3.0, 5: 3.0, 10: 3.0, 15: 3.0, 20: 3.0}),
    ]
    drawn = band(runs, "loss")
    assert drawn.runs_S.tolist() == [2, 1, 1, 1, 2]
    assert drawn.mean_S.tolist() == [2, 3, 3, 3, 2]
    assert np.isnan(drawn.low_S[1:4]).all()
    assert len(band([], "loss").x_S) == 0


def test_a_peak_of_one_step_among_a_hundred_thousand_stays() -> None:
    steps = np.arange(100_000)
    runs = []
    for seed in range(3):
        values = np.random.default_rng(seed).normal(size=len(steps))
        values[61_803] = 500.0
        runs.append(_run(f"r{seed}", dict(zip(steps.tolist(), values, strict=True))))
    drawn = band(runs, "loss", points=300)
    assert len(drawn.x_S) <= 310
    assert (drawn.x_S[0], drawn.x_S[-1]) == (0, 99_999)
    assert drawn.mean_S.max() == pytest.approx(500.0)
    assert drawn.x_S[drawn.mean_S.argmax()] == 61_803


def test_zooming_in_shows_every_step_that_was_logged_there() -> None:
    values = {seed: np.random.default_rng(seed).normal(size=20_000) for seed in range(3)}
    runs = [_run(f"r{seed}", dict(enumerate(value))) for seed, value in values.items()]
    whole = band(runs, "loss", points=300)
    assert np.sum((whole.x_S >= 1_000) & (whole.x_S <= 1_100)) < 20
    near = band(runs, "loss", points=300, x_range=(1_000, 1_100))
    # one more on either side, so that lines reach the edge
    inside = (near.x_S >= 999) & (near.x_S <= 1_101)
    assert near.x_S[inside].tolist() == list(range(999, 1_102))
    expected = np.mean([value[999:1_102] for value in values.values()], axis=0)
    assert near.mean_S[inside] == pytest.approx(expected)
    assert set(whole.x_S) <= set(near.x_S), "the rest stays, as coarse as before"


def test_runs_that_share_no_moment_in_time_are_averaged_all_the_same() -> None:
    steps = np.arange(1_000)
    runs = [
        _run(f"r{seed}", {int(step): float(seed) for step in steps}, time_s=steps * 0.5 + 0.01 * seed)
        for seed in range(40)
    ]
    drawn = band(runs, "loss", x="time", points=200)
    inside = drawn.runs_S == 40
    assert inside.sum() > 150
    assert drawn.mean_S[inside] == pytest.approx(np.full(int(inside.sum()), 19.5))
    assert len(drawn.x_S) <= 210


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 2**31))
def test_the_bootstrap_of_means_is_scipys_number_for_number(seeds: int, positions: int, luck: int) -> None:
    from scipy import stats

    values = np.random.default_rng(luck).normal(size=(seeds, positions))
    low, high = statistics.bootstrap_interval(values, resamples=500)
    theirs = stats.bootstrap(
        (values,), np.mean, axis=0, vectorized=True, n_resamples=500, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    np.testing.assert_allclose(low, theirs.low, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(high, theirs.high, rtol=1e-9, atol=1e-12)


def test_an_axis_that_is_none_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match="wall"):
        band([], "loss", x="wall")
