"""What a comparison says: each arm by itself, each arm against the baseline, and which runs did not count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from . import statistics

METHOD = (
    "Runs are paired by seed. p-values are from a two-sided paired permutation test of the mean difference (exact up "
    f"to {statistics.EXACT_UP_TO_PAIRS} pairs, {statistics.RANDOM_FLIPS:,} random sign flips above), Holm-adjusted "
    "over the arms compared. The interval is a 95 % Student t interval of the paired differences. The detectable "
    "difference is what a paired t test at the strictest Holm level would see with power 0.8, given the spread of the "
    "differences; with six pairs the permutation test sees it in about 63 % of cases, from seven on in 77 % or more."
)


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

    @property
    def out_of_reach(self) -> bool:
        """Whether, with so few pairs for so many arms, no result at all could have shown a difference."""
        return self.verdict == "no_difference_shown" and self.detectable_difference is None


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
        return sentence_of(comparison, self.metric)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; numbers that do not exist are null."""
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


def p_text(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def sentence_of(comparison: Comparison, metric: str) -> str:
    arm, baseline = comparison.arm, comparison.baseline
    seeds = f"{comparison.pairs} paired seed{'' if comparison.pairs == 1 else 's'}"
    if comparison.verdict == "refused" or comparison.difference is None:
        return f"No verdict on {arm} against {baseline} in {metric}: {comparison.reason}."
    size = abs(comparison.difference)
    low, high = comparison.interval or (math.nan, math.nan)
    if comparison.verdict == "no_difference_shown":
        text = (
            f"No difference shown between {arm} and {baseline} in {metric}: {comparison.difference:+.3g}, 95 % "
            f"interval {low:.3g} to {high:.3g}, {p_text(comparison.p_value or 0.0)}, {seeds}"
        )
        if comparison.out_of_reach:
            text += f"; {comparison.reason}"
        elif comparison.seeds_needed:
            text += f"; about {comparison.seeds_needed:,} more would show a difference of this size"
    else:
        if comparison.difference < 0:
            low, high = -high, -low
        text = (
            f"{arm} is {comparison.verdict} than {baseline} by {size:.3g} in {metric}, 95 % interval {low:.3g} to "
            f"{high:.3g}, {p_text(comparison.p_value or 0.0)}, {seeds}"
        )
    if comparison.detectable_difference is not None:
        text += f"; you would see differences down to {comparison.detectable_difference:.2g}"
    return text + "."
