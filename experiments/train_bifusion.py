"""Trains per-point segmentation with and without CLIP features, and watches what three losses do to each other.

    python -m experiments.train_bifusion --config experiments/configs/bifusion.yaml --arm stable --seeds 0-5

One run for each arm of the configuration and each seed, recorded under `--output_dir`; a run that was stopped goes on
from its last checkpoint to the same numbers, a finished one is left alone. Without `--data_dir` the data are generated
rooms; with it, RGB-D frames in ScanNet's manner (`experiments/bifusion/frames.py` says how they lie). `--devices N`, or
the same command under torchrun, trains on several devices.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.errors import InputError, WorkbenchError
from core.settings import Settings
from experiments.bifusion.plan import DEFAULT_CONFIG, DEFAULT_WORK_DIR, FusionPlan, assignments, read_arms
from experiments.devices import launched_fabric


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
    from experiments.bifusion.place import Place
    from experiments.bifusion.train import finished, train

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
            if finished(plan, place, fabric):
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
