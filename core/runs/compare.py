"""Is one arm better than another, or is that noise?

    report = compare(read_runs("runs"), group_by="optimizer", metric="test/acc")
    report.comparisons[0].verdict        # better | worse | no_difference_shown | refused

How a verdict comes about, step by step:

1. **Value of a run.** The reported metric at the checkpoint that validation chose (`at="best"`), at the last step, or
   at a given step. The best checkpoint is chosen on `select_metric`, by default the metric's `val/` twin: choosing it
   on test would report the luckiest moment of each run. A test metric that was logged once needs no choosing.
2. **Arms.** Runs are grouped by one config key or several.
3. **Pairs.** A run of an arm and a run of the baseline with the same seed share their luck, so their difference is less
   noisy than the two. Of several runs of one arm and seed that logged the metric the latest counts (by its recorded
   start, or else by its name), or as `duplicates` says; the others are named.
4. **Test.** Paired permutation test of the mean difference, Holm-adjusted over all arms that are tested; better or
   worse exactly when the adjusted p-value is below 0.05. Fewer than 6 pairs: refused, since no result could reach that.
5. **Size.** The difference with its 95 % t interval; what could have been seen; how many more seeds that would take.

Nothing is left out silently: every run that did not count is in `excluded` with the reason.

Step 1 is in `checkpoint.py`, which run counts in `duplicates.py`, the arithmetic of 4 and 5 in `statistics.py`, what
comes out in `report.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..messages import Message, listed
from ..words import Common
from . import statistics
from .checkpoint import Chooser, number_word
from .directions import direction_of
from .duplicates import Candidate, checked_rule, duplicates_note, one_for_each_seed
from .report import ArmComparison, ArmSummary, Duplicates, Excluded, Report, RunValue, p_text, seeds_text
from .series import Run, RunSet, config_differences, config_text
from .words import Says

SEED_KEYS = ("seed", "random_seed", "seed_everything", "_seed")


# ---------------------------------------------------------------------------------------------------------- comparing


def compare(
    runs: RunSet | Iterable[Run],
    *,
    group_by: str | Sequence[str],
    metric: str,
    select_metric: str | None = None,
    baseline: str | None = None,
    direction: str | None = None,
    at: str | int = "best",
    duplicates: str = "latest",
    usual_baselines: Sequence[str] = (),
) -> Report:
    """Compares every arm with the baseline.

    Args:
        runs: what was read.
        group_by: config key or keys (a comma separates several in one text).
        metric: what is reported, e.g. `test/acc`.
        select_metric: what chooses the checkpoint; default: the metric's `val/` twin, or the metric itself where it is
            not a test metric and has none.
        baseline: an arm's label; default: the first of `usual_baselines` that is there, else the first found.
        direction: `min` or `max`; default: told from the metric's name.
        at: `best`, `last`, or a step.
        duplicates: which of several runs of one arm and seed counts: `latest`, `first`, their `mean`; `refuse`: there
            is no verdict on an arm that has such.
        usual_baselines: arms that others are compared with where nobody says which.

    Raises:
        InputError: no run has the key or the metric, the direction cannot be told, or an argument makes no sense.
    """
    found = list(runs)
    keys = _keys(group_by)
    _check_known(found, keys, metric)
    at = _checked_at(at)
    rule = checked_rule(duplicates)
    lower_is_better = direction_of(metric, direction) == "min"
    chooser = Chooser(found, metric, select_metric, at, direction)
    usable, excluded, repeated = _values_that_count(found, keys, chooser, rule)

    values = [value for _, value in usable]
    base = _baseline_of(values, baseline, [arm_of(run, keys) for run in found], usual_baselines)
    labels = list(dict.fromkeys([*([] if base is None else [base]), *(value.arm for value in values)]))
    summaries = tuple(_summary(label, [value.value for value in values if value.arm == label]) for label in labels)
    pairs = _pair_up(labels, values)
    refused = {arm for arm, _ in repeated} if rule == "refuse" else set()
    said = [duplicates_note(len(repeated), rule)] if repeated else []
    return Report(
        metric=metric,
        select_metric=chooser.select_metric,
        direction="min" if lower_is_better else "max",
        at=str(at),
        duplicates=rule,
        repeated_seeds=len(repeated),
        group_by=keys,
        baseline=base,
        arms=summaries,
        comparisons=_compare_arms(labels, pairs, excluded, refused, lower_is_better),
        values=tuple(values),
        excluded=(*excluded, *_unpaired(values, pairs)),
        notes=(*said, *_notes(usable, labels, keys, chooser)),
    )


def _values_that_count(
    runs: Sequence[Run], keys: tuple[str, ...], chooser: Chooser, rule: Duplicates
) -> tuple[list[Candidate], list[Excluded], tuple[tuple[str, str], ...]]:
    """Each run with its value; those that have none, are not done, are repeated or not finite; and which arms and
    seeds are repeated."""
    excluded: list[Excluded] = []
    candidates: list[Candidate] = []
    for run in runs:
        arm, seed = arm_of(run, keys), _seed_of(run)
        value = chooser.value_of(run, arm or "", seed or "")
        if arm is None:
            value = Says.config_lacks(keys=", ".join(key for key in keys if key not in run.config))
        elif run.status == "running":
            value = Says.still_running()
        if isinstance(value, Message):
            excluded.append(Excluded(run.id, run.name, arm or "", seed or "", value))
        else:
            candidates.append((run, value))
    each = one_for_each_seed(candidates, rule)
    excluded += each.excluded
    usable = [(run, value) for run, value in each.kept if math.isfinite(value.value)]
    for run, value in each.kept:
        if not math.isfinite(value.value):
            reason = Says.not_finite(metric=chooser.metric, value=number_word(value.value), step=value.step)
            excluded.append(Excluded(run.id, run.name, value.arm, value.seed, reason))
    return usable, excluded, each.repeated


def _keys(group_by: str | Sequence[str]) -> tuple[str, ...]:
    parts = group_by.split(",") if isinstance(group_by, str) else [part for one in group_by for part in one.split(",")]
    keys = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not keys:
        raise InputError(Says.no_key(), next_step=Says.name_key())
    return keys


def _checked_at(at: str | int) -> str | int:
    if isinstance(at, int) or at in ("best", "last"):
        return at
    if re.fullmatch(r"\d+", str(at).strip()):
        return int(at)
    raise InputError(Common.checkpoint_choice(), where=str(at), next_step=Says.which_checkpoint())


def _check_known(runs: list[Run], keys: tuple[str, ...], metric: str) -> None:
    """A misspelt key or metric is told from a run that merely lacks it."""
    if not runs:
        raise InputError(Common.no_runs_here(), next_step=Says.give_runs_folder())
    for key in keys:
        if not any(key in run.config for run in runs):
            known = ", ".join(config_differences(runs)[:12]) or Says.none_differs()
            raise InputError(Says.unknown_key(), where=key, next_step=Says.keys_that_differ(names=known))
    if not any(metric in run.metrics for run in runs):
        names = sorted({name for run in runs for name in run.metrics})
        known = ", ".join([*names[:20], *(["…"] if len(names) > 20 else [])]) or Says.none()
        raise InputError(Says.unknown_metric(), where=metric, next_step=Says.known_metrics(names=known))


def arm_of(run: Run, keys: Sequence[str]) -> str | None:
    """The label of a run's arm; None if its config has not all of the keys."""
    if any(key not in run.config for key in keys):
        return None
    if len(keys) == 1:
        return config_text(run.config[keys[0]])
    return ", ".join(f"{key}={config_text(run.config[key])}" for key in keys)


def arms_of(runs: Iterable[Run], keys: Sequence[str]) -> dict[str, str]:
    """Run id → label of its arm; runs without one of the keys are left out. Without keys every run is an arm."""
    labelled = ((run.id, arm_of(run, keys) if keys else run.name) for run in runs)
    return {run_id: arm for run_id, arm in labelled if arm is not None}


def _seed_of(run: Run) -> str | None:
    key = next((key for key in SEED_KEYS if run.config.get(key) is not None), None)
    return None if key is None else config_text(run.config[key])


def _baseline_of(
    values: Sequence[RunValue], given: str | None, all_arms: Sequence[str | None], usual: Sequence[str]
) -> str | None:
    labels = list(dict.fromkeys(value.arm for value in values))
    if given is not None:
        found = next((label for label in labels if label.lower() == given.lower()), None)
        found = given if given in labels else found
        if found is None:
            what = Says.baseline_counts_nothing() if given in all_arms else Says.unknown_baseline()
            raise InputError(what, where=given, next_step=Says.known_arms(names="; ".join(labels) or Says.none()))
        return found
    for name in usual:
        named = [label for label in labels if name.lower() in re.split(r"[=,\s]+", label.lower())]
        if len(named) == 1:
            return named[0]
    return labels[0] if labels else None


# ------------------------------------------------------------------------------------------------------------ verdicts


def _summary(label: str, values: list[float]) -> ArmSummary:
    array = np.asarray(values)
    several = len(array) >= 2
    low, high = statistics.t_interval(array)
    iqm_low, iqm_high = statistics.bootstrap_interval(array[:, None], "iqm")
    return ArmSummary(
        arm=label,
        runs=len(array),
        mean=float(array.mean()),
        interval=(float(low), float(high)) if several else None,
        iqm=statistics.interquartile_mean(array),
        iqm_interval=(float(iqm_low[0]), float(iqm_high[0])) if several else None,
        iqm_coverage=statistics.measured_coverage("iqm", len(array)) if several else None,
        lowest=float(array.min()),
        highest=float(array.max()),
    )


@dataclass(frozen=True)
class _Pair:
    """A run of an arm and the run of the baseline with the same seed."""

    arm: RunValue
    baseline: RunValue


def _pair_up(labels: list[str], values: Sequence[RunValue]) -> dict[str, list[_Pair]]:
    """Every arm but the first with its pairs against the first."""
    by_arm = {label: {value.seed: value for value in values if value.arm == label and value.seed} for label in labels}
    return {
        label: [
            _Pair(value, by_arm[labels[0]][seed]) for seed, value in by_arm[label].items() if seed in by_arm[labels[0]]
        ]
        for label in labels[1:]
    }


def _unpaired(values: Sequence[RunValue], pairs: dict[str, list[_Pair]]) -> list[Excluded]:
    """Runs that count in their arm but found no partner, where there are arms to compare."""
    partners = {value.run_id for of_arm in pairs.values() for pair in of_arm for value in (pair.arm, pair.baseline)}
    return [
        Excluded(
            *(value.run_id, value.run, value.arm, value.seed),
            Says.not_paired() if value.seed else Says.not_paired_no_seed(),
        )
        for value in values
        if pairs and value.run_id not in partners
    ]


def _compare_arms(
    labels: list[str],
    pairs: dict[str, list[_Pair]],
    excluded: list[Excluded],
    refused: set[str],
    lower_is_better: bool,
) -> tuple[ArmComparison, ...]:
    """All arms against the first. `refused`: arms that have several runs of one seed, where none was to count."""
    paired = {
        label: statistics.compare_pairs(np.asarray([pair.arm.value - pair.baseline.value for pair in of_arm]))
        for label, of_arm in pairs.items()
    }
    judged = [label for label in paired if not refused & {label, labels[0]}]
    tested = [label for label in judged if paired[label].p_value is not None]
    adjusted = dict(zip(tested, statistics.holm([paired[label].p_value or 0.0 for label in tested]), strict=True))
    return tuple(
        _comparison(
            *(label, labels[0], paired[label], adjusted.get(label), len(tested)),
            *(excluded, sorted(refused & {label, labels[0]}), lower_is_better),
        )
        for label in paired
    )


def _comparison(
    arm: str,
    baseline: str,
    paired: statistics.Paired,
    p_value: float | None,
    tests: int,
    excluded: list[Excluded],
    repeated: list[str],
    lower_is_better: bool,
) -> ArmComparison:
    alpha = statistics.ALPHA / max(tests, 1)  # the strictest level of Holm's procedure
    reachable = p_value is not None and statistics.smallest_p_value(paired.pairs) < alpha
    detectable = None
    if reachable and paired.spread is not None:
        detectable = statistics.detectable_effect(paired.pairs, alpha) * paired.spread
    needed = _more_seeds(paired, alpha)
    if repeated:
        verdict, reason = "refused", Says.arms_with_several(names=", ".join(repeated))
    elif p_value is None:
        verdict, reason = "refused", _refusal(paired.pairs, arm, baseline, excluded)
    elif p_value < statistics.ALPHA:
        verdict = "better" if (paired.difference < 0) == lower_is_better else "worse"
        needed = 0
        reason = Says.unlikely_chance(p=p_text(p_value), seeds=seeds_text(paired.pairs))
    elif reachable:
        verdict, reason = "no_difference_shown", Says.chance(p=p_text(p_value), seeds=seeds_text(paired.pairs))
    else:
        smallest = min(1.0, statistics.smallest_p_value(paired.pairs) * tests)
        verdict = "no_difference_shown"
        reason = Says.out_of_reach(pairs=paired.pairs, tests=tests, smallest=smallest)
    return ArmComparison(
        verdict=verdict,
        difference=paired.difference if paired.pairs else None,
        interval=paired.interval,
        p_value=p_value,
        pairs=paired.pairs,
        effect_size=paired.effect,
        detectable_difference=detectable,
        seeds_needed=needed,
        baseline=baseline,
        arm=arm,
        reason=reason,
    )


def _more_seeds(paired: statistics.Paired, alpha: float) -> int | None:
    if paired.effect is None and paired.pairs >= 2 and paired.difference == 0:
        return None  # identical in every pair: no number of seeds shows a difference that is not there
    total = statistics.pairs_needed(paired.effect, alpha)
    # A difference that did not show takes at least one seed more, whatever the formula says of its power.
    return None if total is None else max(total - paired.pairs, 1)


def _refusal(pairs: int, arm: str, baseline: str, excluded: list[Excluded]) -> Message:
    values = {"seeds": seeds_text(pairs), "least": statistics.MIN_PAIRS, "alpha": statistics.ALPHA}
    lost = [one for one in excluded if one.arm in (arm, baseline)]
    if not lost:
        return Says.too_few_pairs(**values)
    counted = Says.run_did_not_count if len(lost) == 1 else Says.runs_did_not_count
    return Says.too_few_pairs_lost(**values, lost=counted(count=len(lost), run=lost[0].run, reason=lost[0].reason))


def _notes(usable: list[Candidate], labels: list[str], keys: tuple[str, ...], chooser: Chooser) -> list[Message]:
    """What a careful reader would ask about."""
    notes = list(chooser.notes)
    runs = [run for run, _ in usable]
    aside = {*keys, *SEED_KEYS}
    within: dict[str, None] = {}
    for label in labels:
        arm = [run for run, value in usable if value.arm == label]
        within.update(dict.fromkeys(key for key in config_differences(arm) if key not in aside))
    between = [key for key in config_differences(runs) if key not in aside and key not in within]
    if within:
        notes.append(Says.runs_of_one_arm_differ(names=listed(list(within), 8)))
    if between:
        notes.append(Says.arms_also_differ(names=listed(between, 8)))
    unfinished = [run.name for run in runs if run.status in ("failed", "killed")]
    if unfinished:
        notes.append(Says.unfinished_count(names=listed(unfinished, 8)))
    ends = sorted({int(run.metrics[chooser.metric].step[-1]) for run in runs})
    if len(ends) > 1:
        notes.append(Says.ends_differ(first=ends[0], last=ends[-1]))
    if len(labels) == 1:
        notes.append(Says.one_arm_only(arm=labels[0]))
    return notes
