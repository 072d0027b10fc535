"""One run: train, choose the checkpoint on validation, test it once. A killed run goes on to the same numbers."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric

from core.errors import InputError, WorkbenchError
from core.files import replacing
from core.models.weights import sha256_of
from core.runs import RunRecorder
from core.settings import Settings
from experiments.reid.config import Config, arm
from experiments.reid.data import Augmentation, batches
from experiments.reid.evaluate import evaluate
from experiments.reid.inputs import Shared, features_of, model_input, normalised, training_input, triples_of
from experiments.reid.model import ReidLoss, ReidModel, weights_file

FINAL_LR = 0.01  # of the base rate


def train(
    config: Config,
    name: str,
    fabric: Fabric,
    *,
    weights_dir: Path | None = None,
    shared: Shared | None = None,
    after_step: Callable[[int], None] | None = None,
    keep_checkpoint: bool = True,
) -> dict[str, float]:
    """One run, or the rest of one; returns its test metrics, in percent.

    Args:
        name: of the run's folder under OUTPUT_DIR.
        fabric: launched; decides device, precision and how many processes share a batch.
        after_step: called with the number of steps done, for tests.

    Raises:
        WorkbenchError: the config, the data or the weights cannot be used, or the folder holds another run.
    """
    trainer = _Trainer(config, fabric, weights_dir or Settings().weights_dir, shared or Shared())
    if trainer.raw.idle_windows:
        sizes = ", ".join(" × ".join(map(str, size)) for size in trainer.raw.idle_windows)
        fabric.print(f"{name}: windows of {sizes} tokens do not fit, so all is pooled in their place", file=sys.stderr)
    folder = Path(config.OUTPUT_DIR).expanduser() / name
    checkpoint = folder / "checkpoint.pt"
    recorded = trainer.record()
    check_same(recorded, folder)
    done = trainer.resume(checkpoint) if checkpoint.is_file() else 0
    if done:
        fabric.print(f"{name}: going on from epoch {done} of {config.SOLVER.MAX_EPOCHS}", file=sys.stderr)
    if fabric.device.type == "cuda":  # the peak is this run's, not that of the runs before it in this process
        torch.cuda.reset_peak_memory_stats(fabric.device)
    with RunRecorder(config.OUTPUT_DIR, name, recorded, resume=folder.exists(), rank=fabric.global_rank) as run:
        for epoch in range(done, config.SOLVER.MAX_EPOCHS):
            row = trainer.epoch(epoch, name, after_step)
            if epoch + 1 == config.SOLVER.MAX_EPOCHS or (epoch + 1) % config.SOLVER.EVAL_PERIOD == 0:
                row |= trainer.validate(epoch)
            run.log(row, step=trainer.step, epoch=epoch + 1)
            if fabric.is_global_zero:
                trainer.save(checkpoint, epoch + 1)
            fabric.barrier()
        result = trainer.test()
        run.log(
            {**result, "best_epoch": trainer.best["epoch"], **trainer.costs()},
            step=trainer.step,
            epoch=config.SOLVER.MAX_EPOCHS,
        )
    if fabric.is_global_zero:
        (folder / "process.json").unlink(missing_ok=True)  # it names a process of this machine
        if not keep_checkpoint:
            checkpoint.unlink(missing_ok=True)
    return result


class _Trainer:
    """One run's model, data and optimiser, and what one epoch does with them.

    Attributes:
        step: steps done.
        best: what validation likes best so far: `val/mAP`, `epoch`, `state`; empty before the first look.
    """

    def __init__(self, config: Config, fabric: Fabric, weights_dir: Path, shared: Shared) -> None:
        self.config, self.fabric, self.weights_dir, self.shared = config, fabric, weights_dir, shared
        self.training, validation, test = triples_of(config, shared)
        self.people = np.unique(self.training.person_N)
        self.label_N = torch.from_numpy(np.searchsorted(self.people, self.training.person_N))
        self.per_batch = _identities_of_a_batch(config, fabric.world_size)
        cameras = 1 + max(int(part.camera_N.max()) for part in (self.training, validation, test))
        torch.manual_seed(config.SOLVER.SEED)
        self.raw = ReidModel(config.MODEL, config.INPUT.SIZE, len(self.people), cameras, weights_dir)
        self.loss_of = ReidLoss(config.MODEL)
        self.trainable = [weight for weight in self.raw.parameters() if weight.requires_grad]
        optimizer = torch.optim.Adam(self.trainable, config.SOLVER.BASE_LR, weight_decay=config.SOLVER.WEIGHT_DECAY)
        self.model, self.optimizer = fabric.setup(self.raw, optimizer)
        self.augmentation = Augmentation(config.INPUT.FLIP_PROB, config.INPUT.PADDING, config.INPUT.RE_PROB)
        self.inputs = {
            name: model_input(
                self.raw,
                config,
                part,
                fabric,
                shared,
                mirrored=part is self.training and self.augmentation.only_flips,
            )
            for name, part in (("train", self.training), ("val", validation), ("test", test))
        }
        self.step = 0
        self.best: dict[str, Any] = {}

    def record(self) -> dict[str, Any]:
        """What the run records of itself, and what a run that goes on must agree with."""
        return {
            "experiment": "reid",
            "multi_scale": arm(self.config.MODEL),
            "seed": self.config.SOLVER.SEED,
            **identity(self.config, self.weights_dir, self.shared),
            "devices": self.fabric.world_size,
            "train_triples": len(self.training),
            "train_identities": len(self.people),
            "parameters": sum(weight.numel() for weight in self.raw.parameters()),
            "parameters_trained": sum(weight.numel() for weight in self.trainable),
            "parameters_multi_scale": sum(
                weight.numel() for weight in self.raw.context.parameters() if weight.requires_grad
            ),
        }

    def resume(self, checkpoint: Path) -> int:
        """Takes up what `save` left; returns the epochs done."""
        stored = torch.load(checkpoint, map_location=self.fabric.device, weights_only=True)
        self.raw.load_trained_state(stored["model"])
        self.optimizer.load_state_dict(stored["optimizer"])
        if stored.get("precision"):
            self.fabric.strategy.precision.load_state_dict(stored["precision"])
        self.step, self.best = int(stored["step"]), stored["best"] or {}
        return int(stored["epoch"])

    def save(self, checkpoint: Path, epochs_done: int) -> None:
        content = {
            "epoch": epochs_done,
            "step": self.step,
            "best": self.best or None,
            "model": self.raw.trained_state(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),  # float16's loss scale
        }
        with replacing(checkpoint) as (draft,):
            torch.save(content, draft)

    def epoch(self, epoch: int, name: str, after_step: Callable[[int], None] | None) -> dict[str, float]:
        """Trains one epoch, counted from 0; what is logged of it."""
        self.model.train()
        began, losses, seen = time.perf_counter(), [], 0
        instances, seed = self.config.DATALOADER.NUM_INSTANCE, self.config.SOLVER.SEED
        rows_of = list(batches(self.training.person_N, self.per_batch, instances, seed, epoch))
        for number, rows in enumerate(rows_of):
            losses.append(self._step(rows, epoch + number / len(rows_of), name))
            seen += len(rows)
            if after_step is not None:
                after_step(self.step)
        seconds = time.perf_counter() - began
        means = dict(zip(("loss", "id_loss", "triplet_loss"), np.mean(losses, axis=0).round(5).tolist(), strict=True))
        return {
            **{f"train/{part}": mean for part, mean in means.items()},
            "seconds_per_epoch": round(seconds, 3),
            "samples_per_s": round(seen / seconds, 1),
        }

    def _step(self, rows: np.ndarray, moment: float, name: str) -> list[float]:
        """One batch, shared by the devices, at a moment of training in epochs; the loss here and its two parts."""
        config, fabric = self.config, self.fabric
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, moment)
        mine = rows.reshape(self.per_batch, -1)[fabric.global_rank :: fabric.world_size].reshape(-1)
        random = np.random.default_rng((config.SOLVER.SEED, self.step, fabric.global_rank))
        start = training_input(self.inputs["train"], config, mine, self.augmentation, random, fabric)
        outputs = self.model(start, torch.from_numpy(self.training.camera_N[mine]).to(fabric.device))
        loss, parts = self.loss_of(outputs, self.label_N[mine].to(fabric.device))
        if not torch.isfinite(loss):
            raise WorkbenchError(
                f"The loss is {loss.item()} at step {self.step}.", where=name, next_step="Lower SOLVER.BASE_LR."
            )
        self.optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        self.optimizer.step()
        self.step += 1
        return [float(one) for one in (loss.detach(), parts["id_loss"], parts["triplet_loss"])]

    def validate(self, epoch: int) -> dict[str, float]:
        """Its row; keeps the weights where they are the best so far."""
        row = self._score("val")
        if not self.best or row["val/mAP"] > self.best["val/mAP"]:
            self.best = {"val/mAP": row["val/mAP"], "epoch": epoch + 1, "state": self.raw.trained_state()}
        return row

    def test(self) -> dict[str, float]:
        """With the weights that validation chose."""
        assert self.best, "the last epoch is validated"
        self.raw.load_trained_state(self.best["state"])
        return self._score("test")

    def _score(self, part: str) -> dict[str, float]:
        source = self.inputs[part]
        features_NF = features_of(self.raw, self.config, source, self.fabric)
        found = evaluate(features_NF, source.triples.person_N, source.triples.camera_N).metrics(part)
        return {key: round(value, 4) for key, value in found.items()}

    def costs(self) -> dict[str, float]:
        """`ms_per_triple` of the features, from pixels; `peak_memory_bytes` of a training step."""
        rows = torch.arange(min(16, len(self.training)))
        pixels = normalised(self.config, self.training.pixels_NM3HW[rows], self.fabric)
        camera = torch.from_numpy(self.training.camera_N[rows.numpy()]).to(self.fabric.device)
        self.raw.eval()
        return {
            "ms_per_triple": round(1000 * self._features_s(pixels, camera) / len(rows), 3),
            "peak_memory_bytes": self._step_bytes(pixels, camera, self.label_N[rows].to(self.fabric.device)),
        }

    def _features_s(self, pixels: torch.Tensor, camera: torch.Tensor) -> float:
        """The median of 7. With one CPU thread it is that thread's own time, which no other program lengthens."""
        one_thread = self.fabric.device.type == "cpu" and torch.get_num_threads() == 1
        clock = time.thread_time if one_thread else time.perf_counter
        times = []
        with torch.inference_mode(), self.fabric.autocast():
            for _ in range(8):
                began = clock()
                self.raw.features(pixels, camera).sum().item()  # waits for a GPU
                times.append(clock() - began)
        return sorted(times[1:])[3]

    def _step_bytes(self, pixels: torch.Tensor, camera: torch.Tensor, label_B: torch.Tensor) -> int:
        """On a GPU what was allocated at most. On a CPU it is counted: weights, gradients, Adam's two moments, and what
        a forward pass from pixels keeps for the backward one.
        """
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), self.fabric.autocast():
            self.loss_of(self.raw(pixels, camera), label_B)
        if self.fabric.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.fabric.device)
        for weight in self.raw.parameters():
            keep(weight)
        trained = sum(weight.numel() * weight.element_size() for weight in self.trainable)
        return sum(kept.values()) + 3 * trained


def _identities_of_a_batch(config: Config, devices: int) -> int:
    """Over all devices. Raises `InputError` where they cannot share it, or the triplet loss would see one identity."""
    per_batch = config.SOLVER.IMS_PER_BATCH // config.DATALOADER.NUM_INSTANCE
    if per_batch % devices:
        raise InputError(
            f"{per_batch} identities of a batch cannot be shared evenly by {devices} devices.",
            where="SOLVER.IMS_PER_BATCH",
            next_step="Give a batch with a multiple of that many identities.",
        )
    if per_batch // devices < 2:
        raise InputError(
            f"Each of {devices} devices would see one identity of a batch, and the triplet loss needs two.",
            where="SOLVER.IMS_PER_BATCH",
            next_step="Give a larger batch, or fewer --devices.",
        )
    return per_batch


def learning_rate(config: Config, epoch: float) -> float:
    """At a moment of training, in epochs from 0: a linear rise, then half a cosine down to `FINAL_LR` of the base."""
    solver = config.SOLVER
    if epoch < solver.WARMUP_EPOCHS:
        return solver.BASE_LR * (0.01 + 0.99 * epoch / solver.WARMUP_EPOCHS)
    done = (epoch - solver.WARMUP_EPOCHS) / max(solver.MAX_EPOCHS - solver.WARMUP_EPOCHS, 1e-9)
    return solver.BASE_LR * (FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


# --- the run's record -----------------------------------------------------------------------------------------------


def identity(config: Config, weights_dir: Path, shared: Shared) -> dict[str, Any]:
    """What must be equal where a run goes on: the YAML's keys, the weights, the data. Not where the run lies."""
    file = weights_file(config.MODEL, weights_dir)
    return {
        **{key: value for key, value in config.flat().items() if key != "OUTPUT_DIR"},
        "weights_sha256": sha256_of(file)[:16] if file is not None else None,
        "data_fingerprint": "-".join(part.fingerprint for part in triples_of(config, shared)),
    }


def check_same(now: dict[str, Any], folder: Path) -> None:
    """What was recorded in the run's folder, if it exists, is the same.

    Raises:
        InputError: it is not, or cannot be read; a key is named.
    """
    path = folder / "config.json"
    if not path.is_file():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise InputError("The run's configuration cannot be read.", where=str(path), next_step="Remove that folder.")
    before.setdefault("data_fingerprint", now["data_fingerprint"])  # earlier runs did not record it
    plain = {key: _as_recorded(value) for key, value in now.items()}
    different = [key for key in plain if plain[key] != before.get(key)]
    if different:
        key = different[0]
        raise InputError(
            f"The run there was made with another configuration: {key} was {before.get(key)}, now {plain[key]}"
            + (f", and {len(different) - 1} more keys." if len(different) > 1 else "."),
            where=str(folder),
            next_step="Give the same configuration, another --name or --runs_dir, or remove that folder.",
        )


def _as_recorded(value: Any) -> Any:
    """A value as `RunRecorder` writes it and JSON gives it back."""
    if isinstance(value, (list, tuple)):
        return [item if isinstance(item, (bool, int, float)) else str(item) for item in value]
    return value
