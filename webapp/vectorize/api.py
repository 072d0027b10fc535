"""`/vectorize`: images in; the report as JSON and the vectors as an `.npz` file out.

    from gradio_client import Client, handle_file

    report, npz_path = Client("http://127.0.0.1:7860").predict(
        files=[handle_file("cat.jpg"), handle_file("photos.zip")], models="efficientnet_lite0", api_name="/vectorize")

    with numpy.load(npz_path) as stored:
        stored["ids"], stored["vectors"]

With `submit` instead of `predict`, `job.outputs()` gives `[{"progress": {"stage", "done", "total"}}, None]` on the
way, and `job.cancel()` stops the work.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

import gradio as gr
import numpy as np

from core.errors import InputError
from core.types import Progress, VectorizeRequest, VectorTable
from webapp.kit.notices import answered
from webapp.kit.services import COMPUTE, COMPUTE_LIMIT, Services
from webapp.kit.uploads import Upload, Uploads
from webapp.vectorize.job import download_file, run
from webapp.vectorize.words import Says

FIRST_VALUES = 10


def build(services: Services) -> None:
    """The endpoint, on components that are never shown. Called once, inside the page's Blocks."""

    def vectorize(
        files: list[Upload],
        models: Any,
        batch_size: int | None,
        device: str | None,
        dtype: str | None,
        normalize: bool | None,
        request: gr.Request,
    ) -> Iterator[tuple[dict[str, Any], str | None]]:
        with answered(services.language(request)):
            if not isinstance(batch_size, (int, float)):
                raise InputError(Says.batch_size_whole_number(), where=repr(batch_size)[:200])
            wanted = VectorizeRequest(
                _model_ids(models), int(batch_size), device or "auto", dtype or "auto", bool(normalize)
            )
            with closing(run(services, files, wanted, pictures=False)) as steps:
                for step in steps:
                    if isinstance(step, Progress):
                        progress = {"stage": step.stage, "done": step.done, "total": step.total}
                        yield {"progress": progress}, None
                    else:
                        made = step.table
                        yield report(made), str(download_file(step, ".npz")) if made.ids else None

    with gr.Row(visible=False):
        files = Uploads(file_count="multiple", label="files")
        models = gr.JSON(label="models: a list of ids, or one string with commas")
        batch_size = gr.Number(32, precision=0, label="batch_size")
        device = gr.Textbox(services.settings.device, label="device: auto, cpu, gpu, cuda:N, mps")
        dtype = gr.Textbox("auto", label="dtype: auto, fp32, bf16, fp16")
        normalize = gr.Checkbox(False, label="normalize")
        report_json = gr.JSON(label="report")
        npz = gr.File(label="vectors.npz")
        gr.Button().click(
            vectorize,
            [files, models, batch_size, device, dtype, normalize],
            [report_json, npz],
            api_name="vectorize",
            api_description=(
                "Vectors of images (files or zips) by one model or an ensemble. Gives a report (ids, members, rejects "
                "with reasons, notices, and of each image the first ten values) and an .npz file with the arrays `ids` "
                "and `vectors`."
            ),
            concurrency_id=COMPUTE,
            concurrency_limit=COMPUTE_LIMIT,
        )


def report(table: VectorTable) -> dict[str, Any]:
    """A table as plain JSON values, without the vectors themselves."""
    vectors_ND = table.vectors_ND
    ms_N = [None] * len(table.ids) if table.ms_N is None else [round(float(ms), 3) for ms in table.ms_N]
    return {
        "ids": list(table.ids),
        "dim": table.dim,
        "members": [{**asdict(member), "dim": member.dim} for member in table.members],
        "relative_compute": table.relative_compute,
        "seconds": table.seconds,
        "rejects": [asdict(reject) for reject in table.rejects],
        "notices": [asdict(notice) for notice in table.notices],
        "images": [
            {
                "id": row_id,
                "ms": ms,
                "first": [float(value) for value in vector_D[:FIRST_VALUES]],
                "mean": float(vector_D.mean()),
                "std": float(vector_D.std()),
                "norm": float(np.linalg.norm(vector_D)),
            }
            for row_id, ms, vector_D in zip(table.ids, ms_N, vectors_ND, strict=True)
        ],
    }


def _model_ids(models: Any) -> tuple[str, ...]:
    """A list of ids, or one string with commas (plain, or as JSON)."""
    if isinstance(models, str):
        try:
            models = json.loads(models)
        except json.JSONDecodeError:
            models = models.split(",")
    if not isinstance(models, list) or not all(isinstance(model_id, str) for model_id in models):
        raise InputError(Says.models_as_list(), where=repr(models)[:200])
    return tuple(model_id.strip() for model_id in models if model_id.strip())
