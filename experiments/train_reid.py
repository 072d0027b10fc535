"""Trains multi-modal person re-identification on a CLIP ViT, with or without the multi-scale context.

    python -m experiments.train_reid generate                                   a set of drawn people, to try it on
    python -m experiments.train_reid --config experiments/configs/reid.yaml     train; started again, it goes on
    python -m experiments.train_reid --config F --arms baseline plan1 --seeds 0 1 2     an experiment, run after run
    python -m experiments.train_reid --config F --set SOLVER.BASE_LR=1e-3       any key of the file

On several devices: `--devices 2`, or `torchrun --nproc_per_node 2 -m experiments.train_reid --devices 2 …`. Each run
is a folder under OUTPUT_DIR that the Runs tab reads; the checkpoint in it is the one that validation chose, and where
an interrupted run goes on from. Test is looked at once, with that checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import InputError, WorkbenchError
from core.settings import REPO_DIR, Settings
from experiments.devices import launched_fabric
from experiments.reid.config import ARMS, Config, arm, read_config, with_arm

DEFAULT_CONFIG = REPO_DIR / "experiments" / "configs" / "reid.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    drawing = words[:1] == ["generate"]
    options = (_generate_parser() if drawing else _train_parser()).parse_args(words[1:] if drawing else words)
    try:
        return _generate(options) if drawing else _train_all(options)
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last epoch", file=sys.stderr)
        return 130


def _train_all(options: argparse.Namespace) -> int:
    planned = _planned(options)
    precision = planned[0].SOLVER.PRECISION
    fabric = launched_fabric(options.device, options.devices, precision=precision, threads=options.threads)
    from experiments.reid.inputs import Shared
    from experiments.reid.train import check_same, identity, train

    shared = Shared()
    for one in planned:
        name = options.name or f"{arm(one.MODEL)}-seed{one.SOLVER.SEED}"
        folder = Path(one.OUTPUT_DIR).expanduser() / name
        status = folder / "status"
        if status.is_file() and status.read_text().strip() == "finished":
            check_same(identity(one, options.weights_dir, shared), folder)
            fabric.print(f"{name}: finished already, in {folder}", file=sys.stderr)
            continue
        result = train(
            one,
            name,
            fabric,
            weights_dir=options.weights_dir,
            shared=shared,
            keep_checkpoint=not options.discard_checkpoints,
        )
        fabric.print(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in result.items()), flush=True)
    return 0


def _planned(options: argparse.Namespace) -> list[Config]:
    """One for each seed and arm. Raises `InputError`."""
    config = read_config(options.config, options.set or ())
    if options.runs_dir:
        config = replace(config, OUTPUT_DIR=str(options.runs_dir))
    planned = []
    if min(options.seeds or [0]) < 0:
        raise InputError("A seed is not negative.", where=f"--seeds {min(options.seeds)}", next_step="Give 0 or more.")
    for seed in options.seeds or [config.SOLVER.SEED]:
        seeded = replace(config, SOLVER=replace(config.SOLVER, SEED=seed))
        planned += [with_arm(seeded, name) for name in options.arms] if options.arms else [seeded]
    if options.name and len(planned) > 1:
        raise InputError("--name is for one run.", where=options.name, next_step="Leave it out with --arms or --seeds.")
    return planned


def _generate(options: argparse.Namespace) -> int:
    from experiments.reid.figures import generate

    if options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise InputError(
            "The folder is not empty." if options.output.is_dir() else "This is a file, not a folder.",
            where=str(options.output),
            next_step="Give another --output, or remove it.",
        )
    total = options.train_ids + options.test_ids
    height, width = options.size
    if min(options.train_ids, options.test_ids, options.shots) < 1 or min(height, width) < 16 or options.seed < 0:
        raise InputError(
            "There must be at least one identity in each part, one shot, 16 px a side, and a seed of 0 or more.",
            where="generate",
            next_step="See --help.",
        )
    try:
        for number in generate(
            options.output,
            train_ids=options.train_ids,
            test_ids=options.test_ids,
            shots=options.shots,
            seed=options.seed,
            height_px=height,
            width_px=width,
        ):
            print(f"\ridentity {number + 1} of {total}", end="", file=sys.stderr, flush=True)
    except OSError as error:
        raise InputError(
            f"The pictures cannot be written: {error.strerror or error}.",
            where=str(options.output),
            next_step="Give another --output.",
        ) from error
    print(file=sys.stderr)
    print(options.output)
    return 0


def _train_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.train_reid",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the YAML file")
    parser.add_argument("--set", nargs="+", action="extend", metavar="KEY=VALUE", help="keys in the file's stead")
    parser.add_argument("--arms", nargs="+", metavar="ARM", help=f"one run for each: {', '.join(ARMS)}")
    parser.add_argument(
        "--seeds", "--seed", nargs="+", type=int, metavar="N", help="one run for each; default: the file's"
    )
    parser.add_argument("--runs_dir", "--runs-dir", type=Path, help="folder of runs; default: OUTPUT_DIR")
    parser.add_argument("--name", help="the run's folder; default: its arm and seed")
    parser.add_argument("--weights_dir", "--weights-dir", type=Path, default=Settings().weights_dir)
    parser.add_argument("--device", default="auto", help="auto, cpu or gpu")
    parser.add_argument("--devices", type=int, default=1, help="GPUs, or processes on a CPU")
    parser.add_argument("--threads", type=int, help="CPU threads; by default as many as torch chooses")
    parser.add_argument("--discard_checkpoints", "--discard-checkpoints", action="store_true",
                        help="keep only the logs of finished runs")  # fmt: skip
    return parser


def _generate_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.train_reid generate", description="Draw a data set in RGBNT201's layout."
    )
    parser.add_argument("--output", type=Path, default=Path("data/reid_figures"))
    parser.add_argument("--train_ids", "--train-ids", type=int, default=80, help="people in train_171")
    parser.add_argument("--test_ids", "--test-ids", type=int, default=40, help="other people, in test")
    parser.add_argument("--shots", type=int, default=2, help="of each person by each of the four cameras")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, nargs=2, default=(64, 32), metavar=("HEIGHT", "WIDTH"), help="px")
    return parser


if __name__ == "__main__":
    sys.exit(main())
