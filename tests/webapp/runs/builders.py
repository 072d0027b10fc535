"""Runs as the tab is given them, and what it makes of them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import numpy as np

from core.runs import Report, Run, Series
from core.runs.compare import arms_of
from core.runs.conventions import read_conventions
from core.settings import Settings
from webapp.kit.drawing import Drawing
from webapp.runs import figures, job, traces, verdict
from webapp.runs import view as viewing
from webapp.runs.view import View

RESULTS_DIR = Settings().results_dir
POSES = read_conventions(RESULTS_DIR / "pose_encoder")
assert POSES is not None
QUESTIONS = [
    (folder.name, question)
    for folder in sorted(RESULTS_DIR.iterdir())
    if folder.is_dir()
    for question in read_conventions(folder).questions  # type: ignore[union-attr]
]
EVIL = "<img src=x onerror=alert(1)>&'\""
STEPS = np.arange(1, 41)


def make_run(
    name: str, config: dict, level: float, *, status: str = "finished", metrics: dict[str, Series] | None = None
) -> Run:
    values = level + 5.0 / STEPS
    time_s = STEPS * 0.5
    epoch = STEPS / 10
    logged = {
        "train/loss": Series(STEPS, values, epoch, time_s),
        "val/nme": Series(STEPS, values, epoch, time_s),
        "test/nme": Series(STEPS[-1:], values[-1:], epoch[-1:], time_s[-1:]),
        "samples_per_s": Series(STEPS, np.full(40, 200.0), epoch, time_s),
    }
    return Run(
        name, name, name, ("jsonl",), config, metrics or logged, status=status, started_unix_s=1.7e9, updated_unix_s=1.0
    )


def experiment(seeds: int = 8, **other: float) -> list[Run]:
    """`mlp` at 4.0 and others above or below it, the same luck for every arm of a seed."""
    luck = np.random.default_rng(0).normal(0, 0.2, seeds)
    own = np.random.default_rng(1)
    levels = {"mlp": 4.0, **other}
    return [
        make_run(
            f"{arm}-{seed}",
            {"pose_encoder": arm, "seed": seed, "lr": 0.001, "parameters": 1_000_000},
            level + luck[seed] + own.normal(0, 0.02),
        )
        for arm, level in levels.items()
        for seed in range(seeds)
    ]


def view_of(runs: list[Run], **choices: object) -> View:
    return viewing.settled(View(**choices), runs, POSES)[0]  # type: ignore[arg-type]


def judge(runs: Sequence[Run], view: View) -> Report:
    return job.judge(runs, view, POSES.baselines)


def card(runs: list[Run], language: str = "en", **choices: object) -> str:
    view = view_of(runs, **choices)
    report = judge(job.taking_part(runs, view), view)
    return verdict.verdict_card(report, traces.colours_of(arms_of(runs, view.group_by)), language)


def plain(fragment: str) -> str:
    """What a person reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", fragment)).split())


def drawn(runs: list[Run], **choices: object) -> tuple[Drawing, tuple[str, ...]]:
    view = view_of(runs, **choices)
    arms = arms_of(runs, view.group_by)
    made = figures.curves(job.taking_part(runs, view), arms, traces.colours_of(arms), view, "en")
    assert isinstance(made.drawing, Drawing), made.drawing
    return made.drawing, made.notes
