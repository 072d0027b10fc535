"""Log formats: one file each, and all that the reader knows of them.

    run_folder.py   which files of a folder are one run, and the small files that belong to it
    jsonl.py        JSON lines, the recorder's own            csv_table.py   CSV, Lightning's too
    events.py       TensorBoard's event files                 trackio.py     SQLite, many runs in a file
    columns.py      what rows of any kind become              tfrecord.py   the records of event files

A format says by which names its files are known, and reads them:

    register(LogFormat("mine", parse_mine, suffixes=(".mine",)))

is all that a format of one run a file has to say (see `Parser`); it may stand anywhere, and a module of this folder is
found by itself. Files of many runs are a `DatabaseFormat`; those are not taken from uploads.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..parsing import Memory, ReadLimits
from ..series import Series, SeriesBuilder

Parser = Callable[[bytes, bool, Memory, SeriesBuilder, int], int]
"""`(block, at_end, memory, builder, max_metrics)` → how many bytes of the block were used.

It adds the whole lines or records of a block to the builder. What it did not use comes again, with more after it;
`at_end`: nothing comes after it now, though the file may grow. What has to be known in the next block stands in
`memory`, JSON values that are kept with the series: `facts` become the run's config, `note` (of `parsing.py`) counts
what was passed over. Raises `Unreadable` or `ReadAgain`.
"""


@dataclass(frozen=True)
class LogFormat:
    """Files of one run each, read block by block while they grow.

    Attributes:
        name: stands in `Run.formats`.
        parse: see `Parser`.
        suffixes: what names end in, lower case.
        mark: what stands anywhere in a name; goes before any suffix.
        run_file: a file of exactly this name makes its folder a run.
        follows_on: several in one folder are one run, one after the other.
    """

    name: str
    parse: Parser
    suffixes: tuple[str, ...] = ()
    mark: str = ""
    run_file: str = ""
    follows_on: bool = False


@dataclass
class DatabaseRun:
    """One run of a database as read so far. `memory` as for a `Parser`."""

    key: str
    name: str
    config: Mapping[str, Any]
    memory: Memory
    series: Mapping[str, Series]
    last_id: int = 0


@dataclass(frozen=True)
class DatabaseFormat:
    """Files of many runs.

    Attributes:
        read: `(file, runs as read before, limits)` → run key → run. Raises `Unreadable`.
        beside: suffixes of files that belong to it, as SQLite's `-wal`.
    """

    name: str
    read: Callable[[Path, Mapping[str, DatabaseRun], ReadLimits], dict[str, DatabaseRun]]
    suffixes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


Format = LogFormat | DatabaseFormat

FORMATS: dict[str, Format] = {}
"""Name → format, as registered."""


def register(log_format: Format) -> None:
    """Makes a format known to every reader from now on."""
    FORMATS[log_format.name] = log_format


def format_of(file_name: str) -> Format | None:
    """The format of a file, told from its name; None if it is no log."""
    name = file_name.lower()
    marked = (one for one in FORMATS.values() if isinstance(one, LogFormat) and one.mark and one.mark in name)
    ending = (one for one in FORMATS.values() if name.endswith(one.suffixes))
    return next(marked, None) or next(ending, None)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
