"""Trainings that were taken up again: what was written last counts, read in one go and while it was watched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from core.runs import Run, RunReader, RunRecorder, read_runs
from tests.runs.test_trackio import _database, _log


def _only(root: Path) -> Run:
    (run,) = read_runs(root).runs
    return run


def _points(run: Run, metric: str) -> list[tuple[int, float]]:
    series = run.metrics[metric]
    return list(zip(series.step.tolist(), series.value.tolist(), strict=True))


def _same_watched(path: Path, lines: Sequence[str]) -> Run:
    """The run, read after every line; it must be the same as read in one go."""
    reader = RunReader(path.parent)
    for line in lines:
        with path.open("a") as file:
            file.write(line + "\n")
        reader.read()
    (watched,), whole = reader.read().runs, _only(path.parent)
    assert {name: _points(watched, name) for name in watched.metrics} == {
        name: _points(whole, name) for name in whole.metrics
    }
    return whole


def test_a_resumed_run_keeps_its_last_epoch_when_another_metric_of_its_step_comes_first(tmp_path: Path) -> None:
    """Written 9, 8, 7; read 9, 8."""
    reader = RunReader(tmp_path)
    with RunRecorder(tmp_path, "a", {"seed": 0}) as run:
        for step, nme in ((1, 9.0), (2, 8.0), (3, 7.0)):
            run.log({"val/nme": nme}, step=step)
    reader.read()
    with RunRecorder(tmp_path, "a", {"seed": 0}, resume=True) as run:
        run.log({"test/nme": 6.5}, step=3)
    assert _points(_only(tmp_path), "val/nme") == [(1, 9.0), (2, 8.0), (3, 7.0)]
    assert _points(reader.read().runs[0], "val/nme") == [(1, 9.0), (2, 8.0), (3, 7.0)]


def test_a_csv_whose_epochs_begin_again_is_the_new_attempt(tmp_path: Path) -> None:
    """The last and the best value came from the attempt that was given up."""
    rows = [f"{epoch},{1 - epoch / 10},{0.5 + epoch / 20}" for epoch in range(1, 9)]
    again = ["1,1.9,0.15", "2,1.8,0.2", "3,1.7,0.25"]
    run = _same_watched(tmp_path / "results.csv", ["epoch,val/loss,mAP", *rows, *again])
    assert _points(run, "mAP") == [(1, 0.15), (2, 0.2), (3, 0.25)]
    assert any("an attempt that was resumed before" in note for note in run.notes)


def test_a_metric_logged_more_rarely_is_given_up_with_the_others(tmp_path: Path) -> None:
    """Lightning: the training loss and the validation loss stand on rows of their own."""
    lines = ["step,train_loss,val_loss", "0,9,", "50,8,", "99,,3", "100,7,", "0,6,", "60,5,"]
    run = _same_watched(tmp_path / "metrics.csv", lines)
    assert _points(run, "train_loss") == [(0, 6.0), (60, 5.0)]
    assert "val_loss" not in run.metrics


def test_a_restart_between_the_steps_of_before_is_told_by_how_far_it_goes_back(tmp_path: Path) -> None:
    lines = [json.dumps({"step": step, "loss": float(step)}) for step in (0, 10, 20, 30, 40, 50, 15, 25)]
    assert _points(_same_watched(tmp_path / "a.jsonl", lines), "loss") == [(0, 0), (10, 10), (15, 15), (25, 25)]


@pytest.mark.parametrize(
    ("rows", "steps"),
    [
        ([1, 2, 4, 3, 5, 6], [1, 2, 3, 4, 5, 6]),  # several writers
        ([1, 2, 4, 3, 5, 2, 6], [1, 2, 3, 4, 5, 6]),
        ([1, 2, 2, 3], [1, 2, 3]),
    ],
)
def test_a_row_that_comes_late_is_no_restart(tmp_path: Path, rows: list[int], steps: list[int]) -> None:
    run = _same_watched(tmp_path / "a.jsonl", [json.dumps({"step": step, "loss": 1.0}) for step in rows])
    assert run.metrics["loss"].step.tolist() == steps


def test_metrics_on_axes_of_their_own_are_no_restart(tmp_path: Path) -> None:
    """Training by iteration, validation by epoch, in one file."""
    rows = [
        row
        for epoch in range(1, 6)
        for row in ({"step": epoch * 100, "train/loss": 1.0}, {"step": epoch, "val/acc": epoch / 10})
    ]
    run = _same_watched(tmp_path / "a.jsonl", [json.dumps(row) for row in rows])
    assert run.metrics["train/loss"].step.tolist() == [100, 200, 300, 400, 500]
    assert run.metrics["val/acc"].step.tolist() == [1, 2, 3, 4, 5]


def test_the_best_checkpoint_evaluated_again_at_the_end_is_no_restart(tmp_path: Path) -> None:
    rows = [{"step": step, "train/loss": 1.0, "val/acc": step / 10} for step in range(1, 6)]
    rows.append({"step": 4, "val/acc": 0.4, "test/acc": 0.39})
    run = _same_watched(tmp_path / "a.jsonl", [json.dumps(row) for row in rows])
    assert run.metrics["train/loss"].step.tolist() == [1, 2, 3, 4, 5]
    assert _points(run, "test/acc") == [(4, 0.39)]


@pytest.mark.parametrize("watched", [False, True])
def test_trackio_resumed_at_an_earlier_step(tmp_path: Path, watched: bool) -> None:
    database: sqlite3.Connection = _database(tmp_path / "pose.db")
    reader = RunReader(tmp_path)
    for step in range(10):
        _log(database, "a", step, {"loss": float(step), **({"val": 1.0} if step % 4 == 3 else {})})
    if watched:
        reader.read()
    for step in (5, 8):
        _log(database, "a", step, {"loss": 100.0 + step})
        if watched:
            reader.read()
    (run,) = reader.read().runs
    assert _points(run, "loss") == [*((float(step), step) for step in range(5)), (5, 105), (8, 108)]
    assert run.metrics["val"].step.tolist() == [3]


@pytest.mark.parametrize("watched", [False, True])
def test_purge_step_reaches_into_the_files_before_as_in_tensorboard(tmp_path: Path, watched: bool) -> None:
    reader = RunReader(tmp_path)
    with SummaryWriter(str(tmp_path / "run"), filename_suffix=".1") as writer:
        for step in range(0, 160, 10):
            writer.add_scalar("loss", 100.0 - step, step)
            writer.add_scalar("other", float(step), step)
    if watched:
        reader.read()
    with SummaryWriter(str(tmp_path / "run"), purge_step=100, filename_suffix=".2") as writer:
        for step in range(105, 135, 10):
            writer.add_scalar("loss", 50.0 - step, step)
            if watched:
                writer.flush()
                reader.read()
    (run,) = reader.read().runs
    reference = EventAccumulator(str(tmp_path / "run"))
    reference.Reload()
    for tag in ("loss", "other"):
        expected = [(event.step, event.value) for event in reference.Scalars(tag)]
        assert _points(run, tag) == expected, tag
    assert run.metrics["loss"].step.tolist() == [*range(0, 100, 10), 105, 115, 125]


def test_files_of_one_second_follow_each_other_by_their_number(tmp_path: Path) -> None:
    """`.9` was written before `.10`."""
    for number, value in ((9, 1.0), (10, 2.0)):
        folder = tmp_path / f"written-{number}"
        with SummaryWriter(str(folder)) as writer:
            writer.add_scalar("loss", value, 5)
        (file,) = folder.iterdir()
        (tmp_path / "run").mkdir(exist_ok=True)
        file.rename(tmp_path / "run" / f"events.out.tfevents.1700000000.host.77.{number}")
    assert _points(next(run for run in read_runs(tmp_path)), "loss") == [(5, 2.0)]
