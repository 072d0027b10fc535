"""From runs to a verdict: which number stands for a run, which runs pair, and what is said about them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.errors import InputError
from core.runs import Run, Series, read_runs, statistics
from core.runs import compare as generic_compare
from core.runs.directions import direction_of

compare = partial(generic_compare, usual_baselines=("mlp",))

MLP = [4.10, 4.25, 3.98, 4.31, 4.05, 4.17, 4.22, 4.09]
KEYS = {
    *("verdict", "difference", "interval", "p_value", "pairs", "effect_size", "detectable_difference", "seeds_needed"),
    *("baseline", "arm", "reason"),
}


def _run(
    name: str, config: Mapping[str, Any], metrics: Mapping[str, Mapping[int, float]], epochs: Any = None, **more: Any
) -> Run:
    series = {
        metric: Series(
            np.array(list(points), dtype=np.int64),
            np.array(list(points.values()), dtype=float),
            epoch=None if epochs is None else np.array([epochs(step) for step in points], dtype=float),
        )
        for metric, points in metrics.items()
    }
    return Run(id=name, name=name, path=name, formats=("jsonl",), config=config, metrics=series, **more)


def _arms(arms: Mapping[str, list[float]], metric: str = "test/nme") -> list[Run]:
    twin = metric.replace("test/", "val/")
    return [
        _run(f"{arm}-{seed}", {"arm": arm, "seed": seed}, {metric: {100: value}, twin: {100: value}})
        for arm, values in arms.items()
        for seed, value in enumerate(values)
    ]


def _worse(values: list[float], by: float) -> list[float]:
    return [value + by + 0.02 * (index % 3 - 1) for index, value in enumerate(values)]


# ------------------------------------------------------------------------------------------------------------- verdicts


def test_an_arm_that_is_worse_by_more_than_noise_is_called_worse_with_all_the_numbers() -> None:
    clip = _worse(MLP, 0.4)
    report = compare(_arms({"mlp": MLP, "clip": clip}), group_by="arm", metric="test/nme")
    (one,) = report.comparisons
    differences = np.array(clip) - MLP
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (one.verdict, one.baseline, one.arm, one.pairs) == ("worse", "mlp", "clip", 8)
    assert one.difference == pytest.approx(differences.mean())
    assert one.interval == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert one.p_value == 2 / 2**8
    assert one.effect_size == pytest.approx(differences.mean() / differences.std(ddof=1))
    spread = differences.std(ddof=1)
    assert one.detectable_difference == pytest.approx(statistics.detectable_effect(8) * spread)
    assert one.seeds_needed == 0
    assert report.sentence(one).startswith(
        "clip is worse than mlp by 0.398 in test/nme, 95 % interval 0.384 to 0.411, p = 0.0078"
    )
    assert "8 paired seeds; you would see differences down to" in report.sentence(one)


@pytest.mark.parametrize(("metric", "direction", "verdict"), [("test/acc", None, "better"), ("test/q", "min", "worse")])
def test_better_follows_the_metrics_own_direction(metric: str, direction: str | None, verdict: str) -> None:
    arms = {"mlp": MLP, "clip": _worse(MLP, 0.4)}
    report = compare(_arms(arms, metric), group_by="arm", metric=metric, direction=direction)
    assert report.comparisons[0].verdict == verdict
    assert report.comparisons[0].difference > 0, "the difference is arm − baseline whatever the direction"


def test_the_interval_in_the_sentence_goes_the_way_of_the_sentence() -> None:
    report = compare(_arms({"mlp": MLP, "clip": _worse(MLP, -0.4)}), group_by="arm", metric="test/nme")
    (one,) = report.comparisons
    assert one.verdict == "better"
    assert one.interval is not None
    assert one.interval[1] < 0
    assert f"interval {-one.interval[1]:.3g} to {-one.interval[0]:.3g}" in report.sentence(one)


def test_noise_shows_no_difference_and_how_many_more_seeds_it_would_take() -> None:
    noise = [value + shift for value, shift in zip(MLP, [0.1, -0.1, 0.2, -0.1, 0.0, 0.1, -0.15, 0.05], strict=True)]
    report = compare(_arms({"mlp": MLP, "clip": noise}), group_by="arm", metric="test/nme")
    (one,) = report.comparisons
    assert one.verdict == "no_difference_shown"
    assert one.p_value > 0.05
    total = statistics.pairs_needed(one.effect_size)
    assert one.seeds_needed == total - 8
    assert "No difference shown between clip and mlp" in report.sentence(one)


def test_fewer_than_six_pairs_are_refused_with_the_reason() -> None:
    report = compare(_arms({"mlp": MLP[:5], "clip": _worse(MLP, 3.0)[:5]}), group_by="arm", metric="test/nme")
    (one,) = report.comparisons
    assert (one.verdict, one.p_value, one.pairs, one.detectable_difference) == ("refused", None, 5, None)
    assert "5 paired seeds; at least 6 are needed" in one.reason
    assert one.difference == pytest.approx(3.0, abs=0.02), "what was seen is still reported"
    assert one.seeds_needed == 1
    assert "No verdict on clip against mlp" in report.sentence(one)


def test_six_pairs_are_enough_for_one_arm_and_too_few_for_two() -> None:
    clip, hybrid = _worse(MLP, 0.5)[:6], _worse(MLP, 0.9)[:6]
    alone = compare(_arms({"mlp": MLP[:6], "clip": clip}), group_by="arm", metric="test/nme")
    assert alone.comparisons[0].verdict == "worse"
    both = compare(_arms({"mlp": MLP[:6], "clip": clip, "hybrid": hybrid}), group_by="arm", metric="test/nme")
    assert [one.verdict for one in both.comparisons] == ["no_difference_shown"] * 2
    assert both.comparisons[0].p_value == 2 * 2 / 2**6
    assert both.comparisons[0].detectable_difference is None
    assert "more seeds are needed before anything can be shown" in both.comparisons[0].reason
    assert both.comparisons[0].seeds_needed == 1


@settings(max_examples=60, deadline=None)
@given(
    shifts=st.lists(st.floats(-1, 1), min_size=1, max_size=3),
    seeds=st.integers(2, 9),
    noise=st.integers(0, 10_000),
    higher=st.booleans(),
)
def test_the_verdict_is_better_or_worse_exactly_when_the_adjusted_p_is_below_5_percent(
    shifts: list[float], seeds: int, noise: int, higher: bool
) -> None:
    rng = np.random.default_rng(noise)
    base = rng.normal(4, 0.3, seeds)
    arms = {"mlp": base.tolist()}
    arms |= {f"arm{index}": (base + shift + rng.normal(0, 0.2, seeds)).tolist() for index, shift in enumerate(shifts)}
    report = compare(
        _arms(arms, "test/acc" if higher else "test/nme"), group_by="arm", metric="test/acc" if higher else "test/nme"
    )
    raw = []
    for one in report.comparisons:
        differences = np.array(arms[one.arm]) - base
        assert one.difference == pytest.approx(differences.mean())
        if seeds < 6:
            assert (one.verdict, one.p_value) == ("refused", None)
            continue
        assert (one.verdict in ("better", "worse")) == (one.p_value < 0.05)
        if one.verdict != "no_difference_shown":
            assert (one.verdict == "better") == ((differences.mean() > 0) == higher)
        raw.append(float(statistics.paired_p_values(differences)))
    if raw:
        assert [one.p_value for one in report.comparisons] == pytest.approx(statistics.holm(raw))


def test_the_machine_readable_verdict_has_the_promised_keys_and_is_strict_json() -> None:
    arms = {"mlp": MLP, "clip": _worse(MLP, 0.4), "lonely": [4.0]}
    plain = compare(_arms(arms), group_by="arm", metric="test/nme").to_json()
    assert [set(one) for one in plain["comparisons"]] == [KEYS, KEYS]
    text = json.dumps(plain, allow_nan=False)  # raises on NaN
    lonely = json.loads(text)["comparisons"][1]
    assert (lonely["verdict"], lonely["pairs"], lonely["interval"], lonely["p_value"]) == ("refused", 1, None, None)


def test_identical_arms_are_no_difference_and_no_number_of_seeds_would_show_one() -> None:
    (one,) = compare(_arms({"mlp": MLP, "clip": MLP}), group_by="arm", metric="test/nme").comparisons
    assert (one.verdict, one.p_value, one.difference, one.seeds_needed, one.effect_size) == (
        "no_difference_shown", 1.0, 0.0, None, None,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------- the value of a run


def test_the_checkpoint_is_chosen_on_validation_and_reported_on_test() -> None:
    run = _run("r", {"arm": "a", "seed": 0}, {"val/nme": {10: 5, 20: 3, 30: 4}, "test/nme": {10: 1, 20: 6, 30: 2}})
    report = compare([run], group_by="arm", metric="test/nme")
    assert (report.values[0].value, report.values[0].step, report.select_metric) == (6, 20, "val/nme")


def test_another_metric_may_choose_in_its_own_direction() -> None:
    metrics = {"val/acc": {10: 0.2, 20: 0.9}, "val/nme": {10: 1, 20: 2}, "test/nme": {10: 3, 20: 4}}
    run = _run("r", {"arm": "a", "seed": 0}, metrics)
    report = compare([run], group_by="arm", metric="test/nme", select_metric="val/acc", direction="min")
    assert report.values[0].step == 20


def test_last_and_a_given_step() -> None:
    run = _run("r", {"arm": "a", "seed": 0}, {"val/nme": {10: 5, 20: 3, 30: 4}})
    assert compare([run], group_by="arm", metric="val/nme", at="last").values[0].value == 4
    assert compare([run], group_by="arm", metric="val/nme", at="10").values[0].value == 5
    (out,) = compare([run], group_by="arm", metric="val/nme", at=15).excluded
    assert "has no val/nme at step 15 (its steps run from 10 to 30)" in out.reason


def test_a_test_metric_logged_once_is_taken_as_it_is() -> None:
    run = _run("r", {"arm": "a", "seed": 0}, {"val/nme": {10: 5, 20: 3}, "test/nme": {30: 7}})
    assert compare([run], group_by="arm", metric="test/nme").values[0].value == 7


def test_several_test_values_without_validation_are_not_chosen_among() -> None:
    run = _run("r", {"arm": "a", "seed": 0}, {"test/nme": {10: 5, 20: 3}})
    report = compare([run], group_by="arm", metric="test/nme")
    assert "no validation metric to choose among them" in report.excluded[0].reason


def test_a_checkpoint_logged_a_few_steps_later_is_found_by_its_epoch() -> None:
    metrics = {"val/nme": {99: 5, 199: 3, 299: 4}, "test/nme": {100: 1, 200: 6, 300: 2}}
    run = _run("r", {"arm": "a", "seed": 0}, metrics, epochs=lambda step: (step - 1) // 100)
    assert compare([run], group_by="arm", metric="test/nme").values[0].value == 6
    apart = _run("r", {"arm": "a", "seed": 0}, metrics)
    assert "at step 199, which val/nme chose" in compare([apart], group_by="arm", metric="test/nme").excluded[0].reason


def test_a_run_whose_value_is_nan_is_named_and_its_pair_does_not_count() -> None:
    runs = _arms({"mlp": MLP, "clip": _worse(MLP, 0.4)})
    runs[-1] = _run("clip-7", {"arm": "clip", "seed": 7}, {"test/nme": {100: math.nan}, "val/nme": {100: 4.0}})
    runs[0] = _run("mlp-0", {"arm": "mlp", "seed": 0}, {"val/nme": {100: 4.0}})
    report = compare(runs, group_by="arm", metric="test/nme")
    assert report.comparisons[0].pairs == 6
    reasons = {one.run: one.reason for one in report.excluded}
    assert reasons["clip-7"] == "its test/nme is NaN (step 100)"
    assert reasons["mlp-0"] == "has no test/nme"
    assert reasons["clip-0"] == "not paired: no run of the other arm has its seed"


def test_a_run_that_diverged_on_validation_is_named() -> None:
    runs = _arms({"mlp": MLP})
    runs += [_run("bad", {"arm": "mlp", "seed": 9}, {"val/nme": {1: math.nan, 2: math.nan}, "test/nme": {1: 4, 2: 5}})]
    report = compare(runs, group_by="arm", metric="test/nme")
    assert report.excluded[0].reason == "its val/nme is NaN throughout"


def test_nan_checkpoints_are_passed_over_when_others_are_sound() -> None:
    run = _run(
        "r", {"arm": "a", "seed": 0}, {"val/nme": {1: 4, 2: math.nan, 3: math.inf}, "test/nme": {1: 5, 2: 6, 3: 7}}
    )
    assert compare([run], group_by="arm", metric="test/nme").values[0].value == 5


def test_a_run_still_running_does_not_count_yet() -> None:
    runs = [*_arms({"mlp": MLP}), _run("now", {"arm": "mlp", "seed": 99}, {"test/nme": {1: 1}}, status="running")]
    report = compare(runs, group_by="arm", metric="test/nme")
    assert [(one.run, one.reason) for one in report.excluded] == [("now", "still running")]


# ------------------------------------------------------------------------------------------------------ arms and pairs


def test_pairs_are_by_seed_not_by_position() -> None:
    shuffled = list(zip(range(8), MLP, strict=True))[::-1]
    runs = _arms({"mlp": MLP})
    runs += [
        _run(f"c{seed}", {"arm": "clip", "seed": float(seed)}, {"test/nme": {5: value + 0.1}})
        for seed, value in shuffled
    ]
    (one,) = compare(runs, group_by="arm", metric="test/nme").comparisons
    assert one.verdict == "worse"
    assert one.interval == (pytest.approx(0.1), pytest.approx(0.1)), "each run met the run of its own seed"


def test_of_two_runs_of_one_arm_and_seed_the_later_counts_and_the_other_is_named() -> None:
    early = _run("early", {"arm": "mlp", "seed": 0, "lr": 0.1}, {"test/nme": {1: 1.0}}, started_unix_s=100.0)
    late = _run("late", {"arm": "mlp", "seed": 0, "lr": 0.2}, {"test/nme": {1: 2.0}}, started_unix_s=200.0)
    for order in ([early, late], [late, early]):
        report = compare(order, group_by="arm", metric="test/nme")
        assert [one.run for one in report.values] == ["late"]
        assert report.excluded[0].run == "early"
        assert "late is a later run of the same arm and seed (they differ in lr" in report.excluded[0].reason


def test_an_aborted_second_try_that_logged_nothing_does_not_push_out_the_first() -> None:
    first = _run("first", {"arm": "mlp", "seed": 0}, {"test/nme": {1: 1.0}}, started_unix_s=100.0)
    again = _run("again", {"arm": "mlp", "seed": 0}, {"train/loss": {1: 1.0}}, started_unix_s=200.0, status="killed")
    report = compare([first, again], group_by="arm", metric="test/nme")
    assert [one.run for one in report.values] == ["first"]


def test_several_keys_make_the_arms_and_the_baseline_can_be_named() -> None:
    runs = [
        _run(f"{arm}{lr}{seed}", {"arm": arm, "lr": lr, "seed": seed}, {"test/nme": {1: seed + lr}})
        for arm in ("clip", "mlp")
        for lr in (0.1, 0.2)
        for seed in range(6)
    ]
    report = compare(runs, group_by=["arm", "lr"], metric="test/nme")
    assert {one.arm for one in report.arms} == {
        "arm=clip, lr=0.1",
        "arm=clip, lr=0.2",
        "arm=mlp, lr=0.1",
        "arm=mlp, lr=0.2",
    }
    named = compare(runs, group_by="arm,lr", metric="test/nme", baseline="arm=mlp, lr=0.2")
    assert {one.baseline for one in named.comparisons} == {"arm=mlp, lr=0.2"}
    with pytest.raises(InputError, match="none of the arms"):
        compare(runs, group_by="arm", metric="test/nme", baseline="mpl")


def test_the_default_baseline_is_mlp_wherever_it_stands_and_else_the_first() -> None:
    assert compare(_arms({"clip": MLP, "mlp": MLP}), group_by="arm", metric="test/nme").baseline == "mlp"
    assert compare(_arms({"b": MLP, "a": MLP}), group_by="arm", metric="test/nme").baseline == "b"


def test_arms_that_differ_in_more_than_the_key_are_pointed_out() -> None:
    runs = [
        _run(f"{arm}{seed}", {"arm": arm, "seed": seed, "lr": lr, "note": seed % 2}, {"test/nme": {1: 1.0}})
        for arm, lr in (("mlp", 0.1), ("clip", 0.2))
        for seed in range(6)
    ]
    notes = compare(runs, group_by="arm", metric="test/nme").notes
    assert "the arms also differ in: lr" in notes
    assert "runs of one arm differ in more than their seed: note" in notes


def test_runs_without_the_key_or_without_a_seed_are_named() -> None:
    runs = _arms({"mlp": MLP, "clip": MLP})
    runs += [
        _run("keyless", {"seed": 1}, {"test/nme": {1: 1.0}}),
        _run("seedless", {"arm": "clip"}, {"test/nme": {1: 1.0}}),
    ]
    report = compare(runs, group_by="arm", metric="test/nme")
    reasons = {one.run: one.reason for one in report.excluded}
    assert reasons == {
        "keyless": "its config has no arm",
        "seedless": "not paired: its config has no seed to pair it by",
    }


def test_arms_have_mean_iqm_and_intervals() -> None:
    (arm,) = compare(_arms({"mlp": MLP}), group_by="arm", metric="test/nme").arms
    assert (arm.mean, arm.iqm) == (pytest.approx(np.mean(MLP)), pytest.approx(stats.trim_mean(MLP, 0.25)))
    expected = stats.ttest_1samp(MLP, 0).confidence_interval(0.95)
    assert arm.interval == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert arm.iqm_interval is not None
    assert arm.iqm_interval[0] < arm.iqm < arm.iqm_interval[1]
    assert arm.iqm_coverage == statistics.MEASURED_COVERAGE["iqm"][8]


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ({"metric": "test/nmee"}, "No run has this metric.*test/nme"),
        ({"group_by": "armm"}, "No run's config has this key"),
        ({"at": "bets"}, "best, last or a step"),
        ({"select_metric": "val/x"}, "should choose the checkpoint"),
        ({"direction": "down"}, "min or max"),
        ({"group_by": " , "}, "grouped by a config key"),
    ],
)
def test_what_makes_no_sense_is_said_with_the_next_step(argument: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        compare(_arms({"mlp": MLP, "clip": MLP}), **{"group_by": "arm", "metric": "test/nme", **argument})
    assert caught.value.next_step


def test_no_runs_at_all_is_said() -> None:
    with pytest.raises(InputError, match="no runs here"):
        compare([], group_by="arm", metric="test/nme")


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        *(
            (name, "min")
            for name in ("train/loss", "test/nme", "val_mae", "yaw_error", "rmse", "epoch/seconds", "ms", "valLoss")
        ),
        *(
            (name, "max")
            for name in ("val/acc", "mAP", "test/mAP", "rank1", "Rank-1", "AUC@0.08", "recall", "mIoU", "IoU")
        ),
        *((name, "max") for name in ("images_per_s", "speed/samples_per_second", "images/s", "top1", "f1", "loss/acc")),
        ("seconds_per_epoch", "min"),
    ],
)
def test_directions_are_told_from_names(metric: str, direction: str) -> None:
    assert direction_of(metric) == direction


@pytest.mark.parametrize("metric", ["test/q", "grad_norm", "loss_auc", "val/"])
def test_names_that_say_nothing_or_both_ask_for_the_flag(metric: str) -> None:
    with pytest.raises(InputError, match="whether lower or higher"):
        direction_of(metric)
    assert direction_of(metric, "max") == "max"


def test_from_files_to_the_verdict(tmp_path: Path, write_arms: Callable[..., Path]) -> None:
    root = write_arms(tmp_path / "runs", {"mlp": MLP, "clip": _worse(MLP, 0.4)})
    report = compare(read_runs(root), group_by="pose_encoder", metric="test/nme")
    assert (report.comparisons[0].verdict, report.comparisons[0].pairs) == ("worse", 8)
