"""What arms cost, and quality against it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.runs import Series
from core.runs.compare import arms_of
from tests.webapp.runs.builders import experiment, judge, make_run, view_of
from webapp.kit.drawing import Drawing
from webapp.runs import costs as run_costs
from webapp.runs import traces


def test_cost_is_told_from_what_was_logged() -> None:
    (cost,) = run_costs.costs(experiment(), arms_of(experiment(), ("pose_encoder",)))
    assert (cost.runs, cost.samples_per_s, cost.parameters) == (8, 200.0, 1_000_000.0)
    assert cost.seconds_per_epoch == pytest.approx(5.0), "half a second a step, ten steps an epoch"
    assert cost.peak_memory_bytes is None


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("peak_memory_gb", 1.5, "peak_memory_bytes", 1.5 * 2**30),
        ("max_memory_mb", 10, "peak_memory_bytes", 10 * 2**20),
        ("cost/peak_memory_bytes", 77, "peak_memory_bytes", 77),
        ("images/s", 9, "samples_per_s", 9),
        ("params_m", 2, "parameters", 2e6),
        ("trainable_parameters", 5, "parameters", 5),
        ("seconds_per_epoch", 7, "seconds_per_epoch", 7),
    ],
)
def test_usual_names_and_units_are_known(name: str, value: float, field: str, expected: float) -> None:
    run = make_run("m", {"a": 1}, 1, metrics={name: Series(np.arange(1), np.array([float(value)]))})
    (cost,) = run_costs.costs([run], {"m": "m"})
    assert getattr(cost, field) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_the_front_beats_all_others_and_no_one_beats_the_front(
    points: list[tuple[int, int]], more_cost: bool, lower_quality: bool
) -> None:
    cost, quality = [float(x) for x, _ in points], [float(y) for _, y in points]
    front = run_costs.pareto_front(cost, quality, more_cost=more_cost, lower_quality=lower_quality)

    def beats(a: int, b: int) -> bool:
        x = cost[a] >= cost[b] if more_cost else cost[a] <= cost[b]
        y = quality[a] <= quality[b] if lower_quality else quality[a] >= quality[b]
        return x and y and (cost[a], quality[a]) != (cost[b], quality[b])

    everyone = range(len(points))
    assert front
    for one in everyone:
        assert (one in front) == (not any(beats(other, one) for other in everyone))


def test_the_scatter_marks_the_front() -> None:
    runs = experiment(clip=4.5)
    view = view_of(runs)
    arms = arms_of(runs, view.group_by)
    report = judge(runs, view)
    drawing = run_costs.scatter(report, run_costs.costs(runs, arms), "seconds_per_epoch", traces.colours_of(arms), "en")
    assert isinstance(drawing, Drawing)
    front, mlp, clip = drawing.figure.data
    assert list(front.x) == list(mlp.x), "the same cost and better: mlp alone"
    assert clip.marker.color == "rgba(0,0,0,0)"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.text("abc_", min_size=1, max_size=24)), max_size=14))
def test_no_name_in_the_scatter_covers_another(points: list[tuple[float, float, str]]) -> None:
    x, y, names = ([point[part] for point in points] for part in range(3))
    places = run_costs.label_places(x, y, names, (-0.2, 1.2), (-0.2, 1.2))
    width, height = run_costs.PLOT_PX
    boxes = []
    for at_x, at_y, name, place in zip(x, y, names, places, strict=True):
        if not place:
            continue
        vertical, side = place.split()
        middle_x = (at_x + 0.2) / 1.4 * width + {"left": -1, "center": 0, "right": 1}[side] * len(name) * 3.3
        middle_y = (at_y + 0.2) / 1.4 * height + {"bottom": -15, "middle": 0, "top": 15}[vertical]
        boxes.append((middle_x, middle_y, len(name) * 3.3))
    for number, (x1, y1, half1) in enumerate(boxes):
        for x2, y2, half2 in boxes[:number]:
            assert abs(y1 - y2) >= 13.9 or abs(x1 - x2) >= half1 + half2 - 16.1


def test_a_name_alone_stands_above_its_point() -> None:
    assert run_costs.label_places([0.5], [0.5], ["mlp"], (0, 1), (0, 1)) == ["top center"]


def test_no_interval_strikes_a_name_through() -> None:
    assert run_costs.label_places([0.5], [0.5], ["mlp"], (0, 1), (0, 1), [(0.2, 0.8)]) == ["top right"]
