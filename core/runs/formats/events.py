"""TensorBoard event files, read by columns instead of record by record.

A training loop writes the same few kinds of record (`tfrecord.py`) over and over: same length, same bytes, except for
the wall time, the step and the value. So one record of a kind is taken apart (its wire format walked byte by byte) and
becomes a template; all records that have the template's bytes everywhere else are read with it at once in numpy. What
fits no template of scalars is handed to TensorBoard's own protobuf classes.

Reading stops before a damaged record; an incomplete one at the end waits.

Scalars are understood in both styles: `simple_value` (TensorFlow 1, `torch.utils.tensorboard`) and one-element numeric
tensors (TensorFlow 2, `new_style=True`). Hyperparameters of `add_hparams` become configuration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..parsing import Memory, Unreadable, note
from ..series import LogRows, SeriesBuilder, clean_metric, clean_text
from ..words import Says
from . import LogFormat, register
from .columns import admits
from .tfrecord import HEADER_BYTES, count_sound, find_records


@dataclass
class _Scalars:
    """Scalars of one tag from one template: positions in the file's order of records."""

    record: np.ndarray
    step: np.ndarray
    wall: np.ndarray
    value: np.ndarray


def parse_events(block: bytes, at_end: bool, memory: Memory, builder: SeriesBuilder, max_metrics: int) -> int:
    """Adds the whole records of a block; returns how many bytes were used.

    After a damaged record `memory["damaged"]` is set and nothing more is read from the file.
    """
    if memory.get("damaged"):
        return len(block)
    starts, lengths, used, damaged = find_records(block)
    if len(starts):
        bad = _parse_records(block, starts, lengths, memory, builder, max_metrics)
        if bad is not None:
            used, damaged = bad, True
    if damaged:
        position = memory.get("bytes", 0) + used
        if position == 0:
            raise Unreadable("not_events", Says.events_not_first())
        memory["damaged"] = True
        note(memory, Says.event_damaged, position=position)
        return len(block)
    memory["bytes"] = memory.get("bytes", 0) + used
    return used


def _parse_records(
    block: bytes, starts: np.ndarray, lengths: np.ndarray, memory: Memory, builder: SeriesBuilder, max_metrics: int
) -> int | None:
    """Adds all records up to the first whose payload is damaged; returns where that one begins, if there is one."""
    data = np.frombuffer(block, dtype=np.uint8)
    sound = count_sound(block, starts, lengths)
    scalars: dict[str, list[_Scalars]] = {}
    order = np.argsort(lengths[:sound], kind="stable")
    bounds = np.flatnonzero(np.diff(lengths[order], prepend=-1, append=-1))
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        length = int(lengths[order[low]])
        if length == 0:
            continue  # an Event with nothing set
        windows = np.lib.stride_tricks.sliding_window_view(data, length)
        for some in np.array_split(order[low:high], (high - low) * length // 2**23 + 1):
            _parse_same_length(some, windows[starts[some]], scalars, builder, memory)
    _add_scalars(scalars, memory, builder, max_metrics)
    memory["records"] = memory.get("records", 0) + sound
    return int(starts[sound]) - HEADER_BYTES if sound < len(starts) else None


# ---------------------------------------------------------------------------------------------------------- templates


@dataclass(frozen=True)
class _Value:
    """Where one scalar lies in a record: its tag's bytes, and its number's."""

    tag_start: int
    tag_stop: int
    start: int
    dtype: str


@dataclass(frozen=True)
class _Template:
    """Where the varying parts of a record lie. `step_start` is -1 where the record has none (protobuf omits zero)."""

    wall_start: int
    step_start: int
    step_stop: int
    values: tuple[_Value, ...]


class _NotScalars(Exception):
    """The record holds something else, or holds scalars in a way that templates do not cover."""


def _parse_same_length(
    records: np.ndarray,
    rows: np.ndarray,
    scalars: dict[str, list[_Scalars]],
    builder: SeriesBuilder,
    memory: Memory,
) -> None:
    tries = 0
    while len(records):
        first = rows[0].tobytes()
        try:
            template = _walk(first)
        except _NotScalars:
            _parse_one(int(records[0]), first, scalars, builder, memory)
            records, rows = records[1:], rows[1:]
            tries += 1
            if tries >= 16:  # a length at which nothing repeats: no use in looking for templates
                for record, row in zip(records.tolist(), rows, strict=True):
                    _parse_one(record, row.tobytes(), scalars, builder, memory)
                return
            continue
        fits = _fits(template, rows)
        _take_scalars(template, records[fits], rows[fits], scalars)
        records, rows = records[~fits], rows[~fits]


def _fits(template: _Template, rows: np.ndarray) -> np.ndarray:
    """bool `[N]`: rows with the bytes of the first one wherever the template says that they are fixed."""
    fixed = np.ones(rows.shape[1], dtype=bool)
    fixed[template.wall_start : template.wall_start + 8] = False
    fixed[max(template.step_start, 0) : max(template.step_stop, 0)] = False
    for value in template.values:
        fixed[value.tag_start : value.tag_stop] = False
        fixed[value.start : value.start + np.dtype(value.dtype).itemsize] = False
    fits: np.ndarray = np.ones(len(rows), dtype=bool)
    for position in np.flatnonzero(fixed):
        fits &= rows[:, position] == rows[0, position]
    if template.step_start >= 0:  # the varint must end where the template's does
        fits &= (rows[:, template.step_start : template.step_stop - 1] >= 0x80).all(axis=1)
        fits &= rows[:, template.step_stop - 1] < 0x80
    return fits


def _take_scalars(
    template: _Template, records: np.ndarray, rows: np.ndarray, scalars: dict[str, list[_Scalars]]
) -> None:
    wall = _numbers(rows, template.wall_start, "<f8")
    step: np.ndarray = np.zeros(len(rows), dtype=np.int64)
    if template.step_start >= 0:
        for shift, position in enumerate(range(template.step_start, template.step_stop)):
            step |= (rows[:, position].astype(np.int64) & 0x7F) << (7 * shift)
    for value in template.values:
        numbers: np.ndarray = _numbers(rows, value.start, value.dtype).astype(np.float64)
        tags = rows[:, value.tag_start : value.tag_stop]
        for which, tag in _groups(tags):
            part = _Scalars(records[which], step[which], wall[which], numbers[which])
            scalars.setdefault(tag.decode("utf-8", "replace"), []).append(part)


def _numbers(rows: np.ndarray, start: int, dtype: str) -> np.ndarray:
    width = np.dtype(dtype).itemsize
    return np.ascontiguousarray(rows[:, start : start + width]).view(dtype).ravel()


def _groups(tags_NL: np.ndarray) -> list[tuple[Any, bytes]]:
    """Rows by tag: [(slice or positions, tag)]."""
    if bool((tags_NL == tags_NL[0]).all()):
        return [(slice(None), tags_NL[0].tobytes())]
    whole = np.ascontiguousarray(tags_NL).view(f"V{tags_NL.shape[1]}").ravel()
    distinct, inverse = np.unique(whole, return_inverse=True)
    order: np.ndarray = np.argsort(inverse, kind="stable")
    bounds: Any = np.searchsorted(inverse[order], np.arange(len(distinct) + 1))
    return [(order[bounds[group] : bounds[group + 1]], distinct[group].tobytes()) for group in range(len(distinct))]


# -------------------------------------------------------------------------------------------------------- wire format


def _varint(record: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(record) or shift > 63:
            raise _NotScalars
        byte = record[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _fields(record: bytes, start: int, stop: int) -> list[tuple[int, int, int, int]]:
    """Protobuf fields of `record[start:stop]`: (number, wire type, start and stop of its content)."""
    fields = []
    position = start
    while position < stop:
        key, position = _varint(record, position)
        number, wire = key >> 3, key & 7
        content = position
        if wire == 0:
            _, position = _varint(record, position)
        elif wire == 1:
            position += 8
        elif wire == 2:
            size, content = _varint(record, position)
            position = content + size
        elif wire == 5:
            position += 4
        else:
            raise _NotScalars
        if position > stop:
            raise _NotScalars
        fields.append((number, wire, content, position))
    return fields


def _walk(record: bytes) -> _Template:
    """The template of a record that holds scalars and nothing else; _NotScalars for any other.

    Event: 1 wall_time, 2 step, 5 summary. Summary: 1 value. Value: 1 tag, 2 simple_value, 8 tensor, 9 metadata.
    """
    wall_start = step_start = step_stop = -1
    values: list[_Value] = []
    for number, wire, start, stop in _fields(record, 0, len(record)):
        if (number, wire) == (1, 1):
            wall_start = start
        elif (number, wire) == (2, 0):
            step_start, step_stop = start, stop
        elif (number, wire) == (5, 2):
            for inner, inner_wire, inner_start, inner_stop in _fields(record, start, stop):
                if (inner, inner_wire) != (1, 2):
                    raise _NotScalars
                values.append(_walk_value(record, inner_start, inner_stop))
        else:
            raise _NotScalars
    if wall_start < 0 or not values or step_stop - step_start > 9:
        raise _NotScalars  # a negative step is written in ten bytes
    return _Template(wall_start, step_start, step_stop, tuple(values))


def _walk_value(record: bytes, start: int, stop: int) -> _Value:
    tag = number_at = None
    for number, wire, inner_start, inner_stop in _fields(record, start, stop):
        if (number, wire) == (1, 2):
            tag = (inner_start, inner_stop)
        elif (number, wire) == (2, 5):
            number_at = (inner_start, "<f4")
        elif (number, wire) == (8, 2):
            number_at = _walk_tensor(record, inner_start, inner_stop)
        elif number != 9:  # metadata says how to display it
            raise _NotScalars
    if tag is None or number_at is None or tag[0] == tag[1]:
        raise _NotScalars
    return _Value(*tag, *number_at)


# DataType numbers of TensorFlow's types.proto → how one element lies in `tensor_content` and in its own field.
_DT_FLOAT, _DT_DOUBLE = 1, 2
_CONTENT = {_DT_FLOAT: "<f4", _DT_DOUBLE: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
_PACKED = {(5, _DT_FLOAT): "<f4", (6, _DT_DOUBLE): "<f8"}


def _walk_tensor(record: bytes, start: int, stop: int) -> tuple[int, str]:
    """Where a one-element tensor's number lies. TensorProto: 1 dtype, 2 shape, 4 content, 5 float_val, 6 double_val."""
    fields = _fields(record, start, stop)
    kinds = [_varint(record, inner)[0] for number, wire, inner, _ in fields if (number, wire) == (1, 0)]
    if len(kinds) != 1:
        raise _NotScalars
    for number, wire, inner_start, inner_stop in fields:
        dtype = _CONTENT.get(kinds[0]) if number == 4 else _PACKED.get((number, kinds[0]))
        if dtype is not None and wire in (1, 2, 5) and inner_stop - inner_start == np.dtype(dtype).itemsize:
            return inner_start, dtype
    raise _NotScalars


# ------------------------------------------------------------------------------------------------------ one at a time


def _parse_one(
    record_number: int,
    record: bytes,
    scalars: dict[str, list[_Scalars]],
    builder: SeriesBuilder,
    memory: Memory,
) -> None:
    """Reads a record with TensorBoard's protobuf classes: what is no plain scalar is named, not dropped silently."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2

    try:
        event = event_pb2.Event.FromString(record)
    except DecodeError:
        note(memory, Says.events_foreign)
        return
    if event.HasField("session_log") and event.session_log.status == event.session_log.START:
        builder.restart(memory.get("records", 0) + record_number, event.step)
        # The logs before this one lose it too (`assemble.py`).
        memory["restarted_from"] = min(memory.get("restarted_from", event.step), event.step)
    for value in event.summary.value:
        if value.metadata.plugin_data.plugin_name == "hparams":
            _remember_hparams(value.metadata.plugin_data.content, memory)
            continue
        number = _number_of(value)
        if number is None:
            kind = value.metadata.plugin_data.plugin_name or value.WhichOneof("value") or "something else"
            note(memory, Says.kind_not_shown, name=clean_text(value.tag), kind=clean_text(kind))
            continue
        part = _Scalars(*(np.asarray([item]) for item in (record_number, event.step, event.wall_time, number)))
        scalars.setdefault(value.tag, []).append(part)


def _number_of(value: Any) -> float | None:
    """The number of a summary value, or None if it holds anything but one."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if not value.HasField("tensor") or value.metadata.plugin_data.plugin_name not in ("", "scalars"):
        return None
    from tensorboard.util import tensor_util

    try:
        array = tensor_util.make_ndarray(value.tensor)
    except (TypeError, ValueError):
        return None
    return float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "fiub" else None


def _remember_hparams(content: bytes, memory: Memory) -> None:
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams import plugin_data_pb2

    try:
        data = plugin_data_pb2.HParamsPluginData.FromString(content)
    except DecodeError:
        note(memory, Says.hparams_unread)
        return
    facts = memory.setdefault("facts", {})
    for name, value in data.session_start_info.hparams.items():
        kind = value.WhichOneof("kind")
        if kind is not None:
            facts[clean_text(name)] = getattr(value, kind)


def _add_scalars(
    scalars: dict[str, list[_Scalars]],
    memory: Memory,
    builder: SeriesBuilder,
    max_metrics: int,
) -> None:
    """Hands one block's scalars to the builder. Each tag has rows of its own, placed in the file by record number."""
    for tag, parts in scalars.items():
        record, step, wall, value = (
            np.concatenate([getattr(part, name) for part in parts]) if len(parts) > 1 else getattr(parts[0], name)
            for name in ("record", "step", "wall", "value")
        )
        if len(parts) > 1:
            order = np.argsort(record)
            record, step, wall, value = record[order], step[order], wall[order], value[order]
        name = clean_metric(tag)
        if not admits(memory, name, max_metrics):
            continue
        first = float(wall[0])
        if math.isfinite(first):
            memory["started"] = min(memory.get("started", first), first)
        row = record + memory.get("records", 0)
        builder.add(LogRows(step, {name: (None, value)}, time=wall, row=row))


register(LogFormat("events", parse_events, mark="tfevents", follows_on=True))
