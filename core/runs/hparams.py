"""What TensorBoard's `add_hparams` leaves beside a run: a subfolder that holds the configuration, and final metrics.

A training that called it once (or again with the same values) described itself: the subfolder belongs to its parent's
run. A writer that did nothing else, or called it with other values each time, wrote a sweep: each subfolder is a run.

The subfolder is named after a moment in time, or as `run_name=` says; then it is known by what is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

from .formats import Format, LogFormat
from .formats.run_folder import RunPlace
from .growing import GrowingLog
from .words import Says

_MOMENT = re.compile(r"\d{9,11}(\.\d+)?")

LogsOf = Callable[[RunPlace], list[GrowingLog]]


def with_hparams_joined(places: Iterable[RunPlace], logs_of: LogsOf) -> list[RunPlace]:
    """The places, those of `add_hparams` joined to their parents where they belong to them."""
    places = list(places)
    by_folder = {_folder_of(place): place for place in places if _holds_events(place)}
    described: dict[tuple[int, str], list[RunPlace]] = {}
    for place in by_folder.values():
        tree, folder = _folder_of(place)
        parent = (tree, folder.rpartition("/")[0])
        if folder and parent in by_folder and _is_description(place, logs_of):
            described.setdefault(parent, []).append(place)
    gone: set[int] = set()
    for key, found in described.items():
        gone |= _join(by_folder[key], found, logs_of)
    return [place for place in places if id(place) not in gone]


def _join(parent: RunPlace, found: list[RunPlace], logs_of: LogsOf) -> set[int]:
    """Joins what belongs to the parent; gives the ids of the places that are none of their own any more."""
    own = logs_of(parent)
    has_metrics = any(len(log.series) for log in own)
    values = {json.dumps(_facts(place, logs_of), sort_keys=True, default=str) for place in found}
    is_alone = len(found) == 1 and _is_moment(found[0])
    if is_alone or (has_metrics and len(values) == 1):
        parent.logs = [*parent.logs, *(log for place in found for log in place.logs)]
        return {id(place) for place in found}
    if has_metrics:
        parent.notes.append(Says.trials_beside(count=len(found)))
        return set()
    has_nothing = not parent.companions and all(log.problem is None for log in own)
    return {id(parent)} if has_nothing else set()


def _is_description(place: RunPlace, logs_of: LogsOf) -> bool:
    """Whether `add_hparams` made the folder: nothing but event files, and of each metric one value."""
    if place.companions or not all(_follows_on(log[0]) for log in place.logs):
        return False
    once = all(len(one) <= 1 for log in logs_of(place) for one in log.series.values())
    return _is_moment(place) or (once and bool(_facts(place, logs_of)))


def _facts(place: RunPlace, logs_of: LogsOf) -> dict[str, object]:
    return {key: value for log in logs_of(place) for key, value in log.memory.get("facts", {}).items()}


def _is_moment(place: RunPlace) -> bool:
    return bool(_MOMENT.fullmatch(_folder_of(place)[1].rpartition("/")[2]))


def _folder_of(place: RunPlace) -> tuple[int, str]:
    """Which tree, and where in it the files lie."""
    files = [*place.companions.values(), *(path for _, path in place.logs)]
    return id(place.tree), files[0].rpartition("/")[0]


def _holds_events(place: RunPlace) -> bool:
    return place.is_folder and any(_follows_on(log[0]) for log in place.logs)


def _follows_on(log_format: Format) -> bool:
    return isinstance(log_format, LogFormat) and log_format.follows_on
