"""Databases of trackio (https://github.com/gradio-app/trackio): one SQLite file a project, many runs in each.

The tables read are `metrics (id, timestamp, run_name, step, metrics, run_id)`, `configs (run_name, config, run_id)`
and `system_metrics (timestamp, run_name, metrics, run_id)`, where `metrics` and `config` are JSON texts or blobs in
which NaN and infinities are the words "NaN", "Infinity", "-Infinity". Files from before run ids existed have no
`run_id`; there the name is the identity.

The file is opened read-only, so a training that writes it is never disturbed. It may be a stranger's: only plain tables
are read, nothing in the schema is trusted, and a query that runs for long is stopped.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ...messages import english
from ..parsing import Memory, ReadLimits, Unreadable, note
from ..series import SeriesBuilder, clean_text
from ..words import Says
from . import DatabaseFormat, DatabaseRun, register
from .columns import seconds_of_date
from .jsonl import parse_jsonl

QUERY_LIMIT_S = 30.0
_SQLITE_MAGIC = b"SQLite format 3\x00"


def read_trackio(path: Path, before: Mapping[str, DatabaseRun], limits: ReadLimits) -> dict[str, DatabaseRun]:
    """Run key → run, reading only rows that are newer than those of `before`.

    A run whose earlier rows are gone or renamed (trackio rewrites them then) is read again from its first row.

    Raises:
        Unreadable: not SQLite, damaged, locked for long, or without trackio's tables.
    """
    if path.stat().st_size == 0:
        raise Unreadable("empty", Says.file_empty())
    with path.open("rb") as file:
        if file.read(len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
            raise Unreadable("not_sqlite", Says.not_sqlite())
    try:
        with closing(_open_read_only(path)) as database:
            return _read(database, before, limits)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite's messages quote names as they are in the file
        raise Unreadable("damaged", Says.database_unread(error=english(clean_text(str(error))))) from None


def _open_read_only(path: Path) -> sqlite3.Connection:
    quoted = path.absolute().as_uri()
    try:
        return _connect(f"{quoted}?mode=ro")
    except sqlite3.OperationalError:
        # A write-ahead log needs a writable folder even to read; where there is none nobody is writing either.
        return _connect(f"{quoted}?mode=ro&immutable=1")


def _connect(address: str) -> sqlite3.Connection:
    database = sqlite3.connect(address, uri=True, timeout=2.0)
    database.text_factory = lambda text: text.decode("utf-8", "replace")  # one bad name hides no row
    try:
        database.execute("PRAGMA query_only = ON")
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def _time_limit(database: sqlite3.Connection) -> Iterator[None]:
    until = time.monotonic() + QUERY_LIMIT_S
    database.set_progress_handler(lambda: time.monotonic() > until, 100_000)
    try:
        yield
    finally:
        database.set_progress_handler(None, 0)


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """Columns of a plain table; empty for a view, a virtual table or none."""
    row = database.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    if row is None or not str(row[0]).lstrip().upper().startswith("CREATE TABLE"):
        return set()
    return {str(column[1]) for column in database.execute(f"PRAGMA table_info({table})")}


def _read(
    database: sqlite3.Connection, before: Mapping[str, DatabaseRun], limits: ReadLimits
) -> dict[str, DatabaseRun]:
    columns = _columns(database, "metrics")
    if not {"id", "timestamp", "run_name", "step", "metrics"} <= columns:
        raise Unreadable("not_trackio", Says.database_foreign())
    key_column = "run_id" if "run_id" in columns else "run_name"
    with _time_limit(database):
        found = database.execute(
            f"SELECT {key_column}, min(run_name), count(*), max(id) FROM metrics GROUP BY {key_column} ORDER BY min(id)"  # noqa: S608
        ).fetchall()
    if sum(row[2] for row in found) > limits.max_database_rows:
        raise Unreadable("too_large", Says.database_too_long(limit=limits.max_database_rows))
    configs = _configs(database)
    runs: dict[str, DatabaseRun] = {}
    for key, name, count, newest in found:
        key, name = str(key), clean_text(str(name))
        known = before.get(key)
        run = DatabaseRun(key, name, configs.get(key, {}), {}, {})
        if known is not None and known.memory.get("database_rows", 0) <= count and known.last_id <= newest:
            with _time_limit(database):
                earlier = f"SELECT count(*) FROM metrics WHERE {key_column} = ? AND id <= ?"  # noqa: S608
                kept = database.execute(earlier, (key, known.last_id)).fetchone()[0]
            if kept == known.memory.get("database_rows", 0):
                run.memory, run.series, run.last_id = json.loads(json.dumps(known.memory)), known.series, known.last_id
        if newest > run.last_id:
            _read_rows(database, key_column, run, limits.max_metrics)
        run.memory["database_rows"] = count
        run.last_id = newest
        runs[key] = run
    _add_system_metrics(database, runs, limits.max_metrics)
    return runs


def _configs(database: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    columns = _columns(database, "configs")
    if not {"run_name", "config"} <= columns:
        return {}
    key_column = "run_id" if "run_id" in columns else "run_name"
    configs = {}
    for key, text in database.execute(f"SELECT {key_column}, config FROM configs"):  # noqa: S608
        try:
            config = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            continue
        if isinstance(config, dict):
            configs[str(key)] = config
    return configs


def _read_rows(database: sqlite3.Connection, key_column: str, run: DatabaseRun, max_metrics: int) -> None:
    builder = SeriesBuilder(run.series, unordered=run.memory.get("unordered", False))
    cursor = database.execute(
        f"SELECT timestamp, step, metrics FROM metrics WHERE {key_column} = ? AND id > ? ORDER BY id",  # noqa: S608
        (run.key, run.last_id),
    )
    with _time_limit(database):
        while rows := cursor.fetchmany(20_000):
            lines = [_line(run.memory, timestamp, step, metrics) for timestamp, step, metrics in rows]
            block = b"".join(lines)
            if block:
                parse_jsonl(block, True, run.memory, builder, max_metrics)
    run.series = builder.finish()
    run.memory["unordered"] = builder.unordered
    if builder.superseded:
        note(run.memory, Says.values_superseded, builder.superseded)


def _line(memory: Memory, timestamp: Any, step: Any, metrics: Any) -> bytes:
    """One row as a JSON line with the row's own step and time; empty if its JSON cannot be read."""
    text = metrics if isinstance(metrics, bytes) else str(metrics).encode()
    body = text.strip()
    if not (body.startswith(b"{") and body.endswith(b"}")) or b"\n" in body or isinstance(step, bytes):
        note(memory, Says.rows_unread)
        return b""
    axes: dict[str, Any] = {} if timestamp is None else {"_timestamp": seconds_of_date(str(timestamp))}
    if step is not None:
        axes["step"] = step
    own = json.dumps(axes).encode()
    inner = body[1:-1].strip()
    return b"{" + inner + (b", " if axes and inner else b"") + own[1:] + b"\n"


def _add_system_metrics(database: sqlite3.Connection, runs: dict[str, DatabaseRun], max_metrics: int) -> None:
    """GPU and CPU readings, as `system/NAME` over the number of the reading. Small; read whole each time."""
    columns = _columns(database, "system_metrics")
    if not {"id", "timestamp", "run_name", "metrics"} <= columns:
        return
    key_column = "run_id" if "run_id" in columns else "run_name"
    for key, run in runs.items():
        memory: Memory = {}
        builder = SeriesBuilder()
        with _time_limit(database):
            rows = database.execute(
                f"SELECT timestamp, metrics FROM system_metrics WHERE {key_column} = ? ORDER BY id LIMIT 1000000",  # noqa: S608
                (key,),
            ).fetchall()
        block = b"".join(_line(memory, timestamp, number, metrics) for number, (timestamp, metrics) in enumerate(rows))
        if block:
            parse_jsonl(block, True, memory, builder, max_metrics)
            run.series = {**run.series, **{f"system/{name}": series for name, series in builder.finish().items()}}


register(DatabaseFormat("trackio", read_trackio, suffixes=(".db", ".sqlite", ".sqlite3"), beside=("-wal",)))
