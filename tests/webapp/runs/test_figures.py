"""Curves."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runs import Series
from core.runs.compare import arms_of
from tests.webapp.runs.builders import EVIL, drawn, experiment, make_run, view_of
from webapp.kit.drawing import Drawing
from webapp.runs import figures, traces
from webapp.runs import view as viewing
from webapp.runs.view import View


def test_smoothing_is_the_debiased_average() -> None:
    values = np.array([4.0, 2.0, 8.0])
    weights = np.array([0.25, 0.5, 1.0])  # w = 0.5, newest last
    assert traces.smoothed(values, 0.5)[-1] == pytest.approx((values * weights).sum() / weights.sum())
    assert traces.smoothed(values, 0.5)[0] == 4.0, "no pull towards zero"
    assert traces.smoothed(values, 0.0) is values


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(math.inf), min_size=1, max_size=50),
    st.floats(0, 0.99),
)
def test_smoothing_stays_between_the_extremes_and_keeps_what_is_not_finite(values: list[float], weight: float) -> None:
    value_N = np.array(values)
    result = traces.smoothed(value_N, weight)
    finite = np.isfinite(value_N)
    assert np.array_equal(np.isfinite(result), finite)
    if finite.any():
        low, high = value_N[finite].min(), value_N[finite].max()
        slack = 1e-6 * max(1.0, abs(low), abs(high))
        assert ((result[finite] >= low - slack) & (result[finite] <= high + slack)).all()


def test_each_arm_is_one_line_with_one_band_and_one_place_in_the_legend() -> None:
    drawing, notes = drawn(experiment(clip=4.5), curves=("val/nme", "train/loss"))
    lines = [trace for trace in drawing.figure.data if trace.fill is None]
    bands = [trace for trace in drawing.figure.data if trace.fill == "toself"]
    assert len(lines) == len(bands) == 4
    assert [trace.name for trace in drawing.figure.data if trace.showlegend] == ["mlp", "clip"]
    assert drawing.figure.layout.hoversubplots == "axis", "the pointer reads both charts at once"
    assert {trace.xaxis for trace in drawing.figure.data} == {"x"}
    assert any("truly covers about" in note for note in notes)


def test_smoothing_leaves_the_raw_curve_to_be_seen() -> None:
    drawing, _ = drawn(experiment(clip=4.5), draw="runs", smooth=0.9, curves=("val/nme",))
    faint = [trace for trace in drawing.figure.data if trace.opacity and trace.opacity < 0.5]
    assert len(faint) == 16
    assert not any(trace.showlegend for trace in faint)
    assert len(drawing.figure.data) == 32


def test_zoom_survives_refreshing_and_smoothing_but_not_another_axis() -> None:
    runs = experiment(clip=4.5)
    before = drawn(runs)[0].view
    assert drawn(runs, smooth=0.5, hidden=("mlp-0",), draw="runs")[0].view == before
    assert drawn(runs, x="epoch")[0].view != before


def test_a_zoom_is_drawn_from_the_full_log_with_its_extremes_and_the_rest_stays() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    values[123_456] = 50.0
    runs = [
        make_run(
            f"m{seed}", {"pose_encoder": "a", "seed": seed}, 1, metrics={"val/nme": Series(np.arange(200_000), values)}
        )
        for seed in range(2)
    ]
    for draw in ("bands", "runs"):
        view = view_of(runs, curves=("val/nme",), draw=draw)
        arms = arms_of(runs, view.group_by)
        whole = figures.curves(runs, arms, traces.colours_of(arms), view, "en").drawing
        assert isinstance(whole, Drawing)
        assert json.loads(whole.to_json())["x_range"] is None
        zoom = figures.Zoom(whole.view, 123_400.0, 123_600.0)
        near = figures.curves(runs, arms, traces.colours_of(arms), view, "en", zoom).drawing
        assert isinstance(near, Drawing)
        assert (near.view, near.x_range) == (whole.view, (123_400.0, 123_600.0))
        line = next(trace for trace in near.figure.data if trace.fill is None)
        x = np.asarray(line.x)
        assert set(range(123_400, 123_601)) <= set(x.tolist()), "every step that was logged"
        assert max(line.y) == 50.0
        assert (x.min(), x.max()) == (0, 199_999)
        other = figures.curves(runs, arms, traces.colours_of(arms), view, "en", replace(zoom, view="other")).drawing
        assert isinstance(other, Drawing)
        assert other.x_range is None, "a zoom into another chart says nothing about this one"


def test_a_zoom_into_a_logarithmic_axis_is_refined_too() -> None:
    run = make_run(
        "m", {"pose_encoder": "a", "seed": 0}, 1, metrics={"val/nme": Series(np.arange(100_000), np.ones(100_000))}
    )
    view = view_of([run], curves=("val/nme",), draw="runs", log=("x",))
    arms = arms_of([run], view.group_by)
    name = figures.curves([run], arms, {}, view, "en").drawing.view  # type: ignore[union-attr]
    near = figures.curves([run], arms, {}, view, "en", figures.Zoom(name, 70_000.0, 70_100.0)).drawing
    assert set(range(70_000, 70_101)) <= set(near.figure.data[0].x.tolist())  # type: ignore[union-attr]


def test_more_arms_than_colours_are_told_apart_by_their_line() -> None:
    runs = experiment(1, **{f"arm{number}": 4.0 for number in range(10)})
    drawing, _ = drawn(runs)
    looks = {(trace.line.color, trace.line.dash) for trace in drawing.figure.data if trace.showlegend}
    assert len(looks) == 11


def test_nan_is_marked_and_no_line_is_drawn_across() -> None:
    values = np.array([3.0, 2.0, math.nan, math.inf, 1.0])
    broken = make_run("m", {"pose_encoder": "mlp", "seed": 0}, 1, metrics={"val/nme": Series(np.arange(5), values)})
    drawing, _ = drawn([broken], draw="runs", curves=("val/nme",))
    marks = [trace for trace in drawing.figure.data if trace.mode == "markers"]
    assert list(marks[0].hovertext) == ["m: NaN at step 2", "m: ∞ at step 3"]
    assert list(marks[0].y) == [2.0, 2.0]
    line = next(trace for trace in drawing.figure.data if trace.mode == "lines")
    assert not line.connectgaps
    assert np.isnan(np.asarray(line.y, dtype=float)).sum() == 2


def test_a_long_curve_keeps_its_extremes_in_few_points() -> None:
    values = np.sin(np.arange(200_000) / 900.0)
    values[123_456] = 50.0
    run = make_run("m", {"pose_encoder": "a", "seed": 0}, 1, metrics={"val/nme": Series(np.arange(200_000), values)})
    drawing, _ = drawn([run], draw="runs", curves=("val/nme",))
    line = drawing.figure.data[0]
    assert len(line.x) <= traces.MOST_POINTS + 10
    assert max(line.y) == 50.0


@pytest.mark.parametrize("x", viewing.X_AXES)
@pytest.mark.parametrize("draw", viewing.DRAWINGS)
def test_every_axis_draws_also_logarithmically(x: str, draw: str) -> None:
    drawing, _ = drawn(experiment(clip=4.5), x=x, draw=draw, log=("x", "y"), smooth=0.5)
    assert drawing.to_json()
    assert drawing.figure.layout.yaxis.type == "log"


def test_a_log_axis_says_what_it_cannot_show() -> None:
    values = np.array([1.0, 0.0, -1.0])
    run = make_run("m", {"pose_encoder": "a", "seed": 0}, 1, metrics={"val/nme": Series(np.arange(3), values)})
    _, notes = drawn([run], draw="runs", log=("y",), curves=("val/nme",))
    assert any(note.startswith("2 values of zero or below") for note in notes)


def test_markup_in_names_is_drawn_letter_by_letter() -> None:
    runs = [replace(run, name=EVIL, config={"pose_encoder": "<b>x</b>%{y}", "seed": 0}) for run in experiment()]
    drawing, _ = drawn(runs, draw="runs")
    text = drawing.figure.to_json()
    assert "<b>x</b>" not in text
    assert "<img" not in text


def test_no_runs_no_curves_but_words() -> None:
    made = figures.curves([], {}, {}, View(), "zh")
    assert isinstance(made.drawing, str)
