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
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InputError
from core.runs import statistics
from core.runs.series import Run, RunSet, Series, config_differences, config_text

SEED_KEYS = ("seed", "random_seed", "seed_everything", "_seed")
DEFAULT_BASELINE = "mlp"

_LOWER = frozenset(
    """loss nme error err mae mse rmse rmsd ms millisecond milliseconds s sec secs second seconds time latency duration
    fr perplexity ppl memory bytes mb gb ece nll bce ce wer cer fid eer brier distance drift miss regret""".split()  # noqa: SIM905
)
_HIGHER = frozenset(
    """acc accuracy map ap rank auc auroc auprc aupr recall iou miou giou precision f1 fscore dice psnr ssim r2 top r
    cmc correlation pearson spearman throughput mrr ndcg hit hits reward return score bleu rouge likelihood""".split()  # noqa: SIM905
)
_RATE = re.compile(
    r"(per[_\- ]?|(images?|samples?|frames?|tokens?|items?|steps?|rows?|batches|it)/)"
    r"(s|secs?|seconds?|min|minutes?|hours?)$",
    re.IGNORECASE,
)

METHOD = (
    "Runs are paired by seed. p-values are from a two-sided paired permutation test of the mean difference (exact up "
    f"to {statistics.EXACT_UP_TO_PAIRS} pairs, {statistics.RANDOM_FLIPS:,} random sign flips above), Holm-adjusted "
    "over the arms compared. The interval is a 95 % Student t interval of the paired differences. The detectable "
    "difference is what a paired t test at the strictest Holm level would see with power 0.8, given the spread of the "
    "differences; with six pairs the permutation test sees it in about 63 % of cases, from seven on in 77 % or more."
)


# ------------------------------------------------------------------------------------------------------------ results


@dataclass(frozen=True)
class Excluded:
    """A run that did not count, or not fully, and why. `arm` and `seed` are labels, empty where unknown."""

    run_id: str
    run: str
    arm: str
    seed: str
    reason: str


@dataclass(frozen=True)
class RunValue:
    """The number that one run enters the comparison with, and the step of the checkpoint it belongs to."""

    run_id: str
    run: str
    arm: str
    seed: str
    value: float
    step: int


@dataclass(frozen=True)
class ArmSummary:
    """One arm by itself.

    Attributes:
        runs: how many count.
        mean, interval: with its 95 % t interval; None below two runs.
        iqm, iqm_interval: interquartile mean with a percentile bootstrap over seeds.
        iqm_coverage: what that interval truly covers at this number of seeds (nominally 0.95); None below two runs.
        lowest, highest: values.
    """

    arm: str
    runs: int
    mean: float
    interval: tuple[float, float] | None
    iqm: float
    iqm_interval: tuple[float, float] | None
    iqm_coverage: float | None
    lowest: float
    highest: float


@dataclass(frozen=True)
class Comparison:
    """One arm against the baseline.

    Attributes:
        verdict: `better`, `worse`, `no_difference_shown` or `refused`.
        difference: mean over pairs of arm − baseline; None without a pair.
        interval: 95 % t interval of it; None below two pairs.
        p_value: Holm-adjusted; None if refused.
        pairs: seeds that both have.
        effect_size: Cohen's d of the paired differences; None if they do not vary.
        detectable_difference: the smallest true difference seen with power 0.8; None if none can be, with so few pairs.
        seeds_needed: how many **more** paired seeds it takes to show a difference of the size observed with power 0.8
            (never less than the test itself needs); 0 if it was shown; None if more than 100,000.
        baseline, arm: labels.
        reason: the verdict in words.
    """

    verdict: str
    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    pairs: int
    effect_size: float | None
    detectable_difference: float | None
    seeds_needed: int | None
    baseline: str
    arm: str
    reason: str


@dataclass(frozen=True)
class Report:
    """A whole comparison. `to_json` is what `--json` prints."""

    metric: str
    select_metric: str | None
    direction: str
    at: str
    group_by: tuple[str, ...]
    baseline: str | None
    arms: tuple[ArmSummary, ...]
    comparisons: tuple[Comparison, ...]
    values: tuple[RunValue, ...]
    excluded: tuple[Excluded, ...]
    notes: tuple[str, ...]
    method: str = METHOD

    def sentence(self, comparison: Comparison) -> str:
        """One comparison in plain words."""
        return _sentence(comparison, self.metric)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; numbers that do not exist are null."""
        from dataclasses import asdict

        plain = asdict(self)
        ordered = {"comparisons": plain.pop("comparisons"), **plain}
        return _without_nan(ordered)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return value


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
    chooser = _Chooser(found, metric, select_metric, at, direction)

    excluded: list[Excluded] = []
    candidates: list[tuple[Run, RunValue]] = []
    for run in found:
        arm, seed = _arm_of(run, keys), _seed_of(run)
        value = chooser.value_of(run, arm or "", seed or "")
        if arm is None:
            missing = ", ".join(key for key in keys if key not in run.config)
            value = f"its config has no {missing}"
        elif run.status == "running":
            value = "still running"
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
            reason = f"its {metric} is {_number_word(value.value)} (step {value.step:,})"
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


def direction_of(metric: str, given: str | None = None) -> str:
    """`min` where lower is better, `max` where higher is: as given, else told from the words of the metric's name.

    The part after the last `/` decides; the whole name only if that says nothing.

    Raises:
        InputError: `given` is neither, or the name says nothing or both.
    """
    if given is not None:
        if given not in ("min", "max"):
            raise InputError("A direction is min or max.", where=str(given), next_step="--direction min or max")
        return given
    if _RATE.search(metric):
        return "max"  # images per second
    for name in (metric.rpartition("/")[2], metric):
        # `mAP` and `IoU` whole, `valLoss` in two, `rank1` and `f1` with and without their number.
        parts = re.split(r"[^A-Za-z0-9]+", re.sub(r"mAP|mIoU|IoU", lambda match: match[0].lower(), name))
        found = [*parts, *(word for part in parts for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part))]
        words = {word.lower() for word in found}
        lower, higher = bool(words & _LOWER), bool(words & _HIGHER)
        if lower != higher:
            return "min" if lower else "max"
    raise InputError(
        "The metric's name does not say whether lower or higher is better.",
        where=metric,
        next_step="Say it: --direction min or --direction max",
    )


def _keys(group_by: str | Sequence[str]) -> tuple[str, ...]:
    parts = group_by.split(",") if isinstance(group_by, str) else [part for one in group_by for part in one.split(",")]
    keys = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not keys:
        raise InputError("Runs are grouped by a config key.", next_step="Name one, for example pose_encoder.")
    return keys


def _checked_at(at: str | int) -> str | int:
    if isinstance(at, int) or at in ("best", "last"):
        return at
    if re.fullmatch(r"\d+", str(at).strip()):
        return int(at)
    raise InputError(
        "A checkpoint is best, last or a step.", where=str(at), next_step="--at best, --at last or --at 1000"
    )


def _check_known(runs: list[Run], keys: tuple[str, ...], metric: str) -> None:
    """A misspelt key or metric is told from a run that merely lacks it."""
    if not runs:
        raise InputError("There are no runs here.", next_step="Give the folder that training wrote its runs to.")
    for key in keys:
        if not any(key in run.config for run in runs):
            known = ", ".join(config_differences(runs)[:12]) or "none differs"
            raise InputError("No run's config has this key.", where=key, next_step=f"Keys that differ: {known}.")
    if not any(metric in run.metrics for run in runs):
        names = sorted({name for run in runs for name in run.metrics})
        known = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise InputError("No run has this metric.", where=metric, next_step=f"Metrics: {known or 'none'}.")


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
            raise InputError("No run of the baseline counts.", where=given, next_step=next_step)
        raise InputError("The baseline is none of the arms.", where=given, next_step=next_step)
    named = [label for label in labels if DEFAULT_BASELINE in re.split(r"[=,\s]+", label.lower())]
    return named[0] if len(named) == 1 else labels[0] if labels else None


# --------------------------------------------------------------------------------------------------- value of one run


class _Chooser:
    """Which number a run is represented by."""

    def __init__(
        self, runs: list[Run], metric: str, select_metric: str | None, at: str | int, direction: str | None
    ) -> None:
        self.metric = metric
        self.at = at
        self.select_metric: str | None = None
        self.notes: list[str] = []
        self._select_lower = False
        if at != "best":
            return
        names = {name for run in runs for name in run.metrics}
        if select_metric is not None and select_metric not in names:
            raise InputError(
                "No run has the metric that should choose the checkpoint.",
                where=select_metric,
                next_step="Give --select_metric one of the runs' metrics, or --at last.",
            )
        twin = select_metric or next((name for name in _val_twins(metric) if name in names), None)
        is_test = _split_of(metric) == "test"
        if twin is None and not is_test:
            twin = metric
            if _split_of(metric) != "val":
                self.notes.append(f"{metric} has no val/ twin: its own best value is reported, which is optimistic")
        self.select_metric = twin
        if twin is not None:
            self._select_lower = _direction_to_select(twin, metric, direction) == "min"

    def value_of(self, run: Run, arm: str, seed: str) -> RunValue | str:
        """The run's value, or why it has none. The value may be NaN or infinite."""
        reported = run.metrics.get(self.metric)
        if reported is None or len(reported) == 0:
            return f"has no {self.metric}"
        index = self._index(run, reported)
        if isinstance(index, str):
            return index
        return RunValue(run.id, run.name, arm, seed, float(reported.value[index]), int(reported.step[index]))

    def _index(self, run: Run, reported: Series) -> int | str:
        if self.at == "last":
            return len(reported) - 1
        if isinstance(self.at, int):
            index = int(np.searchsorted(reported.step, self.at))
            if index < len(reported) and reported.step[index] == self.at:
                return index
            steps = f"its steps run from {reported.step[0]:,} to {reported.step[-1]:,}"
            return f"has no {self.metric} at step {self.at:,} ({steps})"
        if self.select_metric is None:  # a test metric without a twin
            if len(reported) == 1:
                return 0
            return f"has {len(reported):,} values of {self.metric} and no validation metric to choose among them"
        selecting = run.metrics.get(self.select_metric)
        logged_once = len(reported) == 1 and self.select_metric != self.metric
        if selecting is None or len(selecting) == 0:
            return 0 if logged_once else f"has no {self.select_metric} to choose a checkpoint by"
        finite = np.flatnonzero(np.isfinite(selecting.value))
        if not len(finite):
            return f"its {self.select_metric} is {_number_word(float(selecting.value[-1]))} throughout"
        if logged_once:
            return 0  # evaluated at the end, by a training that had chosen its checkpoint
        values = selecting.value[finite]
        best = int(finite[values.argmin() if self._select_lower else values.argmax()])
        return self._reported_at(selecting, best, reported)

    def _reported_at(self, selecting: Series, best: int, reported: Series) -> int | str:
        """Where the reported metric was logged for the chosen checkpoint: the same step, else the same epoch."""
        step = int(selecting.step[best])
        index = int(np.searchsorted(reported.step, step))
        if index < len(reported) and reported.step[index] == step:
            return index
        if selecting.epoch is not None and reported.epoch is not None and math.isfinite(selecting.epoch[best]):
            same_epoch = np.flatnonzero(reported.epoch == selecting.epoch[best])
            if len(same_epoch):
                return int(same_epoch[-1])
        return f"has no {self.metric} at step {step:,}, which {self.select_metric} chose"


_SPLITS = {
    "test": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "eval": "val",
    "dev": "val",
    "train": "train",
}
_SPLIT = re.compile(r"^(test|validation|valid|val|eval|dev|train)([/_.\-])", re.IGNORECASE)


def _split_of(metric: str) -> str | None:
    match = _SPLIT.match(metric)
    return _SPLITS[match[1].lower()] if match else None


def _without_split(metric: str) -> str:
    return _SPLIT.sub("", metric)


def _val_twins(metric: str) -> list[str]:
    """Names under which the same quantity may have been logged on validation data; the metric itself if it is one."""
    if _split_of(metric) == "val":
        return [metric]
    match = _SPLIT.match(metric)
    separators = dict.fromkeys([match[2] if match else "/", "/", "_", "."])
    bare = _without_split(metric)
    return [
        f"{split}{separator}{bare}"
        for separator in separators
        for split in ("val", "valid", "validation", "eval", "dev")
    ]


def _direction_to_select(select_metric: str, metric: str, given: str | None) -> str:
    """A given direction is about the reported metric; another metric's own name goes before it."""
    if _without_split(select_metric) == _without_split(metric):
        return direction_of(select_metric, given)
    try:
        return direction_of(select_metric)
    except InputError:
        return direction_of(select_metric, given)


def _number_word(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite" if math.isinf(value) else f"{value:g}"


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
        reason = f"{newer[0].name} is a later run of the same arm and seed"
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
        reason = f"the difference is unlikely to be chance ({_p_text(p_value)}, {paired.pairs} paired seeds)"
    else:
        verdict = "no_difference_shown"
        reason = f"a difference like this is to be expected by chance ({_p_text(p_value)}, {paired.pairs} paired seeds)"
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


def _notes(
    usable: list[tuple[Run, RunValue]], labels: list[str], keys: tuple[str, ...], chooser: _Chooser
) -> list[str]:
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
        notes.append(f"runs of one arm differ in more than their seed: {_listed(list(within))}")
    if between:
        notes.append(f"the arms also differ in: {_listed(between)}")
    unfinished = [run.name for run in runs if run.status in ("failed", "killed")]
    if unfinished:
        notes.append(f"did not finish, but count: {_listed(unfinished)}")
    ends = sorted({int(run.metrics[chooser.metric].step[-1]) for run in runs})
    if len(ends) > 1:
        notes.append(f"runs end at different steps, from {ends[0]:,} to {ends[-1]:,}")
    if len(labels) == 1:
        notes.append(f"there is one arm only ({labels[0]}): nothing to compare")
    return notes


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _p_text(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _sentence(comparison: Comparison, metric: str) -> str:
    arm, baseline = comparison.arm, comparison.baseline
    seeds = f"{comparison.pairs} paired seed{'' if comparison.pairs == 1 else 's'}"
    if comparison.verdict == "refused" or comparison.difference is None:
        return f"No verdict on {arm} against {baseline} in {metric}: {comparison.reason}."
    size = abs(comparison.difference)
    low, high = comparison.interval or (math.nan, math.nan)
    if comparison.verdict == "no_difference_shown":
        text = (
            f"No difference shown between {arm} and {baseline} in {metric}: {comparison.difference:+.3g}, 95 % "
            f"interval {low:.3g} to {high:.3g}, {_p_text(comparison.p_value or 0.0)}, {seeds}"
        )
        if comparison.seeds_needed:
            text += f"; about {comparison.seeds_needed:,} more would show a difference of this size"
    else:
        if comparison.difference < 0:
            low, high = -high, -low
        text = (
            f"{arm} is {comparison.verdict} than {baseline} by {size:.3g} in {metric}, 95 % interval {low:.3g} to "
            f"{high:.3g}, {_p_text(comparison.p_value or 0.0)}, {seeds}"
        )
    if comparison.detectable_difference is not None:
        text += f"; you would see differences down to {comparison.detectable_difference:.2g}"
    return text + "."


# --------------------------------------------------------------------------------------------------------------- bands


@dataclass(frozen=True, eq=False)
class Band:
    """Mean curve of an arm with an interval around it, for drawing.

    Attributes:
        x_S: float64, ascending.
        mean_S, low_S, high_S: NaN where no run, or for the interval fewer than two, reach.
        runs_S: how many runs reach each x.
        interval: `bootstrap` or `t`.
        coverage: what the interval truly covers where fewest runs reach (at least two): measured for the bootstrap,
            0.95 for t; NaN if there is no interval.
    """

    x_S: np.ndarray
    mean_S: np.ndarray
    low_S: np.ndarray
    high_S: np.ndarray
    runs_S: np.ndarray
    interval: str
    coverage: float


def band(runs: Sequence[Run], metric: str, *, x: str = "step", interval: str = "bootstrap", points: int = 400) -> Band:
    """The mean of `metric` over runs (seeds), at every x that any of them reaches.

    Args:
        runs: of one arm; those without the metric do not take part.
        x: `step`, `epoch` or `time`.
        interval: `bootstrap` (percentile, over runs) or `t` (Student, of the mean).
        points: at most so many x; between its own points a run is interpolated, beyond its end it takes no part, and
            where it is NaN or infinite it takes no part either.

    Raises:
        InputError: `x` or `interval` is none of those.
    """
    if x not in ("step", "epoch", "time") or interval not in ("bootstrap", "t"):
        raise InputError("A band is over step, epoch or time, with interval bootstrap or t.", where=f"{x}, {interval}")
    curves = []
    for run in runs:
        series = run.metrics.get(metric)
        axis = None if series is None else {"step": series.step, "epoch": series.epoch, "time": series.time_s}[x]
        if series is not None and axis is not None:
            axis = axis.astype(np.float64)
            order = np.argsort(axis[np.isfinite(axis)], kind="stable")
            curves.append((axis[np.isfinite(axis)][order], series.value[np.isfinite(axis)][order]))
    curves = [(axis, value) for axis, value in curves if len(axis)]
    grid = np.unique(np.concatenate([axis for axis, _ in curves])) if curves else np.empty(0)
    if len(grid) > points:
        grid = np.linspace(grid[0], grid[-1], points)
    values_NS = np.full((len(curves), len(grid)), np.nan)
    for row, (axis, value) in enumerate(curves):
        values = np.where(np.isfinite(value), value, np.nan)
        values_NS[row] = np.interp(grid, axis, values, left=np.nan, right=np.nan)

    present = np.isfinite(values_NS)
    mean, low, high = (np.full(len(grid), np.nan) for _ in range(3))
    patterns, pattern_of = (
        np.unique(present, axis=1, return_inverse=True) if len(curves) else (present, np.empty(0, int))
    )
    smallest = 0
    for number in range(patterns.shape[1] if len(curves) else 0):
        rows, here = np.flatnonzero(patterns[:, number]), np.flatnonzero(pattern_of.ravel() == number)
        if not len(rows):
            continue
        some = values_NS[np.ix_(rows, here)]
        mean[here] = some.mean(axis=0)
        if len(rows) >= 2:
            smallest = len(rows) if smallest == 0 else min(smallest, len(rows))
            bounds = statistics.bootstrap_interval(some) if interval == "bootstrap" else statistics.t_interval(some.T)
            low[here], high[here] = bounds
    coverage = math.nan
    if smallest:
        coverage = statistics.measured_coverage("mean", smallest) if interval == "bootstrap" else statistics.CONFIDENCE
    return Band(grid, mean, low, high, present.sum(axis=0), interval, coverage)
