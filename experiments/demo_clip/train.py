"""The training: steps, checkpoints, looks at validation. A killed training goes on to the same weights."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.fabric import Fabric

from core.errors import InputError, WorkbenchError
from core.files import replacing
from core.runs.environment import read_commit
from core.settings import REPO_DIR
from experiments.demo_clip.card import training_of
from experiments.demo_clip.data import Batch, Composer, Shares, batches, name_prompts
from experiments.demo_clip.evaluate import name_ranks, pose_accuracy
from experiments.demo_clip.head_bank import HeadBank
from experiments.demo_clip.model import (
    MEAN,
    STD,
    Average,
    MatrixOptimizer,
    TrainingModel,
    adopt,
    build,
    contrastive_loss,
    model_config,
    tokenizer,
    whiten_patches,
)
from experiments.demo_clip.plan import DemoPlan
from experiments.devices import launched_fabric

LOOK_AT_PATCHES = 2**40  # the draw of pictures that the patch embedding starts from; no training reaches it
SAVE_EVERY_S = 120.0
LOG_EVERY = 25
LOG_FIELDS = ("step", "contrast", "class", "text_class", "angle_deg", "scale", "seconds", "val_top1", "val_top5",
              "val_pose_exact", "val_pose_yaw", "val_pose_pitch", "val_pose_roll")  # fmt: skip


def train(
    work_dir: Path,
    plan: DemoPlan,
    *,
    shares: Shares | None = None,
    composer: Composer | None = None,
    device: str = "auto",
    stop_at: int | None = None,
    validate_every: int = 250,
    workers: int = 0,
    start_from: Path | None = None,
    end_at: int | None = None,
) -> Path:
    """Trains, or goes on training, and returns the checkpoint's path.

    Args:
        shares: what a batch holds (`data.Shares`).
        composer: where batches come from; by default the training styles of `work_dir`.
        stop_at: stop before this step, as an interruption would.
        validate_every: steps between looks at the validation split (drawings of the training styles kept back, and
            other heads); 0 never. The held-out styles are not looked at.
        workers: processes that compose the coming batches meanwhile; 0: this process composes each when it needs it.
        start_from: folder of an exported model of the same shape to start with, such as an earlier training's.
        end_at: an interrupted training goes on with less time than was planned: the learning rate falls to nothing by
            this step.

    Raises:
        InputError: data not prepared, a value that cannot be, or a checkpoint of another plan or other batches.
        WorkbenchError: the loss is no longer finite.
    """
    plan.check()
    gpu = on_gpu(device)
    fabric = launched_fabric(device, plan.devices, precision="bf16-mixed" if gpu else "32-true", exactly=True)
    shares = shares or Shares()
    checkpoint, log = work_dir / "checkpoint.pt", work_dir / "metrics.csv"
    stored: dict[str, Any] | None = None
    if checkpoint.is_file():
        stored = torch.load(checkpoint, map_location=fabric.device, weights_only=True)
    plan = _settled(plan, shares, stored, work_dir, start_from, end_at)
    composer = composer or Composer(work_dir, drawings="train")
    _check_enough_emoji(shares, composer)
    if gpu:
        torch.set_float32_matmul_precision("high")

    trainer = _Trainer(plan, shares, composer, fabric, start_from if stored is None else None)
    start = 0
    if stored is not None:
        start = trainer.resume(stored)
        fabric.print(f"going on from step {start} of {plan.last_step}", flush=True)
    elif fabric.is_global_zero:
        log.unlink(missing_ok=True)  # of a training whose checkpoint was removed
    end = plan.last_step if stop_at is None else min(stop_at, plan.last_step)
    draws = [step * plan.devices + fabric.global_rank for step in range(start, end)]
    composed = batches(composer, plan.seed, draws, shares, tokenizer(), workers)
    saved = time.monotonic()
    for step, draw, (batch, tokens_KL) in zip(range(start, end), draws, composed, strict=True):
        losses = trainer.losses(step, draw, batch, tokens_KL)
        if not math.isfinite(losses["loss"].item()):
            raise WorkbenchError(
                f"The loss is no longer a finite number, at step {step}.",
                where=str(checkpoint),
                next_step="Remove the checkpoint and start again with a lower --lr.",
            )
        trainer.update(step, losses["loss"])
        done = step + 1
        if not fabric.is_global_zero:
            continue
        if done % LOG_EVERY == 0:
            row = trainer.row(done, losses)
            if validate_every and done % validate_every == 0:
                row |= _validate(work_dir, trainer.average.weights, trainer.config, str(fabric.device))
            _log(log, row)
        if time.monotonic() - saved > SAVE_EVERY_S:
            trainer.save(checkpoint, done)
            saved = time.monotonic()
    if fabric.is_global_zero:
        trainer.save(checkpoint, end)
    fabric.barrier()
    return checkpoint


class _Trainer:
    """One training's model, optimiser and average, and what one step does with them.

    Args:
        start_from: folder of the exported model whose weights it begins with; None: from nothing.

    Attributes:
        earlier, commit: what the card tells of the weights it began with, and the code that it began with.
    """

    def __init__(
        self, plan: DemoPlan, shares: Shares, composer: Composer, fabric: Fabric, start_from: Path | None
    ) -> None:
        self.plan, self.shares, self.fabric = plan, shares, fabric
        self.earlier = training_of(start_from) if start_from is not None else ""
        self.commit = read_commit(REPO_DIR) or ""
        torch.manual_seed(plan.seed)
        self.config = model_config(plan.width, plan.layers)
        model = TrainingModel(self.config, len(composer.classes))
        whiten_patches(model.clip, _normalised(composer.batch(plan.seed, LOOK_AT_PATCHES, shares).pixels_BCHW))
        if start_from is not None:
            adopt(model, start_from, name_prompts([emoji.name for emoji in composer.classes]))
        optimizer = MatrixOptimizer(model, plan.lr, plan.weight_decay)
        self.model, self.optimizer = fabric.setup(model, optimizer)
        self.model.train()
        self.average = Average(self.model.clip, plan.average_decay)
        self.seconds_before, self.began = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Of training, over all interruptions."""
        return self.seconds_before + time.monotonic() - self.began

    def resume(self, stored: dict[str, Any]) -> int:
        """Takes up what `save` left; returns the steps done."""
        self.model.load_state_dict(stored["model"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.average.weights = stored["average"]
        self.earlier, self.commit = stored["earlier"], stored.get("commit", "")
        self.seconds_before = stored["seconds"]
        return int(stored["step"])

    def save(self, checkpoint: Path, step: int) -> None:
        content = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.weights,
            "step": step,
            "seconds": self.seconds,
            "plan": asdict(self.plan),
            "model_config": self.config,
            "shares": asdict(self.shares),
            "earlier": self.earlier,
            "commit": self.commit,
            "device": str(self.fabric.device),
        }
        with replacing(checkpoint) as (draft,):
            torch.save(content, draft)

    def losses(self, step: int, draw: int, batch: Batch, tokens_KL: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of one batch: `loss` with its graph, its parts, and the `scale` of the similarities."""
        plan, device = self.plan, self.fabric.device
        torch.manual_seed(plan.seed * 1_000_003 + draw)  # patch dropout's draws depend on the step alone
        pixels = _normalised(batch.pixels_BCHW.to(device))
        out = self.model(pixels, tokens_KL.to(device), self.shares.heads, *plan.dropout_at(step))
        contrast = contrastive_loss(
            out.images, out.texts, out.scale, batch.positive_BK.to(device), batch.ignored_BK.to(device)
        )
        class_loss, text_class_loss = (
            F.cross_entropy(logits, truth.to(device), ignore_index=-1, label_smoothing=0.1)
            for logits, truth in ((out.class_logits, batch.class_B), (out.text_class_logits, batch.class_K))
        )
        angle_loss = (out.angles - batch.angles_deg_H3.to(device) / 45).abs().mean()
        loss = contrast + plan.class_weight * class_loss + plan.text_class_weight * text_class_loss
        return {
            "loss": loss + plan.angle_weight * angle_loss,
            "contrast": contrast,
            "class": class_loss,
            "text_class": text_class_loss,
            "angle": angle_loss,
            "scale": out.scale,
        }

    def update(self, step: int, loss: torch.Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.lr_at(step)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.model, self.optimizer, max_norm=5.0)
        self.optimizer.step()
        with torch.no_grad():
            self.model.clip.logit_scale.clamp_(0, 4.6052)  # ln 100, as CLIP
        self.average.update(self.model.clip, step)

    def row(self, done: int, losses: dict[str, torch.Tensor]) -> dict[str, float]:
        """What the log says after `done` steps."""
        return {
            "step": done,
            **{name: round(losses[name].item(), 4) for name in ("contrast", "class", "text_class")},
            "angle_deg": round(losses["angle"].item() * 45, 2),
            "scale": round(losses["scale"].item(), 1),
            "seconds": round(self.seconds, 1),
        }


def on_gpu(device: str) -> bool:
    """Whether a training asked for on `device` finds a GPU."""
    return device != "cpu" and torch.cuda.is_available()


def read_checkpoint(work_dir: Path) -> dict[str, Any]:
    """Raises `InputError` where there is none yet."""
    path = work_dir / "checkpoint.pt"
    if not path.is_file():
        raise InputError(
            "There is no checkpoint.", where=str(path), next_step="python -m experiments.train_demo_clip train"
        )
    stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return stored


def validation_rows(work_dir: Path) -> list[dict[str, str]]:
    """The log's rows with validation figures; a step trained twice, after an interruption, counts once."""
    log = work_dir / "metrics.csv"
    if not log.is_file():
        return []
    with log.open(newline="", encoding="utf-8") as file:
        return list({row["step"]: row for row in csv.DictReader(file) if row["val_top1"]}.values())


def _normalised(pixels_BCHW: torch.Tensor) -> torch.Tensor:
    return (pixels_BCHW - MEAN[0]) / STD[0]


# --- what is asked, and what lies there -----------------------------------------------------------------------------


def _settled(
    plan: DemoPlan,
    shares: Shares,
    stored: dict[str, Any] | None,
    work_dir: Path,
    start_from: Path | None,
    end_at: int | None,
) -> DemoPlan:
    """The plan with what `start_from` and `end_at` make of it.

    Raises:
        InputError: the checkpoint is of another plan or of other batches; or one of the two cannot be.
    """
    if stored is None:
        if end_at is not None:
            raise InputError("No training was interrupted here.", where=str(work_dir), next_step="Leave --end_at out.")
        return plan if start_from is None else replace(plan, start_from=_hash_of(start_from))
    if start_from is not None:  # settled when it began, whatever lies in that folder by now
        plan = replace(plan, start_from=stored["plan"]["start_from"] or _hash_of(start_from))
    plan = _cut(plan, stored, end_at)
    _check_plan(plan, asdict(shares), stored, work_dir / "checkpoint.pt")
    return plan


def _check_enough_emoji(shares: Shares, composer: Composer) -> None:
    different = shares.singles + 3 * shares.composites
    if different > len(composer.known_classes):
        raise InputError(
            f"A batch would need {different:,} different emoji, and there are {len(composer.known_classes):,}.",
            where="--batch_factor",
            next_step="Give a smaller one.",
        )


def _hash_of(folder: Path) -> str:
    weights = folder / "open_clip_model.safetensors"
    if not weights.is_file():
        raise InputError(
            "There is no exported model to start from.", where=str(folder), next_step="leave --start_from out"
        )
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:16]


def _cut(plan: DemoPlan, stored: dict[str, Any], end_at: int | None) -> DemoPlan:
    """The plan with its end drawn nearer, from where the checkpoint stands or where an earlier cut began."""
    if end_at is None:
        return plan
    before = DemoPlan(**stored["plan"])
    if before.cut_to == end_at:
        return replace(plan, cut_from=before.cut_from, cut_to=end_at)
    if not stored["step"] < end_at < plan.steps or before.cut_to:
        raise InputError(
            f"A training at step {stored['step']} of {before.last_step} can't be made to end at step {end_at}.",
            where="--end_at",
            next_step="give a later step, before the planned end; only one cut is possible",
        )
    return replace(plan, cut_from=stored["step"], cut_to=end_at)


def _check_plan(plan: DemoPlan, shares: dict[str, int], stored: dict[str, Any], checkpoint: Path) -> None:
    """Only the number of steps and the share of the fall may differ, while by both the learning rate is still level."""
    if stored["shares"] != shares:
        raise InputError(
            f"The checkpoint was made with other batches: {stored['shares']}.",
            where=str(checkpoint),
            next_step="give the same --batch_factor, or another --work_dir, or remove the checkpoint",
        )
    before = DemoPlan(**stored["plan"])
    uncut = replace(plan, cut_from=before.cut_from, cut_to=before.cut_to) if not before.cut_to else plan
    same = replace(before, steps=plan.steps, decay_share=plan.decay_share) == uncut
    level = all(stored["step"] <= each.steps * (1 - each.decay_share) for each in (before, plan))
    if before != uncut and not (same and level):
        raise InputError(
            f"The checkpoint was made under another plan: {before}.",
            where=str(checkpoint),
            next_step="give the same options, or another --work_dir, or remove the checkpoint",
        )


# --- the log --------------------------------------------------------------------------------------------------------


def _validate(work_dir: Path, weights: dict[str, Any], config: dict[str, Any], device: str) -> dict[str, float]:
    model = build(config).to(device)
    model.load_state_dict(weights)
    model.eval()
    composer = Composer(work_dir, drawings="validation", heads="validation")
    ranks = name_ranks(model, composer)
    pose = pose_accuracy(model, HeadBank.open(work_dir, "validation"), composer.backgrounds[:500])
    return {
        "val_top1": round(float((ranks < 1).mean()), 4),
        "val_top5": round(float((ranks < 5).mean()), 4),
        **{f"val_pose_{name}": round(value, 4) for name, value in pose.items()},
    }


def _log(path: Path, row: dict[str, float]) -> None:
    print(json.dumps(row), flush=True)
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, LOG_FIELDS)
        if new:
            writer.writeheader()
        writer.writerow(row)
