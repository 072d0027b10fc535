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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError, WorkbenchError
from core.pose.arms import ARMS, FURTHER_POSE_ENCODERS
from core.runs import RunRecorder
from experiments.devices import launched_fabric
from experiments.pose_encoder.data import Faces, PoseData, load_data

if TYPE_CHECKING:
    import torch

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
EVALUATION_BATCH = 1024
SHOWN_ON_VALIDATION = ("nme", "nme_yaw_0_30", "nme_yaw_30_60", "nme_yaw_60_90")


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run's numbers; it becomes the run's config.

    The learning rate rises over the first `warmup_share` of the steps and falls to nothing along a cosine.

    Attributes:
        pose_encoder: an arm of `core.pose.arms`, or `sixd`.
        batch_size: over all devices together. The last, incomplete batch of an epoch is left out; which faces it would
            have held differs from epoch to epoch.
        hidden_dim: hidden width of the `clip` arm's projection; the other arms get as many parameters.
        gate: the blocks' gates, which start at zero and make the first steps slow.
        identities: of generated heads in training, validation and test, four faces each.
        round_deg: continuous captions are rounded to this.
        log_every: steps between logged training losses.
    """

    data_dir: str = "generated"
    pose_encoder: str = "mlp"
    seed: int = 0
    epochs: int = 150
    batch_size: int = 64
    lr: float = 4e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.05
    clip_model_name: str = "ViT-B/32"
    freeze_clip: bool = True
    hidden_dim: int = 128
    width: int = 48
    layers: int = 2
    heads: int = 2
    mlp_ratio: float = 2.0
    qk_norm: bool = True
    gate: bool = False
    round_deg: float = 1.0
    precision: str = "32-true"
    devices: int = 1
    data_seed: int = 0
    identities: tuple[int, int, int] = (512, 128, 256)
    log_every: int = 16

    def check(self) -> None:
        """Raises `InputError` for a value that cannot be."""
        for name in ("epochs", "batch_size", "width", "layers", "heads", "devices", "log_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1.", where=f"--{name} {getattr(self, name)}")
        for name in ("seed", "data_seed", "hidden_dim"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must not be negative.", where=f"--{name} {getattr(self, name)}")
        if self.pose_encoder not in ARMS and self.pose_encoder not in FURTHER_POSE_ENCODERS:
            raise InputError(
                "No pose encoder has this name.",
                where=self.pose_encoder,
                next_step=f"one of {', '.join([*ARMS, *FURTHER_POSE_ENCODERS])}",
            )
        if self.precision not in PRECISIONS:
            raise InputError("No such precision.", where=self.precision, next_step=f"one of {', '.join(PRECISIONS)}")
        if self.batch_size % self.devices:
            raise InputError(
                f"A batch of {self.batch_size} does not divide among {self.devices} devices.",
                next_step="choose a multiple",
            )
        if not 0 < self.lr < math.inf:
            raise InputError("The learning rate must be positive.", where=f"--lr {self.lr}")

    def lr_at(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = max(1, round(steps * self.warmup_share))
        if step < warm:
            return self.lr * (step + 1) / warm
        return self.lr * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def train(
    plan: Plan,
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
    import torch

    from core.pose.encoders import build_pose_encoder, trainable_parameters
    from experiments.pose_encoder.model import FaceModel, landmark_loss

    plan.check()
    name = name or f"{plan.pose_encoder}-seed{plan.seed}"
    data = data or load_data(plan.data_dir, seed=plan.data_seed, identities=plan.identities, say=say)
    if len(data.train) < plan.devices:
        raise InputError(f"{len(data.train)} faces are too few for {plan.devices} devices.", next_step="--devices 1")
    fabric = launched_fabric(device, plan.devices, precision=plan.precision, exactly=True)
    for notice in data.notices if fabric.is_global_zero else ():
        say(f"note: {notice}")
    encoder = build_pose_encoder(
        plan.pose_encoder,
        3 * plan.width,
        clip_model_name=plan.clip_model_name,
        device=fabric.device,
        freeze_clip=plan.freeze_clip,
        hidden_dim=plan.hidden_dim,
        round_deg=plan.round_deg,
        weights_dir=weights_dir,
        seed=plan.seed,
    )
    model = FaceModel(
        encoder,
        width=plan.width,
        layers=plan.layers,
        heads=plan.heads,
        mlp_ratio=plan.mlp_ratio,
        qk_norm=plan.qk_norm,
        gate=plan.gate,
        seed=plan.seed,
    )
    config = {
        "experiment": "pose_encoder",
        **asdict(plan),
        "data": data.name,
        "data_fingerprint": data.fingerprint,
        "train_faces": len(data.train),
        "val_faces": len(data.val),
        "test_faces": len(data.test),
        "parameters": trainable_parameters(model),
        "parameters_pose": trainable_parameters(encoder),
        "weights_sha256": encoder.weights_sha256[:16],
    }
    folder = runs_dir.expanduser() / name
    if _finished(folder, config):
        fabric.print(f"{name} is finished already: {folder}", file=sys.stderr)
        return folder

    tensors = {split: _tensors(getattr(data, split), fabric.device) for split in ("train", "val", "test")}
    started = time.perf_counter()
    # in one order, whatever is trained later: the last digits of a caption depend on the captions beside it
    encoder.prepare(torch.cat([part[1] for part in tensors.values()]))
    prepare_s = time.perf_counter() - started
    optimizer = torch.optim.AdamW(
        model.parameters(),
        plan.lr,
        betas=(0.9, 0.98),
        weight_decay=plan.weight_decay,
        fused=fabric.device.type in ("cpu", "cuda"),
    )
    model, optimizer = fabric.setup(model, optimizer)
    batch_size = min(plan.batch_size, len(data.train) // plan.devices * plan.devices)
    steps_each = len(data.train) // batch_size
    steps = plan.epochs * steps_each
    share = slice(fabric.global_rank, None, plan.devices)

    checkpoint = folder / "checkpoint.pt"
    first, best_nme, best_state = 1, math.inf, None
    fresh = not (folder / "config.json").exists()
    with RunRecorder(runs_dir, name, config, resume=not fresh, rank=fabric.global_rank) as run:
        if checkpoint.is_file():
            stored = torch.load(checkpoint, map_location=fabric.device, weights_only=True)
            model.load_state_dict(stored["model"])
            optimizer.load_state_dict(stored["optimizer"])
            if stored.get("precision"):
                fabric.strategy.precision.load_state_dict(stored["precision"])
            first, best_nme, best_state = stored["epoch"] + 1, stored["best_nme"], stored["best_state"]
            fabric.print(f"{name}: going on after epoch {first - 1} of {plan.epochs}", file=sys.stderr)
        for epoch in range(first, plan.epochs + 1):
            _reset_peak(fabric.device)
            started = time.perf_counter()
            step = (epoch - 1) * steps_each
            losses = torch.zeros(steps_each, device=fabric.device)
            order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(_order(plan.seed, epoch)))
            model.train()
            for number, rows in enumerate(order[: steps_each * batch_size].split(batch_size)):
                for group in optimizer.param_groups:
                    group["lr"] = plan.lr_at(step, steps)
                front, angles, seen = (part[rows[share].to(fabric.device)] for part in tensors["train"])
                loss = landmark_loss(model(front, angles).float(), seen)
                optimizer.zero_grad(set_to_none=True)
                fabric.backward(loss)
                optimizer.step()
                losses[number] = loss.detach()
                step += 1
                if step % plan.log_every == 0 and number + 1 < steps_each:
                    run.log({"train/loss": _short(fabric.all_reduce(losses[number]))}, step=step, epoch=epoch)
            mean_loss = float(fabric.all_reduce(losses.mean()))
            seconds = time.perf_counter() - started
            if not math.isfinite(mean_loss):
                raise WorkbenchError(
                    "The loss is no longer a finite number.",
                    where=f"{name}, epoch {epoch}",
                    next_step="lower --lr, or --precision 32-true",
                )
            found, _ = evaluate(model, tensors["val"], data.val)
            if found["nme"] < best_nme:
                best_nme, best_state = found["nme"], _copy(model.state_dict())
            run.log(
                {
                    "train/loss": _short(mean_loss),
                    **{f"val/{key}": _short(found[key]) for key in SHOWN_ON_VALIDATION if key in found},
                    "seconds_per_epoch": _short(seconds),
                    "samples_per_s": _short(steps_each * batch_size / seconds),
                    "peak_memory_bytes": _peak_bytes(fabric.device),
                },
                step=step,
                epoch=epoch,
            )
            if fabric.is_global_zero:
                _save(
                    checkpoint,
                    {
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "precision": fabric.strategy.precision.state_dict(),  # float16's loss scale
                        "epoch": epoch,
                        "best_nme": best_nme,
                        "best_state": best_state,
                    },
                )
            if epoch == stop_after_epoch:
                raise KeyboardInterrupt
        assert best_state is not None, "at least one epoch"
        model.load_state_dict(best_state)
        found, errors_N = evaluate(model, tensors["test"], data.test)
        results = {f"test/{key}": _short(value) for key, value in found.items()}
        run.log({**results, "prepare_s": _short(prepare_s)}, step=steps, epoch=plan.epochs)
        if fabric.is_global_zero:
            np.save(folder / "test_errors.npy", errors_N.astype(np.float16))
            if keep_weights:
                _save(folder / "best.pt", best_state)
            checkpoint.unlink()
            say(f"{name}: test NME {found['nme']:.3f} %, best validation {best_nme:.3f} %")
    return folder


def evaluate(
    model: Any, tensors: tuple[torch.Tensor, torch.Tensor, torch.Tensor], faces: Faces
) -> tuple[dict[str, float], np.ndarray]:
    """The metrics of `metrics.summarise`, and the NME of each face as a fraction `[N]`."""
    import torch

    from experiments.pose_encoder.metrics import landmark_errors, summarise

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
    import torch

    parts = (faces.front_NK2, faces.angles_deg_N3, faces.seen_NK2)
    front, angles, seen = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in parts)
    return front, angles, seen


def _order(seed: int, epoch: int) -> int:
    return seed * 1_000_003 + epoch


def _copy(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _save(path: Path, content: Any) -> None:
    """Whole or not at all: a kill while writing leaves the file of the epoch before."""
    import torch

    draft = path.with_suffix(".part")
    torch.save(content, draft)
    draft.replace(path)


def _short(value: Any) -> float:
    return float(f"{float(value):.5g}")


def _reset_peak(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak_bytes(device: torch.device) -> int:
    """Of the epoch on a GPU; on a CPU the process's so far."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
