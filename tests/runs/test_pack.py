"""Packs: many runs in one file, read like any other log, unpacked to the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.cli.app import run as command
from core.errors import InputError
from core.runs import UPLOAD_LIMITS, ReadLimits, RunReader, compare, pack_runs, read_runs, stage_upload, unpack_runs
from core.settings import REPO_DIR

RESULTS_DIR = REPO_DIR / "experiments" / "results"
BASELINE = [4.10, 4.25, 3.98, 4.31, 4.05, 4.17, 4.22, 4.09]


@pytest.fixture
def root(tmp_path: Path, write_arms: Callable[..., Path]) -> Path:
    """Two arms of eight seeds, one run folder deeper down, a Lightning log, a table, and what is no log."""
    root = write_arms(tmp_path / "runs", {"none": BASELINE, "warm": [value - 0.4 for value in BASELINE]}, "error")
    (root / "none-0" / "process.json").write_text(json.dumps({"pid": 1, "config_changes": {"lr": [0.1, 0.2]}}))
    (root / "none-1" / "status").write_text("failed\n")
    lightning = root / "lightning_logs" / "version_0"
    lightning.mkdir(parents=True)
    (lightning / "metrics.csv").write_text("step,loss\n1,3\n2,2\n")
    (lightning / "hparams.yaml").write_text("pose_encoder: warm\nseed: 90\n")
    (root / "table.csv").write_text("step,loss\n1,5\n")
    (root / "README.md").write_text("What these runs are.\n")
    (root / "none-0" / "errors.npy").write_bytes(bytes(range(256)))
    return root


def _bytes_under(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def _said(folder: Path) -> object:
    """Everything that a reading says, and the verdict."""
    found = read_runs(folder)
    report = compare(found, group_by="pose_encoder", metric="test/error")
    runs = [
        (run.id, run.name, run.path, run.formats, dict(run.config), run.status, run.updated_unix_s, run.notes)
        for run in found
    ]
    values = [[run.metrics[name].value.tolist() for name in run.metrics] for run in found]
    return runs, values, report.to_json(), found.problems


def test_a_pack_dropped_into_a_folder_reads_as_the_folder_that_it_was_made_of(root: Path, tmp_path: Path) -> None:
    pack_runs(root, tmp_path / "handed on" / "mine.runs.zip")
    assert _said(tmp_path / "handed on") == _said(root)


def test_unpacking_gives_the_same_bytes_and_times_and_packing_again_the_same_pack(root: Path, tmp_path: Path) -> None:
    pack_runs(root, tmp_path / "one.runs.zip")
    assert unpack_runs(tmp_path / "one.runs.zip", tmp_path / "out") == len(_bytes_under(root))
    assert _bytes_under(tmp_path / "out") == _bytes_under(root)
    pack_runs(tmp_path / "out", tmp_path / "two.runs.zip")
    assert (tmp_path / "two.runs.zip").read_bytes() == (tmp_path / "one.runs.zip").read_bytes()


def test_a_pack_beside_runs_of_the_same_names_hides_none(root: Path, tmp_path: Path) -> None:
    """Whoever still has the old folders beside the pack sees both."""
    pack_runs(root, root / "mine.runs.zip")
    found = read_runs(root)
    assert {"none-0", "mine/none-0", "table.csv", "mine/table.csv"} <= {run.path for run in found}
    assert len(found) == 2 * (16 + 2)
    assert len({run.id for run in found}) == len(found)


def test_a_pack_of_one_run_is_named_after_its_file(root: Path, tmp_path: Path) -> None:
    pack_runs(root / "none-0", tmp_path / "packs" / "my run.runs.zip")
    (run,) = read_runs(tmp_path / "packs")
    assert (run.name, run.config["seed"]) == ("my run", 0)


def test_an_uploaded_pack_is_read_like_one_of_ones_own(root: Path, tmp_path: Path) -> None:
    pack_runs(root, tmp_path / "mine.runs.zip")
    assert stage_upload([tmp_path / "mine.runs.zip"], tmp_path / "staged") == ()
    assert _said(tmp_path / "staged") == _said(root)


def test_a_pack_that_was_replaced_is_read_anew_and_one_that_was_not_is_not(root: Path, tmp_path: Path) -> None:
    pack_runs(root, tmp_path / "packs" / "a.runs.zip")
    reader = RunReader(tmp_path / "packs")
    first = reader.read()
    assert all(new is old for new, old in zip(reader.read(), first, strict=True))
    metrics = root / "none-0" / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace("4.1", "9.1"))
    pack_runs(root, tmp_path / "packs" / "a.runs.zip")
    second = {run.path: run for run in reader.read()}
    assert second["none-0"].metrics["val/error"].value.tolist() == [9.1]
    assert second["none-1"].metrics["val/error"].value.tolist() == [4.25]


def test_a_long_log_in_a_pack_is_parsed_in_blocks_and_kept_as_arrow(
    tmp_path: Path, write_run: Callable[..., Path]
) -> None:
    write_run(tmp_path / "runs" / "a", {"seed": 0}, [{"step": step, "loss": step / 7} for step in range(20_000)])
    pack_runs(tmp_path / "runs", tmp_path / "packs" / "a.runs.zip")
    small = ReadLimits(block_bytes=10_000)
    (plain,) = read_runs(tmp_path / "runs")
    for _ in range(2):
        (run,) = read_runs(tmp_path / "packs", cache_dir=tmp_path / "cache", limits=small)
        assert run.metrics["loss"].value.tolist() == plain.metrics["loss"].value.tolist()
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_database_in_a_pack_is_read(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with sqlite3.connect(tmp_path / "runs" / "trackio.db") as database:
        database.execute("CREATE TABLE metrics (id INTEGER, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)")
        database.execute("INSERT INTO metrics VALUES (1, '2024-01-01', 'one', 5, '{\"loss\": 2}')")
    database.close()
    pack_runs(tmp_path / "runs", tmp_path / "packs" / "a.runs.zip")
    (run,) = read_runs(tmp_path / "packs")
    assert (run.name, run.path, run.metrics["loss"].value.tolist()) == ("one", "trackio.db#one", [2.0])


def test_a_process_that_a_pack_names_is_not_looked_up_on_this_machine(root: Path, tmp_path: Path) -> None:
    """The run would be called running for ever where another process now has its number."""
    from core.runs.process import this_process

    (root / "none-0" / "process.json").write_text(json.dumps(this_process()))
    (root / "none-0" / "status").write_text("running\n")
    for file in (root / "none-0").iterdir():
        os.utime(file, (1e9, 1e9))
    assert next(run.status for run in read_runs(root) if run.path == "none-0") == "running"
    pack_runs(root, tmp_path / "packs" / "a.runs.zip")
    assert next(run.status for run in read_runs(tmp_path / "packs") if run.path == "none-0") == "killed"


def test_what_lies_beside_a_log_is_read_from_folders_and_from_packs(root: Path, tmp_path: Path) -> None:
    pack_runs(root, tmp_path / "packs" / "a.runs.zip")
    for folder in (root, tmp_path / "packs"):
        reader = RunReader(folder)
        runs = {run.path: run for run in reader.read()}
        assert reader.file_beside(runs["none-0"], "errors.npy") == bytes(range(256))
        with pytest.raises(InputError, match=r"no errors\.npy"):
            reader.file_beside(runs["none-1"], "errors.npy")


def test_links_hidden_files_and_packs_are_not_packed_and_named(root: Path, tmp_path: Path) -> None:
    (root / "latest").symlink_to("none-0")
    (root / ".cache").mkdir()
    (root / ".cache" / "x.csv").write_text("step,loss\n1,2\n")
    (root / "older.runs.zip").write_bytes(b"PK")
    packed = pack_runs(root, root / "mine.runs.zip")
    assert packed.left_out == (".cache", "latest", "older.runs.zip")
    assert packed.files == len(zipfile.ZipFile(root / "mine.runs.zip").namelist())


def test_what_would_not_come_out_of_a_pack_does_not_go_into_it(root: Path, tmp_path: Path) -> None:
    # Seen: a folder that lay too deep was packed, and then the whole pack could not be unpacked.
    deep = "/".join(["d"] * 33) + "/x.csv"
    (root / deep).parent.mkdir(parents=True)
    (root / deep).write_text("step,loss\n1,2\n")
    packed = pack_runs(root, tmp_path / "mine.runs.zip")
    assert packed.left_out == (deep,)
    assert unpack_runs(tmp_path / "mine.runs.zip", tmp_path / "out") == packed.files


def test_a_newer_pack_under_another_name_takes_the_place_of_the_older_at_the_next_look(tmp_path: Path) -> None:
    # Seen: v1 was removed, v2 of the same runs put there, and the page went on showing the numbers of v1.
    runs, packs = tmp_path / "runs", tmp_path / "packs"
    (runs / "a").mkdir(parents=True)
    (runs / "a" / "metrics.jsonl").write_text('{"step": 1, "loss": 1}\n')
    _trackio(runs / "track.db", 1.0)
    pack_runs(runs, packs / "v1.runs.zip")
    reader = RunReader(packs)
    assert [run.metrics["loss"].value.tolist() for run in reader.read()] == [[1.0], [1.0]]
    (runs / "a" / "metrics.jsonl").write_text('{"step": 1, "loss": 2}\n')
    _trackio(runs / "track.db", 2.0)
    (packs / "v1.runs.zip").unlink()
    pack_runs(runs, packs / "v2.runs.zip")
    assert [run.metrics["loss"].value.tolist() for run in reader.read()] == [[2.0], [2.0]]
    (packs / "v2.runs.zip").unlink()
    (packs / "a").mkdir()
    (packs / "a" / "metrics.jsonl").write_text('{"step": 1, "loss": 3}\n')
    assert [run.metrics["loss"].value.tolist() for run in reader.read()] == [[3.0]]


def _trackio(path: Path, loss: float) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE metrics (id INTEGER, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)")
        row = ("2026-01-01T00:00:00", "b", 1, json.dumps({"loss": loss}))
        database.execute("INSERT INTO metrics VALUES (1, ?, ?, ?, ?)", row)


# -------------------------------------------------------------------------------------------------------- hostile packs


def _archive(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["../evil.csv", "a/../../evil.csv", "/evil.csv", "C:\\evil.csv", "..\\evil.csv"])
def test_no_name_in_a_pack_leads_out_of_it(tmp_path: Path, name: str) -> None:
    pack = _archive(tmp_path / "packs" / "x.runs.zip", {name: b"step,loss\n1,2\n", "good.csv": b"step,loss\n1,2\n"})
    found = read_runs(tmp_path / "packs")
    assert [run.name for run in found] == ["good"]
    assert [problem.code for problem in found.problems] == ["path"]
    with pytest.raises(InputError, match="leads out"):
        unpack_runs(pack, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists()
    assert not (tmp_path / "evil.csv").exists()


def test_a_pack_that_unfolds_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    pack = _archive(tmp_path / "packs" / "bomb.runs.zip", {"a.csv": b"0," * 20_000_000})
    assert pack.stat().st_size < 100_000
    limits = ReadLimits(max_pack_bytes=1_000_000)
    found = read_runs(tmp_path / "packs", limits=limits)
    assert [(problem.path, problem.code) for problem in found.problems] == [("bomb.runs.zip", "too_large")]
    with pytest.raises(InputError, match="larger than 1,000,000 bytes unpacked"):
        unpack_runs(pack, tmp_path / "out", limits)
    many = _archive(tmp_path / "many" / "x.runs.zip", {f"{number}.csv": b"1" for number in range(30)})
    assert [one.code for one in read_runs(many.parent, limits=ReadLimits(max_files=2)).problems] == ["too_many"]


def test_a_size_that_a_pack_lies_about_bounds_what_is_read_of_it(tmp_path: Path) -> None:
    pack = _archive(tmp_path / "packs" / "x.runs.zip", {"a.csv": b"step,loss\n" + b"1,2\n" * 1_000_000})
    data = pack.read_bytes()
    true, told = (4_000_010).to_bytes(4, "little"), (1_000).to_bytes(4, "little")
    assert data.count(true) == 2
    pack.write_bytes(data.replace(true, told))
    found = read_runs(pack.parent)
    assert len(found) == 0
    assert [problem.path for problem in found.problems] == ["x.runs.zip/a.csv"]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 but no zip", b"\x00" * 1_000])
def test_a_pack_that_is_none_is_named_and_hides_no_other(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.runs.zip").write_bytes(data)
    (tmp_path / "good.csv").write_text("step,loss\n1,2\n")
    found = read_runs(tmp_path)
    assert [run.name for run in found] == ["good"]
    assert [problem.path for problem in found.problems] == ["bad.runs.zip"]
    with pytest.raises(InputError, match="cannot be unpacked: the file cannot be read: File is not a zip file"):
        unpack_runs(tmp_path / "bad.runs.zip", tmp_path / "out")


def test_damage_inside_a_pack_costs_the_member_and_unpacking_leaves_nothing_half_done(
    root: Path, tmp_path: Path
) -> None:
    pack = tmp_path / "packs" / "x.runs.zip"
    pack_runs(root, pack)
    with zipfile.ZipFile(pack) as archive:
        start = archive.getinfo("none-3/metrics.jsonl").header_offset + 60
    data = bytearray(pack.read_bytes())
    data[start : start + 6] = bytes(6)
    pack.write_bytes(bytes(data))
    found = read_runs(pack.parent)
    assert [problem.path for problem in found.problems] == ["x.runs.zip/none-3/metrics.jsonl"]
    assert len(found) == 18, "its config is there still"
    with pytest.raises(InputError, match="Ask for the file once more"):
        unpack_runs(pack, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("field", "value"), [("compress_size", 2**40), ("compress_size", 2**63), ("header_offset", 2**63)]
)
@pytest.mark.parametrize("name", ["run/config.json", "run/metrics.csv"])
def test_a_member_that_claims_to_lie_beyond_its_pack_takes_only_itself_away(
    tmp_path: Path, name: str, field: str, value: int
) -> None:
    # Seen: one such pack among the runs, and the whole page of runs ended in a MemoryError or an OverflowError.
    (tmp_path / "good.csv").write_text("step,loss\n1,2\n")
    pack = tmp_path / "x.runs.zip"
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/metrics.jsonl", '{"step": 1, "loss": 2}\n')
        archive.writestr(name, "{}")
        setattr(archive.getinfo(name), field, value)  # what the directory at the end will say
    found = read_runs(tmp_path)
    assert [run.name for run in found] == ["good", "run"]
    assert [(one.path, one.code) for one in found.problems] == [(f"x.runs.zip/{name}", "unreadable")]
    with pytest.raises(InputError, match="lies beyond the end"):
        unpack_runs(pack, tmp_path / "out")


def test_a_member_without_a_date_is_read(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    with zipfile.ZipFile(tmp_path / "packs" / "x.runs.zip", "w") as archive:
        archive.writestr("a.csv", "step,loss\n1,2\n")
    data = (tmp_path / "packs" / "x.runs.zip").read_bytes()
    start = data.index(b"PK\x01\x02")
    (tmp_path / "packs" / "x.runs.zip").write_bytes(data[: start + 12] + bytes(4) + data[start + 16 :])
    assert [run.name for run in read_runs(tmp_path / "packs")] == ["a"]


def test_a_pack_in_a_pack_is_named_and_not_opened(root: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner.runs.zip"
    pack_runs(root, inner)
    _archive(tmp_path / "packs" / "outer.runs.zip", {"inner.runs.zip": inner.read_bytes()})
    found = read_runs(tmp_path / "packs")
    assert len(found) == 0
    assert [(one.path, one.code) for one in found.problems] == [("outer.runs.zip/inner.runs.zip", "pack")]


# ----------------------------------------------------------------------------------------------------- the command line


def test_pack_and_unpack_as_they_are_typed(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = tmp_path / "mine.runs.zip"
    pack_runs(root / "none-3", root / "older.runs.zip")  # not packed again, so not counted
    assert command(["runs", "pack", str(root), str(pack)]) == 0
    assert capsys.readouterr().out.startswith("18 runs, ")
    assert command(["runs", "unpack", str(pack), str(tmp_path / "out")]) == 0
    (root / "older.runs.zip").unlink()
    assert _bytes_under(tmp_path / "out") == _bytes_under(root)
    assert command(["runs", "unpack", str(pack), str(tmp_path / "out")]) == 2
    assert "not empty" in capsys.readouterr().err
    assert command(["runs", "pack", str(root), str(tmp_path / "mine.zip")]) == 2
    assert ".runs.zip" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- committed results


def test_the_committed_packs_hold_every_byte_of_the_logs_that_were_packed(tmp_path: Path) -> None:
    expected: dict[str, str] = {}
    for line in (RESULTS_DIR / "MANIFEST.sha256").read_text().splitlines():
        digest, _, path = line.partition("  ")
        expected[path] = digest
    found = {}
    for pack in sorted(RESULTS_DIR.glob("*/*.runs.zip")):
        folder = tmp_path / "experiments" / "results" / pack.parent.name
        unpack_runs(pack, folder)
        for file in folder.rglob("*"):
            if file.is_file():
                found[file.relative_to(tmp_path).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()
    assert len(expected) == 1_378
    assert found == expected


def test_one_member_that_says_it_is_endless_hides_none_of_the_others(tmp_path: Path) -> None:
    """Its size was counted against the whole pack, which then was too large."""
    path = tmp_path / "mine.runs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a", "b", "c"):
            archive.writestr(f"{name}/metrics.csv", "step,loss\n1,2\n2,3\n")
    data = bytearray(path.read_bytes())
    entry = data.rfind(b"PK\x01\x02", 0, data.find(b"b/metrics.csv", data.find(b"PK\x01\x02")))
    data[entry + 24 : entry + 28] = b"\xff\xff\xff\x7f"  # its size unpacked
    path.write_bytes(data)
    found = read_runs(tmp_path, limits=UPLOAD_LIMITS)
    assert [run.name for run in found] == ["a", "c"]
    assert [(problem.path, str(problem.reason)) for problem in found.problems] == [
        ("mine.runs.zip/b/metrics.csv", "damaged")
    ]


@pytest.mark.parametrize("names", [("x.csv", "x.csv/metrics.csv"), ("x.csv/metrics.csv", "x.csv")])
def test_a_member_that_is_a_folder_and_a_file_is_named(tmp_path: Path, names: tuple[str, str]) -> None:
    with zipfile.ZipFile(tmp_path / "mine.runs.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "step,loss\n1,2\n")
    found = read_runs(tmp_path)
    assert len(found) == 1
    assert [problem.path for problem in found.problems] == [f"mine.runs.zip/{names[1]}"]
