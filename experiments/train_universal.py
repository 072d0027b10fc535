"""The pose experiment: a face model conditioned on head pose, told as numbers (an MLP) or in words (CLIP).

    python -m experiments.train_universal --data_dir DIR --epochs 150
    python -m experiments.train_universal --data_dir DIR --epochs 150 --use_clip_pose_encoder
    python -m experiments.train_universal --data_dir generated --pose_encoder clip --clip_model_name demo_clip
    python -m experiments.train_universal --data_dir generated --epochs 16 --clip_model_name demo_clip --sweep

The first trains with the MLP, the second with CLIP, the third needs neither data nor large weights; `--sweep` runs
every arm with every seed. Runs land in `runs/`, where the page's Runs tab and `python -m core runs compare` find them.
Started again after a kill, a run goes on where it was. `experiments/README.md` describes data, arms and results.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from core.errors import WorkbenchError
from core.pose.arms import ARMS, STANDARD_ARMS
from core.settings import Settings
from experiments.pose_encoder.plan import PRECISIONS, PosePlan
from experiments.pose_encoder.sweep import sweep


def parser() -> argparse.ArgumentParser:
    """The command line; underscored and hyphenated flags both work."""
    settings = Settings()
    made = argparse.ArgumentParser(
        prog="python -m experiments.train_universal", description=(__doc__ or "").split("\n")[0]
    )

    def flag(name: str, **options: object) -> None:
        names = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
        made.add_argument(*names, **options)  # type: ignore[arg-type]

    flag("data_dir", required=True, help="generated, a folder with AFLW2000-3D or 300W-LP, or .npz / .csv files")
    flag("epochs", type=int, default=PosePlan.epochs)
    flag("use_clip_pose_encoder", action="store_true", help="short for --pose_encoder clip")
    flag("pose_encoder", choices=list(ARMS), help="default: mlp")
    flag(
        "clip_model_name",
        default=PosePlan.clip_model_name,
        help="ViT-B/32, ViT-B/16, ViT-L/14, or an id such as demo_clip",
    )
    flag("unfreeze_clip", action="store_true", help="fine-tune CLIP's text tower")
    flag("seed", type=int, default=PosePlan.seed)
    flag("batch_size", type=int, default=PosePlan.batch_size, help="over all devices together")
    flag("lr", type=float, default=PosePlan.lr)
    flag("hidden_dim", type=int, default=PosePlan.hidden_dim, help="of the projection; 0: a linear map")
    flag("width", type=int, default=PosePlan.width, help="of a token")
    flag("layers", type=int, default=PosePlan.layers)
    flag("gate", action="store_true", help="a learned factor before the pose is added, zero at the start")
    flag("no_qk_norm", action="store_true", help="the plain recipe, in which the keys' part has no effect")
    flag("round_deg", type=float, default=PosePlan.round_deg, help="continuous captions are rounded to this")
    flag("precision", choices=PRECISIONS, default=PosePlan.precision)
    flag("device", choices=("auto", "cpu", "gpu"), default="auto")
    flag("devices", type=int, default=PosePlan.devices, help="GPUs, or processes on a CPU; torchrun works too")
    flag("data_seed", type=int, default=PosePlan.data_seed, help="of generated heads, and of a split by subject")
    flag("runs_dir", type=Path, default=settings.runs_dir)
    flag("name", default="", help="of the run; default: ENCODER-seedN")
    flag("weights_dir", type=Path, default=settings.weights_dir)
    flag("threads", type=int, help="CPU threads; default: as many as torch chooses, in a sweep the cores shared out")
    flag("sweep", action="store_true", help="every arm with every seed; started again, it does what is left")
    flag("arms", default=",".join(STANDARD_ARMS), help="of a sweep, separated by commas")
    flag("seeds", type=int, default=8, help="of a sweep: 0 … N − 1")
    flag("processes", type=int, default=2, help="runs of a sweep at once")
    flag("logs_only", action="store_true", help="keep no weights, only what the Runs tab reads")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    made = parser()
    options = made.parse_args(arguments)
    if options.use_clip_pose_encoder and options.pose_encoder not in (None, "clip"):
        made.error(f"--use_clip_pose_encoder and --pose_encoder {options.pose_encoder} exclude each other")
    if options.threads is not None and options.threads < 1:
        made.error(f"--threads {options.threads}: at least 1")
    known = {each.name for each in fields(PosePlan)}
    plan = PosePlan(
        **{
            **{name: value for name, value in vars(options).items() if name in known},
            "pose_encoder": options.pose_encoder or ("clip" if options.use_clip_pose_encoder else "mlp"),
            "freeze_clip": not options.unfreeze_clip,
            "qk_norm": not options.no_qk_norm,
        }
    )
    try:
        if options.sweep:
            return sweep(
                plan,
                options.runs_dir,
                arms=tuple(arm.strip() for arm in options.arms.split(",") if arm.strip()),
                seeds=range(options.seeds),
                processes=options.processes,
                threads=options.threads,
                device=options.device,
                weights_dir=options.weights_dir,
                logs_only=options.logs_only,
            )
        import torch

        from experiments.pose_encoder.train import train

        if options.threads:
            torch.set_num_threads(options.threads)
        folder = train(
            plan,
            options.runs_dir,
            options.name,
            device=options.device,
            weights_dir=options.weights_dir,
            keep_weights=not options.logs_only,
        )
        if os.environ.get("LOCAL_RANK", "0") == "0":  # of several processes the first speaks
            print(folder)
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
