"""Trains the built-in CLIP (`demo_clip`) from nothing: emoji artwork and rendered heads, on a CPU or a GPU.

    python -m experiments.train_demo_clip prepare     fetch and rasterise the artwork, render heads and backgrounds
    python -m experiments.train_demo_clip train       train; started again, it goes on from its last checkpoint
    python -m experiments.train_demo_clip evaluate    figures on held-out data, written to the model card
    python -m experiments.train_demo_clip export      weights/demo from the last checkpoint
    python -m experiments.train_demo_clip composites  held-out pictures for `python -m core foreground evaluate`
    python -m experiments.train_demo_clip all         prepare, train, export, evaluate

Everything it makes on the way stays in `--work_dir`, outside the repository.

On one GPU batches are eight times as large, the model computes in bfloat16, and the pictures are composed by a process
for each CPU core: `all` should take minutes there, though none was at hand to measure it. A GPU machine without a
network needs only the packages' drawings and names, 27 MB; where `prepare` has run,

    cd ~/.cache/clip-workbench/demo_clip && tar -czf drawings.tar.gz \
        npm/*/package/icons.json npm/*/package/chars.json npm/*/package/en

and there, with `requirements.txt` and `resvg_py` installed (npm is not needed),

    mkdir -p WORK && tar -xzf drawings.tar.gz -C WORK
    python -m experiments.train_demo_clip all --work_dir WORK

On a CPU the defaults are `--batch_factor 1 --workers 1`; two cores see about 130 pictures a second, fewer beside other
work. `--start_from weights/demo` goes on from the weights that ship, with a learning rate of its own, rather than from
nothing.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import InputError, WorkbenchError
from core.settings import REPO_DIR
from experiments.devices import launched_fabric

DEFAULT_WORK_DIR = Path.home() / ".cache" / "clip-workbench" / "demo_clip"
DEFAULT_OUTPUT_DIR = REPO_DIR / "weights" / "demo"
LOOK_AT_PATCHES = 2**40  # the draw of pictures that the patch embedding starts from; no training reaches it


@dataclass(frozen=True)
class DemoPlan:
    """Everything that decides the result. Stored with the checkpoint; a run only goes on under an equal plan.

    The learning rate rises over `warmup_steps`, stays, and falls linearly to nothing over the last `decay_share` of
    the steps. While it falls through its last third, patch dropout falls too: the first and longest part sees many
    pictures cheaply, the last part sees them nearly whole, as they will be in use. `steps` and `decay_share` may be
    changed between interruptions, as long as the fall has not begun; a training that has less time than was planned
    falls from step `cut_from`, wherever it then is, to nothing at step `cut_to` (0: not cut). `start_from` names the
    exported model whose weights the training starts with, by the start of its hash; empty: from nothing.
    """

    steps: int = 3000
    seed: int = 7
    lr: float = 3e-3
    weight_decay: float = 0.05
    warmup_steps: int = 100
    decay_share: float = 0.35
    average_decay: float = 0.99
    patch_dropout: float = 0.6
    last_patch_dropout: float = 0.2
    head_patch_dropout: float = 0.25
    last_head_patch_dropout: float = 0.0
    class_weight: float = 1.0
    text_class_weight: float = 0.5
    angle_weight: float = 2.0
    width: int = 192
    layers: int = 6
    devices: int = 1
    start_from: str = ""
    cut_from: int = 0
    cut_to: int = 0

    @property
    def last_step(self) -> int:
        return min(self.steps, self.cut_to) if self.cut_to else self.steps

    def check(self) -> None:
        """Raises `InputError` for a value that cannot be."""
        for name, good, allowed in (
            ("steps", self.steps >= 1, "at least 1"),
            ("seed", self.seed >= 0, "0 or more"),
            ("lr", 0 <= self.lr < math.inf, "0 or more"),
            ("decay_share", 0 < self.decay_share <= 1, "above 0, at most 1"),
            ("devices", self.devices >= 1, "at least 1"),
        ):
            if not good:
                value = getattr(self, name)
                raise InputError(f"{name} cannot be {value}.", where=f"--{name} {value}", next_step=f"Give {allowed}.")

    def lr_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.lr * min((step + 1) / self.warmup_steps, self._still_level(step))

    def dropout_at(self, step: int) -> tuple[float, float]:
        """The shares of patches that a step leaves out, of all pictures but heads and of heads."""
        level = min(1.0, 3 * self._still_level(step))
        return (
            self.last_patch_dropout + level * (self.patch_dropout - self.last_patch_dropout),
            self.last_head_patch_dropout + level * (self.head_patch_dropout - self.last_head_patch_dropout),
        )

    def _still_level(self, step: int) -> float:
        if self.cut_to and step > self.cut_from:
            return self._still_level(self.cut_from) * max(0, self.cut_to - step) / (self.cut_to - self.cut_from)
        return min(1.0, (self.steps - step) / (self.steps * self.decay_share))


def prepare(work_dir: Path) -> None:
    """Makes every data file that is absent."""
    from experiments.demo_clip import artwork, data, head_bank

    artwork.prepare(work_dir, processes=_cores())
    data.prepare_backgrounds(work_dir)
    head_bank.prepare(work_dir, processes=_cores())


def train(
    work_dir: Path,
    plan: DemoPlan,
    *,
    shares: Any = None,
    composer: Any = None,
    device: str = "auto",
    stop_at: int | None = None,
    save_every_s: float = 120.0,
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
        save_every_s: seconds between checkpoints.
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
    import torch

    from core.runs.environment import read_commit
    from experiments.demo_clip.card import training_of
    from experiments.demo_clip.data import Composer, Shares, batches, name_prompts
    from experiments.demo_clip.model import (
        MEAN,
        STD,
        Average,
        MatrixOptimizer,
        TrainingModel,
        adopt,
        contrastive_loss,
        model_config,
        tokenizer,
        whiten_patches,
    )

    plan.check()
    on_gpu = _on_gpu(device)
    precision = "bf16-mixed" if on_gpu else "32-true"
    fabric = launched_fabric(device, plan.devices, precision=precision, exactly=True)
    shares = shares or Shares()
    checkpoint, log = work_dir / "checkpoint.pt", work_dir / "metrics.csv"
    stored: dict[str, Any] | None = None
    earlier, commit = "", read_commit(REPO_DIR) or ""
    if checkpoint.is_file():
        stored = torch.load(checkpoint, map_location=fabric.device, weights_only=True)
        earlier, commit = stored["earlier"], stored.get("commit", "")
        if start_from is not None:  # settled when it began, whatever lies in that folder by now
            plan = replace(plan, start_from=stored["plan"]["start_from"] or _hash_of(start_from))
        plan = _cut(plan, stored, end_at)
        _check_plan(plan, asdict(shares), stored, checkpoint)
    elif end_at is not None:
        raise InputError("No training was interrupted here.", where=str(work_dir), next_step="Leave --end_at out.")
    elif start_from is not None:
        plan = replace(plan, start_from=_hash_of(start_from))
        earlier = training_of(start_from)
    composer = composer or Composer(work_dir, drawings="train")
    different = shares.singles + 3 * shares.composites
    if different > len(composer.known_classes):
        raise InputError(
            f"A batch would need {different:,} different emoji, and there are {len(composer.known_classes):,}.",
            where="--batch_factor",
            next_step="Give a smaller one.",
        )
    torch.manual_seed(plan.seed)
    if on_gpu:
        torch.set_float32_matmul_precision("high")
    config = model_config(plan.width, plan.layers)
    model = TrainingModel(config, len(composer.classes))
    first_pixels = composer.batch(plan.seed, LOOK_AT_PATCHES, shares).pixels_BCHW
    whiten_patches(model.clip, (first_pixels - MEAN[0]) / STD[0])
    if start_from is not None and stored is None:
        adopt(model, start_from, name_prompts([emoji.name for emoji in composer.classes]))
    optimizer = MatrixOptimizer(model, plan.lr, plan.weight_decay)
    model, optimizer = fabric.setup(model, optimizer)
    average = Average(model.clip, plan.average_decay)
    start, seconds_before = 0, 0.0
    if stored is None:
        if fabric.is_global_zero:
            log.unlink(missing_ok=True)  # of a training whose checkpoint was removed
    else:
        model.load_state_dict(stored["model"])
        optimizer.load_state_dict(stored["optimizer"])
        average.weights = stored["average"]
        start, seconds_before = stored["step"], stored["seconds"]
        fabric.print(f"going on from step {start} of {plan.last_step}", flush=True)

    began = saved = time.monotonic()

    def save(step: int) -> None:
        draft = checkpoint.with_suffix(".part")
        torch.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.weights,
                "step": step,
                "seconds": seconds_before + time.monotonic() - began,
                "plan": asdict(plan),
                "model_config": config,
                "shares": asdict(shares),
                "earlier": earlier,
                "commit": commit,
                "device": str(fabric.device),
            },
            draft,
        )
        draft.replace(checkpoint)

    model.train()
    end = plan.last_step if stop_at is None else min(stop_at, plan.last_step)
    draws = [step * plan.devices + fabric.global_rank for step in range(start, end)]
    composed = batches(composer, plan.seed, draws, shares, tokenizer(), workers)
    for step, draw, (batch, tokens_KL) in zip(range(start, end), draws, composed, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = plan.lr_at(step)
        torch.manual_seed(plan.seed * 1_000_003 + draw)  # patch dropout's draws depend on the step alone
        pixels = (batch.pixels_BCHW.to(fabric.device) - MEAN[0]) / STD[0]
        out = model(pixels, tokens_KL.to(fabric.device), shares.heads, *plan.dropout_at(step))
        contrast = contrastive_loss(
            out.images, out.texts, out.scale, batch.positive_BK.to(fabric.device), batch.ignored_BK.to(fabric.device)
        )
        class_loss, text_class_loss = (
            torch.nn.functional.cross_entropy(logits, truth.to(fabric.device), ignore_index=-1, label_smoothing=0.1)
            for logits, truth in ((out.class_logits, batch.class_B), (out.text_class_logits, batch.class_K))
        )
        angle_loss = (out.angles - batch.angles_deg_H3.to(fabric.device) / 45).abs().mean()
        loss = contrast + plan.class_weight * class_loss + plan.text_class_weight * text_class_loss
        loss = loss + plan.angle_weight * angle_loss
        if not math.isfinite(loss.item()):
            raise WorkbenchError(
                f"The loss is no longer a finite number, at step {step}.",
                where=str(checkpoint),
                next_step="Remove the checkpoint and start again with a lower --lr.",
            )
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=5.0)
        optimizer.step()
        with torch.no_grad():
            model.clip.logit_scale.clamp_(0, 4.6052)  # ln 100, as CLIP
        average.update(model.clip, step)
        done = step + 1
        if done % 25 == 0 and fabric.is_global_zero:
            row = {
                "step": done,
                "contrast": round(contrast.item(), 4),
                "class": round(class_loss.item(), 4),
                "text_class": round(text_class_loss.item(), 4),
                "angle_deg": round(angle_loss.item() * 45, 2),
                "scale": round(out.scale.item(), 1),
                "seconds": round(seconds_before + time.monotonic() - began, 1),
            }
            if validate_every and done % validate_every == 0:
                row.update(_validate(work_dir, average.weights, config, str(fabric.device)))
            _log(log, row)
        if fabric.is_global_zero and time.monotonic() - saved > save_every_s:
            save(done)
            saved = time.monotonic()
    if fabric.is_global_zero:
        save(end)
    fabric.barrier()
    return checkpoint


def _on_gpu(device: str) -> bool:
    import torch

    return device != "cpu" and torch.cuda.is_available()


def export(work_dir: Path, output_dir: Path) -> Path:
    """Writes the averaged weights of the last checkpoint as an `open_clip` folder; returns the weight file.

    How they were trained goes with them, in the file's own metadata: it is what their card tells.

    Raises:
        InputError: there is no checkpoint yet.
    """
    from experiments.demo_clip import model

    stored = _checkpoint(work_dir)
    training = {name: stored[name] for name in ("step", "seconds", "plan", "shares", "device", "earlier")}
    training |= {
        "command": _command(stored),
        "commit": stored.get("commit", ""),
        "parameters": sum(weight.numel() for weight in stored["average"].values()),
        "validation": _validation_rows(work_dir / "metrics.csv"),
    }
    return model.export(stored["average"], stored["model_config"], output_dir, training)


def evaluate(work_dir: Path, output_dir: Path, device: str = "cpu") -> Path | None:
    """Evaluates an exported model on held-out data and prints the figures; no checkpoint is needed.

    Returns:
        Its card, written anew; None where the weights bear no record of their training, for then the card stays.

    Raises:
        InputError: no exported model, or the data are not prepared.
    """
    from core.models.device import pick_device
    from experiments.demo_clip import card, model
    from experiments.demo_clip import evaluate as figures_of

    if not (output_dir / "open_clip_model.safetensors").is_file():
        raise InputError(
            "There is no exported model to evaluate.",
            where=str(output_dir),
            next_step="python -m experiments.train_demo_clip export",
        )
    figures = figures_of.evaluate(output_dir, work_dir, str(pick_device(device)))
    for figure in figures:
        print(f"{figure.value:7.4f}  {figure.title}", flush=True)
    training = model.training_record(output_dir)
    return None if training is None else card.write_card(output_dir, figures, training)


def composites(work_dir: Path, output_dir: Path) -> Path:
    """Writes the pictures of the card's foreground figure as files; returns the truth's path.

    Raises:
        InputError: the data are not prepared, or `output_dir` holds something else.
    """
    from experiments.demo_clip import composites as pictures
    from experiments.demo_clip.data import Composer

    composer = Composer(work_dir, role="near", backgrounds="held_out", heads="held_out")
    return pictures.write(composer, output_dir)


def _command(stored: dict[str, Any]) -> str:
    """The command that trained this checkpoint; EARLIER are the weights that it went on from."""
    from experiments.demo_clip.data import Shares

    plan = DemoPlan(**stored["plan"])
    command = f"python -m experiments.train_demo_clip train --steps {plan.steps} --seed {plan.seed} --lr {plan.lr}"
    command += f" --decay_share {plan.decay_share}" + (f" --end_at {plan.cut_to}" if plan.cut_to else "")
    command += f" --devices {plan.devices} --batch_factor {max(1, stored['shares']['singles'] // Shares.singles)}"
    return command + (" --start_from EARLIER" if plan.start_from else "")


def _cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _validation_rows(log: Path) -> list[dict[str, str]]:
    """The log's rows with validation figures; a step trained twice, after an interruption, counts once."""
    if not log.is_file():
        return []
    with log.open(newline="", encoding="utf-8") as file:
        return list({row["step"]: row for row in csv.DictReader(file) if row["val_top1"]}.values())


def _checkpoint(work_dir: Path) -> dict[str, Any]:
    import torch

    path = work_dir / "checkpoint.pt"
    if not path.is_file():
        raise InputError(
            "There is no checkpoint.", where=str(path), next_step="python -m experiments.train_demo_clip train"
        )
    stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return stored


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


def _validate(work_dir: Path, weights: dict[str, Any], config: dict[str, Any], device: str) -> dict[str, float]:
    from experiments.demo_clip.data import Composer
    from experiments.demo_clip.evaluate import name_ranks, pose_accuracy
    from experiments.demo_clip.head_bank import HeadBank
    from experiments.demo_clip.model import build

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


_LOG_FIELDS = ("step", "contrast", "class", "text_class", "angle_deg", "scale", "seconds", "val_top1", "val_top5",
               "val_pose_exact", "val_pose_yaw", "val_pose_pitch", "val_pose_roll")  # fmt: skip


def _log(path: Path, row: dict[str, float]) -> None:
    print(json.dumps(row), flush=True)
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _LOG_FIELDS)
        if new:
            writer.writeheader()
        writer.writerow(row)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    from experiments.demo_clip.data import Shares

    parser = argparse.ArgumentParser(
        prog="python -m experiments.train_demo_clip", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("what", choices=("prepare", "train", "export", "evaluate", "composites", "all"))
    parser.add_argument("--work_dir", "--work-dir", type=Path, default=DEFAULT_WORK_DIR)
    parser.add_argument("--output_dir", "--output-dir", type=Path, default=DEFAULT_OUTPUT_DIR)
    parser.add_argument("--output", type=Path, help="composites: the folder to write; by default in --work_dir")
    parser.add_argument("--steps", type=int, default=DemoPlan.steps)
    parser.add_argument("--seed", type=int, default=DemoPlan.seed)
    parser.add_argument("--lr", type=float, default=DemoPlan.lr)
    parser.add_argument("--decay_share", "--decay-share", type=float, default=DemoPlan.decay_share)
    parser.add_argument(
        "--end_at", "--end-at", type=int, help="an interrupted training ends at this step, before its plan"
    )
    parser.add_argument("--start_from", "--start-from", type=Path, help="an exported model whose weights to start with")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--devices", type=int, default=DemoPlan.devices, help="GPUs, or processes on a CPU")
    parser.add_argument("--threads", type=int, help="CPU threads; by default as many as torch chooses")
    parser.add_argument(
        "--batch_factor",
        "--batch-factor",
        type=int,
        help=f"a step sees this many times {Shares().total} pictures; by default 1 on a CPU and 8 on a GPU",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="processes that compose pictures, for each device; by default 1 on a CPU, one for each core beside a GPU",
    )
    options = parser.parse_args(arguments)
    plan = DemoPlan(
        steps=options.steps,
        seed=options.seed,
        lr=options.lr,
        decay_share=options.decay_share,
        devices=options.devices,
    )
    import torch

    on_gpu = _on_gpu(options.device)
    try:
        for name in ("threads", "batch_factor"):
            value = getattr(options, name)
            if value is not None and value < 1:
                raise InputError(f"{name} cannot be {value}.", where=f"--{name} {value}", next_step="Give at least 1.")
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        if options.what in ("prepare", "all"):
            prepare(options.work_dir)
        if options.what in ("train", "all"):
            train(
                options.work_dir,
                plan,
                shares=Shares().times(options.batch_factor or (8 if on_gpu else 1)),
                device=options.device,
                workers=options.workers if options.workers is not None else _cores() if on_gpu else 1,
                start_from=options.start_from,
                end_at=options.end_at,
            )
        if options.what in ("export", "all"):
            print(export(options.work_dir, options.output_dir))
        if options.what in ("evaluate", "all"):
            card = evaluate(options.work_dir, options.output_dir, options.device)
            print(card or "These weights bear no record of their training, so their card is left as it is.")
        if options.what == "composites":
            truth = composites(options.work_dir, options.output or options.work_dir / "composites")
            where = f"--images {truth.parent / 'images'} --truth {truth}"
            print(f"python -m core foreground evaluate {where} --model demo_clip --treatments raw_crop")
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
