"""From the files of a run, as read so far, to a `Run`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from ..messages import NOTHING, Message, reason_of
from .discover import natural_order
from .formats import DatabaseRun
from .formats.columns import UNIX_FROM_S
from .formats.csv_table import with_tag_of_name
from .formats.run_folder import COMPANIONS, RunPlace
from .growing import GrowingLog
from .parsing import notes_of
from .process import recorded_status
from .series import LazySeries, LogRows, Run, Series, SeriesBuilder, clean_run_name, clean_text
from .trees import Stamp, Tree, opaque_id, shown_path
from .words import Says

COMPANION_MAX_BYTES = 4 * 2**20
MAX_CONFIG_KEYS = 10_000


# ------------------------------------------------------------------------------------------------------- small files


@dataclass(frozen=True)
class Companion:
    """A small file beside a log: its parsed content or None, its stamp, and what is wrong with it."""

    value: Any
    stamp: Stamp | None
    fault: Message = NOTHING


def read_companion(tree: Tree, path: str, known: Companion | None) -> Companion:
    """A small file beside a log; `known`, what was read before, if it has not changed."""
    name = path.rpartition("/")[2]
    stamp = None
    try:
        if known is not None:
            stamp = tree.stamp(path)
            if known.stamp == stamp:
                return known
        stamp, data = tree.read_small(path, COMPANION_MAX_BYTES)
        if stamp[2] > COMPANION_MAX_BYTES:
            return Companion(None, stamp, Says.companion_too_large(name=name, limit=COMPANION_MAX_BYTES))
        return Companion(COMPANIONS[name](data), stamp)
    except OSError as error:
        return Companion(None, stamp, Says.companion_unopened(name=name, error=reason_of(error)))
    except (ValueError, TypeError, RecursionError) as error:
        return Companion(None, stamp, Says.companion_unread(name=name, error=reason_of(error)))


# ------------------------------------------------------------------------------------------------------ run folders


@dataclass(frozen=True)
class RunParts:
    """What a run is made of.

    Attributes:
        logs: those that could be read.
        values: what the small files say, by file name; None where one is missing or damaged.
        faults: what is wrong with them.
        status, status_note: as they are now.
        newest_s: when anything of the run was last written, unix seconds.
    """

    place: RunPlace
    logs: Sequence[GrowingLog]
    values: Mapping[str, Any]
    faults: Sequence[Message]
    status: str
    status_note: Message
    newest_s: float


def parts_of(
    place: RunPlace, logs: Sequence[GrowingLog], good: Sequence[GrowingLog], companions: Mapping[str, Companion]
) -> RunParts:
    """Gathers what a place's run is made of: all its logs, and the good ones among them."""
    values = {name: companions[name].value if name in companions else None for name in COMPANIONS}
    beat_stamp = companions["status"].stamp if "status" in companions else None
    beat_s = beat_stamp[3] / 1e9 if beat_stamp else 0.0
    newest_s = max([log.modified_s for log in logs], default=beat_s)
    status, note = recorded_status(
        values["status"], values["process.json"], max(beat_s, newest_s), is_here=place.tree.is_live
    )
    faults = [one.fault for one in companions.values() if one.fault]
    return RunParts(place, good, values, faults, status, note, newest_s)


def run_of(parts: RunParts, root_name: str) -> Run | Message:
    """The run, or why there is none."""
    place = parts.place
    environment = parts.values["environment.json"] or {}
    started = _number(environment.get("started_unix_s"))
    metrics, started, metric_notes = _metrics_of(parts.logs, started, "" if place.is_folder else place.path)
    notes = [*place.notes, *parts.faults, *metric_notes, *_notes_on_logs(parts)]
    if parts.logs and not metrics:
        if not place.companions:
            return Says.nothing_but_notes(notes=notes) if notes else Says.no_numbers()
        notes.append(Says.no_metric_yet())
    if parts.status_note:
        notes.append(parts.status_note)
    notes += _config_changes(parts.values["process.json"])
    name = clean_run_name(place.path if place.path != "." else root_name)
    return Run(
        id=opaque_id(place.path),
        name=name if place.is_folder else name.rpartition(".")[0] or name,
        path=shown_path(place.path),
        formats=tuple(dict.fromkeys(log.format.name for log in parts.logs)),
        config=MappingProxyType(_config_of(parts)),
        metrics=metrics,
        environment=MappingProxyType(environment),
        status=parts.status,
        started_unix_s=started,
        updated_unix_s=max(parts.newest_s, 0.0),
        notes=tuple(dict.fromkeys(notes)),
    )


def _notes_on_logs(parts: RunParts) -> list[Message]:
    notes: list[Message] = []
    for log in parts.logs:
        notes += notes_of(log.memory)
        if log.unused_bytes and parts.status != "running":
            notes.append(Says.ends_within_line(name=log.path.rpartition("/")[2], bytes=log.unused_bytes))
    return notes


def _config_of(parts: RunParts) -> dict[str, Any]:
    """What the logs, `hparams.yaml` and `config.json` say; the later of these goes before the earlier."""
    config: dict[str, Any] = {}
    for log in parts.logs:
        config.update(log.memory.get("facts", {}))
    return flat_config({**config, **(parts.values["hparams.yaml"] or {}), **(parts.values["config.json"] or {})})


def _config_changes(process: Mapping[str, Any] | None) -> list[Message]:
    changes = (process or {}).get("config_changes")
    return [
        Says.config_changed(key=clean_text(key), change=clean_text(" → ".join(map(str, change))))
        for key, change in (changes.items() if isinstance(changes, dict) else ())
        if isinstance(change, list)
    ]


# -------------------------------------------------------------------------------------------------------- databases


def run_of_database(path: str, one: DatabaseRun, modified_s: float, format_name: str) -> Run:
    """One run of a database that lies at `path`."""
    metrics, started = _with_relative_time(one.series, None)
    return Run(
        id=opaque_id(path, one.key),
        name=one.name,
        path=f"{shown_path(path)}#{one.name}",
        formats=(format_name,),
        config=MappingProxyType(flat_config(one.config)),
        metrics=metrics,
        started_unix_s=started,
        updated_unix_s=modified_s,
        notes=tuple(notes_of(one.memory)),
    )


# ------------------------------------------------------------------------------------------------------------ series


def _metrics_of(
    logs: Sequence[GrowingLog], started: float | None, lone_file: str
) -> tuple[LazySeries, float | None, list[Message]]:
    """The series of all logs of a run. Event files follow each other; other logs of one name do not mix."""
    notes: list[Message] = []
    following = [log for log in logs if log.format.follows_on]
    groups: list[Mapping[str, Series]] = [log.series for log in logs if not log.format.follows_on]
    if len(following) == 1:
        groups.append(following[0].series)
    elif following:
        groups.append(_chained(following, notes))
    series: dict[str, Series] = {}
    for group in groups:
        for name, one in group.items():
            if name in series:
                notes.append(Says.in_several_logs(name=name))
            else:
                series[name] = one
    series = with_tag_of_name(series, lone_file)
    epochs = series.pop("epoch", None) if following else None
    metrics, started = _with_relative_time(series, started, epochs)
    return metrics, started, notes


_FRACTION = re.compile(r"(?<=\d\.)\d+(?=/)")


def _in_time(log: GrowingLog) -> list[tuple[int, int, str]]:
    """By name; `add_hparams` names its folders after a moment, of which 71.4 is later than 71.35."""
    return natural_order(_FRACTION.sub(lambda found: found[0].ljust(9, "0"), log.path))


def _chained(logs: Sequence[GrowingLog], notes: list[Message]) -> dict[str, Series]:
    """Several logs of one run, in the order of their names (which begin with their time): later values win, and what
    was written before a restart at and beyond its step is superseded."""
    builder = SeriesBuilder()
    for log in sorted(logs, key=_in_time):
        if "restarted_from" in log.memory:
            builder.restart(builder.rows, log.memory["restarted_from"])
        for name, one in log.series.items():
            builder.add(LogRows(one.step, {name: (None, one.value)}, time=one.time_s))
    series = builder.finish()
    if builder.superseded:
        notes.append(Says.values_superseded(count=builder.superseded))
    return {name: one for name, one in series.items() if len(one)}


def _with_relative_time(
    series: Mapping[str, Series], started: float | None, epochs: Series | None = None
) -> tuple[LazySeries, float | None]:
    """Series whose `time_s` counts from the run's start, and that start (unix seconds) where it is known."""
    firsts = [float(one.time_s[0]) for one in series.values() if one.time_s is not None and len(one.time_s)]
    dates = [first for first in firsts if math.isfinite(first) and first >= UNIX_FROM_S]
    zero = min(dates) if dates else None
    started = zero if started is None else started

    def view(one: Series) -> Series:
        time_s = one.time_s
        if zero is not None and time_s is not None:
            time_s = time_s - zero
        epoch = one.epoch
        if epoch is None and epochs is not None:
            epoch = _epochs_at(one.step, epochs)
        return one if time_s is one.time_s and epoch is one.epoch else Series(one.step, one.value, epoch, time_s)

    return LazySeries({name: partial(view, one) for name, one in series.items()}), started


def _epochs_at(step: Any, epochs: Series) -> Any:
    """The epoch that was logged at each step (Lightning logs it as a metric of its own); NaN where none was."""
    at = np.minimum(np.searchsorted(epochs.step, step), len(epochs.step) - 1)
    return np.where(epochs.step[at] == step, epochs.value[at], np.nan)


# ------------------------------------------------------------------------------------------------------------ config


def flat_config(nested: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Nested keys joined by `.`; lists and other values as JSON text."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = clean_text(f"{prefix}{key}")
        if len(flat) >= MAX_CONFIG_KEYS:
            break
        if value is None or isinstance(value, (bool, int, float)):
            flat[name] = value
        elif isinstance(value, str):
            flat[name] = clean_text(value, 2_000)
        elif isinstance(value, Mapping) and depth < 8:
            flat.update(flat_config(value, f"{name}.", depth + 1))
        else:
            flat[name] = clean_text(json.dumps(_trimmed(value, [1_000]), default=str), 2_000)
    return flat


def _trimmed(value: Any, left: list[int], depth: int = 0) -> Any:
    """A nested value cut to so many parts: YAML's aliases make huge ones out of a few bytes."""
    left[0] -= 1
    if left[0] < 0 or depth > 8:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _trimmed(one, left, depth + 1) for key, one in list(value.items())[: left[0] + 1]}
    if isinstance(value, (list, tuple)):
        return [_trimmed(one, left, depth + 1) for one in value[: left[0] + 1]]
    return value


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
