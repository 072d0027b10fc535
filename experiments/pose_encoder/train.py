"""One run: train, choose the checkpoint on validation, test it once.

What is equal for every arm of a seed: the trunk's first weights, the faces, the order of the batches, the schedule.
What a killed run needs to go on lies in `checkpoint.pt` in its folder, written after each epoch; the order of an
epoch's batches depends on seed and epoch alone, so a run that was killed and started again ends with the same numbers.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric

from core.errors import InputError, WorkbenchError
from core.files import replacing
from core.pose.encoders import build_pose_encoder, trainable_parameters
from core.runs import RunRecorder
from experiments.devices import launched_fabric
from experiments.pose_encoder.data import Faces, PoseData, load_data
from experiments.pose_encoder.metrics import landmark_errors, summarise
from experiments.pose_encoder.model import FaceModel, landmark_loss
from experiments.pose_encoder.plan import PosePlan

EVALUATION_BATCH = 1024
SHOWN_ON_VALIDATION = ("nme", "nme_yaw_0_30", "nme_yaw_30_60", "nme_yaw_60_90")


def train(
    plan: PosePlan,
    runs_dir: Path,
    name: str = "",
    *,
    device: str = "auto",
    weights_dir: Path | None = None,
    keep_weights: bool = True,
    data: PoseData | None = None,
    stop_after_epoch: int | None = None,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Path:
    """Trains, or goes on training, and returns the run's folder; a finished run is left as it is.

    Args:
        runs_dir, name: where the run is recorded; by default `ENCODER-seedN`.
        device: `auto`, `cpu` or `gpu`.
        keep_weights: leave the chosen weights in the folder, as `best.pt`.
        data: instead of `plan.data_dir`.
        stop_after_epoch: end there as an interruption would.

    Raises:
        InputError: the plan or the data cannot be used, or another run of this name exists. And what the pose encoder
            raises: weights that are not here are never replaced by others.
        WorkbenchError: the loss is no longer finite.
    """
    plan.check()
    name = name or f"{plan.pose_encoder}-seed{plan.seed}"
    data = data or load_data(plan.data_dir, seed=plan.data_seed, identities=plan.identities, say=say)
    if len(data.train) < plan.devices:
        raise InputError(f"{len(data.train)} faces are too few for {plan.devices} devices.", next_step="--devices 1")
    fabric = launched_fabric(device, plan.devices, precision=plan.precision, exactly=True)
    for notice in data.notices if fabric.is_global_zero else ():
        say(f"note: {notice}")
    model = _model(plan, fabric.device, weights_dir)
    config = _config(plan, data, model)
    folder = runs_dir.expanduser() / name
    if _finished(folder, config):
        fabric.print(f"{name} is finished already: {folder}", file=sys.stderr)
        return folder

    trainer = _Trainer(plan, data, model, fabric)
    checkpoint = folder / "checkpoint.pt"
    fresh = not (folder / "config.json").exists()
    with RunRecorder(runs_dir, name, config, resume=not fresh, rank=fabric.global_rank) as run:
        done = trainer.resume(checkpoint) if checkpoint.is_file() else 0
        if done:
            fabric.print(f"{name}: going on after epoch {done} of {plan.epochs}", file=sys.stderr)
        for epoch in range(done + 1, plan.epochs + 1):
            row = trainer.epoch(epoch, run) | trainer.validate()
            row["peak_memory_bytes"] = _peak_bytes(fabric.device)
            run.log(row, step=epoch * trainer.steps_each, epoch=epoch)
            if fabric.is_global_zero:
                trainer.save(checkpoint, epoch)
            if epoch == stop_after_epoch:
                raise KeyboardInterrupt
        found, errors_N = trainer.test()
        results = {f"test/{key}": _short(value) for key, value in found.items()}
        results["prepare_s"] = _short(trainer.prepare_s)
        run.log(results, step=plan.epochs * trainer.steps_each, epoch=plan.epochs)
        if fabric.is_global_zero:
            np.save(folder / "test_errors.npy", errors_N.astype(np.float16))
            if keep_weights:
                _save(folder / "best.pt", trainer.best_state)
            checkpoint.unlink()
            say(f"{name}: test NME {found['nme']:.3f} %, best validation {trainer.best_nme:.3f} %")
    return folder


def _model(plan: PosePlan, device: torch.device, weights_dir: Path | None) -> FaceModel:
    encoder = build_pose_encoder(
        plan.pose_encoder,
        3 * plan.width,
        clip_model_name=plan.clip_model_name,
        device=device,
        freeze_clip=plan.freeze_clip,
        hidden_dim=plan.hidden_dim,
        round_deg=plan.round_deg,
        weights_dir=weights_dir,
        seed=plan.seed,
    )
    return FaceModel(
        encoder,
        width=plan.width,
        layers=plan.layers,
        heads=plan.heads,
        mlp_ratio=plan.mlp_ratio,
        qk_norm=plan.qk_norm,
        gate=plan.gate,
        seed=plan.seed,
    )


def _config(plan: PosePlan, data: PoseData, model: FaceModel) -> dict[str, Any]:
    """What the run records of itself, and what a run that goes on must agree with."""
    return {
        "experiment": "pose_encoder",
        **asdict(plan),
        "data": data.name,
        "data_fingerprint": data.fingerprint,
        "train_faces": len(data.train),
        "val_faces": len(data.val),
        "test_faces": len(data.test),
        "parameters": trainable_parameters(model),
        "parameters_pose": trainable_parameters(model.pose_encoder),
        "weights_sha256": model.pose_encoder.weights_sha256[:16],
    }


class _Trainer:
    """One run's model, data and optimiser, and what one epoch does with them.

    Attributes:
        steps_each: steps of an epoch.
        prepare_s: what the pose encoder did beforehand.
        best_nme, best_state: of the epoch that did best on validation.
    """

    def __init__(self, plan: PosePlan, data: PoseData, model: FaceModel, fabric: Fabric) -> None:
        self.plan, self.data, self.fabric = plan, data, fabric
        self.tensors = {split: _tensors(getattr(data, split), fabric.device) for split in ("train", "val", "test")}
        started = time.perf_counter()
        # in one order, whatever is trained later: the last digits of a caption depend on the captions beside it
        model.pose_encoder.prepare(torch.cat([part[1] for part in self.tensors.values()]))
        self.prepare_s = time.perf_counter() - started
        optimizer = torch.optim.AdamW(
            model.parameters(),
            plan.lr,
            betas=(0.9, 0.98),
            weight_decay=plan.weight_decay,
            fused=fabric.device.type in ("cpu", "cuda"),
        )
        self.model, self.optimizer = fabric.setup(model, optimizer)
        self.batch_size = min(plan.batch_size, len(data.train) // plan.devices * plan.devices)
        self.steps_each = len(data.train) // self.batch_size
        self.best_nme = math.inf
        self.best_state: dict[str, torch.Tensor] = {}

    def resume(self, checkpoint: Path) -> int:
        """Takes up what `save` left; returns the epochs done."""
        stored = torch.load(checkpoint, map_location=self.fabric.device, weights_only=True)
        self.model.load_state_dict(stored["model"])
        self.optimizer.load_state_dict(stored["optimizer"])
        if stored.get("precision"):
            self.fabric.strategy.precision.load_state_dict(stored["precision"])
        self.best_nme, self.best_state = stored["best_nme"], stored["best_state"]
        return int(stored["epoch"])

    def save(self, checkpoint: Path, epoch: int) -> None:
        _save(
            checkpoint,
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "precision": self.fabric.strategy.precision.state_dict(),  # float16's loss scale
                "epoch": epoch,
                "best_nme": self.best_nme,
                "best_state": self.best_state,
            },
        )

    def epoch(self, epoch: int, run: RunRecorder) -> dict[str, float]:
        """Trains one epoch, counted from 1, and returns its row; the losses between are logged at once."""
        plan, fabric = self.plan, self.fabric
        if fabric.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(fabric.device)
        started = time.perf_counter()
        losses = torch.zeros(self.steps_each, device=fabric.device)
        generator = torch.Generator().manual_seed(_order(plan.seed, epoch))
        order = torch.randperm(len(self.data.train), generator=generator)[: self.steps_each * self.batch_size]
        self.model.train()
        for number, rows in enumerate(order.split(self.batch_size)):
            step = (epoch - 1) * self.steps_each + number
            losses[number] = self._step(rows, step)
            if (step + 1) % plan.log_every == 0 and number + 1 < self.steps_each:
                run.log({"train/loss": _short(fabric.all_reduce(losses[number]))}, step=step + 1, epoch=epoch)
        mean_loss = float(fabric.all_reduce(losses.mean()))
        seconds = time.perf_counter() - started
        if not math.isfinite(mean_loss):
            raise WorkbenchError(
                "The loss is no longer a finite number.",
                where=f"{run.folder.name}, epoch {epoch}",
                next_step="lower --lr, or --precision 32-true",
            )
        return {
            "train/loss": _short(mean_loss),
            "seconds_per_epoch": _short(seconds),
            "samples_per_s": _short(len(order) / seconds),
        }

    def _step(self, rows: torch.Tensor, step: int) -> torch.Tensor:
        """One batch, shared by the devices; returns its loss here. `step` counts from 0."""
        plan, fabric = self.plan, self.fabric
        for group in self.optimizer.param_groups:
            group["lr"] = plan.lr_at(step, plan.epochs * self.steps_each)
        mine = rows[fabric.global_rank :: plan.devices]
        front, angles, seen = (part[mine].to(fabric.device) for part in self.tensors["train"])
        loss = landmark_loss(self.model(front, angles).float(), seen)
        self.optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        self.optimizer.step()
        return loss.detach()

    def validate(self) -> dict[str, float]:
        """Its row; keeps the weights where they are the best so far."""
        found, _ = evaluate(self.model, self.tensors["val"], self.data.val)
        if found["nme"] < self.best_nme:
            self.best_nme = found["nme"]
            self.best_state = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        return {f"val/{key}": _short(found[key]) for key in SHOWN_ON_VALIDATION if key in found}

    def test(self) -> tuple[dict[str, float], np.ndarray]:
        """As `evaluate`, with the weights that validation chose."""
        assert self.best_state, "at least one epoch"
        self.model.load_state_dict(self.best_state)
        return evaluate(self.model, self.tensors["test"], self.data.test)


def evaluate(
    model: Any, tensors: tuple[torch.Tensor, torch.Tensor, torch.Tensor], faces: Faces
) -> tuple[dict[str, float], np.ndarray]:
    """The metrics of `metrics.summarise`, and the NME of each face as a fraction `[N]`."""
    model.eval()
    front, angles, _ = tensors
    with torch.no_grad():
        predicted = [
            model(front[rows], angles[rows]).float().cpu()
            for rows in torch.arange(len(front), device=front.device).split(EVALUATION_BATCH)
        ]
    predicted_NK2 = torch.cat(predicted).numpy()
    return summarise(predicted_NK2, faces), landmark_errors(predicted_NK2, faces.seen_NK2)


def _finished(folder: Path, config: dict[str, Any]) -> bool:
    """Whether this very run is finished. Raises `InputError` where another run has the name."""
    path = folder / "config.json"
    if not path.is_file():
        return False
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise InputError(
            "The settings of the run of this name cannot be read.",
            where=str(path),
            next_step="remove that run's folder, or give --name or another --runs_dir",
        )
    before.setdefault("weights_sha256", config["weights_sha256"])  # earlier runs did not record it
    now = json.loads(json.dumps(config))
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if changed:
        shown = ", ".join(f"{key} was {before.get(key)}, now {now.get(key)}" for key in changed[:4])
        raise InputError(
            f"A run of this name exists with other settings: {shown}.",
            where=str(folder),
            next_step="give --name or another --runs_dir",
        )
    return (folder / "status").is_file() and (folder / "status").read_text().strip() == "finished"


def _tensors(faces: Faces, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    parts = (faces.front_NK2, faces.angles_deg_N3, faces.seen_NK2)
    front, angles, seen = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in parts)
    return front, angles, seen


def _order(seed: int, epoch: int) -> int:
    return seed * 1_000_003 + epoch


def _save(path: Path, content: Any) -> None:
    with replacing(path) as (draft,):
        torch.save(content, draft)


def _short(value: Any) -> float:
    return float(f"{float(value):.5g}")


def _peak_bytes(device: torch.device) -> int:
    """Of the epoch on a GPU; on a CPU the process's so far."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
