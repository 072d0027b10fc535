"""Finds and reads training runs: whatever lies under a root, in any format, and again when it has grown.

    found = RunReader(root, cache_dir=default_cache_dir())
    runs = found.read()      # a RunSet; call it again and only new bytes are read

What counts as a run is told in `formats/run_folder.py`; how its logs become a `Run`, in `assemble.py`.
Nothing that cannot be read hides anything else: it becomes a `Problem` with its reason.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..messages import Message
from .assemble import Companion, parts_of, read_companion, run_of, run_of_database
from .cache import SeriesCache
from .discover import discover, natural_order
from .formats import DatabaseFormat, LogFormat
from .formats.csv_table import runs_of_chart
from .formats.run_folder import RunPlace
from .growing import GrowingDatabase, GrowingLog
from .hparams import with_hparams_joined
from .pack import PackTree
from .parsing import ReadLimits, Unreadable
from .series import Problem, Run, RunSet
from .trees import Stamp, checked_root, opaque_id, shown_path, stamp_of
from .words import Says


def read_runs(
    root: Path | str, *, cache_dir: Path | None = None, limits: ReadLimits | None = None, workers: int | None = None
) -> RunSet:
    """Reads everything under `root` once. See `RunReader`."""
    return RunReader(root, cache_dir=cache_dir, limits=limits, workers=workers).read()


@dataclass
class _OpenPack:
    """A pack as it was when it was opened: what is in it, or why it cannot be read."""

    stamp: Stamp
    tree: PackTree | Unreadable


class RunReader:
    """Reads the runs under one root, and on every later call only what is new.

    Args:
        root: a folder.
        cache_dir: where long logs are kept as Arrow files; None keeps nothing on disk. See `core.runs.cache`.
        limits: bounds on what is read.
        workers: runs read at the same time; default: one more than cores, nine at most (while one waits for the disk,
            the others parse).

    Raises:
        InputError: the root is not a folder.

    Safe to call from several threads. A `Run` that has not changed is the same object on the next reading.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        cache_dir: Path | None = None,
        limits: ReadLimits | None = None,
        workers: int | None = None,
    ) -> None:
        self.root = checked_root(root)
        self._cache = SeriesCache(Path(cache_dir)) if cache_dir is not None else None
        self._limits = limits or ReadLimits()
        self._workers = workers or min(8, os.cpu_count() or 1) + 1
        self._packs: dict[str, _OpenPack] = {}
        # By what names a file on this machine (`Tree.key`).
        self._logs: dict[str, GrowingLog] = {}
        self._databases: dict[str, GrowingDatabase] = {}
        self._companions: dict[str, Companion] = {}
        # By run.
        self._places: dict[str, RunPlace] = {}
        self._runs: dict[str, tuple[Any, Run]] = {}
        self._charts: dict[str, tuple[Run, tuple[Run, ...]]] = {}
        self._renamed: dict[str, tuple[Run, Run]] = {}
        self._lock = threading.Lock()

    def read(self) -> RunSet:
        """Everything there is now."""
        with self._lock:
            places, problems = self._discover()
            self._update_files(places)
            places = with_hparams_joined(places, self._logs_of)
            runs: list[Run] = []
            for place in places:
                if place.logs and isinstance(place.logs[0][0], DatabaseFormat):
                    runs += self._database_runs(place, problems)
                else:
                    run = self._folder_run(place, problems)
                    if run is not None:
                        runs.append(run)
            self._runs = {run.id: self._runs[run.id] for run in runs}
            self._places = {opaque_id(place.path): place for place in places}
            self._close_packs()
            runs = self._charts_taken_apart(runs)
            runs.sort(key=lambda run: natural_order(run.path))
            return RunSet(self._with_unique_names(runs), tuple(problems))

    def file_beside(self, run: Run, name: str) -> bytes:
        """A file that lies in a run's folder, or in its folder within a pack, as `read` has found it.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        place = self._places.get(run.id)
        if place is not None and place.is_folder:
            inside = [*place.companions.values(), *(path for _, path in place.logs)][0].rpartition("/")[0]
            path = f"{inside}/{name}" if inside else name
            with self._lock, suppress(OSError), place.tree.open(path)[0] as file:
                return file.read()
        raise InputError(Says.no_file_beside(name=name), where=run.path, next_step=Says.log_it_again())

    # ------------------------------------------------------------------------------------------------------ files

    def _discover(self) -> tuple[list[RunPlace], list[Problem]]:
        before, self._packs = self._packs, {}

        def open_pack(path: str) -> PackTree:
            stamp = stamp_of(os.lstat(self.root / path))
            known = before.get(path)
            if known is None or known.stamp != stamp:
                try:
                    known = _OpenPack(stamp, PackTree(self.root / path, path, self._limits))
                except Unreadable as error:
                    known = _OpenPack(stamp, error)
            self._packs[path] = known
            if isinstance(known.tree, Unreadable):
                raise known.tree
            return known.tree

        return discover(self.root, self._limits, open_pack)

    def _logs_of(self, place: RunPlace) -> list[GrowingLog]:
        return [self._logs[place.tree.key(path)] for _, path in place.logs]

    def _close_packs(self) -> None:
        for one in self._packs.values():
            if not isinstance(one.tree, Unreadable):
                one.tree.close()

    def _update_files(self, places: list[RunPlace]) -> None:
        logs: dict[str, GrowingLog] = {}
        databases: dict[str, GrowingDatabase] = {}
        companions: dict[str, Companion] = {}
        for place in places:
            for log_format, path in place.logs:
                key = place.tree.key(path)
                if isinstance(log_format, LogFormat):
                    log = logs[key] = self._logs.get(key) or GrowingLog(place.tree, path, log_format)
                    log.tree = place.tree  # a pack that was replaced is another
                elif isinstance(log_format, DatabaseFormat):
                    database = databases[key] = self._databases.get(key) or GrowingDatabase(
                        place.tree, path, log_format
                    )
                    database.tree = place.tree
        self._logs, self._databases = logs, databases
        with ThreadPoolExecutor(self._workers) as pool:
            # In parts: a thousand small runs are read faster than a thousand tasks are handed over.
            parts = [places[start :: self._workers * 8] for start in range(self._workers * 8)]
            for found in pool.map(self._update_places, parts):
                companions.update(found)
        self._companions = companions
        for database in databases.values():
            database.update(self._limits)

    def _update_places(self, places: list[RunPlace]) -> dict[str, Companion]:
        companions = {}
        for place in places:
            for log_format, path in place.logs:
                if isinstance(log_format, LogFormat):
                    self._logs[place.tree.key(path)].update(self._cache, self._limits)
            for path in place.companions.values():
                key = place.tree.key(path)
                companions[key] = read_companion(place.tree, path, self._companions.get(key))
        return companions

    # ------------------------------------------------------------------------------------------------------- runs

    def _folder_run(self, place: RunPlace, problems: list[Problem]) -> Run | None:
        """The run of a place; the same object as before while nothing that it is made of has changed."""
        logs = self._logs_of(place)
        problems += [log.problem for log in logs if log.problem is not None]
        good = [log for log in logs if log.problem is None]
        if not good and not place.companions:
            problems += [Problem(shown_path(place.path), "left_out", note) for note in place.notes]
            return None
        companions = {name: self._companions[place.tree.key(path)] for name, path in place.companions.items()}
        parts = parts_of(place, logs, good, companions)
        run_id = opaque_id(place.path)
        made_of = (
            tuple((log.tree.key(log.path), log.version) for log in logs),  # the same place may lie in another pack now
            # the heartbeat alone, a new time stamp of `status`, changes nothing that a Run says
            tuple((name, one.stamp) for name, one in companions.items() if name != "status"),
            *(parts.status, parts.status_note, tuple(place.notes)),
        )
        known = self._runs.get(run_id)
        if known is not None and known[0] == made_of:
            return known[1]
        run = run_of(parts, self.root.name)
        if isinstance(run, Message):
            problems.append(Problem(shown_path(place.path), "no_metrics", run))
            return None
        self._runs[run_id] = (made_of, run)
        return run

    def _database_runs(self, place: RunPlace, problems: list[Problem]) -> list[Run]:
        database = self._databases[place.tree.key(place.logs[0][1])]
        if database.problem is not None:
            problems.append(database.problem)
        runs = []
        for one in database.runs.values():
            run_id = opaque_id(place.path, one.key)
            made_of = (database.tree.key(database.path), one.last_id, database.version)
            if self._runs.get(run_id, (None,))[0] != made_of:
                run = run_of_database(place.path, one, database.modified_s, database.format.name)
                self._runs[run_id] = (made_of, run)
            runs.append(self._runs[run_id][1])
        return runs

    def _charts_taken_apart(self, runs: list[Run]) -> list[Run]:
        """A chart that holds several runs in its place gives those; the same objects as long as it is the same."""
        charts: dict[str, tuple[Run, tuple[Run, ...]]] = {}
        apart: list[Run] = []
        for run in runs:
            known = self._charts.get(run.id)
            parts = known[1] if known is not None and known[0] is run else runs_of_chart(run)
            if parts != (run,):
                charts[run.id] = (run, parts)
            apart += parts
        self._charts = charts
        return apart

    def _with_unique_names(self, runs: list[Run]) -> tuple[Run, ...]:
        """Two runs of one name are told apart by a number, in the order of their places."""
        count: dict[str, int] = {}
        for run in runs:
            count[run.name] = count.get(run.name, 0) + 1
        seen: dict[str, int] = {}
        unique = []
        renamed: dict[str, tuple[Run, Run]] = {}
        for run in runs:
            if count[run.name] > 1:
                seen[run.name] = seen.get(run.name, 0) + 1
                name = f"{run.name} ({seen[run.name]})"
                before = self._renamed.get(run.id)
                same = before is not None and before[0] is run and before[1].name == name
                renamed[run.id] = before if same and before else (run, replace(run, name=name))
                run = renamed[run.id][1]
            unique.append(run)
        self._renamed = renamed
        return tuple(unique)
