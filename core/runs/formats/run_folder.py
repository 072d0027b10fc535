"""Run folders: which of a folder's logs are one run, and the small files that belong to it.

What is a run:

* a folder with `metrics.jsonl` (the recorder's), `metrics.csv` (Lightning's) or TensorBoard event files, alone or
  together; its `config.json`, `hparams.yaml`, `environment.json`, `status` and `process.json` belong to it. What
  `add_hparams` leaves in a subfolder may belong to it too (`hparams.py`);
* a folder with `config.json`, `hparams.yaml` or `status` and any other `.csv` or `.jsonl`;
* any other `.csv` or `.jsonl` by itself, also beside event files;
* every run inside a trackio database (`.db`, `.sqlite`, `.sqlite3`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...messages import Message, listed
from ..series import clean_text
from ..trees import Tree
from ..words import Says
from . import DatabaseFormat, Format, LogFormat

Log = tuple[Format, str]
"""A log file: its format, and its path in its tree."""


@dataclass
class RunPlace:
    """One run's files before they are read; of a database, its runs'.

    Attributes:
        path: relative to the root, `/` between parts, `.` for the root. Of a run in a pack, as if it was unpacked.
        tree: where the files lie; their paths are relative to it.
        companions: file name → path.
    """

    path: str
    tree: Tree
    logs: list[Log] = field(default_factory=list)
    companions: dict[str, str] = field(default_factory=dict)
    notes: list[Message] = field(default_factory=list)
    is_folder: bool = True


def places_of(tree: Tree, folder: str, logs: list[Log], companions: dict[str, str]) -> Iterator[RunPlace]:
    """Which of a folder's logs make up one run, and which stand alone."""
    databases = [log for log in logs if isinstance(log[0], DatabaseFormat)]
    following = [log for log in logs if _follows_on(log)]
    tables = [log for log in logs if log not in databases and log not in following]
    own = [log for log in tables if _makes_a_run(log)]
    together: list[Log] = own + following or tables
    alone = databases
    if not own and not companions:  # event files tell nothing about a table beside them
        together = following
        alone = databases + tables
    for log in alone:
        yield RunPlace(log[1], tree, [log], is_folder=False)
    if together or "status" in companions:
        others = [clean_text(_name(log[1]), 60) for log in tables if log not in [*together, *alone]]
        notes: list[Message] = [Says.not_read_as_logs(names=listed(others, 5))] if others else []
        yield RunPlace(folder or ".", tree, together, companions, notes)


def _follows_on(log: Log) -> bool:
    return isinstance(log[0], LogFormat) and log[0].follows_on


def _makes_a_run(log: Log) -> bool:
    return isinstance(log[0], LogFormat) and log[0].run_file == _name(log[1])


def _name(path: str) -> str:
    return path.rpartition("/")[2]


# ------------------------------------------------------------------------------------------------------- small files


def _json_object(data: bytes) -> dict[str, Any]:
    value = json.loads(data.decode("utf-8-sig"))
    if not isinstance(value, dict):
        raise ValueError(Says.no_object())
    return value


def _yaml_object(data: bytes) -> dict[str, Any]:
    """Lightning's hparams.yaml. Tags of Python objects are read as plain values, never built."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def plain(loader: Any, _suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Loader.add_multi_constructor("", plain)
    try:
        value = yaml.load(data.decode("utf-8-sig"), Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(clean_text(str(error))) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(Says.no_mapping())
    return {str(key): one for key, one in value.items()}


def _status_word(data: bytes) -> str:
    text = data[:4096].decode("utf-8", "replace").strip()
    if text.startswith("{"):
        fields = json.loads(text)
        text = str(fields.get("status") or fields.get("state") or "")
    return text.split()[0].lower() if text else ""


COMPANIONS: dict[str, Callable[[bytes], Any]] = {
    "config.json": _json_object,
    "hparams.yaml": _yaml_object,
    "environment.json": _json_object,
    "process.json": _json_object,
    "status": _status_word,
}
"""Small files that belong to a run: name → what reads it. They raise `ValueError`, `TypeError` and `RecursionError`."""
