"""One run: three losses, what they do to each other, and the scores on validation and test."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from core.errors import InputError
from core.files import replacing
from core.fusion.bifusion import BiFusionEncoder, Enhanced2DEncoder
from core.fusion.losses import NOTE_SCHEDULE, ClipConsCriterion
from core.runs import RunRecorder
from experiments.bifusion.data import Batch
from experiments.bifusion.evaluate import evaluate
from experiments.bifusion.model import Outputs, Segmenter, instance_loss, semantic_loss
from experiments.bifusion.place import Place, different_facts, facts, frame_banks, image_model
from experiments.bifusion.plan import FusionPlan


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
        self.plan, self.fabric, self.step = plan, fabric, 0
        encoder = image_model(plan.model, place.weights_dir)
        self.facts = facts(plan, place, fabric)
        self.banks = frame_banks(plan.model, plan.instance_weight > 0, place)
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
        stored = torch.load(path, map_location=self.fabric.device, weights_only=True)
        plan = self.plan.config()
        changed = [name for name in plan if stored["plan"].get(name) != plan[name]]
        if changed:
            raise InputError(
                f"The checkpoint was made under another plan: {', '.join(changed)} differ.",
                where=str(path),
                next_step="Give the same options, another --output_dir, or remove the run.",
            )
        different = different_facts(stored.get("facts", {}), self.facts)
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
    with torch.no_grad():
        return torch.cat([encoder.frozen_tokens(pixels) for pixels in pixels_FCHW.split(32)])


class _Held:
    """Hands a batch through Fabric as it is: Fabric looks into dataclasses, and cannot rebuild frozen ones."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


def _fusion_values(out: Outputs, temperature: float) -> dict[str, float]:
    """What the fusion does: mean gate, agreement with CLIP, how alike points are, the largest |cos / T|."""
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


def finished(plan: FusionPlan, place: Place, fabric: Any) -> bool:
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
    different = different_facts(before, facts(plan, place, fabric))
    changed += [different] if different else []
    if changed:
        raise InputError(
            f"A finished run of this name had other options: {', '.join(changed[:4])}.",
            where=str(run_dir),
            next_step="Give the same options, another --output_dir, or remove the run.",
        )
    return True
