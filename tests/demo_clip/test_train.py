"""Training in miniature: interrupted and resumed it arrives where the uninterrupted run does."""

import csv
import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.errors import InputError, WorkbenchError
from core.pose.text import CAPTIONS, bins
from experiments.demo_clip import evaluate as evaluation
from experiments.demo_clip import model
from experiments.demo_clip.data import Composer, Shares
from experiments.demo_clip.head_bank import HeadBank
from experiments.demo_clip.plan import DemoPlan
from experiments.demo_clip.train import train
from experiments.train_demo_clip import export, main

PLAN = DemoPlan(steps=6, warmup_steps=2, width=64, layers=1)
SHARES = Shares(singles=4, composites=2, fragments=2, backgrounds=2, heads=4)


def run(work_dir: Path, composer: Composer, plan: DemoPlan = PLAN, stop_at: int | None = None) -> dict:
    work_dir.mkdir(exist_ok=True)
    path = train(work_dir, plan, shares=SHARES, composer=composer, device="cpu", stop_at=stop_at, validate_every=0)
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def composer(small_world: Path) -> Composer:
    return Composer(small_world)


@pytest.fixture(scope="module")
def straight(composer: Composer, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return run(tmp_path_factory.mktemp("straight"), composer)


def test_an_interrupted_training_resumes_to_the_same_result(
    straight: dict, composer: Composer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = run(tmp_path, composer, stop_at=3)
    assert half["step"] == 3
    resumed = run(tmp_path, composer)
    assert "going on from step 3 of 6" in capsys.readouterr().out
    assert resumed["step"] == straight["step"] == 6
    for part in ("model", "average"):
        for name, weight in straight[part].items():
            assert torch.equal(resumed[part][name], weight), f"{part} {name}"
            if weight.is_floating_point() and "token" not in name:
                assert not torch.equal(half[part][name], weight), f"{part} {name} did not train"


def test_training_lowers_the_loss(composer: Composer, tmp_path: Path) -> None:
    plan = replace(PLAN, steps=25, lr=1e-3, patch_dropout=0.0, head_patch_dropout=0.0)
    run(tmp_path, composer, plan)
    with (tmp_path / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["step"] == "25"
    assert float(row["contrast"]) < 3.2  # untrained: about ln 50 = 3.9, the captions of a batch
    assert float(row["seconds"]) > 0


def test_another_plan_does_not_go_on_from_this_checkpoint(composer: Composer, tmp_path: Path) -> None:
    run(tmp_path, composer, stop_at=2)
    for other in (replace(PLAN, seed=8), replace(PLAN, lr=1e-4)):
        with pytest.raises(InputError, match="another plan") as caught:
            run(tmp_path, composer, other)
        assert "--work_dir" in caught.value.next_step
    # more steps, or a fall that begins earlier, while the rate is still level
    longer = run(tmp_path, composer, replace(PLAN, steps=7, decay_share=0.5), stop_at=3)
    assert longer["step"] == 3 and longer["plan"]["decay_share"] == 0.5


def test_the_number_of_steps_is_fixed_once_the_learning_rate_falls(
    composer: Composer, straight: dict, tmp_path: Path
) -> None:
    run(tmp_path, composer, stop_at=5)
    with pytest.raises(InputError, match="another plan"):
        run(tmp_path, composer, replace(PLAN, steps=20))


def test_the_learning_rate_rises_stays_and_falls() -> None:
    plan = DemoPlan(steps=1000, warmup_steps=100, decay_share=0.3, lr=1.0)
    assert plan.lr_at(0) == pytest.approx(0.01) and plan.lr_at(99) == plan.lr_at(700) == 1.0
    assert plan.lr_at(850) == pytest.approx(0.5) and 0 < plan.lr_at(999) < 0.01


def test_with_the_learning_rate_falls_the_share_of_patches_left_out() -> None:
    plan = DemoPlan(steps=1000, decay_share=0.3, patch_dropout=0.6, last_patch_dropout=0.2, head_patch_dropout=0.4)
    assert plan.dropout_at(0) == plan.dropout_at(700) == (0.6, 0.4)
    assert plan.dropout_at(900) == pytest.approx((0.6, 0.4))  # a third of the rate is left
    assert plan.dropout_at(950) == pytest.approx((0.4, 0.2))
    assert plan.dropout_at(999) == pytest.approx((0.2, 0.0), abs=0.01)


def test_a_training_cut_short_falls_to_nothing_from_where_it_is(
    straight: dict, composer: Composer, tmp_path: Path
) -> None:
    plan = DemoPlan(steps=1000, decay_share=0.5, lr=1.0, warmup_steps=1, cut_from=700, cut_to=800)
    assert plan.lr_at(700) == pytest.approx(0.6) and plan.lr_at(750) == pytest.approx(0.3)
    assert plan.last_step == 800 and 0 < plan.lr_at(799) < 0.01

    def go_on(end_at: int, stop_at: int | None = None) -> dict:
        path = train(
            tmp_path,
            PLAN,
            shares=SHARES,
            composer=composer,
            device="cpu",
            validate_every=0,
            end_at=end_at,
            stop_at=stop_at,
        )
        return torch.load(path, weights_only=True)

    run(tmp_path, composer, stop_at=2)
    with pytest.raises(InputError, match="can't be made to end at step 2"):
        go_on(2)
    assert go_on(5, stop_at=3)["step"] == 3
    ended = go_on(5)  # interrupted again, it keeps the cut
    assert ended["step"] == 5 and (ended["plan"]["cut_from"], ended["plan"]["cut_to"]) == (2, 5)
    with pytest.raises(InputError, match="another plan"):
        run(tmp_path, composer)


def test_batches_composed_by_other_processes_train_the_same(straight: dict, composer: Composer, tmp_path: Path) -> None:
    path = train(tmp_path, PLAN, shares=SHARES, composer=composer, device="cpu", validate_every=0, workers=2)
    assert torch.equal(
        torch.load(path, weights_only=True)["average"]["text_projection"], straight["average"]["text_projection"]
    )


def test_what_a_gpu_does_otherwise_runs(composer: Composer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 and its plumbing, on the CPU: the loss stays a number and the weights stay float32."""
    monkeypatch.setattr("experiments.demo_clip.train.on_gpu", lambda device: True)
    before = torch.get_float32_matmul_precision()
    try:
        stored = run(tmp_path, composer, replace(PLAN, steps=25), stop_at=25)
    finally:
        torch.set_float32_matmul_precision(before)
    with (tmp_path / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 0 < float(row["contrast"]) < 4 and float(row["angle_deg"]) < 60
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in stored["model"].values())


def test_a_training_goes_on_from_an_exported_model_and_says_so(
    straight: dict, composer: Composer, tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier"
    weights = model.export(straight["average"], straight["model_config"], earlier)
    (earlier / "MODEL_CARD.md").write_text(
        "# A\n\n- Command: `x`\n- Seed 7; 6 steps.\n- It went on from 0ad.\n- Else\n"
    )
    plan = replace(PLAN, lr=0.0, weight_decay=0.0)
    path = train(
        tmp_path, plan, shares=SHARES, composer=composer, device="cpu", stop_at=1, validate_every=0, start_from=earlier
    )
    stored = torch.load(path, weights_only=True)
    assert stored["plan"]["start_from"] == hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    assert stored["earlier"] == "Command: `x` Seed 7; 6 steps. It went on from 0ad."
    kept = stored["model"]["clip.visual.conv1.weight"]
    assert torch.equal(kept, straight["average"]["visual.conv1.weight"].half().float())
    weights.write_bytes(b"another model by now")  # interrupted, it goes on as it began
    options = {"shares": SHARES, "composer": composer, "device": "cpu", "validate_every": 0}
    again = torch.load(train(tmp_path, plan, stop_at=2, start_from=earlier, **options), weights_only=True)
    assert again["plan"] == stored["plan"] and again["earlier"] == stored["earlier"] and again["step"] == 2
    with pytest.raises(InputError, match="no exported model to start from"):
        train(tmp_path / "new", plan, start_from=tmp_path / "absent", **options)


def test_a_training_from_nothing_does_not_go_on_as_one_that_started_from_weights(
    straight: dict, composer: Composer, tmp_path: Path
) -> None:
    run(tmp_path, composer, stop_at=2)
    model.export(straight["average"], straight["model_config"], tmp_path / "earlier")
    with pytest.raises(InputError, match="another plan"):
        train(
            tmp_path,
            PLAN,
            shares=SHARES,
            composer=composer,
            device="cpu",
            validate_every=0,
            start_from=tmp_path / "earlier",
        )


def test_other_batches_do_not_go_on_from_this_checkpoint(composer: Composer, tmp_path: Path) -> None:
    run(tmp_path, composer, stop_at=2)
    with pytest.raises(InputError, match="other batches"):
        train(tmp_path, PLAN, shares=replace(SHARES, heads=6), composer=composer, device="cpu", validate_every=0)


def test_a_new_training_does_not_write_on_the_log_of_the_one_before(composer: Composer, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,val_top1\n9000,0.9\n")
    run(tmp_path, composer, stop_at=2)
    assert not (tmp_path / "metrics.csv").exists(), "no row is due before step 25"


def test_a_loss_that_is_no_number_ends_the_training(composer: Composer, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="no longer a finite number"):
        run(tmp_path, composer, replace(PLAN, lr=1e30, warmup_steps=1))


def test_the_weights_carry_their_record_and_the_card_tells_it(
    small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way in miniature: train with a look at the validation split, export, evaluate, card."""
    monkeypatch.setattr(evaluation, "EACH", 6)
    monkeypatch.setattr(evaluation, "COMPOSITES", 20)
    work_dir, output_dir = tmp_path / "work", tmp_path / "demo"
    work_dir.mkdir()
    for name in ("artwork", "heads", "backgrounds"):
        (work_dir / name).symlink_to(small_world / name)
    train(work_dir, replace(PLAN, steps=25), shares=SHARES, device="cpu", validate_every=25)
    weights = export(work_dir, output_dir)
    record = model.training_record(output_dir)
    assert record is not None and record["step"] == 25 and record["shares"]["heads"] == 4
    assert [row["step"] for row in record["validation"]] == ["25"]
    (work_dir / "checkpoint.pt").unlink()  # nobody who evaluates has it
    assert main(["evaluate", "--work_dir", str(work_dir), "--output_dir", str(output_dir), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    card = (output_dir / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert hashlib.sha256(weights.read_bytes()).hexdigest()[:16] in card
    assert "25 of 25 planned steps of 14 pictures, 350 pictures in all" in card and "--steps 25 --seed 7" in card
    assert "Firefox OS Emoji © Mozilla" in card and "Twemoji © Twitter" in card and "1.12" in card
    figures = {line.split("  ", 1)[1]: float(line.split("  ", 1)[0]) for line in printed.splitlines() if "  " in line}
    assert len(figures) == 11 and all(0 <= value <= 1 for value in figures.values())
    for title, value in figures.items():
        assert f"| {title} | {value:.1%} |" in card or f"| {title} | {value:.3f} |" in card, title

    stored = {name: tensor.float() for name, tensor in load_file(weights).items()}
    model.export(stored, record_free_config(output_dir), output_dir)  # as weights from elsewhere
    (output_dir / "MODEL_CARD.md").write_text("another's\n")
    assert main(["evaluate", "--work_dir", str(work_dir), "--output_dir", str(output_dir), "--device", "cpu"]) == 0
    assert "no record of their training" in capsys.readouterr().out
    assert (output_dir / "MODEL_CARD.md").read_text() == "another's\n"


def record_free_config(folder: Path) -> dict:
    return json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]


def test_ranks_count_ties_and_what_is_no_number_against_the_model() -> None:
    similarity = torch.tensor([[0.9, 0.1, 0.5], [0.2, 0.2, 0.1], [math.nan] * 3, [0.1, 0.3, 0.2]])
    assert evaluation._ranks(similarity, np.array([0, 1, 2, 2])).tolist() == [0, 1, 2, 1]


def test_pose_accuracy_reads_the_bins_from_the_caption(small_world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that always says caption 22, the middle of all bins, is right where the heads are in the middle."""
    bank = HeadBank.open(small_world, "held_out")
    vectors = torch.nn.functional.one_hot(torch.full((len(bank.pixels),), 22), len(CAPTIONS)).float()
    monkeypatch.setattr(evaluation, "image_vectors", lambda clip, pixels: vectors)
    monkeypatch.setattr(evaluation, "text_vectors", lambda clip, texts: torch.eye(len(texts)))
    found = evaluation.pose_accuracy(None, bank, np.zeros((2, 64, 64, 3), np.uint8))  # type: ignore[arg-type]
    yaw, pitch, roll = bins(bank.angles_deg_N3).T
    assert (22 // 9, 22 // 3 % 3, 22 % 3) == (2, 1, 1)
    assert found["yaw"] == pytest.approx((yaw == 2).mean()) and found["roll"] == pytest.approx((roll == 1).mean())
    assert found["exact"] == pytest.approx(((yaw == 2) & (pitch == 1) & (roll == 1)).mean())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--decay_share", "0"], "decay_share cannot be 0.0"),
        (["--steps", "0"], "steps cannot be 0"),
        (["--threads", "-1"], "threads cannot be -1"),
        (["--batch_factor", "0"], "batch_factor cannot be 0"),
        (["--batch_factor", "2"], "there are 16"),
        (["--end_at", "5"], "No training was interrupted"),
    ],
)
def test_what_cannot_be_is_said(
    options: list[str], says: str, small_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("artwork", "heads", "backgrounds"):
        (tmp_path / name).symlink_to(small_world / name)
    assert main(["train", "--work_dir", str(tmp_path), "--device", "cpu", *options]) == 2
    said = capsys.readouterr().err
    assert says in said and "Next: " in said and "Traceback" not in said
    assert not (tmp_path / "checkpoint.pt").exists()


def test_commands_say_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for what, words in (
        ("train", "artwork is not prepared"),
        ("export", "There is no checkpoint"),
        ("evaluate", "There is no exported model to evaluate"),
    ):
        assert main([what, "--work-dir", str(tmp_path), "--output_dir", str(tmp_path / "out"), "--device", "cpu"]) == 2
        error = capsys.readouterr().err
        assert words in error and "python -m experiments.train_demo_clip" in error and "Traceback" not in error
    assert main(["train", "--work_dir", str(tmp_path), "--device", "abacus"]) == 2
    assert "auto, cpu, gpu" in capsys.readouterr().err


def test_the_checkpoint_exports_its_average(composer: Composer, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    stored = run(tmp_path, composer, stop_at=1)
    exported = load_file(export(tmp_path, tmp_path / "out"))
    assert exported.keys() == stored["average"].keys()
    assert torch.equal(exported["visual.conv1.weight"], stored["average"]["visual.conv1.weight"].half())
