"""What a training writes, and what is left of it when the training dies."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InputError, WorkbenchError
from core.runs import Run, RunReader, RunRecorder, read_runs
from core.runs.environment import read_commit
from core.runs.process import is_alive, recorded_status, this_process

CONFIG = {"pose_encoder": "mlp", "seed": 0}


def _only(root: Path) -> Run:
    found = read_runs(root)
    assert len(found) == 1, found.problems
    return found.runs[0]


def test_what_was_logged_is_what_is_read(tmp_path: Path) -> None:
    config = {"pose_encoder": "clip", "seed": 3, "opt": {"lr": 1e-3, "betas": (0.9, 0.99)}, "data": Path("faces")}
    with RunRecorder(tmp_path, "pose/clip-3", config) as run:
        run.log({"train/loss": 0.5, "val/nme": math.nan}, step=10, epoch=1)
        run.log({"train/loss": torch.tensor(0.25), "n": np.float32(7)}, step=20, epoch=1.5)
        run.log(step=30, last=math.inf)
        assert _only(tmp_path).status == "running"
    read = _only(tmp_path)
    assert (read.name, read.status, read.formats) == ("pose/clip-3", "finished", ("jsonl",))
    assert dict(read.config) == {
        "pose_encoder": "clip",
        "seed": 3,
        "opt.lr": 1e-3,
        "opt.betas": "[0.9, 0.99]",
        "data": "faces",
    }
    loss = read.metrics["train/loss"]
    assert (loss.step.tolist(), loss.value.tolist()) == ([10, 20], [0.5, 0.25])
    assert loss.epoch is not None
    assert loss.time_s is not None
    assert loss.epoch.tolist() == [1, 1.5]
    assert 0 <= loss.time_s[0] <= loss.time_s[1] < 60
    assert math.isnan(read.metrics["val/nme"].value[0])
    assert math.isinf(read.metrics["last"].value[0])
    assert abs((read.started_unix_s or 0) - time.time()) < 60


def test_the_files_are_the_promised_ones(tmp_path: Path) -> None:
    with RunRecorder(tmp_path, "a", CONFIG) as run:
        run.log({"train/loss": 0.5}, step=10, epoch=1)
    folder = tmp_path / "a"
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json", "environment.json", "metrics.jsonl", "process.json", "status",
    ]  # fmt: skip
    assert json.loads((folder / "config.json").read_text()) == CONFIG
    line = json.loads((folder / "metrics.jsonl").read_text())
    assert list(line) == ["step", "epoch", "time", "train/loss"]
    assert (folder / "status").read_text() == "finished\n"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["versions"]["torch"] == torch.__version__.split("+")[0] or environment["versions"]["torch"]
    assert set(environment) == {"started_unix_s", "commit", "python", "platform", "versions", "device"}


def test_every_row_is_on_the_file_at_once(tmp_path: Path) -> None:
    with RunRecorder(tmp_path, "a", CONFIG) as run:
        reader = RunReader(tmp_path)
        for step in range(5):
            run.log(step=step, loss=1.0)
            assert len(reader.read().runs[0].metrics["loss"]) == step + 1


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (ValueError("loss is NaN"), "failed"),
        (KeyboardInterrupt(), "killed"),
        (SystemExit(0), "finished"),
        (SystemExit(2), "failed"),
    ],
)
def test_how_a_run_ends_is_recorded(tmp_path: Path, raised: BaseException, status: str) -> None:
    with pytest.raises(type(raised)), RunRecorder(tmp_path, "a", CONFIG) as run:
        run.log(step=1, loss=1.0)
        raise raised
    read = _only(tmp_path)
    assert read.status == status
    if isinstance(raised, ValueError):
        assert read.notes == ("ended with ValueError: loss is NaN",)


def test_a_killed_process_is_not_running_and_lost_nothing(tmp_path: Path) -> None:
    program = f"""
        import os, signal
        from core.runs import RunRecorder
        run = RunRecorder({str(tmp_path)!r}, "a", {CONFIG!r})
        for step in range(1_000):
            run.log(step=step, loss=1.0)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)])
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "a" / "status").read_text() == "running\n"
    run = _only(tmp_path)
    assert run.status == "killed"
    assert "its process is gone without having said how it ended" in run.notes
    assert len(run.metrics["loss"]) == 1_000


def test_a_process_id_given_to_another_process_does_not_make_a_run_alive(tmp_path: Path) -> None:
    me = this_process()
    assert is_alive(me) is True
    assert is_alive({**me, "process_started_unix_s": me["process_started_unix_s"] - 3_600}) is False
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert is_alive({**me, "pid": child.pid}) is False
    assert is_alive({**me, "host": "elsewhere"}) is None
    assert is_alive({"pid": "7", "host": platform.node(), "pid_namespace": me["pid_namespace"]}) is None


def test_on_another_machine_the_heartbeat_tells() -> None:
    there = {**this_process(), "host": "elsewhere"}
    assert recorded_status("running", there, time.time() - 60) == ("running", "")
    status, why = recorded_status("running", there, time.time() - 3_600)
    assert (status, why) == ("killed", "no sign of life for 60 minutes")
    assert recorded_status("finished", there, 0.0)[0] == "finished"
    assert recorded_status(None, None, 0.0)[0] == "unknown"


def test_the_heartbeat_beats_while_nothing_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.runs import record

    monkeypatch.setattr(record, "HEARTBEAT_S", 0.02)
    with RunRecorder(tmp_path, "a", CONFIG):
        status = tmp_path / "a" / "status"
        os.utime(status, (1.0, 1.0))
        deadline = time.monotonic() + 20
        while status.stat().st_mtime == 1.0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert status.stat().st_mtime > 1.0


def test_a_resumed_run_goes_on_and_what_the_dead_attempt_did_beyond_is_superseded(tmp_path: Path) -> None:
    first = RunRecorder(tmp_path, "a", {**CONFIG, "epochs": 10})
    for step in range(10):
        first.log(step=step, loss=float(step))
        if step % 4 == 3:
            first.log({"val/nme": float(step)}, step=step)
    first.close("failed")
    with (tmp_path / "a" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 10, "lo')  # torn by the crash
    with RunRecorder(tmp_path, "a", {**CONFIG, "epochs": 20}, resume=True) as again:
        for step in range(6, 9):
            again.log(step=step, loss=100.0 + step)
    run = _only(tmp_path)
    assert run.metrics["loss"].step.tolist() == list(range(9))
    assert run.metrics["loss"].value.tolist() == [0, 1, 2, 3, 4, 5, 106, 107, 108]
    assert run.metrics["val/nme"].step.tolist() == [3], "step 7 belonged to the dead attempt"
    assert run.config["epochs"] == 20
    assert "config changed on resuming: epochs 10 → 20" in run.notes
    assert "resumed 1 times" in run.notes
    time_s = run.metrics["loss"].time_s
    assert time_s is not None
    assert np.all(np.diff(time_s) >= 0), "training time goes on where it stopped"


def test_a_resumed_run_reads_the_same_in_one_go_and_while_it_was_watched(tmp_path: Path) -> None:
    reader = RunReader(tmp_path)
    with RunRecorder(tmp_path, "a", CONFIG) as run:
        for step in range(5):
            run.log(step=step, loss=float(step))
    reader.read()
    again = RunRecorder(tmp_path, "a", CONFIG, resume=True)
    reader.read()  # sees the marker and nothing after it
    again.log(step=3, loss=30.0)
    again.close()
    watched, whole = reader.read().runs[0].metrics["loss"], _only(tmp_path).metrics["loss"]
    assert watched.value.tolist() == whole.value.tolist() == [0, 1, 2, 30]


def test_a_run_that_exists_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    with RunRecorder(tmp_path, "a", CONFIG) as run:
        run.log(step=1, loss=1.0)
    with pytest.raises(InputError, match="A run of this name exists"):
        RunRecorder(tmp_path, "a", CONFIG)
    assert _only(tmp_path).status == "finished"
    assert _only(tmp_path).metrics["loss"].value.tolist() == [1.0]


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    with RunRecorder(tmp_path, "a", CONFIG) as run:
        run.log(step=1, loss=1.0)
        for resume in (False, True):
            program = (
                f"from core.runs import RunRecorder; RunRecorder({str(tmp_path)!r}, 'a', {CONFIG!r}, resume={resume})"
            )
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
            assert "Another process is writing this run" in done.stderr
        run.log(step=2, loss=2.0)
    assert _only(tmp_path).metrics["loss"].value.tolist() == [1.0, 2.0]
    assert _only(tmp_path).status == "finished"


def test_only_rank_zero_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with RunRecorder(tmp_path, "a", CONFIG) as other:
        other.log(step=1, loss=9.0)
        assert not other.active
    assert list(tmp_path.iterdir()) == []
    with RunRecorder(tmp_path, "a", CONFIG, rank=0) as first:
        first.log(step=1, loss=1.0)
    assert _only(tmp_path).metrics["loss"].value.tolist() == [1.0]


def _log_from_worker(run: RunRecorder, worker: int) -> None:
    with run:  # leaving it in a worker does not end the run
        for step in range(500):
            run.log({f"worker{worker}": float(step)}, step=step)


def test_forked_workers_log_into_one_file_without_tearing_each_other(tmp_path: Path) -> None:
    run = RunRecorder(tmp_path, "a", CONFIG)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_log_from_worker, args=(run, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert _only(tmp_path).status == "running"
    run.close()
    read = _only(tmp_path)
    assert read.status == "finished"
    assert {name: read.metrics[name].value.tolist() for name in read.metrics} == {
        f"worker{number}": list(range(500)) for number in range(3)
    }
    assert not [note for note in read.notes if "could not be read" in note]


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "", "a\x00b", "a\\b"])
def test_a_name_cannot_lead_out_of_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="place under the folder of runs"):
        RunRecorder(tmp_path / "root", name, CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_a_config_without_a_seed_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a seed"):
        RunRecorder(tmp_path / "root", "a", {"lr": 1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["0.5", None, [1.0], torch.zeros(2), np.zeros(3), object()])
def test_a_metric_that_is_no_number_is_refused_by_name(tmp_path: Path, value: Any) -> None:
    with RunRecorder(tmp_path, "a", CONFIG) as run, pytest.raises(InputError, match="one number") as caught:
        run.log({"loss": value}, step=1)
    assert caught.value.where == "loss"


def test_a_full_disk_is_said_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunRecorder(tmp_path, "a", CONFIG)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(WorkbenchError, match="No space left on device") as caught:
            run.log(step=1, loss=1.0)
    assert "resume" in caught.value.next_step
    run.close("failed")
    with pytest.raises(InputError, match="closed"):
        run.log(step=2, loss=1.0)


def test_the_commit_is_read_without_git(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    git = tmp_path / "repo" / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (tmp_path / "repo" / "deep" / "er").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert read_commit(tmp_path / "repo") is None
    (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{commit} refs/heads/main\n")
    assert read_commit(tmp_path / "repo" / "deep" / "er") == commit
    (git / "refs" / "heads" / "main").write_text("f" * 40 + "\n")
    assert read_commit(tmp_path / "repo") == "f" * 40
    (git / "HEAD").write_text(commit + "\n")
    assert read_commit(tmp_path / "repo") == commit
    worktree = git / "worktrees" / "w"
    worktree.mkdir(parents=True)
    (worktree / "HEAD").write_text("ref: refs/heads/main\n")
    (worktree / "commondir").write_text("../..\n")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / ".git").write_text(f"gitdir: {worktree}\n")
    assert read_commit(tmp_path / "w") == "f" * 40
    assert read_commit(tmp_path / "nowhere") is None or not (tmp_path / "nowhere").exists()


def test_the_commit_read_is_the_one_that_git_names() -> None:
    here = Path(__file__).resolve().parent
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True)
    if done.returncode == 0:  # a source archive has no history; there None is the answer
        assert read_commit(here) == done.stdout.strip()
    else:
        assert read_commit(here) is None
