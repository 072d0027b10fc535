"""What is found under a root and read from it: run folders and tables, sound and damaged, and files that grow."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.runs import ReadLimits, Run, RunReader, list_folders, read_runs, resolve_folder
from core.runs.formats import FORMATS
from core.runs.series import LogRows, SeriesBuilder

WriteRun = Callable[..., Path]


def _only(root: Path) -> Run:
    found = read_runs(root)
    assert len(found) == 1, (found.runs, found.problems)
    return found.runs[0]


# --------------------------------------------------------------------------------------------------------- run folders


def test_a_run_folder_is_read_with_everything_that_belongs_to_it(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(
        tmp_path / "a",
        {"seed": 3, "model": {"name": "mlp", "sizes": [8, 8]}},
        [
            {"step": 10, "epoch": 1, "time": 12.3, "train/loss": 0.5, "val/nme": 4.2},
            {"step": 20, "epoch": 2, "time": 24.5, "train/loss": 0.25},
        ],
    )
    (folder / "environment.json").write_text(json.dumps({"commit": "abc", "started_unix_s": 1.7e9}))
    run = _only(tmp_path)
    assert (run.name, run.path, run.formats, run.status) == ("a", "a", ("jsonl",), "finished")
    assert dict(run.config) == {"seed": 3, "model.name": "mlp", "model.sizes": "[8, 8]"}
    assert (run.environment["commit"], run.started_unix_s) == ("abc", 1.7e9)
    loss, nme = run.metrics["train/loss"], run.metrics["val/nme"]
    assert (loss.step.tolist(), loss.value.tolist()) == ([10, 20], [0.5, 0.25])
    assert loss.epoch is not None
    assert loss.time_s is not None
    assert (loss.epoch.tolist(), loss.time_s.tolist()) == ([1, 2], [12.3, 24.5])
    assert (nme.step.tolist(), nme.value.tolist()) == ([10], [4.2])
    assert set(run.metrics) == {"train/loss", "val/nme"}
    assert run.notes == ()


def test_a_torn_last_line_is_tolerated_and_read_once_it_is_whole(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(tmp_path / "a", {"seed": 0}, [{"step": 1, "loss": 1.0}], status=None)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    reader = RunReader(tmp_path)
    run = reader.read().runs[0]
    assert run.metrics["loss"].step.tolist() == [1]
    assert run.notes == ("metrics.jsonl ends within a line or record (15 bytes)",)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('ss": 0.5}\n')
    run = reader.read().runs[0]
    assert run.metrics["loss"].value.tolist() == [1.0, 0.5]
    assert run.notes == ()


def test_a_damaged_line_in_the_middle_costs_that_line_and_is_counted(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(tmp_path / "a", {"seed": 0}, [])
    lines = [
        b'{"step": 1, "loss": 1.0}',
        b'{"step": 2, "lo',
        b'{"a": "\xff"}',
        b"[1]",
        b"",
        b'{"step": 3, "loss": 3.0}',
    ]
    (folder / "metrics.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    run = _only(tmp_path)
    assert run.metrics["loss"].step.tolist() == [1, 3]
    assert "1 lines could not be read (not JSON); the first is line 2" in run.notes
    assert "1 lines could not be read (not UTF-8); the first is line 2" in run.notes
    assert "1 lines are not JSON objects and were passed over" in run.notes


def test_nan_and_infinities_are_kept_and_marked_however_they_are_written(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(tmp_path / "bare", {"seed": 0}, [])
    (folder / "metrics.jsonl").write_text(
        '{"step":1,"a":NaN}\n{"step":2,"a":-Infinity}\n{"step":3,"a":1e999}\n{"step":4,"a":1}\n'
    )
    folder = write_run(tmp_path / "words", {"seed": 0}, [])
    (folder / "metrics.jsonl").write_text(
        '{"step":1,"a":"NaN"}\n{"step":2,"a":"-Infinity"}\n{"step":3,"a":"inf"}\n{"step":4,"a":1}\n'
    )
    (tmp_path / "table.csv").write_text("step,a\n1,nan\n2,-inf\n3,Infinity\n4,1\n")
    found = read_runs(tmp_path)
    assert [run.name for run in found] == ["bare", "table", "words"]
    for run in found:
        series = run.metrics["a"]
        assert np.array_equal(series.value, [math.nan, -math.inf, math.inf, 1.0], equal_nan=True), run.name
        assert series.not_finite_N.tolist() == [True, True, True, False]


def test_the_fast_and_the_careful_reading_of_a_line_agree(tmp_path: Path, write_run: WriteRun) -> None:
    rows = [{"step": step, "loss": step / 7, **({"val/nme": step / 3} if step % 5 == 0 else {})} for step in range(200)]
    write_run(tmp_path / "fast", {"seed": 0}, rows)
    folder = write_run(tmp_path / "careful", {"seed": 0}, rows)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("not JSON\n")  # one such line, and the whole block is read line by line
    careful, fast = read_runs(tmp_path).runs
    for name in ("loss", "val/nme"):
        assert fast.metrics[name].step.tolist() == careful.metrics[name].step.tolist()
        assert fast.metrics[name].value.tolist() == careful.metrics[name].value.tolist()


def test_a_metric_that_appears_late_and_rarely_is_found(tmp_path: Path, write_run: WriteRun) -> None:
    rows = [{"step": step, "loss": 1.0, **({"rare": 7.0} if step == 1_234 else {})} for step in range(5_000)]
    write_run(tmp_path / "a", {"seed": 0}, rows)
    rare = _only(tmp_path).metrics["rare"]
    assert (rare.step.tolist(), rare.value.tolist()) == ([1_234], [7.0])


def test_repeated_and_unordered_steps_end_up_ordered_and_the_later_value_counts(
    tmp_path: Path, write_run: WriteRun
) -> None:
    rows = [{"step": step, "loss": value} for step, value in [(3, 1.0), (1, 2.0), (2, 3.0), (1, 4.0), (3, math.nan)]]
    write_run(tmp_path / "a", {"seed": 0}, rows)
    run = _only(tmp_path)
    assert run.metrics["loss"].step.tolist() == [1, 2, 3]
    assert np.array_equal(run.metrics["loss"].value, [4.0, 3.0, math.nan], equal_nan=True)
    assert run.notes == ("2 steps were written more than once; the later value counts",)


def test_rows_without_a_step_belong_to_the_step_before(tmp_path: Path, write_run: WriteRun) -> None:
    write_run(tmp_path / "a", {"seed": 0}, [{"step": 5, "loss": 1.0}, {"step": 9, "loss": 0.5}, {"test/nme": 3.5}])
    assert _only(tmp_path).metrics["test/nme"].step.tolist() == [9]


def test_without_steps_the_epoch_counts_and_without_epochs_the_row(tmp_path: Path, write_run: WriteRun) -> None:
    write_run(tmp_path / "epochs", {"seed": 0}, [{"epoch": epoch, "loss": 1.0} for epoch in (1, 2, 3)])
    write_run(tmp_path / "fractions", {"seed": 0}, [{"epoch": epoch / 4, "loss": 1.0} for epoch in range(4)])
    write_run(tmp_path / "rows", {"seed": 0}, [{"loss": 1.0}, {"loss": 2.0}])
    steps = {run.name: run.metrics["loss"].step.tolist() for run in read_runs(tmp_path)}
    assert steps == {"epochs": [1, 2, 3], "fractions": [0, 1, 2, 3], "rows": [0, 1]}


def test_steps_that_only_appear_later_make_the_file_be_read_again(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(tmp_path / "a", {"seed": 0}, [{"epoch": 1, "loss": 1.0}])
    reader = RunReader(tmp_path)
    assert reader.read().runs[0].metrics["loss"].step.tolist() == [1]
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 700, "epoch": 2, "loss": 2.0}\n')
    assert reader.read().runs[0].metrics["loss"].step.tolist() == [0, 700]


def test_nested_fields_texts_lists_and_constants(tmp_path: Path, write_run: WriteRun) -> None:
    rows = [
        {"step": 1, "val": {"nme": 4.0}, "arm": "clip", "phase": "warm", "box": [1, 2], "ok": True},
        {"step": 2, "val": {"nme": 3.0}, "arm": "clip", "phase": "main", "box": [1, 2], "ok": False},
    ]
    write_run(tmp_path / "a", {"seed": 0}, rows)
    run = _only(tmp_path)
    assert run.metrics["val/nme"].value.tolist() == [4.0, 3.0]
    assert run.metrics["ok"].value.tolist() == [1.0, 0.0]
    assert run.config["arm"] == "clip", "one text throughout tells runs apart"
    assert set(run.notes) == {"phase: text, not shown", "box: 2 lists were passed over"}


# ------------------------------------------------------------------------------------------------------------- tables


def test_a_plain_csv_is_a_run_named_after_its_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "Run 7.csv").write_text("iter;Time;train loss;arm;seed\n1;0.5;3.0;mlp;4\n2;1.0;2.0;mlp;4\n")
    run = _only(tmp_path)
    assert (run.name, run.formats, dict(run.config)) == ("sub/Run 7", ("csv",), {"arm": "mlp", "seed": 4})
    series = run.metrics["train loss"]
    assert series.time_s is not None
    assert (series.step.tolist(), series.value.tolist(), series.time_s.tolist()) == ([1, 2], [3.0, 2.0], [0.5, 1.0])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"step,loss\n", "no_metrics"),
        (b"step,loss", "no_rows"),
        (b"1,2\n3,4\n", "no_header"),
        (b"name,comment\na,b\nc,d\n", "no_metrics"),
        ("step,loss\n1,2\n".encode("utf-16"), "encoding"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "encoding"),
    ],
)
def test_a_csv_that_cannot_be_read_is_listed_with_its_reason_and_hides_no_other(
    tmp_path: Path, data: bytes, code: str
) -> None:
    (tmp_path / "bad.csv").write_bytes(data)
    (tmp_path / "good.csv").write_text("step,loss\n1,2\n")
    found = read_runs(tmp_path)
    assert [run.name for run in found] == ["good"]
    assert [(problem.path, problem.code) for problem in found.problems] == [("bad.csv", code)]
    assert found.problems[0].reason


def test_a_csv_in_latin_1_is_read_and_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("step,größe\n1,2\n2,3\n".encode("latin-1"))
    run = _only(tmp_path)
    assert run.metrics["größe"].value.tolist() == [2, 3]
    assert run.notes == ("not UTF-8; read as Latin-1",)


def test_csv_rows_of_another_width_and_cells_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step,loss,,loss\n1,2,x,5\n2,3\n3,oops,x,5\n4,5,x,5\n5,6,x,5\n")
    run = _only(tmp_path)
    assert (run.metrics["loss"].step.tolist(), run.metrics["loss"].value.tolist()) == ([1, 4, 5], [2, 5, 6])
    assert set(run.notes) == {
        "1 rows do not have the header's number of columns and were passed over",
        "loss: 1 values are text, not numbers, and were passed over",
        "loss: 1 more columns of that name are not shown",
        "1 columns without a name are not shown",
    }


def test_a_csv_whose_last_line_is_being_written_is_right_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("step,loss\n1,2\n2,0.5")
    reader = RunReader(tmp_path)
    assert reader.read().runs[0].metrics["loss"].value.tolist() == [2, 0.5]
    with path.open("a") as file:
        file.write("31\n3,4\n")
    assert reader.read().runs[0].metrics["loss"].value.tolist() == [2, 0.531, 4]


def test_tensorboards_own_csv_download_is_named_after_its_tag(tmp_path: Path) -> None:
    name = "run-mlp_seed0-tag-val_nme.csv"
    (tmp_path / name).write_text("Wall time,Step,Value\n1700000000.0,10,4.5\n1700000060.0,20,4.25\n")
    run = _only(tmp_path)
    series = run.metrics["val_nme"]
    assert series.time_s is not None
    assert (series.step.tolist(), series.time_s.tolist()) == ([10, 20], [0.0, 60.0])
    assert run.started_unix_s == 1_700_000_000


def test_a_chart_downloaded_from_weights_and_biases_is_the_runs_in_it(tmp_path: Path) -> None:
    columns = [f"{run} - val/loss{span}" for run in ("clip-0", "mlp-0") for span in ("", "__MIN", "__MAX")]
    rows = "".join(f'"{step}","{3 / step}","1","2","{4 / step}","",""\n' for step in (1, 2, 3))
    path = tmp_path / "wandb_export.csv"
    path.write_text(",".join(f'"{name}"' for name in ("Step", *columns)) + "\n" + rows)
    reader = RunReader(tmp_path)
    clip, mlp = reader.read()
    assert (clip.name, mlp.name, list(clip.metrics)) == ("clip-0", "mlp-0", ["val/loss"])
    assert clip.metrics["val/loss"].value.tolist() == [3.0, 1.5, 1.0]
    assert mlp.metrics["val/loss"].step.tolist() == [1, 2, 3]
    assert reader.read().runs == (clip, mlp), "the same objects while nothing changes"
    with path.open("a") as file:
        file.write('"4","0.5","","","1","",""\n')
    assert [len(run.metrics["val/loss"]) for run in reader.read()] == [4, 4]


def test_a_metric_with_a_dash_in_its_name_is_no_chart(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step,top - 1,top - 5\n1,50,80\n")
    assert list(_only(tmp_path).metrics) == ["top - 1", "top - 5"]


def test_a_decimal_comma_is_one_where_semicolons_separate(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step;loss;word\n1;0,5;x\n2;0,25;y\n")
    run = _only(tmp_path)
    assert run.metrics["loss"].value.tolist() == [0.5, 0.25]
    assert run.notes == ("word: text, not shown",)


def test_a_broken_event_file_hides_no_table_beside_it(tmp_path: Path) -> None:
    """A CSV beside an event file that could not be read was shown nowhere and named nowhere."""
    (tmp_path / "x.tfevents.1").write_bytes(b"\x01" * 100)
    (tmp_path / "a.csv").write_text("step,loss\n1,2\n")
    found = read_runs(tmp_path)
    assert [run.name for run in found] == ["a"]
    assert [problem.path for problem in found.problems] == ["x.tfevents.1"]


def test_what_lies_beside_a_broken_log_is_named_though_there_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_bytes(b"")
    (tmp_path / "other.csv").write_text("step,loss\n1,2\n")
    found = read_runs(tmp_path)
    assert len(found) == 0
    assert any("other.csv" in problem.reason for problem in found.problems)


def test_lightnings_csv_logger(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path, name="lightning_logs")
    logger.log_hyperparams({"seed": 5, "pose_encoder": "clip", "lr": 0.1, "layers": [1, 2]})
    for step in range(6):
        logger.log_metrics({"train_loss": 1 / (step + 1), "epoch": step // 3}, step=step)
        if step % 3 == 2:
            logger.log_metrics({"val_nme": 4.0 - step, "epoch": step // 3}, step=step)
    logger.save()
    run = _only(tmp_path)
    assert (run.name, run.formats) == ("version_0", ("csv",))
    assert dict(run.config) == {"seed": 5, "pose_encoder": "clip", "lr": 0.1, "layers": "[1, 2]"}
    assert run.metrics["train_loss"].value == pytest.approx([1 / (step + 1) for step in range(6)])
    val = run.metrics["val_nme"]
    assert val.epoch is not None
    assert (val.step.tolist(), val.value.tolist(), val.epoch.tolist()) == ([2, 5], [2.0, -1.0], [0, 1])
    assert set(run.metrics) == {"train_loss", "val_nme"}


def test_hparams_with_python_objects_are_read_as_plain_values_and_never_built(tmp_path: Path) -> None:
    folder = tmp_path / "version_0"
    folder.mkdir()
    (folder / "metrics.csv").write_text("step,loss\n1,2\n")
    marker = tmp_path / "executed"
    (folder / "hparams.yaml").write_text(
        f"seed: 1\npath: !!python/object/apply:os.system ['touch {marker}']\nkind: !!python/name:torch.nn.ReLU ''\n"
    )
    run = _only(tmp_path)
    assert run.config["seed"] == 1
    assert not marker.exists()


def test_yaml_that_unfolds_without_end_is_cut(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "metrics.csv").write_text("step,loss\n1,2\n")
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    (folder / "hparams.yaml").write_text(bomb + "seed: 1\n")
    run = _only(tmp_path)
    assert run.config["seed"] == 1
    assert all(len(str(value)) <= 2_000 for value in run.config.values())


def test_broken_companions_are_named_and_the_metrics_still_shown(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(tmp_path / "a", {"seed": 0}, [{"step": 1, "loss": 1.0}], status="dancing")
    (folder / "config.json").write_text("{nope")
    (folder / "environment.json").write_bytes(b"\xff\xfe\x00")
    run = _only(tmp_path)
    assert run.metrics["loss"].value.tolist() == [1.0]
    assert run.status == "unknown"
    assert len(run.notes) == 3
    assert run.notes[0].startswith("config.json cannot be read")


# ------------------------------------------------------------------------------------------------------------ discovery


def test_formats_mix_in_one_tree_and_numbers_sort_by_value(tmp_path: Path, write_run: WriteRun) -> None:
    for number in (2, 10, 1):
        write_run(tmp_path / f"run{number}", {"seed": number}, [{"step": 1, "loss": 1.0}])
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "log.csv").write_text("step,loss\n1,2\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.csv").write_text("step,loss\n1,2\n")
    (tmp_path / "notes.txt").write_text("no log")
    found = read_runs(tmp_path)
    assert [run.path for run in found] == ["deep/er/log.csv", "run1", "run2", "run10"]
    assert found.problems == ()


def test_an_empty_folder_holds_no_runs_and_no_problems(tmp_path: Path) -> None:
    found = read_runs(tmp_path)
    assert (found.runs, found.problems, found.metric_names) == ((), (), ())


def test_the_root_itself_may_be_a_run(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(tmp_path / "mlp-0", {"seed": 0}, [{"step": 1, "loss": 1.0}])
    assert (_only(folder).name, _only(folder).path) == ("mlp-0", ".")


def test_two_runs_of_one_name_are_told_apart(tmp_path: Path, write_run: WriteRun) -> None:
    for parent in ("lightning_logs", "tb_logs"):
        write_run(tmp_path / parent / "version_0", {"seed": 0}, [{"step": 1, "loss": 1.0}])
    reader = RunReader(tmp_path)
    found = reader.read()
    assert [run.name for run in found] == ["version_0 (1)", "version_0 (2)"]
    assert len({run.id for run in found}) == 2
    assert [a is b for a, b in zip(found, reader.read(), strict=True)] == [True, True]


def test_names_carry_no_control_or_direction_characters(tmp_path: Path, write_run: WriteRun) -> None:
    write_run(tmp_path / "a\x1b[31m\u202eb\n c", {"seed": 0}, [{"step": 1, "lo\u202ess\x07": 1.0}])
    run = _only(tmp_path)
    assert run.name == "a [31m b c"
    assert list(run.metrics) == ["lo ss"]


def test_a_name_that_is_not_utf_8_does_not_stop_the_reading(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "metrics.csv").write_text("step,loss\n1,2\n")
    run = _only(tmp_path)
    assert run.metrics["loss"].value.tolist() == [2]
    run.name.encode("utf-8")
    run.path.encode("utf-8")


def test_links_are_not_followed_and_loops_end(tmp_path: Path, write_run: WriteRun) -> None:
    root = tmp_path / "root"
    folder = write_run(root / "a", {"seed": 0}, [{"step": 1, "loss": 1.0}])
    outside = write_run(tmp_path / "outside", {"seed": 0}, [{"step": 1, "loss": 1.0}])
    (folder / "loop").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "latest").symlink_to("a")
    (root / "away").symlink_to(outside)
    (root / "away.csv").symlink_to("/etc/passwd")
    found = read_runs(root)
    assert [run.path for run in found] == ["a"]
    assert [(problem.path, problem.code) for problem in found.problems] == [("away", "link"), ("away.csv", "link")]


def test_a_file_that_becomes_a_link_after_it_was_found_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("step,loss\n1,42\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.csv").write_text("step,loss\n1,2\n")
    from core.runs.formats import LogFormat
    from core.runs.growing import GrowingLog
    from core.runs.trees import DiskTree

    (root / "a.csv").unlink()
    (root / "a.csv").symlink_to(secret)
    csv = FORMATS["csv"]
    assert isinstance(csv, LogFormat)
    log = GrowingLog(DiskTree(root), "a.csv", csv)
    log.update(None, ReadLimits())
    assert log.problem is not None
    assert log.series == {}


def test_pipes_and_folders_with_the_name_of_a_log_do_not_stop_the_reading(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "good.csv").write_text("step,loss\n1,2\n")
    found = read_runs(tmp_path)
    assert [run.name for run in found] == ["good"]
    assert [(problem.path, problem.code) for problem in found.problems] == [("pipe.csv", "special")]


def test_a_root_that_is_none_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(InputError) as caught:
            read_runs(root)
        assert caught.value.next_step


def test_folders_are_picked_by_opaque_ids_that_cannot_lead_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "b").mkdir(parents=True)
    (root / "a").mkdir()
    (tmp_path / "other").mkdir()
    (root / "link").symlink_to(tmp_path / "other")
    folders = list_folders(root)
    assert [folder.name for folder in folders] == ["root", "a", "b"]
    assert resolve_folder(root, folders[1].id) == root / "a"
    for wrong in ("../other", "other", "a", str(tmp_path / "other"), ""):
        with pytest.raises(InputError):
            resolve_folder(root, wrong)


def test_what_exceeds_the_limits_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step,loss\n1,2\n")
    (tmp_path / "b.csv").write_text("step,loss\n" + "1,2\n" * 100)
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / "deeper" / "c.csv").write_text("step,loss\n1,2\n")
    found = read_runs(tmp_path, limits=ReadLimits(max_file_bytes=100, max_depth=1))
    assert [run.name for run in found] == ["a"]
    assert {problem.code for problem in found.problems} == {"too_large", "depth"}
    few = read_runs(tmp_path, limits=ReadLimits(max_files=1))
    assert (len(few), few.problems[0].code) == (1, "too_many")


def test_more_metrics_than_allowed_are_counted_not_shown(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(20)]
    (tmp_path / "a.csv").write_text(",".join(["step", *names]) + "\n" + ",".join(["1"] * 21) + "\n")
    run = read_runs(tmp_path, limits=ReadLimits(max_metrics=5)).runs[0]
    assert len(run.metrics) == 5
    assert "15 blocks of metrics beyond the first 5 names are not shown" in run.notes


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
        b"".join(b'{"k%d":1}\n' % number for number in range(30_000)),
    ],
    ids=["deep lists", "deep objects", "a name a line"],
)
def test_hostile_lines_neither_end_the_process_nor_fill_its_memory(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "bad.jsonl").write_bytes(hostile)
    (tmp_path / "good.csv").write_text("step,loss\n1,2\n")
    found = read_runs(tmp_path)
    assert "good" in [run.name for run in found]


def test_a_line_longer_than_a_block_is_read_and_one_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"step":1,"loss":1,"pad":"' + "x" * 5_000 + '"}\n{"step":2,"loss":2}\n')
    run = read_runs(tmp_path, limits=ReadLimits(block_bytes=1_000)).runs[0]
    assert run.metrics["loss"].step.tolist() == [1, 2]
    found = read_runs(tmp_path, limits=ReadLimits(block_bytes=1_000, max_block_bytes=3_000))
    assert (len(found), found.problems[0].code) == (0, "line_too_long")


# -------------------------------------------------------------------------------------------------------------- growing


def test_a_growing_file_is_read_from_where_it_ended(
    tmp_path: Path, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    plain = FORMATS["jsonl"]

    def counting(block: bytes, *rest):  # type: ignore[no-untyped-def]
        parsed.append(len(block))
        return plain.parse(block, *rest)

    monkeypatch.setitem(FORMATS, "jsonl", replace(plain, parse=counting))
    folder = write_run(tmp_path / "a", {"seed": 0}, [{"step": step, "loss": 1.0} for step in range(1_000)])
    reader = RunReader(tmp_path)
    first = reader.read().runs[0]
    assert reader.read().runs[0] is first, "nothing new, nothing made anew"
    parsed.clear()
    new = '{"step": 1000, "loss": 2.0}\n'
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(new)
    second = reader.read().runs[0]
    assert parsed == [len(new)]
    assert (len(second.metrics["loss"]), second.metrics["loss"].value[-1]) == (1_001, 2.0)
    assert len(first.metrics["loss"]) == 1_000, "what was handed out before does not change"


def test_a_file_that_was_replaced_or_cut_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("step,loss\n" + "".join(f"{step},1\n" for step in range(100)))
    reader = RunReader(tmp_path)
    assert len(reader.read().runs[0].metrics["loss"]) == 100
    path.write_text("step,loss\n1,9\n")  # cut
    assert reader.read().runs[0].metrics["loss"].value.tolist() == [9]
    path.write_text("step,nme,loss\n" + "".join(f"{step},1,2\n" for step in range(200)))  # longer, other content
    run = reader.read().runs[0]
    assert set(run.metrics) == {"nme", "loss"}
    assert len(run.metrics["loss"]) == 200
    (tmp_path / "new").write_text("step,loss\n" + "".join(f"{step},3\n" for step in range(300)))
    (tmp_path / "new").replace(path)  # another file of this name
    assert set(reader.read().runs[0].metrics["loss"].value) == {3.0}
    path.unlink()
    assert reader.read().runs == ()


def test_a_run_appears_grows_and_recovers_while_it_is_watched(tmp_path: Path) -> None:
    reader = RunReader(tmp_path)
    assert reader.read().runs == ()
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"")
    assert [problem.code for problem in reader.read().problems] == ["empty"]
    path.write_text('{"step": 1, "loss": 1.0}\n')
    found = reader.read()
    assert (found.problems, found.runs[0].metrics["loss"].value.tolist()) == ((), [1.0])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(-3, 12), st.floats(-5, 5), st.booleans(), st.booleans()), min_size=1, max_size=40
    ),
    cuts=st.lists(st.integers(0, 3_000), max_size=4),
)
def test_however_a_file_is_cut_into_readings_the_result_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float, bool, bool]], cuts: list[int]
) -> None:
    lines = []
    for step, value, has_a, has_step in rows:
        row: dict[str, float] = {"b": value}
        row |= {"a": value * 2} if has_a else {}
        lines.append(json.dumps({"step": step, **row} if has_step else row) + "\n")
    lines[0] = json.dumps({"step": 0, "b": 0.0}) + "\n"
    data = "".join(lines).encode()
    whole, piecewise = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("piecewise")
    (whole / "x.jsonl").write_bytes(data)
    expected = read_runs(whole).runs[0].metrics
    reader = RunReader(piecewise, limits=ReadLimits(block_bytes=256))
    for cut in [*sorted(cuts), len(data)]:
        (piecewise / "x.jsonl").touch()
        with (piecewise / "x.jsonl").open("ab") as file:
            file.write(data[file.tell() : cut])
        reader.read()
    found = reader.read().runs[0].metrics
    assert set(found) == set(expected)
    for name, series in expected.items():
        assert found[name].step.tolist() == series.step.tolist()
        assert found[name].value.tolist() == series.value.tolist()
        assert np.all(np.diff(series.step) > 0)


@settings(max_examples=100, deadline=None)
@given(
    suffix=st.sampled_from([".csv", ".jsonl"]),
    data=st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [b'{"step":', b"1", b"nan", b",", b"\n", b'"a":', b"}", b"step,a", b'"', b";", b"\xff", b"2.5"]
            )
        ).map(b"".join),
    ),
)
def test_no_bytes_at_all_end_in_an_exception_or_hide_another_file(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, data: bytes
) -> None:
    root = tmp_path_factory.mktemp("any")
    (root / f"any{suffix}").write_bytes(data)
    (root / "good.csv").write_text("step,loss\n1,2\n")
    found = read_runs(root)
    assert "good" in [run.name for run in found]
    assert "unreadable" not in [problem.code for problem in found.problems], (
        "an exception that a parser did not foresee"
    )
    for run in found:
        for name in run.metrics:
            series = run.metrics[name]
            assert len(series.step) == len(series.value)
            assert np.all(np.diff(series.step) > 0)


def test_metrics_of_the_same_rows_share_their_axes() -> None:
    builder = SeriesBuilder()
    step = np.arange(10)
    sparse = np.array([2, 5])
    values = {"a": (None, np.zeros(10)), "b": (None, np.ones(10)), "c": (sparse, np.ones(2)), "d": (sparse, np.ones(2))}
    builder.add(LogRows(step, values, epoch=step / 2))
    series = builder.finish()
    assert series["a"].step is series["b"].step
    assert series["c"].step is series["d"].step
    assert series["c"].epoch is series["d"].epoch
    assert series["c"].step.tolist() == [2, 5]
