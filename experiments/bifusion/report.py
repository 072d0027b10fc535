"""What the runs say about stability, as a Markdown table: one row for each arm, means over its seeds.

    python -m experiments.bifusion.report experiments/results/bifusion

How good an arm is, `python -m core runs compare` says, with its uncertainty; here is what the losses did meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import WorkbenchError
from core.runs import Run, read_runs
from experiments.bifusion.plan import DEFAULT_CONFIG, read_arms

Reading = Callable[[Run], "float | None"]


def _read(name: str, choose: Callable[[np.ndarray], Any], factor: float = 1.0) -> Reading:
    """One number of a run's metric; None where the run has no such metric."""
    return lambda run: factor * float(choose(run.metrics[name].value)) if name in run.metrics else None


def _last(name: str, factor: float = 1.0) -> Reading:
    return _read(name, lambda values: values[-1], factor)


def _first(name: str) -> Reading:
    return _read(name, lambda values: values[0])


# heading, what of a run, how the seeds are put together
COLUMNS: tuple[tuple[str, Reading, Callable[[np.ndarray], float]], ...] = (
    ("test mIoU at the end, %", _last("test/mIoU", 100), np.mean),
    ("offset error, cm", _last("test/offset_m", 100), np.mean),
    ("steps with a non-finite loss or gradient", _last("nan/gradient"), np.sum),
    ("largest gradient norm", _read("grad/total_max", np.max), np.max),
    ("largest loss", _read("train/loss_max", np.max), np.max),
    ("gradient of the CLIP loss on the 3-D side, first row", _first("grad/clip"), np.mean),
    ("last row", _last("grad/clip"), np.mean),
    ("of the semantic loss, last row", _last("grad/semantic"), np.mean),
    ("of the instance loss, last row", _last("grad/instance"), np.mean),
    ("of the CLIP loss at the ViT, first row", _first("grad/clip_at_vit"), np.mean),
    ("ViT moved, %", _last("vit/moved", 100), np.mean),
    ("cosine to CLIP", _last("fusion/cosine"), np.mean),
    ("mean cosine between points", _last("fusion/alike"), np.mean),
    ("lowest cos/T", _read("clip/lowest_logit", np.min), np.min),
    ("largest feature", _read("fusion/largest_max", np.max), np.max),
)


def table(folder: Path) -> str:
    """The table of all finished runs under a folder, arms in the order of the committed configuration.

    Raises:
        InputError: there is no such folder.
    """
    by_arm: dict[str, list[Run]] = {}
    for run in read_runs(folder):
        by_arm.setdefault(str(run.config.get("fusion", "?")), []).append(run)
    order = {name: place for place, name in enumerate(read_arms(DEFAULT_CONFIG))}
    lines = ["| arm | runs | " + " | ".join(heading for heading, _, _ in COLUMNS) + " |"]
    lines.append("| --- |" + " ---: |" * (len(COLUMNS) + 1))
    for arm in sorted(by_arm, key=lambda name: (order.get(name, len(order)), name)):
        cells = []
        for _heading, read, join in COLUMNS:
            cells.append(_cell([read(run) for run in by_arm[arm]], join))
        unfinished = sum(run.status != "finished" for run in by_arm[arm])
        count = f"{len(by_arm[arm])}" + (f" ({unfinished} unfinished)" if unfinished else "")
        lines.append(f"| {arm} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(found: Sequence[float | None], join: Callable[[np.ndarray], float]) -> str:
    values = np.array([value for value in found if value is not None])
    broken = int(np.isnan(values).sum())
    if broken:  # a mean without the broken runs would hide them
        return f"NaN in {broken} of {len(values)}"
    return f"{join(values):.3g}" if len(values) else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bifusion.report", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    try:
        print(table(options.folder))
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
