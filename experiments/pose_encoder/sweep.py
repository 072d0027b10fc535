"""Every arm with every seed, several runs at once. Started again, it goes on with what is left."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from core.errors import InputError, WorkbenchError
from experiments.pose_encoder.plan import PosePlan

NOT_LOGS = ("checkpoint.pt", "best.pt", "process.json")  # process.json names a process of this machine


def sweep(
    plan: PosePlan,
    runs_dir: Path,
    *,
    arms: Sequence[str],
    seeds: Sequence[int],
    processes: int = 2,
    threads: int | None = None,
    device: str = "auto",
    weights_dir: Path | None = None,
    logs_only: bool = False,
) -> int:
    """Runs `plan` with each arm and seed, seeds outermost; a run that fails does not stop the others.

    Returns:
        The exit code: 0, or 1 if a run failed (its name and the reason are printed).

    Raises:
        InputError: the plan, or an arm's name, cannot be used.
    """
    plans = [replace(plan, pose_encoder=arm, seed=seed) for seed in seeds for arm in arms]
    for each in plans:
        each.check()
    if not plans or processes < 1:
        raise InputError(
            "A sweep needs at least one arm, one seed and one process.",
            where=f"{len(arms)} arms, {len(seeds)} seeds, {processes} processes",
        )
    threads = threads or max(1, (os.cpu_count() or 1) // processes)
    failed = 0
    # fresh processes rather than forks: torch's threads do not survive a fork
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_at_once)
    try:
        jobs = {pool.submit(_one_run, each, runs_dir, threads, device, weights_dir, logs_only): each for each in plans}
        for done, job in enumerate(as_completed(jobs), 1):
            each = jobs[job]
            try:
                line = job.result()
            except BrokenProcessPool:
                raise WorkbenchError(
                    "A process of the sweep was ended from outside, perhaps for want of memory.",
                    where=str(runs_dir),
                    next_step="the same command goes on from here; --processes 1 needs less memory",
                ) from None
            except Exception as error:  # torch's own too: memory that one arm lacks is no reason to end the others
                failed += 1
                reason = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
                line = f"{each.pose_encoder}-seed{each.seed} failed: {reason}"
            print(f"[{done}/{len(plans)}] {line}", file=sys.stderr, flush=True)
    finally:  # an interruption or an error ends the sweep, not only the wait for it
        pool.shutdown(cancel_futures=True)
    return 1 if failed else 0


def _end_at_once() -> None:
    """Ctrl-C reaches the processes of a sweep too: they end there, where they would else go on with the next run."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _one_run(
    plan: PosePlan, runs_dir: Path, threads: int, device: str, weights_dir: Path | None, logs_only: bool
) -> str:
    import torch  # here: the process that waits for the others needs none of it

    from experiments.pose_encoder.train import train

    torch.set_num_threads(threads)
    lines: list[str] = []
    folder = train(plan, runs_dir, device=device, weights_dir=weights_dir, keep_weights=not logs_only, say=lines.append)
    if logs_only:
        for name in NOT_LOGS:
            (folder / name).unlink(missing_ok=True)
    return lines[-1] if lines else f"{folder.name} was finished already"
