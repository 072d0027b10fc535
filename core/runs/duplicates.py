"""Several runs of one arm and seed: which of them counts.

Told from contents and names only. When a file was last written says nothing: a copy, a clone or an archive of the same
runs must give the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from ..errors import InputError
from ..messages import Message
from .discover import natural_order
from .report import Duplicates, Excluded, RunValue
from .series import Run, config_differences
from .words import Says

Candidate = tuple[Run, RunValue]
RULES: tuple[str, ...] = get_args(Duplicates)


@dataclass(frozen=True)
class OneEach:
    """What is left when every arm has at most one run of a seed.

    Attributes:
        kept: in the order in which they came.
        excluded: the others, with the reason.
        repeated: (arm, seed) of which there were several.
    """

    kept: list[Candidate]
    excluded: list[Excluded]
    repeated: tuple[tuple[str, str], ...]


def checked_rule(rule: str) -> Duplicates:
    """Raises `InputError` if there is no such rule."""
    for one in get_args(Duplicates):
        if rule == one:
            known: Duplicates = one
            return known
    raise InputError(Says.unknown_duplicates(), where=rule[:60], next_step=Says.give_duplicates())


def one_for_each_seed(candidates: Sequence[Candidate], rule: Duplicates) -> OneEach:
    """Of the runs of one arm and seed the one that counts by the rule. Runs without a seed all stay; they pair with
    none."""
    alike: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in candidates:
        value = candidate[1]
        alike.setdefault((value.arm, value.seed), []).append(candidate)
    kept: dict[str, Candidate] = {}
    excluded: list[Excluded] = []
    repeated = []
    for (arm, seed), several in alike.items():
        if len(several) == 1 or not seed:
            kept.update((run.id, (run, value)) for run, value in several)
            continue
        repeated.append((arm, seed))
        counted, others, reason = _decided(several, rule)
        kept[counted[0].id] = counted
        excluded += [Excluded(run.id, run.name, arm, seed, _with_differences(reason, several)) for run, _ in others]
    return OneEach([kept[run.id] for run, _ in candidates if run.id in kept], excluded, tuple(repeated))


def _decided(several: list[Candidate], rule: Duplicates) -> tuple[Candidate, list[Candidate], Message]:
    """The run that counts, the others, and why they do not. Where none should, the last stands for what was seen."""
    started = all(run.started_unix_s is not None for run, _ in several)
    ordered = sorted(several, key=lambda one: (one[0].started_unix_s if started else 0, natural_order(one[0].path)))
    if rule == "first":
        said = Says.earlier_run if started else Says.first_by_name
        return ordered[0], ordered[1:], said(run=ordered[0][0].name)
    last, value = ordered[-1]
    if rule == "mean":
        mean = sum(value.value for _, value in several) / len(several)
        return (last, replace(value, value=mean)), ordered[:-1], Says.in_the_mean(run=last.name)
    if rule == "refuse":
        return ordered[-1], ordered[:-1], Says.repeated_refused(run=last.name)
    said = Says.later_run if started else Says.last_by_name
    return ordered[-1], ordered[:-1], said(run=last.name)


def _with_differences(reason: Message, several: list[Candidate]) -> Message:
    differing = config_differences([run for run, _ in several])
    return Says.and_they_differ(reason=reason, keys=", ".join(differing[:4])) if differing else reason


def duplicates_note(repeated: int, rule: Duplicates) -> Message:
    """What was done, for the verdict."""
    rules = {"latest": Says.latest_counts, "first": Says.first_counts, "mean": Says.mean_counts}
    return Says.several_of_one_seed(count=repeated, rule=rules.get(rule, Says.no_verdict_on_them)())
