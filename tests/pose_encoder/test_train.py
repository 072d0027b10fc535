"""One run and a sweep: fair between arms, killed and resumed to the same numbers, chosen on validation alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import InputError, WeightsMissing, WorkbenchError
from core.pose.encoders import build_pose_encoder
from core.runs import read_runs
from core.settings import REPO_DIR
from experiments import train_universal
from experiments.pose_encoder import train as training
from experiments.pose_encoder.data import PoseData, generated
from experiments.pose_encoder.model import FaceModel, landmark_loss
from experiments.pose_encoder.plan import PosePlan
from experiments.pose_encoder.train import evaluate, train
from tests.pose_encoder.folders import write_aflw2000

PLAN = PosePlan(
    epochs=3, batch_size=16, width=12, layers=1, heads=2, hidden_dim=8, clip_model_name="custom_tiny",
    identities=(16, 6, 8), log_every=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def data() -> PoseData:
    return generated(0, PLAN.identities)


def run(plan: PosePlan, folder: Path, data: PoseData, weights: Path | None = None, **options: object) -> Path:
    if weights is None:  # an arm without words: the width of its projection needs the name of some model
        plan = replace(plan, clip_model_name="demo_clip")
    return train(plan, folder, device="cpu", data=data, weights_dir=weights, say=lambda line: None, **options)  # type: ignore[arg-type]


def rows(folder: Path) -> list[dict[str, float]]:
    """The log without what differs from machine to machine."""
    found = read_runs(folder)
    assert len(found) == 1 and not found.problems
    timed = {"seconds_per_epoch", "samples_per_s", "peak_memory_bytes", "prepare_s"}
    metrics = found.runs[0].metrics
    return [
        {"name": name, "steps": metrics[name].step.tolist(), "values": metrics[name].value.tolist()}
        for name in sorted(metrics)
        if name not in timed
    ]


# ------------------------------------------------------------------ fairness


def test_the_trunk_starts_equal_in_every_arm_and_differs_between_seeds(tiny_weights: Path) -> None:
    def trunk(arm: str, seed: int) -> dict[str, torch.Tensor]:
        encoder = build_pose_encoder(
            arm, 36, clip_model_name="custom_tiny", device="cpu", weights_dir=tiny_weights, seed=seed
        )
        state = FaceModel(encoder, width=12, heads=2, seed=seed).state_dict()
        return {name: value for name, value in state.items() if not name.startswith("pose_encoder.")}

    reference = trunk("mlp", 0)
    for arm in ("none", "table", "clip", "clip_random", "hybrid"):
        other = trunk(arm, 0)
        assert other.keys() == reference.keys()
        assert all(torch.equal(reference[name], other[name]) for name in reference), arm
    assert not torch.equal(reference["enter.weight"], trunk("mlp", 1)["enter.weight"])


def test_batches_come_in_the_same_order_in_every_arm(
    tmp_path: Path, data: PoseData, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[bytes]] = {}

    def watched(name: str):  # type: ignore[no-untyped-def]
        seen[name] = []
        plain = landmark_loss

        def loss(predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
            seen[name].append(truth.numpy().tobytes())
            return plain(predicted, truth)

        return loss

    for name, arm, seed in (("mlp", "mlp", 0), ("clip", "clip", 0), ("other seed", "mlp", 1)):
        monkeypatch.setattr(training, "landmark_loss", watched(name))
        run(replace(PLAN, pose_encoder=arm, seed=seed, epochs=2), tmp_path, data, tiny_weights)
    assert seen["mlp"] == seen["clip"] != seen["other seed"]
    assert len(set(seen["mlp"])) == 8, "every batch of two epochs is another one"


def test_the_pose_reaches_the_landmarks_and_only_through_the_encoder(tiny_weights: Path) -> None:
    front = torch.randn(2, 68, 2)
    poses = torch.tensor([[0.0, 0, 0], [60, 20, -15]])
    for arm, differs in (("none", False), ("mlp", True), ("clip", True)):
        encoder = build_pose_encoder(arm, 36, clip_model_name="custom_tiny", device="cpu", weights_dir=tiny_weights)
        model = FaceModel(encoder, width=12, heads=2)
        assert torch.allclose(model(front, poses), model(front, poses.flip(0)), atol=1e-6) != differs, arm


def test_an_epoch_learns(tmp_path: Path, data: PoseData) -> None:
    plan = replace(PLAN, epochs=12)
    folder = run(plan, tmp_path, data)
    series = read_runs(folder).runs[0].metrics
    assert series["train/loss"].value[-1] < 0.8 * series["train/loss"].value[0]
    assert series["val/nme"].value[-1] < series["val/nme"].value[0]


# ------------------------------------------------------------------ what a run writes


def test_a_run_folder_holds_what_the_runs_tab_reads(tmp_path: Path, data: PoseData) -> None:
    folder = run(PLAN, tmp_path, data)
    assert folder == tmp_path / "mlp-seed0"
    found = read_runs(tmp_path).runs[0]
    assert found.status == "finished"
    assert found.config["pose_encoder"] == "mlp" and found.config["seed"] == 0
    assert found.config["data_fingerprint"] == data.fingerprint
    assert found.config["parameters"] > found.config["parameters_pose"] > 0
    steps = 16 * 4 // 16
    assert found.metrics["val/nme"].step.tolist() == [steps, 2 * steps, 3 * steps]
    assert found.metrics["train/loss"].step.tolist() == [2, 4, 6, 8, 10, 12]
    for name in ("val/nme_yaw_0_30", "val/nme_yaw_60_90", "seconds_per_epoch", "samples_per_s", "peak_memory_bytes"):
        assert len(found.metrics[name].value) == 3, name
    for name in ("test/nme", "test/nme_yaw_30_60", "test/auc", "test/fr", "test/geodesic_deg"):
        assert len(found.metrics[name].value) == 1, name
    assert min(found.metrics["peak_memory_bytes"].value) > 1e7
    errors = np.load(folder / "test_errors.npy")
    assert errors.shape == (32,) and errors.dtype == np.float16
    assert not (folder / "checkpoint.pt").exists() and (folder / "best.pt").exists()


def test_the_test_figure_is_that_of_the_checkpoint_which_validation_chose(
    tmp_path: Path, data: PoseData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validation is made best after the second epoch; only its weights may be tested, and once."""
    tested: list[dict[str, torch.Tensor]] = []
    after_epoch: list[dict[str, torch.Tensor]] = []

    def watched(model, tensors, faces):  # type: ignore[no-untyped-def]
        found, errors = evaluate(model, tensors, faces)
        state = {name: value.clone() for name, value in model.state_dict().items()}
        if faces is data.test:
            tested.append(state)
        else:
            after_epoch.append(state)
            found["nme"] = [5.0, 1.0, 3.0][len(after_epoch) - 1]
        return found, errors

    monkeypatch.setattr(training, "evaluate", watched)
    folder = run(PLAN, tmp_path, data)
    assert len(tested) == 1
    assert all(torch.equal(tested[0][name], after_epoch[1][name]) for name in tested[0])
    assert not torch.equal(tested[0]["enter.weight"], after_epoch[2]["enter.weight"])
    kept = torch.load(folder / "best.pt", weights_only=True)
    assert torch.equal(kept["enter.weight"], tested[0]["enter.weight"])


# ------------------------------------------------------------------ killed and resumed


@pytest.mark.parametrize("arm", ["mlp", "clip_continuous", "table"])
def test_interrupted_after_an_epoch_it_ends_with_the_same_numbers(
    arm: str, tmp_path: Path, data: PoseData, tiny_weights: Path
) -> None:
    plan = replace(PLAN, pose_encoder=arm)
    whole = run(plan, tmp_path / "whole", data, tiny_weights)
    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "cut", data, tiny_weights, stop_after_epoch=1)
    assert (tmp_path / "cut" / f"{arm}-seed0" / "status").read_text() == "killed\n"
    cut = run(plan, tmp_path / "cut", data, tiny_weights)
    assert rows(cut) == rows(whole)
    assert np.array_equal(np.load(cut / "test_errors.npy"), np.load(whole / "test_errors.npy"))


COMMAND = [
    "--data_dir", "generated", "--epochs", "4", "--width", "12", "--layers", "1", "--hidden-dim", "8", "--threads", "1",
    "--device", "cpu",
]  # fmt: skip


def test_killed_in_the_middle_of_an_epoch_it_ends_with_the_same_numbers(tmp_path: Path) -> None:
    """A real kill of a real process, wherever in the third epoch it happens to fall."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "experiments.train_universal", *COMMAND, "--runs_dir", str(tmp_path)],
        cwd=REPO_DIR,
        stderr=subprocess.DEVNULL,
    )
    log = tmp_path / "mlp-seed0" / "metrics.jsonl"
    until = time.monotonic() + 200
    while time.monotonic() < until and (not log.exists() or '"epoch": 3' not in log.read_text()):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (tmp_path / "mlp-seed0" / "status").read_text() == "running\n", "it had no chance to say otherwise"
    assert train_universal.main([*COMMAND, "--runs_dir", str(tmp_path)]) == 0
    assert train_universal.main([*COMMAND, "--runs_dir", str(tmp_path / "whole")]) == 0
    assert rows(tmp_path / "mlp-seed0") == rows(tmp_path / "whole" / "mlp-seed0")


def test_a_finished_run_is_left_alone_and_another_of_its_name_refused(tmp_path: Path, data: PoseData) -> None:
    folder = run(PLAN, tmp_path, data)
    before = (folder / "metrics.jsonl").read_bytes()
    assert run(PLAN, tmp_path, data) == folder
    assert (folder / "metrics.jsonl").read_bytes() == before
    with pytest.raises(InputError, match=r"lr was 0\.004, now 0\.1"):
        run(replace(PLAN, lr=0.1), tmp_path, data)
    with pytest.raises(InputError, match="data_fingerprint"):
        run(PLAN, tmp_path, generated(1, PLAN.identities))


def test_settings_torn_by_a_crash_are_named(tmp_path: Path) -> None:
    for torn in ('{"seed": ', "[]"):
        (tmp_path / "config.json").write_text(torn)
        with pytest.raises(InputError, match="cannot be read"):
            training._finished(tmp_path, {"seed": 0})


# ------------------------------------------------------------------ several devices


def test_two_processes_under_torchrun_train_what_one_does(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [
            *torchrun,
            "-m",
            "experiments.train_universal",
            *COMMAND,
            "--devices",
            "2",
            "--runs_dir",
            str(tmp_path / "two"),
        ],
        cwd=REPO_DIR,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("mlp-seed0") == 1, "one of them speaks"
    assert train_universal.main([*COMMAND, "--runs_dir", str(tmp_path / "one")]) == 0
    one, two = ({row["name"]: row["values"] for row in rows(tmp_path / name / "mlp-seed0")} for name in ("one", "two"))
    for name in ("val/nme", "test/nme", "train/loss"):
        assert two[name] == pytest.approx(one[name], rel=1e-3), name


# ------------------------------------------------------------------ what is refused


def test_absent_clip_weights_end_the_run_before_it_begins(tmp_path: Path, data: PoseData) -> None:
    plan = replace(PLAN, pose_encoder="clip", clip_model_name="ViT-B/32")
    with pytest.raises(WeightsMissing, match="demo_clip"):
        run(plan, tmp_path / "runs", data, tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_loss_that_diverges_is_said_and_the_run_marked_failed(tmp_path: Path, data: PoseData) -> None:
    with pytest.raises(WorkbenchError, match="finite"):
        run(replace(PLAN, lr=1e30), tmp_path, data)
    assert (tmp_path / "mlp-seed0" / "status").read_text() == "failed\n"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 10, "devices": 4}, "divide"),
        ({"lr": float("nan")}, "positive"),
        ({"pose_encoder": "clippy"}, "clip_permuted"),
        ({"precision": "8-true"}, "bf16-mixed"),
        ({"precision": "16-mixed"}, "GPU"),
        ({"seed": -1}, "negative"),
        ({"data_seed": -1}, "negative"),
        ({"width": 13}, "do not divide"),
        ({"devices": 64, "batch_size": 64, "identities": (4, 1, 1)}, "too few"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change: dict[str, object], says: str, tmp_path: Path, data: PoseData) -> None:
    with pytest.raises(InputError, match=says):
        plan = replace(PLAN, **change)  # type: ignore[arg-type]
        run(plan, tmp_path, generated(0, plan.identities) if "identities" in change else data)


# ------------------------------------------------------------------ the command


def test_the_note_s_flags_choose_the_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plans: list[PosePlan] = []

    def noted(plan: PosePlan, *_: object, **__: object) -> Path:
        plans.append(plan)
        return tmp_path

    monkeypatch.setattr(training, "train", noted)
    for flags in (
        ["--data_dir", "D", "--epochs", "150"],
        ["--data-dir", "D", "--epochs", "150", "--use_clip_pose_encoder"],
        ["--data_dir", "D", "--use-clip-pose-encoder", "--unfreeze_clip", "--clip-model-name", "demo_clip"],
        ["--data_dir", "D", "--pose_encoder", "sixd", "--precision", "bf16-mixed", "--devices", "2"],
    ):
        assert train_universal.main(flags) == 0
    assert [plan.pose_encoder for plan in plans] == ["mlp", "clip", "clip", "sixd"]
    assert [plan.freeze_clip for plan in plans] == [True, True, False, True]
    assert plans[0].epochs == 150 and plans[0].clip_model_name == "ViT-B/32"
    assert plans[2].clip_model_name == "demo_clip" and (plans[3].devices, plans[3].precision) == (2, "bf16-mixed")
    with pytest.raises(SystemExit):
        train_universal.main(["--data_dir", "D", "--use_clip_pose_encoder", "--pose_encoder", "mlp"])
    with pytest.raises(SystemExit):
        train_universal.main(["--epochs", "3"])
    capsys.readouterr()


def test_a_bad_folder_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_universal.main(["--data_dir", str(tmp_path), "--runs_dir", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: No face data here") and "Traceback" not in error


@pytest.mark.parametrize("flags", [["--seeds", "0"], ["--arms", ","], ["--processes", "0"], ["--arms", "clippy"]])
def test_a_sweep_of_nothing_is_refused(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_universal.main(["--data_dir", "generated", "--runs_dir", str(tmp_path), "--sweep", *flags]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_real_data_train_in_bf16_with_an_unfrozen_clip(tmp_path: Path, tiny_weights: Path) -> None:
    write_aflw2000(tmp_path / "data", np.random.default_rng(0).uniform(-60, 60, (30, 3)))
    flags = ["--width", "12", "--epochs", "2", "--batch_size", "8", "--device", "cpu", "--hidden_dim", "8"]
    code = train_universal.main(
        ["--data_dir", str(tmp_path / "data"), "--runs_dir", str(tmp_path / "runs"), *flags,
         "--use_clip_pose_encoder", "--unfreeze_clip", "--clip_model_name", "custom_tiny", "--weights_dir",
         str(tiny_weights), "--precision", "bf16-mixed", "--gate", "--logs_only"]
    )  # fmt: skip
    assert code == 0
    config = json.loads((tmp_path / "runs" / "clip-seed0" / "config.json").read_text())
    assert config["data"] == "AFLW2000-3D" and config["parameters_pose"] > 700_000, "the tower trains too"
    assert not (tmp_path / "runs" / "clip-seed0" / "best.pt").exists()


def test_a_sweep_runs_every_arm_with_every_seed_and_goes_on(tmp_path: Path, tiny_weights: Path) -> None:
    write_aflw2000(tmp_path / "data", np.random.default_rng(0).uniform(-60, 60, (30, 3)))
    flags = [
        "--data_dir", str(tmp_path / "data"), "--runs_dir", str(tmp_path / "runs"), "--epochs", "1",
        "--batch_size", "8", "--width", "12", "--device", "cpu", "--clip_model_name", "custom_tiny",
        "--weights_dir", str(tiny_weights),
        "--sweep", "--arms", "none,clip", "--processes", "1", "--threads", "1", "--logs_only",
    ]  # fmt: skip
    assert train_universal.main([*flags, "--seeds", "1"]) == 0
    first = (tmp_path / "runs" / "clip-seed0" / "metrics.jsonl").read_bytes()
    assert train_universal.main([*flags, "--seeds", "2"]) == 0
    found = read_runs(tmp_path / "runs")
    assert sorted((one.config["pose_encoder"], one.config["seed"]) for one in found) == [
        ("clip", 0), ("clip", 1), ("none", 0), ("none", 1),
    ]  # fmt: skip
    assert {one.status for one in found} == {"finished"}
    assert (tmp_path / "runs" / "clip-seed0" / "metrics.jsonl").read_bytes() == first
    assert not list((tmp_path / "runs").rglob("process.json")) and not list((tmp_path / "runs").rglob("*.pt"))


def test_an_interrupted_sweep_ends_instead_of_going_on_with_the_next_run(tmp_path: Path) -> None:
    """Ctrl-C as a terminal sends it, to the command and to its processes alike."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "experiments.train_universal", *COMMAND, "--runs_dir", str(tmp_path),
         "--epochs", "100", "--sweep", "--arms", "mlp,none", "--seeds", "4", "--processes", "1"],
        cwd=REPO_DIR, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # A suite that runs in a shell's background is started with SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    log = tmp_path / "mlp-seed0" / "metrics.jsonl"
    until = time.monotonic() + 200
    while time.monotonic() < until and not log.exists():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    try:
        said = process.communicate(timeout=60)[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130 and said.endswith("stopped; the same command goes on from here\n")
    assert [folder.name for folder in tmp_path.iterdir()] == ["mlp-seed0"]
