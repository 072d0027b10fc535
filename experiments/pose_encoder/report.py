"""What a sweep says, as the tables of `experiments/README.md`: `python -m experiments.pose_encoder.report RUNS`.

Verdicts, p-values and t intervals are `core.runs.compare`'s. The second 95 % interval is a bootstrap over seeds and
test people together (10,000 draws; a person comes with all faces): would other seeds and other people say the same?
People are drawn once for all seeds, since all seeds were tested on the same ones.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.errors import InputError, WorkbenchError
from core.pose.arms import ARMS
from core.runs import Run, RunReader, compare
from core.settings import REPO_DIR
from experiments.pose_encoder.data import PoseData, load_data
from experiments.pose_encoder.metrics import YAW_BINS

RESULTS_DIR = REPO_DIR / "experiments" / "results" / "pose_encoder"
DRAWS = 10_000
BASELINE = "mlp"
COLUMNS = ("test/nme", *(f"test/nme_{name}" for name in YAW_BINS), "test/auc", "test/fr", "test/geodesic_deg")


def report(folder: Path, data: PoseData | None = None) -> str:
    """Two markdown tables: what each arm reached, and each arm against the MLP.

    Args:
        folder: finished runs of one sweep, in folders or packed.
        data: what they were tested on; by default made or read again from their config.

    Raises:
        InputError: no runs, or runs of different data.
    """
    reader = RunReader(folder)
    found = reader.read()
    runs = [run for run in found if run.status == "finished"]
    fingerprints = {str(run.config.get("data_fingerprint")) for run in runs}
    if len(fingerprints) != 1:
        raise InputError(
            f"The report needs finished runs of one data set; here are {len(fingerprints)} data sets.",
            where=str(folder),
            next_step="python -m experiments.train_universal --sweep",
        )
    data = data or _data_of(runs[0])
    if data.fingerprint != fingerprints.pop():
        raise InputError("The data are no longer those of the runs.", where=str(folder))
    judged = compare(found, group_by="pose_encoder", metric="test/nme", baseline=BASELINE, direction="min")
    order = [arm for arm in ARMS if arm in {one.arm for one in judged.arms}]
    lines = [
        "| arm | NME % | 0–30° | 30–60° | 60–90° | AUC % | FR % | geodesic ° | IQM | parameters |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    iqm = {one.arm: one.iqm for one in judged.arms}
    for arm in order:
        of_arm = [run for run in runs if run.config["pose_encoder"] == arm]
        means = [np.mean([run.metrics[name].value[-1] for run in of_arm]) for name in COLUMNS]
        cells = " | ".join(f"{mean:.2f}" for mean in means)
        lines.append(f"| `{arm}` | {cells} | {iqm[arm]:.2f} | {int(str(of_arm[0].config['parameters_pose'])):,} |")
    lines += [
        "",
        f"| against `{BASELINE}` | verdict | difference | 95 % t interval | over seeds and people | p (Holm) | pairs |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    by_arm = {one.arm: one for one in judged.comparisons}
    for arm in order:
        if arm == BASELINE or arm not in by_arm:
            continue
        one = by_arm[arm]
        both = seeds_and_people(_differences(reader, runs, arm), data.test.bin_yaw_deg_N, data.test.subjects)
        lines.append(
            f"| `{arm}` | {one.verdict.replace('_', ' ')} | {one.difference:+.2f} | {_interval(one.interval)} "
            f"| {_interval(both)} | {'' if one.p_value is None else f'{one.p_value:.3f}'} | {one.pairs} |"
        )
    return "\n".join(lines)


def seeds_and_people(
    difference_SN: np.ndarray, bin_yaw_deg_N: np.ndarray, subjects_N: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """The 95 % bootstrap interval of a difference of NME (mean of the bins), over seeds and people together.

    Args:
        difference_SN: for each seed and test face, arm − baseline, in percent.
        bin_yaw_deg_N: |yaw| of each face.
        subjects_N: whose face it is.
    """
    random = np.random.default_rng(seed)
    seeds = len(difference_SN)
    weight_DS = random.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds
    people, person_N = np.unique(subjects_N, return_inverse=True)
    times_DP = random.multinomial(len(people), np.full(len(people), 1 / len(people)), draws)
    means = []
    for low, high in YAW_BINS.values():
        inside = np.flatnonzero((bin_yaw_deg_N > low) & (bin_yaw_deg_N <= high))
        if len(inside):
            times_DN = times_DP[:, person_N[inside]]
            faces_D1 = np.maximum(times_DN.sum(axis=1, keepdims=True), 1)
            means.append(((times_DN / faces_D1 @ difference_SN[:, inside].T) * weight_DS).sum(axis=1))
    low, high = np.quantile(np.mean(means, axis=0), [0.025, 0.975])
    return float(low), float(high)


def _differences(reader: RunReader, runs: Sequence[Run], arm: str) -> np.ndarray:
    errors: dict[tuple[str, int], np.ndarray] = {}
    for run in runs:
        key = (str(run.config["pose_encoder"]), int(str(run.config["seed"])))
        errors[key] = 100.0 * np.load(io.BytesIO(reader.file_beside(run, "test_errors.npy"))).astype(np.float64)
    seeds = sorted(seed for each, seed in errors if each == arm and (BASELINE, seed) in errors)
    return np.stack([errors[arm, seed] - errors[BASELINE, seed] for seed in seeds])


def _data_of(run: Run) -> PoseData:
    sizes = json.loads(str(run.config["identities"]))
    return load_data(
        str(run.config["data_dir"]),
        seed=int(str(run.config["data_seed"])),
        identities=(int(sizes[0]), int(sizes[1]), int(sizes[2])),
    )


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:+.2f} to {interval[1]:+.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.pose_encoder.report", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, nargs="?", default=RESULTS_DIR)
    options = parser.parse_args(arguments)
    try:
        print(report(options.folder))
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
