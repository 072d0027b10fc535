"""Trains per-point segmentation with and without CLIP features, and watches what three losses do to each other.

    python -m experiments.train_bifusion --config experiments/configs/bifusion.yaml --arm stable --seeds 0-5

One run for each arm of the configuration and each seed, recorded under `--output_dir`; a run that was stopped goes on
from its last checkpoint to the same numbers, a finished one is left alone. Without `--data_dir` the data are generated
rooms; with it, RGB-D frames in ScanNet's manner (`experiments/bifusion/frames.py` says how they lie). `--devices N`, or
the same command under torchrun, trains on several devices.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError, WorkbenchError
from core.files import replacing
from core.runs import RunRecorder
from core.settings import REPO_DIR, Settings
from experiments.bifusion.plan import FusionPlan, assignments, read_arms
from experiments.devices import launched_fabric

if TYPE_CHECKING:
    import torch

    from core.fusion.bifusion import Enhanced2DEncoder
    from experiments.bifusion.data import Batch, FrameBank
    from experiments.bifusion.model import Outputs, Segmenter

DEFAULT_CONFIG = REPO_DIR / "experiments" / "configs" / "bifusion.yaml"
DEFAULT_WORK_DIR = Path.home() / ".cache" / "clip-workbench" / "bifusion"


@dataclass(frozen=True)
class Place:
    """Where things lie: data, weights, generated data, runs; and how to read frames.

    `rooms`: how many generated rooms each part has; None: `data.ROOMS`.
    """

    output_dir: Path
    data_dir: Path | None = None
    weights_dir: Path = Settings().weights_dir
    work_dir: Path = DEFAULT_WORK_DIR
    bad_frames: str = "refuse"
    rooms: tuple[tuple[str, int], ...] | None = None


def train(plan: FusionPlan, place: Place, fabric: Any, *, stop_after: int | None = None) -> Path:
    """One run, from the beginning or from its checkpoint; returns its folder.

    Args:
        fabric: of `launched_fabric`.
        stop_after: stop after this epoch without finishing, as an interruption would.

    Raises:
        InputError: data, plan or checkpoint cannot be used. WeightsMissing: the image model's.
    """
    if plan.batch_size % fabric.world_size:
        raise InputError(
            f"{plan.batch_size} frames do not divide by {fabric.world_size} devices.", next_step="Change batch_size."
        )
    trainer = _Trainer(plan, place, fabric)
    run_dir = place.output_dir / plan.run_name
    checkpoint = run_dir / "checkpoint.pt"
    done = trainer.resume(checkpoint) if checkpoint.is_file() else 0
    config = {
        **plan.config(),
        **trainer.facts,
        "parameters": trainer.parameters,
        "frames": len(trainer.banks["train"]),
    }
    with RunRecorder(place.output_dir, plan.run_name, config, resume=True, rank=fabric.global_rank) as run:
        rows: list[dict[str, float]] = []
        for epoch in range(done + 1, plan.epochs + 1):
            if stop_after is not None and epoch > stop_after:
                raise KeyboardInterrupt
            rows.append(trainer.epoch(epoch))
            if epoch % plan.log_every:
                continue
            run.log(_summed_up(rows), step=trainer.step, epoch=epoch)
            rows.clear()
            if fabric.is_global_zero:
                trainer.save(checkpoint, epoch)
            fabric.barrier()
    if fabric.is_global_zero:
        checkpoint.unlink(missing_ok=True)
        (run_dir / "process.json").unlink(missing_ok=True)  # names a process that is gone
    fabric.barrier()
    return run_dir


class _Trainer:
    """One run's network, data and optimiser, and what one epoch does with them."""

    def __init__(self, plan: FusionPlan, place: Place, fabric: Any) -> None:
        import torch

        from core.fusion.bifusion import BiFusionEncoder, Enhanced2DEncoder
        from core.fusion.losses import NOTE_SCHEDULE, ClipConsCriterion
        from experiments.bifusion.model import Segmenter

        self.plan, self.fabric, self.step = plan, fabric, 0
        encoder = _image_model(plan.model, place.weights_dir)
        self.facts = facts(plan, place, fabric)
        self.banks = _banks(plan.model, plan.instance_weight > 0, place)
        torch.manual_seed(plan.seed)
        fusion = None
        if plan.images:
            image_encoder = Enhanced2DEncoder.from_encoder(encoder, trainable_blocks=plan.trainable_blocks)
            # rooms are seen in few, large pixels: a metre of floor may lie between two of them
            fusion = BiFusionEncoder(image_encoder, norm=plan.norm, occlusion_m=0.3)
            if plan.gradient_flow_ratio == 0.0:  # nothing reaches these; several devices would wait for their gradients
                image_encoder.global_projection.requires_grad_(False)
                fusion.global_norm.requires_grad_(False)
        self.criterion = ClipConsCriterion(
            plan.clip_weight if plan.images else 0.0,
            plan.temperature,
            plan.gradient_flow_ratio,
            plan.form,  # type: ignore[arg-type]
            schedule=NOTE_SCHEDULE if plan.schedule == "note" and plan.images else None,
            feature_clamp=plan.feature_clamp,
            min_temperature=plan.min_temperature,
        )
        classes = len(self.banks["train"].class_names)
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[plan.precision]
        self.raw: Segmenter = Segmenter(classes, fusion, dtype=dtype, seed=plan.seed)
        self.tokens = {split: self._tokens(split, place) for split in self.banks}
        groups = self._groups()
        optimizer = torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
        self.parameters = sum(weight.numel() for group in groups for weight in group["params"])
        self.model, self.optimizer = fabric.setup(self.raw, optimizer)
        whole = len(self.banks["train"]) // plan.batch_size
        if not whole:
            raise InputError(
                f"There are {len(self.banks['train'])} frames for batches of {plan.batch_size}.",
                next_step="Give more frames, or a smaller batch_size.",
            )
        self.steps_per_epoch = min(plan.steps_per_epoch, whole) or whole
        self.bad = {"nan/loss": 0, "nan/gradient": 0}
        self.first_vit = [weight.detach().clone() for weight in self._vit_weights()]

    # ------------------------------------------------------------------------------------------------------ one epoch

    def epoch(self, epoch: int) -> dict[str, float]:
        """Trains for one epoch; the row to log: means over its steps, largest values, and, now and then, scores."""
        import torch

        from experiments.bifusion.evaluate import evaluate

        plan, bank = self.plan, self.banks["train"]
        self.raw.train()
        self.criterion.set_epoch(epoch)
        order = torch.randperm(len(bank), generator=torch.Generator().manual_seed(plan.seed * 100_003 + epoch))
        logs = epoch % plan.log_every == 0
        started, steps, probes = time.perf_counter(), [], {}
        for number in range(self.steps_per_epoch):
            frames = order[number * plan.batch_size : (number + 1) * plan.batch_size]
            frames = frames[self.fabric.global_rank :: self.fabric.world_size]
            batch = bank.batch(frames.tolist(), plan.points, (plan.seed, epoch)).to(self.fabric.device)
            values, found = self._step(batch, probe=logs and number == 0)
            steps.append(values)
            probes |= found
        seconds = time.perf_counter() - started
        for values in steps:
            values |= {f"{name}_max": values[name] for name in ("grad/total", "train/loss")}
        names = {name: None for values in steps for name in values}
        row = {name: _joined(name, [values[name] for values in steps if name in values]) for name in names}
        row |= {**probes, **self.bad, "samples_per_s": self.steps_per_epoch * plan.batch_size / seconds}
        if plan.images:
            row["clip/weight"] = self.criterion.weight
        if self.first_vit and logs:
            row["vit/moved"] = self._moved()
        if epoch % plan.evaluate_every == 0 or epoch == plan.epochs:
            self.raw.eval()
            for split in ("val", "test"):
                scores = evaluate(self.raw, self.banks[split], self.tokens[split])
                row[f"{split}/mIoU"] = scores.miou
                row[f"{split}/offset_m"] = scores.offset_m
        return row

    def _step(self, batch: Batch, *, probe: bool) -> tuple[dict[str, float], dict[str, float]]:
        """One update. Returns what every step measures, and what only a probe does (each loss's own gradient)."""
        import torch

        plan = self.plan
        for group in self.optimizer.param_groups:
            progress = self.step / (self.steps_per_epoch * plan.epochs)
            group["lr"] = group["first_lr"] * 0.5 * (1 + math.cos(math.pi * progress))
        tokens = None if self.tokens["train"] is None else self.tokens["train"][batch.frames_B]
        out = self.model(_Held(batch), tokens)
        losses = self._losses(out, batch)
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        probes = self._gradients(losses) if probe else {}
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        norm = _norm([weight.grad for group in self.optimizer.param_groups for weight in group["params"]])
        self.bad["nan/loss"] += int(not math.isfinite(float(total.detach())))
        self.bad["nan/gradient"] += int(not math.isfinite(norm))
        if plan.max_grad_norm and math.isfinite(norm):
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=plan.max_grad_norm)
        self.optimizer.step()
        self.step += 1
        values = {f"train/{name}": float(loss.detach()) for name, loss in losses.items()}
        values |= {"train/loss": float(total.detach()), "grad/total": norm}
        return values | _fusion_values(out, self.criterion.temperature), probes

    def _losses(self, out: Outputs, batch: Batch) -> dict[str, torch.Tensor]:
        """The weighted losses by name."""
        from experiments.bifusion.model import instance_loss, semantic_loss

        losses = {
            "semantic": self.plan.semantic_weight * semantic_loss(out.logits_NK, batch.label_N),
            "instance": self.plan.instance_weight * instance_loss(out.offset_N3_m, batch.offset_N3_m, batch.thing_N),
        }
        if out.fusion is not None:
            fusion = out.fusion
            losses["clip"] = self.criterion(fusion.feat_fusion, fusion.clip_global, fusion.batch_N, fusion.valid_N)
        return losses

    def _gradients(self, losses: dict[str, torch.Tensor]) -> dict[str, float]:
        """The norm of each weighted loss's own gradient, at the 3-D side and at the ViT's weights that train."""
        import torch

        vit = {id(weight) for weight in self._vit_weights()}
        shared = list(self.raw.backbone.parameters())
        lift = self.raw.lift if self.raw.fusion is None else self.raw.fusion.point_projection
        assert lift is not None, "the 3-D side always has its projection"
        shared += list(lift.parameters())
        probes: dict[str, float] = {}
        for name, loss in losses.items():
            if not loss.requires_grad:
                continue
            weights = shared + [weight for weight in self.raw.parameters() if id(weight) in vit]
            found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
            probes[f"grad/{name}"] = _norm(found[: len(shared)])
            if vit:
                probes[f"grad/{name}_at_vit"] = _norm(found[len(shared) :])
        return probes

    def _moved(self) -> float:
        """How far the ViT's trained weights are from where they started, relative to their size."""
        moved = _norm([now.detach() - first for now, first in zip(self._vit_weights(), self.first_vit, strict=True)])
        return moved / _norm(self.first_vit)

    # -------------------------------------------------------------------------------------------------------- set up

    def _tokens(self, split: str, place: Place) -> torch.Tensor | None:
        """What the frozen part of the ViT makes of every image, computed once: exact, because it never changes.

        None without fusion. With the whole ViT in training there is nothing to keep: then the pixels.
        """
        if self.raw.fusion is None:
            return None
        pixels_FCHW = self.banks[split].pixels_FCHW
        encoder = self.raw.fusion.image_encoder
        if encoder.trains_all:
            return pixels_FCHW.to(self.fabric.device)
        key = (self.plan.model, self.plan.trainable_blocks, self.plan.instance_weight > 0, split, place)
        if key not in _kept_tokens:
            if len(_kept_tokens) > 8:
                _kept_tokens.clear()
            _kept_tokens[key] = _frozen_tokens(encoder.to(self.fabric.device), pixels_FCHW.to(self.fabric.device))
        return _kept_tokens[key].to(self.fabric.device)

    def _vit_weights(self) -> list[torch.nn.Parameter]:
        if self.raw.fusion is None:
            return []
        return [weight for weight in self.raw.fusion.image_encoder.visual.parameters() if weight.requires_grad]

    def _groups(self) -> list[dict[str, Any]]:
        vit = self._vit_weights()
        known = {id(weight) for weight in vit}
        others = [weight for weight in self.raw.parameters() if weight.requires_grad and id(weight) not in known]
        groups = [{"params": others, "lr": self.plan.lr, "first_lr": self.plan.lr}]
        if vit:
            groups.append({"params": vit, "lr": self.plan.clip_lr, "first_lr": self.plan.clip_lr})
        return groups

    # ----------------------------------------------------------------------------------------------------- checkpoints

    def save(self, path: Path, epoch: int) -> None:
        """Everything that a later process needs; the frozen weights are not written."""
        import torch

        trained = {name: weight.data for name, weight in self.raw.named_parameters() if weight.requires_grad}
        content = {
            "epoch": epoch,
            "step": self.step,
            "plan": self.plan.config(),
            "facts": self.facts,
            "weights": trained,
            "optimizer": self.optimizer.state_dict(),
            "bad": self.bad,
        }
        with replacing(path) as (draft,):
            torch.save(content, draft)

    def resume(self, path: Path) -> int:
        """Takes up a checkpoint and returns its epoch.

        Raises:
            InputError: it was made under another plan, on other frames, with other weights or so many devices.
        """
        import torch

        stored = torch.load(path, map_location=self.fabric.device, weights_only=True)
        plan = self.plan.config()
        changed = [name for name in plan if stored["plan"].get(name) != plan[name]]
        if changed:
            raise InputError(
                f"The checkpoint was made under another plan: {', '.join(changed)} differ.",
                where=str(path),
                next_step="Give the same options, another --output_dir, or remove the run.",
            )
        different = _different_facts(stored.get("facts", {}), self.facts)
        if different:
            raise InputError(
                f"The checkpoint was made with {different}.",
                where=str(path),
                next_step="Give the same ones, another --output_dir, or remove the run.",
            )
        own = dict(self.raw.named_parameters())
        with torch.no_grad():
            for name, weight in stored["weights"].items():
                own[name].copy_(weight)
        self.optimizer.load_state_dict(stored["optimizer"])
        self.step, self.bad = stored["step"], stored["bad"]
        self.fabric.print(f"{self.plan.run_name}: going on after epoch {stored['epoch']}", file=sys.stderr)
        return int(stored["epoch"])


_kept_tokens: dict[tuple[object, ...], torch.Tensor] = {}  # over the runs of one command


def _frozen_tokens(encoder: Enhanced2DEncoder, pixels_FCHW: torch.Tensor) -> torch.Tensor:
    import torch

    with torch.no_grad():
        return torch.cat([encoder.frozen_tokens(pixels) for pixels in pixels_FCHW.split(32)])


class _Held:
    """Hands a batch through Fabric as it is: Fabric looks into dataclasses, and cannot rebuild frozen ones."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


def _fusion_values(out: Outputs, temperature: float) -> dict[str, float]:
    """What the fusion does: mean gate, agreement with CLIP, how alike points are, the largest |cos / T|."""
    import torch
    import torch.nn.functional as F

    if out.fusion is None:
        return {}
    fusion = out.fusion
    valid_N = fusion.valid_N
    if not valid_N.any():  # nothing to say of the rest
        return {"fusion/visible": 0.0}
    with torch.no_grad():
        points_ND = F.normalize(fusion.feat_fusion[valid_N].float(), dim=1, eps=1e-6)
        images_BD = F.normalize(fusion.clip_global.float(), dim=1, eps=1e-6)
        cosine_N = (points_ND * images_BD[fusion.batch_N[valid_N]]).sum(1)
        return {
            "fusion/gate": float(fusion.gate_NC[valid_N].float().mean()),
            "fusion/visible": float(valid_N.float().mean()),
            "fusion/cosine": float(cosine_N.mean()),
            "fusion/alike": float(points_ND.mean(0).square().sum()),  # mean cosine over all pairs
            "fusion/largest_max": float(fusion.feat_fusion.float().abs().max()),
            "clip/lowest_logit": float(cosine_N.min() / temperature),
        }


def _norm(gradients: Sequence[torch.Tensor | None]) -> float:
    """One norm over all, in float64 so that it overflows nowhere by itself."""
    return math.sqrt(sum(float(one.detach().double().square().sum()) for one in gradients if one is not None))


def _summed_up(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """One row for several epochs: `_joined` for what every step measures, the last of counts, scores and speeds."""
    merged: dict[str, float] = {}
    for name in {name: None for row in rows for name in row}:
        values = [row[name] for row in rows if name in row]
        averaged = name.startswith(("train/", "fusion/", "grad/total", "clip/lowest"))
        merged[name] = _joined(name, values) if averaged else values[-1]
    return {name: _short(value) for name, value in merged.items()}


def _joined(name: str, values: Sequence[float]) -> float:
    """The largest of what is called `_max` (infinity if one is no number), the lowest of `lowest`, else the mean."""
    if name.endswith("_max"):
        return max(value if math.isfinite(value) else math.inf for value in values)
    if "lowest" in name:
        return min(value if math.isfinite(value) else -math.inf for value in values)
    return sum(values) / len(values)


def _short(value: float) -> float:
    """Four digits are more than two trainings share; whole numbers stay whole."""
    return value if isinstance(value, int) or not math.isfinite(value) else float(f"{value:.4g}")


def facts(plan: FusionPlan, place: Place, fabric: Any) -> dict[str, Any]:
    """What a run's numbers depend on beside its plan: `data_fingerprint`, `weights_sha256`, `devices`."""
    banks = _banks(plan.model, plan.instance_weight > 0, place)
    return {
        "data_fingerprint": "-".join(bank.fingerprint for bank in banks.values()),
        "weights_sha256": _image_model(plan.model, place.weights_dir).weights_sha256[:16],
        "devices": fabric.world_size,
    }


def _different_facts(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The first of `facts` that differs, in words; empty if none. What was not recorded does not differ."""
    words = {"data_fingerprint": "other frames", "weights_sha256": "other weights of the image model"}
    words["devices"] = f"{before.get('devices')} devices"
    return next((text for name, text in words.items() if before.get(name, now[name]) != now[name]), "")


@functools.lru_cache(maxsize=2)
def _image_model(model_id: str, weights_dir: Path) -> Any:
    import torch

    from core.models import catalogue, weights

    spec = catalogue.find(model_id, weights_dir)
    return weights.load_encoder(spec, weights_dir, torch.device("cpu"), torch.float32)


@functools.lru_cache(maxsize=2)
def _banks(model_id: str, instances: bool, place: Place) -> dict[str, FrameBank]:
    """The three parts. Kept, so that a sweep reads them once."""
    from experiments.bifusion.data import FrameBank, prepare_rooms
    from experiments.bifusion.frames import SPLITS, read_classes, read_split

    root = place.data_dir or prepare_rooms(place.work_dir, dict(place.rooms) if place.rooms else None)
    classes = read_classes(root)
    encoder = _image_model(model_id, place.weights_dir)
    banks = {}
    for split in SPLITS:
        scenes = read_split(root, split, classes, place.bad_frames, instances=instances)
        banks[split] = FrameBank(scenes, classes, encoder, instances=instances)
        for reject in banks[split].skipped:
            print(f"left out {reject.id}: {reject.reason}", file=sys.stderr)
    return banks


# --------------------------------------------------------------------------------------------------------- command line


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.train_bifusion", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="arms and their options")
    parser.add_argument("--arm", action="append", help="only this arm; several: repeat it, or commas")
    parser.add_argument("--seeds", default="0", help="e.g. 0-5 or 0,3")
    parser.add_argument("--share", default="1/1", help="i/n: every n-th of the runs, to split them among processes")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one option of all arms")
    parser.add_argument("--output_dir", "--output-dir", type=Path, default=Settings().runs_dir / "bifusion")
    parser.add_argument("--data_dir", "--data-dir", type=Path, help="RGB-D frames; default: generated rooms")
    parser.add_argument("--bad_frames", "--bad-frames", choices=("refuse", "skip"), default="refuse")
    parser.add_argument("--weights_dir", "--weights-dir", type=Path, default=Settings().weights_dir)
    parser.add_argument("--work_dir", "--work-dir", type=Path, default=DEFAULT_WORK_DIR, help="for generated rooms")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--devices", type=int, default=1, help="GPUs, or processes on a CPU")
    parser.add_argument("--threads", type=int, help="CPU threads; by default as many as torch chooses")
    options = parser.parse_args(arguments)
    try:
        place = Place(
            options.output_dir.expanduser(),
            options.data_dir,
            options.weights_dir,
            options.work_dir,
            bad_frames=options.bad_frames,
        )
        plans = _chosen(options)
        fabric = launched_fabric(options.device, options.devices, threads=options.threads)
        for plan in plans:
            if _finished(plan, place, fabric):
                fabric.print(f"{plan.run_name}: finished before, left alone", file=sys.stderr)
                continue
            started = time.monotonic()
            train(plan, place, fabric)
            fabric.print(f"{plan.run_name}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _finished(plan: FusionPlan, place: Place, fabric: Any) -> bool:
    """Whether this very run is finished.

    Raises:
        InputError: a run of that name is, but of another plan, data, weights or devices; or what it was cannot be read.
    """
    run_dir = place.output_dir / plan.run_name
    status = run_dir / "status"
    if not status.is_file() or status.read_text().strip() != "finished":
        return False
    try:
        before = json.loads((run_dir / "config.json").read_text(encoding="utf-8"))
        changed = [f"{name} was {before.get(name)}" for name, now in plan.config().items() if before.get(name) != now]
    except (OSError, ValueError, AttributeError):
        raise InputError(
            "The run's configuration cannot be read.", where=str(run_dir), next_step="Remove that folder."
        ) from None
    different = _different_facts(before, facts(plan, place, fabric))
    changed += [different] if different else []
    if changed:
        raise InputError(
            f"A finished run of this name had other options: {', '.join(changed[:4])}.",
            where=str(run_dir),
            next_step="Give the same options, another --output_dir, or remove the run.",
        )
    return True


def _chosen(options: argparse.Namespace) -> list[FusionPlan]:
    """The runs asked for, seed by seed, so that an interrupted sweep has all arms of the first seeds."""
    arms = read_arms(options.config)
    wanted = [name.strip() for text in options.arm or [] for name in text.split(",")] or list(arms)
    unknown = [name for name in wanted if name not in arms]
    if unknown:
        raise InputError(f"There is no arm {unknown[0]!r}.", where="--arm", next_step=f"One of {', '.join(arms)}.")
    changes = assignments(options.set)
    plans = [
        arms[name].changed({**changes, "seed": seed}, "--set") for seed in _numbers(options.seeds) for name in wanted
    ]
    index, _, count = options.share.partition("/")
    if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
        raise InputError(
            "A share is i/n with i from 1 to n.", where=f"--share {options.share}", next_step="--share 1/2"
        )
    return plans[int(index) - 1 :: int(count)]


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InputError("Seeds are whole numbers.", where=f"--seeds {text}", next_step="--seeds 0-5, or 0,3")
        if int(last or first) < int(first):
            raise InputError("A range of seeds goes upwards.", where=f"--seeds {text}", next_step="--seeds 0-5")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


if __name__ == "__main__":
    sys.exit(main())
