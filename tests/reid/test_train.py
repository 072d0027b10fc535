"""Whole trainings on a small set: every key matters, killed runs go on, validation chooses, test is looked at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from core.errors import InputError, WorkbenchError
from core.runs import compare, read_runs
from core.settings import REPO_DIR
from experiments.reid.config import Config
from experiments.reid.data import load, read_split
from experiments.reid.evaluate import evaluate
from experiments.reid.inputs import Shared
from experiments.reid.model import ReidModel
from experiments.reid.train import learning_rate, train
from experiments.train_reid import main
from tests.reid.conftest import small_yaml

Make = Callable[..., Config]
CACHED = {"MODEL.SIE_CAMERA": False, "MODEL.LAST_BLOCKS": 1, "INPUT.PADDING": 0, "INPUT.RE_PROB": 0.0}


@pytest.fixture
def run(fabric: Any, tiny_weights: Path) -> Callable[..., list[dict[str, float]]]:
    """Trains and returns the rows of the run's log, without what depends on the clock."""

    def go(config: Config, name: str = "run", **options: Any) -> list[dict[str, float]]:
        train(config, name, fabric, weights_dir=tiny_weights, **options)
        return rows(Path(config.OUTPUT_DIR) / name)

    return go


def rows(folder: Path) -> list[dict[str, float]]:
    """Rows of a log as a reader sees them: a step written twice counts once."""
    clock = ("time", "seconds_per_epoch", "samples_per_s", "ms_per_triple")
    found: dict[tuple[float, bool], dict[str, float]] = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        if "step" in row:
            found[row["step"], "test/mAP" in row] = {key: value for key, value in row.items() if key not in clock}
    return list(found.values())


def test_a_run_is_what_the_runs_tab_reads(small_config: Make, run: Callable[..., Any]) -> None:
    log = run(small_config())
    assert [row["epoch"] for row in log] == [1, 2, 2]
    assert {"train/loss", "train/id_loss", "train/triplet_loss", "val/mAP", "val/rank1"} <= set(log[0])
    assert {"test/mAP", "test/rank1", "test/rank5", "test/rank10", "best_epoch", "peak_memory_bytes"} <= set(log[2])
    assert sum("test/mAP" in row for row in log) == 1
    (found,) = read_runs(small_config().OUTPUT_DIR)
    assert found.status == "finished" and found.config["seed"] == 0 and found.config["multi_scale"] == "plan1"
    assert found.config["parameters_multi_scale"] == 6 * 24 * 24 + 2 * 24 + 2 * 24 * 24 + 24 + 24 * 24 + 24
    assert not (Path(small_config().OUTPUT_DIR) / "run" / "process.json").exists()


OTHER: dict[str, Any] = {
    "MODEL.TRANSFORMER_TYPE": "custom_tiny_wide",
    "MODEL.PRETRAIN_PATH_T": "random",
    "MODEL.STRIDE_SIZE": [4, 8],
    "MODEL.SIE_CAMERA": False,
    "MODEL.SIE_COE": 3.0,
    "MODEL.DIRECT": 0,
    "MODEL.ID_LOSS_WEIGHT": 1.0,
    "MODEL.LABEL_SMOOTHING": 0.0,
    "MODEL.TRIPLET_LOSS_WEIGHT": 0.5,
    "MODEL.FROZEN": False,
    "MODEL.ADAPTER": False,
    "MODEL.PROMPT": False,
    "MODEL.LAST_BLOCKS": 1,
    "MODEL.USE_CLIP_MULTI_SCALE": False,
    "MODEL.CLIP_MULTI_SCALE_SCALES": [4],
    "MODEL.CLIP_MULTI_SCALE_PLAN": 2,
    "MODEL.CLIP_MULTI_SCALE_PROJECTED_DIM": 48,
    "MODEL.CLIP_MULTI_SCALE_ACTIVATION": "gelu",
    "MODEL.CLIP_MULTI_SCALE_POOL": "max",
    "MODEL.CLIP_MULTI_SCALE_STRIDE": "half",
    "MODEL.CLIP_MULTI_SCALE_WINDOWS": "2d",
    "INPUT.SIZE": [32, 24],
    "INPUT.PIXEL_MEAN": [0.4, 0.5, 0.6],
    "INPUT.PIXEL_STD": [0.2, 0.3, 0.4],
    "INPUT.FLIP_PROB": 0.0,
    "INPUT.PADDING": 0,
    "INPUT.RE_PROB": 0.0,
    "DATASETS.VAL_IDS": 1,
    "DATALOADER.NUM_INSTANCE": 4,
    "SOLVER.SEED": 1,
    "SOLVER.MAX_EPOCHS": 2,
    "SOLVER.IMS_PER_BATCH": 4,
    "SOLVER.BASE_LR": 0.01,
    "SOLVER.WEIGHT_DECAY": 0.1,
    "SOLVER.WARMUP_EPOCHS": 0,
}
ELSEWHERE = {  # tested by name below, or in test_config (MAMBA) and test_data (ROOT_DIR, NAMES)
    "MODEL.MAMBA", "DATASETS.ROOT_DIR", "DATASETS.NAMES", "SOLVER.EVAL_PERIOD", "SOLVER.PRECISION",
    "TEST.IMS_PER_BATCH", "OUTPUT_DIR",
}  # fmt: skip


def test_every_key_of_the_yaml_changes_the_result(
    small_config: Make, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(OTHER) | ELSEWHERE == set(Config().flat())
    monkeypatch.setattr("experiments.reid.train._Trainer.costs", lambda _: {})
    base = {"SOLVER.MAX_EPOCHS": 1}
    plan_2 = {**base, "MODEL.CLIP_MULTI_SCALE_PLAN": 2}
    shared = Shared()
    plain = {False: run(small_config(base), "plain", shared=shared), True: run(small_config(plan_2), "plain2")}
    for number, (key, value) in enumerate(OTHER.items()):
        needs_plan_2 = key == "MODEL.CLIP_MULTI_SCALE_PROJECTED_DIM"
        changed = run(small_config({**(plan_2 if needs_plan_2 else base), key: value}), f"run{number}", shared=shared)
        assert changed != plain[needs_plan_2], key


def test_validation_happens_as_often_as_asked(small_config: Make, run: Callable[..., Any]) -> None:
    log = run(small_config({"SOLVER.MAX_EPOCHS": 3, "SOLVER.EVAL_PERIOD": 2}))
    assert ["val/mAP" in row for row in log] == [False, True, True, False]  # the last epoch too


def test_evaluation_in_parts_is_evaluation(small_config: Make, run: Callable[..., Any]) -> None:
    whole, parts = run(small_config(), "whole"), run(small_config({"TEST.IMS_PER_BATCH": 3}), "parts")
    for one, two in zip(whole, parts, strict=True):
        assert one == pytest.approx(two, rel=1e-4)


@pytest.mark.parametrize("changes", [{}, CACHED], ids=["pixels", "cached"])
@pytest.mark.parametrize("killed_at", [1, 5])
def test_a_killed_run_goes_on_to_the_same_numbers(
    small_config: Make, run: Callable[..., Any], killed_at: int, changes: dict[str, Any]
) -> None:
    config = small_config({**changes, "SOLVER.MAX_EPOCHS": 4})
    straight = run(config, "straight")

    def kill(step: int) -> None:
        if step == killed_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, "killed", after_step=kill)
    folder = Path(config.OUTPUT_DIR) / "killed"
    assert (folder / "status").read_text().strip() == "killed"
    assert rows(folder) != straight
    assert run(config, "killed") == straight
    weights = [
        torch.load(Path(config.OUTPUT_DIR) / name / "checkpoint.pt", weights_only=True)["model"]
        for name in ("straight", "killed")
    ]
    assert weights[0] and all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_constant_hidden_tokens_change_nothing(
    small_config: Make, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Shared()
    cached = run(small_config(CACHED), "cached", shared=shared)
    assert len(shared.hidden) == 3
    monkeypatch.setattr("experiments.reid.inputs.MAX_CACHED_BYTES", 0)
    for one, two in zip(cached, run(small_config(CACHED), "not"), strict=True):
        assert one == pytest.approx(two, rel=1e-3)


def test_shared_hidden_tokens_are_not_another_models(small_config: Make, run: Callable[..., Any]) -> None:
    shared = Shared()
    for changes in ({}, {"INPUT.PIXEL_STD": [0.2, 0.2, 0.2]}, {"MODEL.STRIDE_SIZE": [4, 8]}):
        together = run(small_config({**CACHED, **changes}), f"shared{len(shared.hidden)}", shared=shared)
        assert together == run(small_config({**CACHED, **changes}), f"alone{len(shared.hidden)}")
    random = {**CACHED, "MODEL.PRETRAIN_PATH_T": "random"}
    for seed in (0, 1):
        config = small_config({**random, "SOLVER.SEED": seed})
        assert run(config, f"random{seed}", shared=shared) == run(config, f"random_alone{seed}")


def test_validation_chooses_and_test_does_not(
    small_config: Make, run: Callable[..., Any], tiny_weights: Path, figures_copy: Path
) -> None:
    config = small_config({"SOLVER.MAX_EPOCHS": 4, "SOLVER.BASE_LR": 0.02})
    log = run(config)
    values = [row["val/mAP"] for row in log[:-1]]
    assert log[-1]["best_epoch"] == 1 + int(np.argmax(values))

    # the test figures are those of the chosen weights, calculated here from the checkpoint alone
    stored = torch.load(Path(config.OUTPUT_DIR) / "run" / "checkpoint.pt", weights_only=True)["best"]
    model = ReidModel(config.MODEL, config.INPUT.SIZE, 4, 4, tiny_weights)
    model.load_trained_state(stored["state"])
    test = load(read_split(Path(config.DATASETS.ROOT_DIR) / "figures" / "test"), config.INPUT.SIZE)
    with torch.inference_mode():
        pixels = (test.pixels_NM3HW.float() / 255 - 0.5) / 0.5
        features = model.eval().features(pixels, torch.from_numpy(test.camera_N)).numpy()
    by_hand = evaluate(features, test.person_N, test.camera_N).metrics("test")
    assert {key: log[-1][key] for key in by_hand} == pytest.approx(by_hand, abs=1e-3)

    # other test pictures: the same training, the same choice
    spoilt = figures_copy / "figures" / "test"
    pictures = sorted((spoilt / "RGB").iterdir())
    for one, other in zip(pictures, reversed(pictures), strict=True):
        shutil.copy(other, spoilt / "NI" / one.name)
    changed = run(small_config({"SOLVER.MAX_EPOCHS": 4, "SOLVER.BASE_LR": 0.02}, root=figures_copy), "other")
    assert changed[:-1] == log[:-1] and changed[-1] != log[-1]
    assert changed[-1]["best_epoch"] == log[-1]["best_epoch"]


def test_training_learns(small_config: Make, run: Callable[..., Any]) -> None:
    log = run(small_config({"SOLVER.MAX_EPOCHS": 12, "INPUT.PADDING": 0, "INPUT.RE_PROB": 0.0, "MODEL.FROZEN": False}))
    assert log[-2]["train/loss"] < 0.7 * log[0]["train/loss"]


def test_another_configuration_does_not_go_on_from_this_checkpoint(small_config: Make, run: Callable[..., Any]) -> None:
    config = small_config({"MODEL.CLIP_MULTI_SCALE_WINDOWS": "2d", "MODEL.CLIP_MULTI_SCALE_SCALES": [[2, 2], 4]})
    log = run(config)
    assert run(config) == log  # pairs are recorded as texts, and are the same for all that
    with pytest.raises(InputError, match=r"SOLVER.BASE_LR was 0.003, now 0.1"):
        run(replace(config, SOLVER=replace(config.SOLVER, BASE_LR=0.1)))
    (Path(config.OUTPUT_DIR) / "run" / "config.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        run(config)


def test_a_diverged_training_says_so(small_config: Make, run: Callable[..., Any]) -> None:
    config = small_config({"SOLVER.BASE_LR": 1e30})
    with pytest.raises(WorkbenchError, match=r"loss is (nan|inf)|not finite"):
        run(config)
    assert (Path(config.OUTPUT_DIR) / "run" / "status").read_text().strip() == "failed"


def test_people_in_training_and_test_are_refused(
    small_config: Make, run: Callable[..., Any], figures_copy: Path
) -> None:
    for modality in ("RGB", "NI", "TI"):
        folder = figures_copy / "figures"
        one = sorted((folder / "train_171" / modality).iterdir())[0]
        shutil.copy(one, folder / "test" / modality / one.name)
    with pytest.raises(InputError, match="in training and in test, the first is 000000"):
        run(small_config(root=figures_copy))


def test_the_learning_rate_rises_and_falls(small_config: Make) -> None:
    config = small_config({"SOLVER.MAX_EPOCHS": 11, "SOLVER.WARMUP_EPOCHS": 1, "SOLVER.BASE_LR": 1.0})
    assert learning_rate(config, 0) == pytest.approx(0.01) and learning_rate(config, 1) == pytest.approx(1.0)
    assert learning_rate(config, 6) == pytest.approx((1 + 0.01) / 2)
    assert learning_rate(config, 11) == pytest.approx(0.01)
    flat = replace(config, SOLVER=replace(config.SOLVER, WARMUP_EPOCHS=0))
    assert learning_rate(flat, 0) == pytest.approx(1.0)


# --- the command line -----------------------------------------------------------------------------------------------


def write_yaml(tmp_path: Path, figures: Path, changes: dict[str, Any] | None = None) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small_yaml(figures, tmp_path / "runs", changes)))
    return path


def test_the_command_trains_arms_and_seeds_and_takes_finished_ones_as_done(
    figures: Path, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_yaml(tmp_path, figures, {"SOLVER.MAX_EPOCHS": 1})
    command = ["--config", str(path), "--weights-dir", str(tiny_weights), "--device", "cpu", "--discard_checkpoints"]
    command += ["--arms", "baseline", "plan1_2d", "--seeds", "0", "1"]
    assert main([*command, "--set", "MODEL.SIE_COE=2.0"]) == 0
    assert "baseline-seed0: test/mAP" in capsys.readouterr().out
    runs = read_runs(tmp_path / "runs")
    assert sorted(run.name for run in runs) == [
        f"{arm}-seed{seed}" for arm in ("baseline", "plan1_2d") for seed in (0, 1)
    ]
    assert all(run.config["MODEL.SIE_COE"] == 2.0 for run in runs)
    assert not list((tmp_path / "runs").rglob("*.pt"))
    report = compare(runs, group_by="multi_scale", metric="test/mAP")
    assert report.baseline == "baseline" and [arm.runs for arm in report.arms] == [2, 2]
    assert main([*command, "--set", "MODEL.SIE_COE=2.0"]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("finished already") == 4 and not captured.out
    assert main(command) == 2  # another experiment is not taken for this one
    assert "MODEL.SIE_COE was 2.0, now 1.0" in capsys.readouterr().err
    for key in ("weights_sha256", "data_fingerprint"):
        config = tmp_path / "runs" / "baseline-seed0" / "config.json"
        recorded = json.loads(config.read_text())
        config.write_text(json.dumps({**recorded, key: "another"}))
        assert main([*command, "--set", "MODEL.SIE_COE=2.0"]) == 2
        assert f"{key} was another" in capsys.readouterr().err
        config.write_text(json.dumps(recorded))


def test_each_device_must_see_two_identities(small_config: Callable[..., Config], tiny_weights: Path) -> None:
    """With one there is no triplet, and its loss would be zero without a word."""
    two_devices: Any = SimpleNamespace(world_size=2)
    with pytest.raises(InputError, match="the triplet loss needs two"):
        train(small_config({"SOLVER.IMS_PER_BATCH": 4}), "run", two_devices, weights_dir=tiny_weights)


def test_the_command_computes_in_the_precision_asked(figures: Path, tiny_weights: Path, tmp_path: Path) -> None:
    path = write_yaml(tmp_path, figures, {"SOLVER.MAX_EPOCHS": 1})
    common = ["--config", str(path), "--weights_dir", str(tiny_weights), "--device", "cpu"]
    for precision in ("32-true", "bf16-mixed"):
        assert main([*common, "--name", precision, "--set", f"SOLVER.PRECISION={precision}"]) == 0
    full, half = (rows(tmp_path / "runs" / name)[0]["train/loss"] for name in ("32-true", "bf16-mixed"))
    assert full != half and full == pytest.approx(half, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "absent.yaml"], "cannot be read"),
        (["--arms", "plan7"], "No such arm"),
        (["--seed", "1", "2", "--name", "x"], "--name is for one run"),
        (["--device", "abacus"], "auto, cpu, gpu"),
        (["--device", "cpu", "--devices", "0"], "devices cannot be used"),
        (["--device", "cpu", "--set", "SOLVER.PRECISION=16-mixed"], "16-mixed needs a GPU"),
        (["--threads", "0"], "at least one thread"),
        (["--seeds", "0", "-1"], "not negative"),
        (["--set", "MODEL.MAMBA=True"], "not implemented"),
        (["--set", "DATASETS.ROOT_DIR=nowhere"], "modality is missing"),
        (["--set", "SOLVER.IMS_PER_BATCH=64"], "Make the batch smaller"),
        (["generate", "--output", "{figures}"], "not empty"),
        (["generate", "--output", "{tmp}/new", "--shots", "0"], "one shot"),
        (["generate", "--output", "{tmp}/new", "--seed", "-1"], "a seed of 0 or more"),
        (["generate", "--output", "{tmp}/small.yaml"], "a file, not a folder"),
        (["generate", "--output", "{tmp}/small.yaml/below"], "cannot be written"),
    ],
)
def test_the_command_says_what_is_wrong(
    figures: Path,
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    path = write_yaml(tmp_path, figures)
    arguments = [one.format(figures=figures, tmp=tmp_path) for one in arguments]
    if arguments[0] != "generate":
        arguments = ["--config", str(path), "--weights_dir", str(tiny_weights), *arguments]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.startswith("error: ") and "Traceback" not in error


def test_an_interruption_is_one_line_and_no_traceback(
    figures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.reid.train.train", interrupted)
    assert main(["--config", str(write_yaml(tmp_path, figures)), "--device", "cpu"]) == 130
    assert capsys.readouterr().err == "stopped; the same command goes on from the last epoch\n"


def test_generate_writes_what_train_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "set"
    command = ["generate", "--output", str(output), "--train_ids", "3", "--test-ids", "2", "--shots", "1"]
    assert main([*command, "--size", "32", "16"]) == 0
    assert capsys.readouterr().out.strip() == str(output)
    assert len(read_split(output / "train_171")) == 12 and len(read_split(output / "test")) == 8


def test_every_section_is_a_dataclass_of_the_yaml() -> None:
    assert [one.name for one in fields(Config)] == [
        *("MODEL", "INPUT", "DATASETS", "DATALOADER", "SOLVER", "TEST", "OUTPUT_DIR"),
    ]


@pytest.mark.slow
def test_two_processes_train_one_run(figures: Path, tiny_weights: Path, tmp_path: Path) -> None:
    """Each takes half of a batch's identities; one of them writes. A window larger than the picture holds up nobody."""
    path = write_yaml(tmp_path, figures, {"SOLVER.MAX_EPOCHS": 2, "MODEL.CLIP_MULTI_SCALE_SCALES": [2, 64]})
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command = [*torchrun, "-m", "experiments.train_reid", "--config", str(path), "--name", "two"]
    command += ["--device", "cpu", "--devices", "2", "--threads", "1", "--weights_dir", str(tiny_weights)]
    found = subprocess.run(command, cwd=REPO_DIR, capture_output=True, text=True, timeout=280, check=False)
    assert found.returncode == 0, found.stderr[-3000:]
    assert found.stdout.count("two: test/mAP") == 1
    log = rows(tmp_path / "runs" / "two")
    assert [row["epoch"] for row in log] == [1, 2, 2] and log[0]["step"] == 2
    (run,) = read_runs(tmp_path / "runs")
    assert run.status == "finished" and run.config["devices"] == 2
    options = ["--config", str(path), "--name", "one", "--device", "cpu", "--weights_dir", str(tiny_weights)]
    assert main(options) == 0
    alone = rows(tmp_path / "runs" / "one")
    # the classifier begins near zero: the first losses hardly depend on how a batch is shared
    assert alone[0]["train/id_loss"] == pytest.approx(log[0]["train/id_loss"], rel=0.1)
    assert alone != log
