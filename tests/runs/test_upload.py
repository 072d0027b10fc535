"""A stranger's files: what is taken, what is refused, and that nothing is written anywhere else."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from core.runs import UPLOAD_LIMITS, UploadLimits, read_runs, stage_upload

CSV = "step,loss\n1,2.5\n"


def _archive(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_tables_and_archives_are_laid_out_and_read(tmp_path: Path) -> None:
    (tmp_path / "loss.csv").write_text(CSV)
    run = {
        "runs/a/metrics.jsonl": '{"step": 1, "loss": 1.5}\n',
        "runs/a/config.json": json.dumps({"seed": 1}),
        "runs/a/process.json": '{"pid": 1}',
        "runs/a/model.pt": "weights",
        "__MACOSX/runs/a/metrics.jsonl": "fork",
    }
    archive = _archive(tmp_path / "mine.zip", run)
    problems = stage_upload([tmp_path / "loss.csv", archive], tmp_path / "staged")
    found = read_runs(tmp_path / "staged", limits=UPLOAD_LIMITS)
    assert {run.path: run.metrics["loss"].value.tolist() for run in found} == {"loss.csv": [2.5], "mine/runs/a": [1.5]}
    assert found.runs[1].config["seed"] == 1 or found.runs[0].config.get("seed") == 1
    assert not list((tmp_path / "staged").rglob("process.json"))
    assert [(problem.path, problem.reason) for problem in problems] == [
        ("mine.zip", "3 members that are no logs were left out")
    ]


@pytest.mark.parametrize(
    "name", ["../evil.csv", "a/../../evil.csv", "/evil.csv", "C:\\evil.csv", "..\\evil.csv", "\\\\host\\evil.csv"]
)
def test_no_name_in_an_archive_decides_where_a_file_is_written(tmp_path: Path, name: str) -> None:
    archive = _archive(tmp_path / "x.zip", {name: CSV, "good.csv": CSV})
    before = set(tmp_path.rglob("*"))
    problems = stage_upload([archive], tmp_path / "staged" / "deep")
    written = {
        file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file not in before and file.is_file()
    }
    assert written == {"staged/deep/x/good.csv"}
    assert [problem.code for problem in problems] == ["path"]


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    problems = stage_upload([tmp_path / "x.zip"], tmp_path / "staged")
    assert [problem.code for problem in problems] == ["link"]
    assert not any(file.is_file() for file in (tmp_path / "staged").rglob("*"))


def test_a_zip_that_unfolds_beyond_all_bounds_is_stopped_by_the_bytes_written(tmp_path: Path) -> None:
    bomb = _archive(tmp_path / "bomb.zip", {"a.csv": b"0," * 20_000_000})
    assert bomb.stat().st_size < 100_000
    problems = stage_upload([bomb], tmp_path / "staged", UploadLimits(max_total_bytes=1_000_000))
    assert [problem.code for problem in problems] == ["too_large"]
    assert sum(file.stat().st_size for file in (tmp_path / "staged").rglob("*") if file.is_file()) == 0


def test_too_many_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "x.zip", {f"{number}.csv": CSV for number in range(20)})
    problems = stage_upload([archive], tmp_path / "staged", UploadLimits(max_files=5))
    assert len(list((tmp_path / "staged" / "x").iterdir())) == 5
    assert [problem.code for problem in problems] == ["too_large"]
    problems = stage_upload([archive], tmp_path / "again", UploadLimits(max_members=5))
    assert [problem.code for problem in problems] == ["too_many"]


def test_what_cannot_be_read_is_named_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "not.zip").write_bytes(b"PK\x03\x04 but no zip")
    cut = _archive(tmp_path / "cut.zip", {"a.csv": CSV * 1_000})
    data = bytearray(cut.read_bytes())
    data[40:60] = bytes(20)
    cut.write_bytes(bytes(data))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "good.csv").write_text(CSV)
    files = [tmp_path / name for name in ("not.zip", "cut.zip", "picture.png", "good.csv")]
    problems = stage_upload(files, tmp_path / "staged")
    assert [problem.code for problem in problems] == ["unreadable", "unreadable", "format"]
    assert [run.name for run in read_runs(tmp_path / "staged")] == ["good"]


def test_two_files_of_one_name_are_both_kept(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "log.csv").write_text(CSV)
    problems = stage_upload([tmp_path / "a" / "log.csv", tmp_path / "b" / "log.csv"], tmp_path / "staged")
    assert problems == ()
    assert len(read_runs(tmp_path / "staged")) == 2


def test_event_files_without_their_folders_are_runs_of_their_own(tmp_path: Path) -> None:
    """Two event files sent together, one of each arm, were joined to one run."""
    from torch.utils.tensorboard import SummaryWriter

    files = []
    for arm, value in (("mlp", 1.0), ("clip", 2.0)):
        with SummaryWriter(str(tmp_path / arm)) as writer:
            writer.add_scalar("val/nme", value, 1)
        (file,) = (tmp_path / arm).iterdir()
        files.append(file.rename(tmp_path / f"events.out.tfevents.{arm}"))
    table = tmp_path / "other.csv"
    table.write_text("step,loss\n1,2\n")
    assert stage_upload([*files, table], tmp_path / "staged") == ()
    found = read_runs(tmp_path / "staged")
    assert {run.name: run.metrics[next(iter(run.metrics))].value.tolist() for run in found} == {
        "events.out.tfevents.mlp": [1.0],
        "events.out.tfevents.clip": [2.0],
        "other": [2.0],
    }


def test_a_pack_within_an_archive_is_named_as_what_it_is(tmp_path: Path) -> None:
    # Seen: "members that are no logs were left out" of what the page itself would have taken.
    archive = _archive(tmp_path / "all.zip", {"a.csv": "step,loss\n1,2\n", "b/mine.runs.zip": b"PK"})
    problems = stage_upload([archive], tmp_path / "staged")
    assert [(one.path, one.code) for one in problems] == [("all.zip/b/mine.runs.zip", "pack")]


def test_a_long_name_keeps_the_end_that_says_its_format(tmp_path: Path) -> None:
    # Seen: a table with a name of 130 letters was taken, and then neither a run nor a problem.
    (tmp_path / f"{'x' * 130}.csv").write_text(CSV)
    assert stage_upload([tmp_path / f"{'x' * 130}.csv"], tmp_path / "staged") == ()
    assert len(read_runs(tmp_path / "staged")) == 1
