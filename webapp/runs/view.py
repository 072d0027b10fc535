"""A view of a folder of runs: everything that a visitor has chosen. It becomes the query of a link and comes back from
one; what a link says is believed only where it makes sense here (`settled`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from core.runs import Conventions, Question, Run, RunSet, config_differences
from core.runs.compare import SEED_KEYS, arms_of
from core.runs.directions import told_by
from core.runs.duplicates import RULES

MAX_CURVES = 4
X_AXES = ("step", "epoch", "time", "wall")
DRAWINGS = ("bands", "runs")
INTERVALS = ("bootstrap", "t")
CHECKPOINTS = ("best", "last")
DIRECTIONS = ("auto", "min", "max")
COSTS = ("seconds_per_epoch", "samples_per_s", "peak_memory_bytes", "parameters")
_MAX_WORD = 300
_MAX_WORDS = 2_000
_MAX_SMOOTHING = 0.99


@dataclass(frozen=True)
class View:
    """Everything a visitor has chosen. An empty word means "choose for me".

    Attributes:
        folder: id of an `OfferedFolder`, or `upload`.
        group_by: config keys that make the arms.
        metric: what the verdict reports; `select`: what chooses the checkpoint; `at`: best or last.
        baseline: an arm's label.
        direction: auto, min or max.
        duplicates: which of several runs of one arm and seed counts.
        curves: metrics drawn; `x`: their axis; `smooth`: weight of the moving average, 0 to 0.99; `log`: of `x`, `y`.
        draw: bands (mean and interval of each arm) or runs; `interval`: bootstrap or t.
        cost: horizontal axis of quality against cost.
        search: which runs take part, see `matching`; `hidden`: ids of runs that are ticked off.
    """

    folder: str = ""
    group_by: tuple[str, ...] = ()
    metric: str = ""
    select: str = ""
    at: str = "best"
    baseline: str = ""
    direction: str = "auto"
    duplicates: str = "latest"
    curves: tuple[str, ...] = ()
    x: str = "step"
    smooth: float = 0.0
    log: tuple[str, ...] = ()
    draw: str = "bands"
    interval: str = "bootstrap"
    cost: str = ""
    search: str = ""
    hidden: tuple[str, ...] = ()

    def query(self) -> str:
        """The view as the query of a link: `runs_folder=…&runs_metric=…`, only what is not as at the start."""
        pairs: list[tuple[str, str]] = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                words = value if isinstance(value, tuple) else (str(value),)
                pairs += [(f"runs_{one.name}", word) for word in words]
        return urlencode(pairs)

    @staticmethod
    def from_query(query: str) -> View:
        """A link's query → the view, with everything that cannot be meant left at its default. Never fails."""
        try:
            said = parse_qs(query.lstrip("?")[:100_000], max_num_fields=5_000, errors="replace")
        except ValueError:
            return View()
        values: dict[str, Any] = {}
        for one in fields(View):
            words = [word[:_MAX_WORD] for word in said.get(f"runs_{one.name}", [])][:_MAX_WORDS]
            if not words:
                continue
            values[one.name] = tuple(words) if isinstance(one.default, tuple) else words[0]
        try:
            smooth = float(values.pop("smooth", 0.0))
        except ValueError:
            smooth = 0.0
        return View(**values, smooth=smooth).plausible()

    def plausible(self) -> View:
        """The same with every choice among a fixed few held to those."""
        one_of = {
            "x": X_AXES,
            "draw": DRAWINGS,
            "interval": INTERVALS,
            "at": CHECKPOINTS,
            "direction": DIRECTIONS,
            "duplicates": RULES,
        }
        fixed: dict[str, Any] = {
            name: options[0] for name, options in one_of.items() if getattr(self, name) not in options
        }
        smooth = self.smooth if math.isfinite(self.smooth) else 0.0
        return replace(
            self,
            **fixed,
            smooth=min(max(smooth, 0.0), _MAX_SMOOTHING),
            log=tuple(axis for axis in ("x", "y") if axis in self.log),
            cost=self.cost if self.cost in COSTS else "",
        )


def view_of_question(question: Question, folder_id: str, runs: Sequence[Run]) -> View:
    """A question as a view of its experiment's folder."""
    names = RunSet(tuple(runs)).metric_names
    arms = set(arms_of(runs, (question.group_by,)).values())
    return View(
        folder=folder_id,
        group_by=(question.group_by,),
        metric=next((name for name in question.metrics if name in names), ""),
        baseline=next((arm for arm in question.baselines if arm in arms), ""),
        direction=question.direction,
        search=question.search,
        curves=tuple(name for name in question.curves if name in names),
    ).plausible()


# ------------------------------------------------------------------ open choices


def settled(view: View, runs: Sequence[Run], conventions: Conventions) -> tuple[View, list[str]]:
    """The view with every open choice made, and what it names that is not here (keys, metrics, arms)."""
    names = RunSet(tuple(runs)).metric_names
    keys = {key for run in runs for key in run.config}
    group_by = _those_in(view.group_by, keys) or default_group(runs, conventions)
    metric = view.metric if view.metric in names else default_metric(runs, conventions)
    arms = arms_of(runs, group_by).values()
    missing = [key for key in view.group_by if key not in keys]
    missing += [name for name in dict.fromkeys((view.metric, view.select, *view.curves)) if name and name not in names]
    missing += [view.baseline] if view.baseline and view.baseline not in arms else []
    new = replace(
        view,
        group_by=group_by,
        metric=metric,
        select=view.select if view.select in names else "",
        baseline=view.baseline if view.baseline in arms else "",
        curves=_those_in(view.curves, names)[:MAX_CURVES] or default_curves(runs, metric),
        hidden=_those_in(view.hidden, {run.id for run in runs}),
    )
    return new, missing


def _those_in(chosen: Sequence[str], there: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in chosen if one in there))


def default_group(runs: Sequence[Run], conventions: Conventions) -> tuple[str, ...]:
    """The experiment's own key, else the first key that differs and is no seed; none where none differs."""
    if conventions.group_by and any(conventions.group_by in run.config for run in runs):
        return (conventions.group_by,)
    return tuple(key for key in config_differences(runs) if key not in SEED_KEYS)[:1]


def default_metric(runs: Sequence[Run], conventions: Conventions) -> str:
    """What a verdict would be asked about: what most runs have, a test metric before a validation one, what the
    experiment asks about first."""
    count = Counter(name for run in runs for name in run.metrics)
    most = max(count.values(), default=0)
    words = {name.rpartition("/")[2].lower() for name in conventions.metrics}

    def rank(name: str) -> tuple[bool, int, bool, bool, str]:
        lower = name.lower()
        split = re.match(r"(test|val|valid|eval|train)\b|", lower.replace("_", "/"))
        place = {"test": 0, "val": 1, "valid": 1, "eval": 1, "train": 3}.get(split[1] or "" if split else "", 2)
        own = any(word in lower for word in words)
        return (count[name] * 2 < most, place, not own, "loss" in lower, name)

    names = RunSet(tuple(runs)).metric_names
    judged = (name for name in names if told_by(name))
    return min(judged, key=rank, default=names[0] if names else "")


def default_curves(runs: Sequence[Run], metric: str) -> tuple[str, ...]:
    """Two curves to begin with: the metric (or its validation twin, where it was logged once), and a loss."""
    longest = {name: max((len(run.metrics[name]) for run in runs[:40] if name in run.metrics), default=0)
               for name in RunSet(tuple(runs)).metric_names}  # fmt: skip
    bare = re.split(r"[/_.]", metric, maxsplit=1)[-1]
    drawn = [name for name in longest if longest[name] > 1] or list(longest)
    first = [name for name in drawn if name == metric] or [name for name in drawn if name != metric and bare in name]
    losses = [name for name in drawn if "loss" in name.lower()]
    losses.sort(key=lambda name: ("train" not in name.lower(), name))
    return tuple(dict.fromkeys([*first[:1], *losses[:1], *drawn[:1]]))[:2]
