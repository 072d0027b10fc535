"""Databases with trackio's schema (0.43), and with the one before run ids."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from core.runs import ReadLimits, RunReader, read_runs

NEW = """
CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, timestamp TEXT NOT NULL,
    run_name TEXT NOT NULL, step INTEGER NOT NULL, metrics TEXT NOT NULL, log_id TEXT, space_id TEXT);
CREATE TABLE configs (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, run_name TEXT NOT NULL,
    config TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE(run_id));
CREATE TABLE system_metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, timestamp TEXT NOT NULL,
    run_name TEXT NOT NULL, metrics TEXT NOT NULL);
"""
OLD = NEW.replace("run_id TEXT NOT NULL, ", "").replace("UNIQUE(run_id)", "UNIQUE(run_name)")


def _database(path: Path, schema: str = NEW) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(schema)
    return database


def _log(
    database: sqlite3.Connection, run: str, step: int, metrics: object, name: str = "mlp", second: int = 0
) -> None:
    stamp = f"2026-01-01T00:{second // 60:02}:{second % 60:02}+00:00"
    database.execute(
        "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?, ?)",
        (run, stamp, name, step, json.dumps(metrics).encode()),
    )
    database.commit()


def _configure(database: sqlite3.Connection, run: str, config: dict[str, object]) -> None:
    database.execute(
        "INSERT INTO configs (run_id, run_name, config, created_at) VALUES (?, 'mlp', ?, '')",
        (run, json.dumps(config).encode()),
    )
    database.commit()


def test_every_run_of_a_database_is_a_run_also_while_it_is_written(tmp_path: Path) -> None:
    database = _database(tmp_path / "pose.db")
    for run in ("a", "b"):
        _configure(database, run, {"seed": 1, "opt": {"lr": 0.1}, "_Username": "x"})
        for step in range(50):
            nme: object = "NaN" if step == 7 else "-Infinity" if step == 8 else step * 0.5
            _log(database, run, step, {"train/loss": 1 / (step + 1), "val": {"nme": nme}}, second=step)
    found = read_runs(tmp_path)  # the writer still has it open, with rows in its write-ahead log
    assert [run.name for run in found] == ["mlp (1)", "mlp (2)"]
    assert len({run.id for run in found}) == 2
    run = found.runs[0]
    assert (run.formats, run.config["opt.lr"], run.path) == (("trackio",), 0.1, "pose.db#mlp")
    loss, nme = run.metrics["train/loss"], run.metrics["val/nme"]
    assert loss.value == pytest.approx([1 / (step + 1) for step in range(50)])
    assert np.array_equal(nme.value[6:10], [3.0, math.nan, -math.inf, 4.5], equal_nan=True)
    assert loss.time_s is not None
    assert loss.time_s.tolist() == list(range(50))
    assert run.started_unix_s == 1_767_225_600
    database.close()


def test_new_rows_are_added_and_rewritten_ones_read_again(tmp_path: Path) -> None:
    database = _database(tmp_path / "pose.db")
    _log(database, "a", 0, {"loss": 1.0})
    reader = RunReader(tmp_path)
    first = reader.read().runs[0]
    assert reader.read().runs[0] is first
    _log(database, "a", 1, {"loss": 2.0})
    assert reader.read().runs[0].metrics["loss"].value.tolist() == [1.0, 2.0]
    database.execute("DELETE FROM metrics WHERE step = 0")
    database.commit()
    _log(database, "a", 2, {"loss": 3.0})
    _log(database, "a", 3, {"loss": 4.0})
    assert reader.read().runs[0].metrics["loss"].value.tolist() == [2.0, 3.0, 4.0]
    database.close()


def test_databases_from_before_run_ids(tmp_path: Path) -> None:
    database = _database(tmp_path / "old.db", OLD)
    for name in ("x", "y"):
        database.execute(
            "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES ('2026-01-01T00:00:00', ?, 3, ?)",
            (name, '{"loss": 1}'),
        )
    database.execute("INSERT INTO configs (run_name, config, created_at) VALUES ('y', '{\"seed\": 4}', '')")
    database.commit()
    found = read_runs(tmp_path)
    assert [(run.name, dict(run.config)) for run in found] == [("x", {}), ("y", {"seed": 4})]
    database.close()


def test_readings_of_the_machine_are_kept_apart(tmp_path: Path) -> None:
    database = _database(tmp_path / "pose.db")
    _log(database, "a", 0, {"loss": 1.0})
    insert = "INSERT INTO system_metrics (run_id, timestamp, run_name, metrics) VALUES ('a', '2026-01-01', 'mlp', ?)"
    for percent in (10, 20):
        database.execute(insert, (json.dumps({"gpu/0/memory": percent}),))
    database.commit()
    assert read_runs(tmp_path).runs[0].metrics["system/gpu/0/memory"].value.tolist() == [10, 20]
    database.close()


def test_databases_that_are_none_are_problems_and_hide_no_other(tmp_path: Path) -> None:
    good = _database(tmp_path / "good.db")
    _log(good, "a", 0, {"loss": 1.0})
    good.close()
    (tmp_path / "text.db").write_text("no database")
    (tmp_path / "empty.sqlite").write_bytes(b"")
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    view = "CREATE VIEW metrics AS SELECT 1 AS id, '' AS timestamp, 'r' AS run_name, 0 AS step, '{}' AS metrics;"
    sqlite3.connect(tmp_path / "view.db").executescript(view)
    (tmp_path / "cut.db").write_bytes((tmp_path / "good.db").read_bytes()[:5_000])
    found = read_runs(tmp_path)
    assert [run.path for run in found] == ["good.db#mlp"]
    codes = {problem.path: problem.code for problem in found.problems}
    assert codes == {
        "text.db": "not_sqlite",
        "empty.sqlite": "empty",
        "other.db": "not_trackio",
        "view.db": "not_trackio",
        "cut.db": "damaged",
    }


def test_rows_that_are_no_json_cost_themselves_only_and_limits_hold(tmp_path: Path) -> None:
    database = _database(tmp_path / "pose.db")
    _log(database, "a", 0, {"loss": 1.0})
    database.execute(
        "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES ('a', '', 'mlp', 1, 'nope')"
    )
    database.commit()
    _log(database, "a", 2, {"loss": 3.0})
    run = read_runs(tmp_path).runs[0]
    assert run.metrics["loss"].step.tolist() == [0, 2]
    assert run.notes == ("1 rows could not be read",)
    found = read_runs(tmp_path, limits=ReadLimits(max_database_rows=2))
    assert (len(found), found.problems[0].code) == (0, "too_large")
    database.close()


def test_a_damaged_database_hides_no_other_run_wherever_it_is_damaged(tmp_path: Path) -> None:
    """One mutated byte ended the whole comparison."""
    path = tmp_path / "pose.db"
    database = _database(path)
    database.execute("PRAGMA journal_mode = DELETE")
    for step in range(30):
        _log(database, "a", step, {"loss": 1.0})
    database.close()
    data = path.read_bytes()
    (tmp_path / "other.csv").write_text("step,loss\n1,2\n")
    places = [place for place in range(len(data)) if data[place]]
    for place in [*range(0, 100, 3), *places[:: len(places) // 250]]:
        mutated = bytearray(data)
        mutated[place] ^= 0xF4
        path.write_bytes(mutated)
        found = read_runs(tmp_path)
        assert "other" in [run.name for run in found], f"byte {place}"


@pytest.mark.parametrize("statement", ["SET step = x'00' WHERE id = 3", "SET metrics = x'ff00fe' WHERE id = 3"])
def test_a_row_that_cannot_be_read_costs_that_row(tmp_path: Path, statement: str) -> None:
    database = _database(tmp_path / "pose.db")
    for step in range(5):
        _log(database, "a", step, {"loss": float(step)})
    database.execute(f"UPDATE metrics {statement}")
    database.commit()
    (run,) = read_runs(tmp_path).runs
    assert 3.0 in run.metrics["loss"].value
    assert 2.0 not in run.metrics["loss"].value
    assert run.notes
