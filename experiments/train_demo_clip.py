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
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError, WorkbenchError
from core.settings import REPO_DIR
from experiments.demo_clip.plan import DemoPlan

DEFAULT_WORK_DIR = Path.home() / ".cache" / "clip-workbench" / "demo_clip"
DEFAULT_OUTPUT_DIR = REPO_DIR / "weights" / "demo"


def prepare(work_dir: Path) -> None:
    """Makes every data file that is absent."""
    from experiments.demo_clip import artwork, data, head_bank

    artwork.prepare(work_dir, processes=_cores())
    data.prepare_backgrounds(work_dir)
    head_bank.prepare(work_dir, processes=_cores())


def export(work_dir: Path, output_dir: Path) -> Path:
    """Writes the averaged weights of the last checkpoint as an `open_clip` folder; returns the weight file.

    How they were trained goes with them, in the file's own metadata: it is what their card tells.

    Raises:
        InputError: there is no checkpoint yet.
    """
    from experiments.demo_clip import model
    from experiments.demo_clip.train import read_checkpoint, validation_rows

    stored = read_checkpoint(work_dir)
    training = {name: stored[name] for name in ("step", "seconds", "plan", "shares", "device", "earlier")}
    training |= {
        "command": _command(stored),
        "commit": stored.get("commit", ""),
        "parameters": sum(weight.numel() for weight in stored["average"].values()),
        "validation": validation_rows(work_dir),
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

    from experiments.demo_clip.train import on_gpu, train

    gpu = on_gpu(options.device)
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
                shares=Shares().times(options.batch_factor or (8 if gpu else 1)),
                device=options.device,
                workers=options.workers if options.workers is not None else _cores() if gpu else 1,
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
