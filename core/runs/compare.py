"""Is one arm better than another, or is that noise?

    report = compare(read_runs("runs"), group_by="pose_encoder", metric="test/nme")
    report.comparisons[0].verdict        # better | worse | no_difference_shown | refused

How a verdict comes about, step by step:

1. **Value of a run.** The reported metric at the checkpoint that validation chose (`at="best"`), at the last step, or
   at a given step. The best checkpoint is chosen on `select_metric`, by default the metric's `val/` twin: choosing it
   on test would report the luckiest moment of each run. A test metric that was logged once needs no choosing.
2. **Arms.** Runs are grouped by one config key or several.
3. **Pairs.** A run of an arm and a run of the baseline with the same seed share their luck, so their difference is less
   noisy than the two. Of several runs of one arm and seed the latest counts (by its start, or else by its last write)
   of those that logged the metric; the others are named.
4. **Test.** Paired permutation test of the mean difference, Holm-adjusted over all arms that are tested; better or
   worse exactly when the adjusted p-value is below 0.05. Fewer than 6 pairs: refused, since no result could reach that.
5. **Size.** The difference with its 95 % t interval; what could have been seen; how many more seeds that would take.

Nothing is left out silently: every run that did not count is in `excluded` with the reason.

Step 1 is in `checkpoint.py`, the arithmetic of 4 and 5 in `statistics.py`, what comes out in `report.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import InputError
from ..words import Common
from . import statistics
from .checkpoint import Chooser, direction_of, number_word
from .report import ArmSummary, Comparison, Excluded, Report, RunValue, p_text
from .series import Run, RunSet, config_differences, config_text
from .words import Says

SEED_KEYS = ("seed", "random_seed", "seed_everything", "_seed")
DEFAULT_BASELINE = "mlp"


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
) -> Report:
    """Compares every arm with the baseline.

    Args:
        runs: what was read.
        group_by: config key or keys (a comma separates several in one text).
        metric: what is reported, e.g. `test/nme`.
        select_metric: what chooses the checkpoint; default: the metric's `val/` twin, or the metric itself where it is
            not a test metric and has none.
        baseline: an arm's label; default: the arm `mlp` where there is one, else the first found.
        direction: `min` or `max`; default: told from the metric's name.
        at: `best`, `last`, or a step.

    Raises:
        InputError: no run has the key or the metric, the direction cannot be told, or an argument makes no sense.
    """
    found = list(runs)
    keys = _keys(group_by)
    _check_known(found, keys, metric)
    at = _checked_at(at)
    lower_is_better = direction_of(metric, direction) == "min"
    chooser = Chooser(found, metric, select_metric, at, direction)

    excluded: list[Excluded] = []
    candidates: list[tuple[Run, RunValue]] = []
    for run in found:
        arm, seed = _arm_of(run, keys), _seed_of(run)
        value = chooser.value_of(run, arm or "", seed or "")
        if arm is None:
            missing = ", ".join(key for key in keys if key not in run.config)
            value = Says.config_no(keys=missing)
        elif run.status == "running":
            value = Says.still_running()
        if isinstance(value, str):
            excluded.append(Excluded(run.id, run.name, arm or "", seed or "", value))
        else:
            candidates.append((run, value))
    counted, repeated = _one_run_for_each_seed(candidates)
    excluded += repeated

    usable: list[tuple[Run, RunValue]] = []
    for run, value in counted:
        if math.isfinite(value.value):
            usable.append((run, value))
        else:
            reason = Says.step(metric=metric, value=number_word(value.value), step=value.step)
            excluded.append(Excluded(run.id, run.name, value.arm, value.seed, reason))

    values = [value for _, value in usable]
    labels = list(dict.fromkeys(value.arm for value in values))
    base = _baseline_of(labels, baseline, [_arm_of(run, keys) for run in found])
    if base is not None:
        labels = [base, *(label for label in labels if label != base)]
    summaries = tuple(_summary(label, [value.value for value in values if value.arm == label]) for label in labels)
    comparisons, unpaired = _compare_arms(labels, values, excluded, lower_is_better)
    excluded += unpaired
    return Report(
        metric=metric,
        select_metric=chooser.select_metric,
        direction="min" if lower_is_better else "max",
        at=str(at),
        group_by=keys,
        baseline=base,
        arms=summaries,
        comparisons=comparisons,
        values=tuple(values),
        excluded=tuple(excluded),
        notes=tuple(_notes(usable, labels, keys, chooser)),
    )


def _keys(group_by: str | Sequence[str]) -> tuple[str, ...]:
    parts = group_by.split(",") if isinstance(group_by, str) else [part for one in group_by for part in one.split(",")]
    keys = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not keys:
        raise InputError(Says.runs_grouped_config_key(), next_step=Says.name_one_example_pose_encoder())
    return keys


def _checked_at(at: str | int) -> str | int:
    if isinstance(at, int) or at in ("best", "last"):
        return at
    if re.fullmatch(r"\d+", str(at).strip()):
        return int(at)
    raise InputError(Common.checkpoint_best_last_step(), where=str(at), next_step=Says.best_last_1000())


def _check_known(runs: list[Run], keys: tuple[str, ...], metric: str) -> None:
    """A misspelt key or metric is told from a run that merely lacks it."""
    if not runs:
        raise InputError(Common.there_no_runs_here(), next_step=Says.give_folder_training_wrote_runs())
    for key in keys:
        if not any(key in run.config for run in runs):
            known = ", ".join(config_differences(runs)[:12]) or "none differs"
            raise InputError(Says.no_run_config_key(), where=key, next_step=Says.keys_differ(names=known))
    if not any(metric in run.metrics for run in runs):
        names = sorted({name for run in runs for name in run.metrics})
        known = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise InputError(Says.no_run_metric(), where=metric, next_step=Says.metrics(names=known or "none"))


def _arm_of(run: Run, keys: tuple[str, ...]) -> str | None:
    if any(key not in run.config for key in keys):
        return None
    if len(keys) == 1:
        return config_text(run.config[keys[0]])
    return ", ".join(f"{key}={config_text(run.config[key])}" for key in keys)


def _seed_of(run: Run) -> str | None:
    key = next((key for key in SEED_KEYS if run.config.get(key) is not None), None)
    return None if key is None else config_text(run.config[key])


def _baseline_of(labels: list[str], given: str | None, all_arms: Sequence[str | None]) -> str | None:
    if given is not None:
        for label in labels:
            if label == given or label.lower() == given.lower():
                return label
        next_step = f"Arms: {'; '.join(labels) or 'none'}."
        if given in all_arms:
            raise InputError(Says.no_run_baseline_counts(), where=given, next_step=next_step)
        raise InputError(Says.baseline_none_arms(), where=given, next_step=next_step)
    named = [label for label in labels if DEFAULT_BASELINE in re.split(r"[=,\s]+", label.lower())]
    return named[0] if len(named) == 1 else labels[0] if labels else None


def _one_run_for_each_seed(
    candidates: list[tuple[Run, RunValue]],
) -> tuple[list[tuple[Run, RunValue]], list[Excluded]]:
    """Of several runs of one arm and seed the latest counts. Runs without a seed all stay; they pair with none."""
    latest: dict[tuple[str, str], tuple[Run, RunValue]] = {}
    kept: list[tuple[Run, RunValue]] = []
    excluded: list[Excluded] = []
    for run, value in candidates:
        if not value.seed:
            kept.append((run, value))
            continue
        key = (value.arm, value.seed)
        if key in latest and _age(latest[key][0]) > _age(run):
            older, newer = (run, value), latest[key]
        elif key in latest:
            older, newer = latest[key], (run, value)
        else:
            latest[key] = (run, value)
            continue
        latest[key] = newer
        reason = Says.later_run_same_arm_seed(run=newer[0].name)
        differing = config_differences([older[0], newer[0]])
        if differing:
            reason += f" (they differ in {', '.join(differing[:4])}: group by that too?)"
        excluded.append(Excluded(older[0].id, older[0].name, older[1].arm, older[1].seed, reason))
    kept_ids = {run.id for run, _ in kept} | {run.id for run, _ in latest.values()}
    return [(run, value) for run, value in candidates if run.id in kept_ids], excluded


def _age(run: Run) -> tuple[float, float]:
    return (run.started_unix_s or run.updated_unix_s, run.updated_unix_s)


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


def _compare_arms(
    labels: list[str], values: list[RunValue], excluded: list[Excluded], lower_is_better: bool
) -> tuple[tuple[Comparison, ...], list[Excluded]]:
    """All arms against the first. Also the runs that count in their arm but found no partner."""
    by_arm = {label: {value.seed: value for value in values if value.arm == label and value.seed} for label in labels}
    if not labels:
        return (), []
    base, *others = labels
    paired: dict[str, statistics.Paired] = {}
    partners: set[str] = set()
    for label in others:
        seeds = [seed for seed in by_arm[label] if seed in by_arm[base]]
        partners |= {by_arm[arm][seed].run_id for arm in (label, base) for seed in seeds}
        differences = np.asarray([by_arm[label][seed].value - by_arm[base][seed].value for seed in seeds])
        paired[label] = statistics.compare_pairs(differences)
    tested = [label for label in others if paired[label].p_value is not None]
    adjusted = dict(zip(tested, statistics.holm([paired[label].p_value or 0.0 for label in tested]), strict=True))
    comparisons = tuple(
        _comparison(label, base, paired[label], adjusted.get(label), len(tested), excluded, lower_is_better)
        for label in others
    )
    unpaired = []
    if others:
        for value in values:
            if value.run_id not in partners:
                reason = (
                    "no run of the other arm has its seed" if value.seed else "its config has no seed to pair it by"
                )
                unpaired.append(Excluded(value.run_id, value.run, value.arm, value.seed, f"not paired: {reason}"))
    return comparisons, unpaired


def _comparison(
    arm: str,
    baseline: str,
    paired: statistics.Paired,
    p_value: float | None,
    tests: int,
    excluded: list[Excluded],
    lower_is_better: bool,
) -> Comparison:
    alpha = statistics.ALPHA / max(tests, 1)  # the strictest level of Holm's procedure
    reachable = p_value is not None and statistics.smallest_p_value(paired.pairs) < alpha
    detectable = None
    if reachable and paired.spread is not None:
        detectable = statistics.detectable_effect(paired.pairs, alpha) * paired.spread
    needed = _more_seeds(paired, alpha)
    if p_value is None:
        verdict, reason = "refused", _refusal(paired.pairs, arm, baseline, excluded)
    elif p_value < statistics.ALPHA:
        verdict = "better" if (paired.difference < 0) == lower_is_better else "worse"
        needed = 0
        reason = f"the difference is unlikely to be chance ({p_text(p_value)}, {paired.pairs} paired seeds)"
    else:
        verdict = "no_difference_shown"
        reason = f"a difference like this is to be expected by chance ({p_text(p_value)}, {paired.pairs} paired seeds)"
        if not reachable:
            smallest = min(1.0, statistics.smallest_p_value(paired.pairs) * tests)
            reason = (
                f"with {paired.pairs} pairs and {tests} arms compared no adjusted p-value can be below {smallest:.3g}: "
                "more seeds are needed before anything can be shown"
            )
    return Comparison(
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


def _refusal(pairs: int, arm: str, baseline: str, excluded: list[Excluded]) -> str:
    lost = [one for one in excluded if one.arm in (arm, baseline)]
    text = (
        f"{pairs} paired seed{'' if pairs == 1 else 's'}; at least {statistics.MIN_PAIRS} are needed, because with "
        f"fewer no result can reach p < {statistics.ALPHA}"
    )
    if lost:
        count = f"{len(lost)} run{'' if len(lost) == 1 else 's'} of these arms did not count"
        text += f" ({count}: {lost[0].run} {lost[0].reason}{'; …' if len(lost) > 1 else ''})"
    return text


def _notes(usable: list[tuple[Run, RunValue]], labels: list[str], keys: tuple[str, ...], chooser: Chooser) -> list[str]:
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
        notes.append(Says.runs_one_arm_differ_more(names=_listed(list(within))))
    if between:
        notes.append(Says.arms_also_differ(names=_listed(between)))
    unfinished = [run.name for run in runs if run.status in ("failed", "killed")]
    if unfinished:
        notes.append(Says.did_not_finish_but_count(names=_listed(unfinished)))
    ends = sorted({int(run.metrics[chooser.metric].step[-1]) for run in runs})
    if len(ends) > 1:
        notes.append(Says.runs_end_different_steps(first=ends[0], last=ends[-1]))
    if len(labels) == 1:
        notes.append(Says.there_one_arm_only_nothing(arm=labels[0]))
    return notes


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
