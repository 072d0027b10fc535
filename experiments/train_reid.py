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
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError, WorkbenchError
from core.settings import REPO_DIR, Settings
from experiments.devices import launched_fabric
from experiments.reid.config import ARMS, Config, arm, read_config, with_arm

if TYPE_CHECKING:
    import numpy as np
    import torch
    from lightning.fabric import Fabric

    from experiments.reid.data import Triples
    from experiments.reid.model import ReidModel

DEFAULT_CONFIG = REPO_DIR / "experiments" / "configs" / "reid.yaml"
MAX_CACHED_BYTES = 2 * 2**30  # of hidden tokens that are a constant of the picture
FINAL_LR = 0.01  # of the base rate


@dataclass
class Shared:
    """What the runs of one process need not make twice: triples, and constant hidden tokens by what they come from."""

    triples: dict[Any, tuple[Triples, Triples, Triples]] = field(default_factory=dict)
    hidden: dict[Any, Source] = field(default_factory=dict)


@dataclass
class Source:
    """Where a model's input comes from: the pictures, or the hidden tokens of all of them, computed once.

    Attributes:
        triples: the pictures. hidden: `[N, M, T, W]`, or None. mirrored: the same for mirror images.
    """

    triples: Triples
    hidden: torch.Tensor | None = None
    mirrored: torch.Tensor | None = None


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
    import numpy as np
    import torch

    from core.runs import RunRecorder
    from experiments.reid.data import Augmentation, batches
    from experiments.reid.evaluate import evaluate
    from experiments.reid.model import ReidLoss, ReidModel

    shared = shared or Shared()
    training, validation, test = _triples(config, shared)
    people = np.unique(training.person_N)
    label_N = torch.from_numpy(np.searchsorted(people, training.person_N))
    cameras = 1 + max(int(part.camera_N.max()) for part in (training, validation, test))
    per_batch = config.SOLVER.IMS_PER_BATCH // config.DATALOADER.NUM_INSTANCE
    if per_batch % fabric.world_size:
        raise InputError(
            f"{per_batch} identities of a batch cannot be shared evenly by {fabric.world_size} devices.",
            where="SOLVER.IMS_PER_BATCH",
            next_step="Give a batch with a multiple of that many identities.",
        )
    if per_batch // fabric.world_size < 2:
        raise InputError(
            f"Each of {fabric.world_size} devices would see one identity of a batch, and the triplet loss needs two.",
            where="SOLVER.IMS_PER_BATCH",
            next_step="Give a larger batch, or fewer --devices.",
        )
    weights_dir = weights_dir or Settings().weights_dir
    torch.manual_seed(config.SOLVER.SEED)
    raw = ReidModel(config.MODEL, config.INPUT.SIZE, len(people), cameras, weights_dir)
    loss_of = ReidLoss(config.MODEL)
    trainable = [weight for weight in raw.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(trainable, config.SOLVER.BASE_LR, weight_decay=config.SOLVER.WEIGHT_DECAY)
    model, optimizer = fabric.setup(raw, optimizer)
    augmentation = Augmentation(config.INPUT.FLIP_PROB, config.INPUT.PADDING, config.INPUT.RE_PROB)
    sources = [
        _source(raw, config, part, fabric, shared, mirrored=part is training and augmentation.only_flips)
        for part in (training, validation, test)
    ]

    if raw.idle_windows:
        sizes = ", ".join(" × ".join(map(str, size)) for size in raw.idle_windows)
        fabric.print(f"{name}: windows of {sizes} tokens do not fit, so all is pooled in their place", file=sys.stderr)
    folder = Path(config.OUTPUT_DIR).expanduser() / name
    checkpoint = folder / "checkpoint.pt"
    recorded = {
        "experiment": "reid",
        "multi_scale": arm(config.MODEL),
        "seed": config.SOLVER.SEED,
        **_settings(config),
        **_weights(config, weights_dir),
        **_data(config, shared),
        "devices": fabric.world_size,
        "train_triples": len(training),
        "train_identities": len(people),
        "parameters": sum(weight.numel() for weight in raw.parameters()),
        "parameters_trained": sum(weight.numel() for weight in trainable),
        "parameters_multi_scale": sum(weight.numel() for weight in raw.context.parameters() if weight.requires_grad),
    }
    _check_same(recorded, folder)
    state: dict[str, Any] = {"epoch": 0, "step": 0, "best": None}
    if checkpoint.is_file():
        state = torch.load(checkpoint, map_location=fabric.device, weights_only=True)
        raw.load_trained_state(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if state.get("precision"):
            fabric.strategy.precision.load_state_dict(state["precision"])
        fabric.print(f"{name}: going on from epoch {state['epoch']} of {config.SOLVER.MAX_EPOCHS}", file=sys.stderr)

    def one_epoch(epoch: int, step: int) -> tuple[int, dict[str, float]]:
        """Steps done after it, and what is logged of it."""
        model.train()
        began, losses, seen = time.perf_counter(), [], 0
        instances, seed = config.DATALOADER.NUM_INSTANCE, config.SOLVER.SEED
        rows_of = list(batches(training.person_N, per_batch, instances, seed, epoch))
        for number, rows in enumerate(rows_of):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, epoch + number / len(rows_of))
            mine = rows.reshape(per_batch, -1)[fabric.global_rank :: fabric.world_size].reshape(-1)
            random = np.random.default_rng((seed, step, fabric.global_rank))
            start = _training_input(sources[0], config, mine, augmentation, random, fabric)
            outputs = model(start, torch.from_numpy(training.camera_N[mine]).to(fabric.device))
            loss, parts = loss_of(outputs, label_N[mine].to(fabric.device))
            if not torch.isfinite(loss):
                raise WorkbenchError(
                    f"The loss is {loss.item()} at step {step}.", where=name, next_step="Lower SOLVER.BASE_LR."
                )
            optimizer.zero_grad(set_to_none=True)
            fabric.backward(loss)
            optimizer.step()
            losses.append([float(one) for one in (loss.detach(), parts["id_loss"], parts["triplet_loss"])])
            step, seen = step + 1, seen + len(rows)
            if after_step is not None:
                after_step(step)
        seconds = time.perf_counter() - began
        means = dict(zip(("loss", "id_loss", "triplet_loss"), np.mean(losses, axis=0).round(5).tolist(), strict=True))
        return step, {
            **{f"train/{part}": mean for part, mean in means.items()},
            "seconds_per_epoch": round(seconds, 3),
            "samples_per_s": round(seen / seconds, 1),
        }

    def score(source: Source, prefix: str) -> dict[str, float]:
        found = evaluate(
            _features(raw, config, source, fabric), source.triples.person_N, source.triples.camera_N
        ).metrics(prefix)
        return {key: round(value, 4) for key, value in found.items()}

    if fabric.device.type == "cuda":  # the peak is this run's, not that of the runs before it in this process
        torch.cuda.reset_peak_memory_stats(fabric.device)
    with RunRecorder(config.OUTPUT_DIR, name, recorded, resume=folder.exists(), rank=fabric.global_rank) as run:
        step, best = int(state["step"]), state["best"]
        for epoch in range(int(state["epoch"]), config.SOLVER.MAX_EPOCHS):
            step, row = one_epoch(epoch, step)
            last = epoch + 1 == config.SOLVER.MAX_EPOCHS
            if last or (epoch + 1) % config.SOLVER.EVAL_PERIOD == 0:
                row |= score(sources[1], "val")
                if best is None or row["val/mAP"] > best["val/mAP"]:
                    best = {"val/mAP": row["val/mAP"], "epoch": epoch + 1, "state": raw.trained_state()}
            run.log(row, step=step, epoch=epoch + 1)
            if fabric.is_global_zero:
                _save(
                    checkpoint,
                    {
                        "epoch": epoch + 1,
                        "step": step,
                        "best": best,
                        "model": raw.trained_state(),
                        "optimizer": optimizer.state_dict(),
                        "precision": fabric.strategy.precision.state_dict(),  # float16's loss scale
                    },
                )
            fabric.barrier()
        assert best is not None, "the last epoch is validated"
        raw.load_trained_state(best["state"])
        result = score(sources[2], "test")
        costs = _costs(raw, loss_of, config, training, label_N, fabric)
        run.log({**result, "best_epoch": best["epoch"], **costs}, step=step, epoch=config.SOLVER.MAX_EPOCHS)
    if fabric.is_global_zero:
        (folder / "process.json").unlink(missing_ok=True)  # it names a process of this machine
        if not keep_checkpoint:
            checkpoint.unlink(missing_ok=True)
    return result


def learning_rate(config: Config, epoch: float) -> float:
    """At a moment of training, in epochs from 0: a linear rise, then half a cosine down to `FINAL_LR` of the base."""
    solver = config.SOLVER
    if epoch < solver.WARMUP_EPOCHS:
        return solver.BASE_LR * (0.01 + 0.99 * epoch / solver.WARMUP_EPOCHS)
    done = (epoch - solver.WARMUP_EPOCHS) / max(solver.MAX_EPOCHS - solver.WARMUP_EPOCHS, 1e-9)
    return solver.BASE_LR * (FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


# --- input ----------------------------------------------------------------------------------------------------------


def _triples(config: Config, shared: Shared) -> tuple[Triples, Triples, Triples]:
    """Training, validation, test; the last two are people that training never sees."""
    from experiments.reid.data import TEST_FOLDER, TRAIN_FOLDER, load, read_split, split_validation

    key = (config.DATASETS, config.INPUT.SIZE)
    if key not in shared.triples:
        root = Path(config.DATASETS.ROOT_DIR).expanduser() / config.DATASETS.NAMES
        training, validation = split_validation(read_split(root / TRAIN_FOLDER), config.DATASETS.VAL_IDS, seed=0)
        test = read_split(root / TEST_FOLDER)
        both = {one.person for one in training + validation} & {one.person for one in test}
        if both:
            raise InputError(
                f"{len(both)} people are in training and in test, the first is {min(both):06d}.",
                where=str(root),
                next_step="Test people must be unknown to training.",
            )
        shared.triples[key] = tuple(load(part, config.INPUT.SIZE) for part in (training, validation, test))  # type: ignore[assignment]
    return shared.triples[key]


def _normalised(config: Config, pixels: torch.Tensor, fabric: Fabric) -> torch.Tensor:
    import torch

    mean = torch.tensor(config.INPUT.PIXEL_MEAN, device=fabric.device)[:, None, None]
    std = torch.tensor(config.INPUT.PIXEL_STD, device=fabric.device)[:, None, None]
    return (pixels.to(fabric.device).float() / 255 - mean) / std


def _source(
    model: ReidModel, config: Config, triples: Triples, fabric: Fabric, shared: Shared, *, mirrored: bool
) -> Source:
    """The pictures; with their hidden tokens where those are constant, small enough, and augmentation allows it."""
    import torch

    training_as_they_are = mirrored or triples is not _triples(config, shared)[0]
    if not model.branch.prefix_is_constant or not training_as_they_are:
        return Source(triples)
    tokens = model.branch.grid_hw[0] * model.branch.grid_hw[1] + 1
    width = model.branch.visual.conv1.out_channels
    size_bytes = len(triples) * 3 * tokens * width * 4 * (2 if mirrored else 1)
    if size_bytes > MAX_CACHED_BYTES:
        return Source(triples)
    plain = replace(
        config.MODEL, **{key: getattr(type(config.MODEL)(), key) for key in vars(config.MODEL) if "MULTI_SCALE" in key}
    )
    seed = config.SOLVER.SEED if config.MODEL.PRETRAIN_PATH_T == "random" else None
    key = (plain, seed, config.INPUT, id(triples), str(fabric.device), config.SOLVER.PRECISION)
    if key not in shared.hidden:

        def hidden_of(mirror: bool) -> torch.Tensor:
            parts = []
            with torch.inference_mode(), fabric.autocast():
                for rows in torch.arange(len(triples)).split(config.TEST.IMS_PER_BATCH):
                    pixels = _normalised(config, triples.pixels_NM3HW[rows], fabric)
                    camera = torch.from_numpy(triples.camera_N[rows.numpy()]).to(fabric.device)
                    parts.append(model.branch.prefix(pixels.flip(-1) if mirror else pixels, camera).float())
            return torch.cat(parts)

        shared.hidden[key] = Source(triples, hidden_of(False), hidden_of(True) if mirrored else None)
    return shared.hidden[key]


def _training_input(
    source: Source, config: Config, rows: np.ndarray, augmentation: Any, random: np.random.Generator, fabric: Fabric
) -> torch.Tensor:
    """Hidden tokens or pixels of a batch, augmented."""
    import torch

    if source.hidden is not None and source.mirrored is not None:
        flipped = torch.from_numpy(augmentation.flips(len(rows), random)).to(fabric.device)
        return torch.where(flipped[:, None, None, None], source.mirrored[rows], source.hidden[rows])
    return augmentation.apply(_normalised(config, source.triples.pixels_NM3HW[rows], fabric), random)


def _features(model: ReidModel, config: Config, source: Source, fabric: Fabric) -> np.ndarray:
    """Features of all triples, float32 `[N, F]`, in evaluation mode. Every process computes all of them."""
    import torch

    was_training = model.training
    model.eval()
    parts = []
    with torch.inference_mode(), fabric.autocast():
        for rows in torch.arange(len(source.triples)).split(config.TEST.IMS_PER_BATCH):
            camera = torch.from_numpy(source.triples.camera_N[rows.numpy()]).to(fabric.device)
            if source.hidden is not None:
                start = source.hidden[rows]
            else:
                start = _normalised(config, source.triples.pixels_NM3HW[rows], fabric)
            parts.append(model.features(start, camera).float().cpu())
    model.train(was_training)
    return torch.cat(parts).numpy()


# --- the run's record -----------------------------------------------------------------------------------------------


def _costs(
    model: ReidModel,
    loss_of: Any,
    config: Config,
    triples: Triples,
    label_N: torch.Tensor,
    fabric: Fabric,
) -> dict[str, float]:
    """`ms_per_triple`: of the features, from pixels, the median of 7. `peak_memory_bytes` of a training step.

    With one CPU thread it is that thread's own time, which other programs on the machine do not lengthen.

    On a GPU the latter is what was allocated at most. On a CPU it is counted: weights, gradients, Adam's two moments,
    and what a forward pass from pixels keeps for the backward one.
    """
    import torch

    rows = torch.arange(min(16, len(triples)))
    pixels = _normalised(config, triples.pixels_NM3HW[rows], fabric)
    camera = torch.from_numpy(triples.camera_N[rows.numpy()]).to(fabric.device)
    clock = time.thread_time if fabric.device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    model.eval()
    times = []
    with torch.inference_mode(), fabric.autocast():
        for _ in range(8):
            began = clock()
            model.features(pixels, camera).sum().item()  # waits for a GPU
            times.append(clock() - began)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), fabric.autocast():
        outputs = model(pixels, camera)
        loss_of(outputs, label_N[rows].to(fabric.device))
    weights = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in model.parameters()}
    trained = sum(weight.numel() * weight.element_size() for weight in model.parameters() if weight.requires_grad)
    counted = sum((kept | weights).values()) + 3 * trained
    if fabric.device.type == "cuda":
        counted = torch.cuda.max_memory_allocated(fabric.device)
    return {
        "ms_per_triple": round(1000 * sorted(times[1:])[3] / len(rows), 3),
        "peak_memory_bytes": int(counted),
    }


def _save(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    import torch

    draft = path.with_suffix(".part")
    torch.save(content, draft)
    draft.replace(path)


def _settings(config: Config) -> dict[str, Any]:
    """The YAML's keys as a run records them; where the run lies is not part of what it is."""
    return {key: value for key, value in config.flat().items() if key != "OUTPUT_DIR"}


def _weights(config: Config, weights_dir: Path) -> dict[str, str | None]:
    from core.models.weights import sha256_of
    from experiments.reid.model import weights_file

    file = weights_file(config.MODEL, weights_dir)
    return {"weights_sha256": sha256_of(file)[:16] if file is not None else None}


def _data(config: Config, shared: Shared) -> dict[str, str]:
    return {"data_fingerprint": "-".join(part.fingerprint for part in _triples(config, shared))}


def _check_same(now: dict[str, Any], folder: Path) -> None:
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


# --- command line ---------------------------------------------------------------------------------------------------


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
    fabric = launched_fabric(
        options.device, options.devices, precision=config.SOLVER.PRECISION, threads=options.threads
    )
    shared = Shared()
    for one in planned:
        name = options.name or f"{arm(one.MODEL)}-seed{one.SOLVER.SEED}"
        folder = Path(one.OUTPUT_DIR).expanduser() / name
        status = folder / "status"
        if status.is_file() and status.read_text().strip() == "finished":
            _check_same({**_settings(one), **_weights(one, options.weights_dir), **_data(one, shared)}, folder)
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
