"""The training as its user meets it: run folders, a killed run that goes on to the same numbers, the command line."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import InputError
from core.runs import read_runs
from core.settings import REPO_DIR
from experiments.bifusion import train as training
from experiments.bifusion.data import prepare_rooms
from experiments.bifusion.place import Place
from experiments.bifusion.plan import FusionPlan
from experiments.bifusion.report import table
from experiments.bifusion.train import _summed_up, train
from experiments.devices import launched_fabric
from experiments.train_bifusion import main

TINY = FusionPlan(
    model="custom_tiny", epochs=4, steps_per_epoch=2, batch_size=2, points=40, log_every=1, evaluate_every=2, lr=1e-3
)
FABRIC = launched_fabric("cpu")


@pytest.fixture
def place(tiny_weights: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    work_dir = tmp_path_factory.getbasetemp() / "bifusion_rooms"
    return Place(tmp_path / "runs", None, tiny_weights, work_dir, rooms=(("train", 2), ("val", 1), ("test", 1)))


def rows(folder: Path) -> list[dict[str, Any]]:
    """The log's rows without what differs between any two trainings."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in line.items() if name not in ("time", "samples_per_s")}
        for line in lines
        if "step" in line
    ]


def test_a_run_records_its_arm_its_losses_their_gradients_and_its_scores(place: Place):
    folder = train(TINY, place, FABRIC)
    assert (folder / "status").read_text().strip() == "finished"
    assert not (folder / "checkpoint.pt").exists() and not (folder / "process.json").exists()
    config = json.loads((folder / "config.json").read_text())
    assert config["experiment"] == "bifusion" and config["fusion"] == "naive" and config["seed"] == 0
    logged = rows(folder)
    assert [row["epoch"] for row in logged] == [1, 2, 3, 4]
    last = logged[-1]
    for name in ("semantic", "instance", "clip"):
        assert last[f"train/{name}"] > 0 and last[f"grad/{name}"] > 0 and last[f"grad/{name}_at_vit"] > 0
    assert last["train/loss"] == pytest.approx(
        sum(last[f"train/{n}"] for n in ("semantic", "instance", "clip")), rel=1e-2
    )
    assert last["nan/loss"] == last["nan/gradient"] == 0
    assert 0 < last["val/mIoU"] < 1 and 0 < last["test/mIoU"] < 1 and 0 < last["fusion/gate"] < 1
    assert last["train/loss"] < logged[0]["train/loss"]
    (run,) = read_runs(place.output_dir)
    assert run.config["fusion"] == "naive"


@pytest.mark.parametrize("options", [{}, {"images": False}, {"precision": "bf16", "schedule": "note"}])
def test_a_killed_run_goes_on_to_the_same_numbers(place: Place, options: dict[str, Any]):
    plan = TINY.changed({"log_every": 2, **options}, "test")
    whole = train(plan, place, FABRIC)
    broken = Place(place.output_dir / "broken", None, place.weights_dir, place.work_dir, rooms=place.rooms)
    with pytest.raises(KeyboardInterrupt):  # in the middle of epoch 4, behind the checkpoint of epoch 2
        train(plan, broken, FABRIC, stop_after=3)
    folder = broken.output_dir / plan.run_name
    assert (folder / "status").read_text().strip() == "killed" and (folder / "checkpoint.pt").exists()
    train(plan, broken, FABRIC)
    assert rows(folder) == rows(whole)


def test_a_checkpoint_of_another_plan_is_refused(place: Place):
    with pytest.raises(KeyboardInterrupt):
        train(TINY, place, FABRIC, stop_after=1)
    with pytest.raises(InputError, match="another plan: temperature differ"):
        train(TINY.changed({"temperature": 0.1}, "test"), place, FABRIC)


def test_a_checkpoint_of_other_frames_is_refused(place: Place):
    with pytest.raises(KeyboardInterrupt):
        train(TINY, place, FABRIC, stop_after=1)
    with pytest.raises(InputError, match="other frames"):
        train(TINY, replace(place, rooms=(("train", 3), ("val", 1), ("test", 1))), FABRIC)


def test_a_checkpoint_of_other_weights_is_refused(place: Place, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        train(TINY, place, FABRIC, stop_after=1)
    with pytest.raises(InputError, match="other weights of the image model"):
        train(TINY, replace(place, weights_dir=other_weights(place, tmp_path)), FABRIC)


def other_weights(place: Place, tmp_path: Path) -> Path:
    """The same models, one number of one of them changed."""
    folder = tmp_path / "other_weights"
    shutil.copytree(place.weights_dir, folder)
    (path,) = folder.glob("custom/tiny/*.safetensors")
    content = load_file(path)
    content["logit_scale"] += 1
    save_file(content, path)
    return folder


def test_the_ratio_and_the_frozen_part_rule_who_moves(place: Place):
    def logged(**options: Any) -> list[dict[str, Any]]:
        only = {"semantic_weight": 0.0, "instance_weight": 0.0, "fusion": "-".join(map(str, options.values()))}
        return rows(train(TINY.changed({**only, **options}, "test"), place, FABRIC))

    whole, little, none = (logged(gradient_flow_ratio=ratio)[0]["grad/clip_at_vit"] for ratio in (1.0, 0.02, 0.0))
    assert none > 0, "what is sampled leads to the ViT whatever the ratio"
    assert 0 < abs(little - none) < 0.2 * abs(whole - none), "of the other way a fiftieth passes"
    frozen = logged(trainable_blocks=0)[-1]
    assert "vit/moved" not in frozen and "grad/clip_at_vit" not in frozen


def test_the_note_says_zero_then_a_thousandth(place: Place):
    plan = TINY.changed({"schedule": "note", "epochs": 12, "log_every": 1, "evaluate_every": 12, "fusion": "s"}, "test")
    logged = rows(train(plan, place, FABRIC))
    assert [row["clip/weight"] for row in logged] == [0.0] * 10 + [0.001] * 2
    assert logged[0]["train/clip"] == 0 and logged[-1]["train/clip"] > 0


def test_what_is_no_number_is_counted_and_shown(place: Place, monkeypatch: pytest.MonkeyPatch):
    """A loss that breaks at the third step: the counts say so, and no later row hides it."""
    genuine = training._Trainer._losses
    calls = []

    def breaking(self, out, batch):
        calls.append(1)
        losses = genuine(self, out, batch)
        return {**losses, "clip": losses["clip"] * math.nan} if len(calls) == 3 else losses

    monkeypatch.setattr(training._Trainer, "_losses", breaking)
    logged = rows(train(TINY, place, FABRIC))
    assert logged[0]["nan/loss"] == 0 and logged[1]["nan/loss"] >= 1
    assert logged[1]["grad/total_max"] == math.inf and logged[-1]["nan/gradient"] >= 5
    assert logged[-1]["val/mIoU"] == 0.0, "a network of NaNs knows nothing"


def test_rows_are_summed_up_honestly():
    merged = _summed_up(
        [
            {"train/loss": 1.0, "train/loss_max": 2.0, "nan/loss": 0, "clip/lowest_logit": 3.0, "val/mIoU": 0.123456},
            {"train/loss": 3.0, "train/loss_max": math.inf, "nan/loss": 4, "clip/lowest_logit": -1.0},
        ]
    )
    assert merged == {
        "train/loss": 2.0,
        "train/loss_max": math.inf,
        "nan/loss": 4,
        "clip/lowest_logit": -1.0,
        "val/mIoU": 0.1235,
    }
    assert math.isnan(_summed_up([{"train/loss": math.nan}, {"train/loss": 1.0}])["train/loss"])


def arguments(place: Place, config: Path, *more: str) -> list[str]:
    return [
        *("--config", str(config), "--output_dir", str(place.output_dir), "--weights_dir", str(place.weights_dir)),
        *("--work_dir", str(place.work_dir), "--device", "cpu", *more),
    ]


def test_the_command_trains_arms_by_seeds_and_leaves_finished_runs_alone(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    trained = []
    monkeypatch.setattr(training, "train", lambda plan, *_args, **_more: trained.append(plan.run_name))
    config = tmp_path / "c.yaml"
    config.write_text("base: {model: custom_tiny}\narms: {a: {}, b: {form: stable}}\n")
    rooms = ("--data_dir", str(prepare_rooms(place.work_dir, dict(place.rooms or ()))))
    assert main(arguments(place, config, "--seeds", "0-1,5")) == 0
    assert trained == ["a-seed0", "b-seed0", "a-seed1", "b-seed1", "a-seed5", "b-seed5"]
    trained.clear()
    (place.output_dir / "b-seed1").mkdir(parents=True)
    (place.output_dir / "b-seed1" / "status").write_text("finished\n")
    before = FusionPlan(fusion="b", seed=1, model="custom_tiny", form="stable").config()
    (place.output_dir / "b-seed1" / "config.json").write_text(json.dumps({**before, "frames": 8}))
    assert main(arguments(place, config, *rooms, "--seeds", "0-1", "--share", "2/2", "--arm", "a,b")) == 0
    assert trained == ["b-seed0"] and "b-seed1: finished before" in capsys.readouterr().err
    recorded = {**before, "weights_sha256": "0123456789abcdef"}
    (place.output_dir / "b-seed1" / "config.json").write_text(json.dumps(recorded))
    assert main(arguments(place, config, *rooms, "--seeds", "1", "--arm", "b")) == 2
    assert "other weights of the image model" in capsys.readouterr().err
    recorded = {**before, "data_fingerprint": "other"}
    (place.output_dir / "b-seed1" / "config.json").write_text(json.dumps(recorded))
    assert main(arguments(place, config, *rooms, "--seeds", "1", "--arm", "b")) == 2
    assert "other frames" in capsys.readouterr().err
    assert main(arguments(place, config, *rooms, "--seeds", "1", "--arm", "b", "--set", "epochs=60")) == 2
    assert "had other options: epochs was 30" in capsys.readouterr().err and trained == ["b-seed0"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--arm", "c"), "no arm 'c'"),
        (("--share", "3/2"), "share"),
        (("--seeds", "x"), "whole numbers"),
        (("--set", "epochs=0"), "epochs cannot be 0"),
        (("--set", "steps=1"), "no option 'steps'"),
        (("--set", "model=nothing"), "nothing"),
        (("--set", "form=["), "no YAML"),
        (("--set", "weight_decay=-1"), "weight_decay cannot be -1"),
        (("--seeds", "5-2"), "upwards"),
        (("--devices", "0"), "devices cannot be used"),
        (("--threads", "0"), "at least one thread"),
        (("--data_dir", "/nowhere"), "classes"),
        (("--work_dir", "/dev/null"), "cannot be written"),
    ],
)
def test_bad_input_is_said_in_one_line(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], words: str
):
    config = tmp_path / "c.yaml"
    config.write_text("base: {model: custom_tiny}\narms: {a: {}}\n")
    assert main(arguments(place, config, *more)) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and words in said and len(said.strip().splitlines()) == 1


def test_too_few_frames_for_a_batch_are_refused(place: Place):
    with pytest.raises(InputError, match="frames for batches of 64"):
        train(TINY.changed({"batch_size": 64}, "test"), place, FABRIC)


def test_two_processes_write_one_run(place: Place, tmp_path: Path):
    """Also of the arms in which a part of the network gets no gradient: nobody waits for it."""
    config = tmp_path / "c.yaml"
    options = ", ".join(
        f"{name}: {getattr(TINY, name)}" for name in ("epochs", "steps_per_epoch", "batch_size", "points")
    )
    config.write_text(
        f"base: {{model: custom_tiny, {options}, evaluate_every: 4}}\n"
        "arms: {a: {}, isolated: {gradient_flow_ratio: 0.0, norm: true}, whole: {trainable_blocks: -1}}\n"
    )
    data = prepare_rooms(place.work_dir, dict(place.rooms or ()))
    command = [*arguments(place, config), "--devices", "2", "--threads", "1", "--data_dir", str(data)]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train_bifusion", *command], cwd=REPO_DIR, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    logged = rows(place.output_dir / "a-seed0")
    assert [row["epoch"] for row in logged] == [1, 2, 3, 4] and [row["step"] for row in logged] == [2, 4, 6, 8]
    for arm in ("isolated", "whole"):
        assert [row["step"] for row in rows(place.output_dir / f"{arm}-seed0")] == [2, 4, 6, 8]
    assert json.loads((place.output_dir / "a-seed0" / "config.json").read_text())["devices"] == 2
    assert done.stderr.count("a-seed0: ") == 1 and 0 < logged[-1]["val/mIoU"] < 1


def test_whole_vits_may_train_too(place: Place):
    plan = TINY.changed({"trainable_blocks": -1, "epochs": 2, "fusion": "whole"}, "test")
    last = rows(train(plan, place, FABRIC))[-1]
    assert last["vit/moved"] > 0 and torch.isfinite(torch.tensor(last["train/loss"]))


def test_the_report_shows_what_broke(place: Place, monkeypatch: pytest.MonkeyPatch):
    train(TINY, place, FABRIC)
    train(TINY.changed({"images": False, "fusion": "3d_only"}, "test"), place, FABRIC)
    genuine = training._Trainer._losses
    monkeypatch.setattr(
        training._Trainer,
        "_losses",
        lambda self, out, batch: {name: loss * math.nan for name, loss in genuine(self, out, batch).items()},
    )
    train(TINY.changed({"seed": 1}, "test"), place, FABRIC)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(place.output_dir).splitlines()]
    rows_of = {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}
    assert list(rows_of) == ["3d_only", "naive"] and rows_of["naive"]["runs"] == "2"
    assert rows_of["naive"]["steps with a non-finite loss or gradient"] == "8"
    assert rows_of["naive"]["largest gradient norm"] == "inf"
    assert rows_of["naive"]["cosine to CLIP"] == "NaN in 1 of 2" and rows_of["3d_only"]["cosine to CLIP"] == ""
