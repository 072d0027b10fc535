"""What a comparison says: each arm by itself, each arm against the baseline, and which runs did not count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..messages import NOTHING, Message
from . import statistics
from .words import Says

Duplicates = Literal["latest", "first", "mean", "refuse"]
"""Which of several runs of one arm and seed counts."""

METHOD = Says.method(exact=statistics.EXACT_UP_TO_PAIRS, flips=statistics.RANDOM_FLIPS)


@dataclass(frozen=True)
class Excluded:
    """A run that did not count, or not fully, and why. `arm` and `seed` are labels, empty where unknown."""

    run_id: str
    run: str
    arm: str
    seed: str
    reason: Message


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
class ArmComparison:
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
    reason: Message

    @property
    def out_of_reach(self) -> bool:
        """Whether, with so few pairs for so many arms, no result at all could have shown a difference."""
        return self.verdict == "no_difference_shown" and self.detectable_difference is None


@dataclass(frozen=True)
class Report:
    """A whole comparison. `to_json` is what `--json` prints.

    `duplicates`: which of several runs of one arm and seed counted; `repeated_seeds`: how often there were several.
    """

    metric: str
    select_metric: str | None
    direction: str
    at: str
    duplicates: Duplicates
    repeated_seeds: int
    group_by: tuple[str, ...]
    baseline: str | None
    arms: tuple[ArmSummary, ...]
    comparisons: tuple[ArmComparison, ...]
    values: tuple[RunValue, ...]
    excluded: tuple[Excluded, ...]
    notes: tuple[Message, ...]
    method: Message = METHOD

    def sentence(self, comparison: ArmComparison) -> Message:
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


def seeds_text(pairs: int) -> Message:
    return (Says.paired_seed if pairs == 1 else Says.paired_seeds)(count=pairs)


def sentence_of(one: ArmComparison, metric: str) -> Message:
    names = {"arm": one.arm, "baseline": one.baseline, "metric": metric}
    if one.verdict == "refused" or one.difference is None:
        return Says.no_verdict(**names, reason=one.reason)
    low, high = one.interval or (math.nan, math.nan)
    rest = NOTHING
    if one.detectable_difference is not None:
        rest = Says.further(text=Says.would_see(size=one.detectable_difference), rest=rest)
    known = {**names, "p": p_text(one.p_value or 0.0), "seeds": seeds_text(one.pairs)}
    if one.verdict == "no_difference_shown":
        if one.out_of_reach:
            rest = Says.further(text=one.reason, rest=rest)
        elif one.seeds_needed:
            rest = Says.further(text=Says.more_would_show(count=one.seeds_needed), rest=rest)
        return Says.no_difference(**known, difference=one.difference, low=low, high=high, rest=rest)
    if one.difference < 0:
        low, high = -high, -low
    said = Says.better if one.verdict == "better" else Says.worse
    return said(**known, size=abs(one.difference), low=low, high=high, rest=rest)
