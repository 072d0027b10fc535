"""`/compare_runs`: the verdict on a folder of runs, or on logs sent along, as JSON.

    from gradio_client import Client, handle_file

    app = Client("http://127.0.0.1:7860")
    app.predict(metric="test/acc", group_by="optimizer", api_name="/compare_runs")
    app.predict(files=[handle_file("logs.zip")], metric="test/acc", group_by="model", api_name="/compare_runs")

The same fields as `python -m core runs compare … --json`, and `folder`: what was read.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import gradio as gr

from core.errors import InputError
from core.runs import UPLOAD_LIMITS, RunReader, RunSet, stage_upload
from core.words import Common
from webapp.kit.notices import answered
from webapp.kit.services import Services
from webapp.kit.uploads import Upload, Uploads
from webapp.runs.job import judge, verdict_json
from webapp.runs.library import Library
from webapp.runs.view import CHECKPOINTS, DIRECTIONS, View, settled
from webapp.runs.words import Says


def build(services: Services, library: Library) -> None:
    """The endpoint, on components that are never shown. Called once, inside the page's Blocks."""

    def compare_runs(
        request: gr.Request,
        folder: str,
        group_by: str,
        metric: str,
        select_metric: str,
        baseline: str,
        direction: str,
        at: str,
        files: list[Upload] | None = None,
        duplicates: str = "latest",
    ) -> dict[str, Any]:
        with answered(services.language(request)):
            name, runs = _read(services, library, folder, files or [])
            return {
                "folder": name,
                **_verdict(library, runs, group_by, metric, select_metric, baseline, direction, at, duplicates),
            }

    with gr.Row(visible=False):
        inputs = [
            gr.Textbox("", label="folder: a folder's name in the runs root; empty: what the page shows first"),
            gr.Textbox(
                "", label="group_by: config key, or several with commas; empty: the experiment's own, or what differs"
            ),
            gr.Textbox("", label="metric: what is reported, e.g. test/acc; empty: the first that can be judged"),
            gr.Textbox("", label="select_metric: what chooses the checkpoint; empty: the val/ twin"),
            gr.Textbox("", label="baseline: an arm; empty: the experiment's own, or the first"),
            gr.Textbox("auto", label="direction: auto, min or max"),
            gr.Textbox("best", label="at: best, last or a step"),
            Uploads(file_count="multiple", label="files: logs to read instead of a folder (CSV, JSONL, events, zip)"),
            gr.Textbox(
                "latest", label="duplicates: of several runs of one arm and seed: latest, first, mean or refuse"
            ),
        ]
        verdict = gr.JSON(label="verdict")
        gr.Button().click(
            compare_runs,
            inputs,
            verdict,
            api_name="compare_runs",
            api_description=(
                "Is one arm of training runs better than another, or is that noise? Runs are paired by seed. Gives "
                "`comparisons` (verdict better, worse, no_difference_shown or refused; difference, interval, p_value, "
                "pairs, effect_size, detectable_difference, seeds_needed, reason), `arms`, `values`, `excluded` and "
                "`problems`."
            ),
        )


def _read(services: Services, library: Library, folder: str, files: list[Upload]) -> tuple[str, RunSet]:
    if files:
        scratch = services.new_folder()
        try:
            problems = stage_upload([file.path for file in files], scratch / "logs")
            found = RunReader(scratch / "logs", limits=UPLOAD_LIMITS).read()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return "", RunSet(found.runs, (*problems, *found.problems))
    offered = library.find(folder.strip()) if folder.strip() else library.start()
    if offered is None:
        raise InputError(Common.no_runs_here(), next_step=Says.train_first())
    return offered.name, library.read(offered)


def _verdict(
    library: Library,
    runs: RunSet,
    group_by: str,
    metric: str,
    select_metric: str,
    baseline: str,
    direction: str,
    at: str,
    duplicates: str,
) -> dict[str, Any]:
    if not len(runs):
        lost = "; ".join(f"{problem.path}: {problem.reason}" for problem in runs.problems[:5])
        next_step = Says.give_logs()
        raise InputError(Says.no_runs_in_it(), where=lost, next_step=next_step)
    conventions = library.conventions(runs)
    start, _ = settled(View(), runs.runs, conventions)
    if direction not in DIRECTIONS:
        raise InputError(Says.direction(), where=direction[:60])
    if at not in CHECKPOINTS and not at.strip().isdigit():
        raise InputError(Common.checkpoint_choice(), where=at[:60])
    keys = tuple(key.strip() for key in group_by.split(",") if key.strip())
    view = replace(
        start,
        group_by=keys or start.group_by,
        metric=metric.strip() or start.metric,
        select=select_metric.strip(),
        baseline=baseline.strip(),
        direction=direction,
        at=at.strip(),
        duplicates=duplicates.strip(),
    )
    return verdict_json(judge(runs.runs, view, conventions.baselines), runs.problems)
