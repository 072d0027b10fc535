"""`python -m core models list | fetch ID | check ID | bench`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from ..errors import WeightsInvalid
from ..models import catalogue, weights
from ..models.fetch import HUB_URL, fetch, recorded_sha256
from ..models.spec import ModelSpec
from ..models.words import Says
from ..settings import Settings
from .models_bench import bench_models
from .options import AsJson, Device, WeightsDir, stdout

app = typer.Typer(help="The models: what there is, download, verify, measure.", no_args_is_help=True)
app.command("bench")(bench_models)

ModelId = Annotated[str, typer.Argument(metavar="ID", help="A model's id, as `list` shows it.")]


@app.command("list")
def list_models(weights_dir: WeightsDir = Settings.weights_dir, as_json: AsJson = False) -> None:
    """Every model, with what it is, and whether its weights are here or the command that brings them."""
    specs = catalogue.specs(weights_dir)
    if as_json:
        print(json.dumps([_facts(spec, weights_dir) for spec in specs], indent=1))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("family", no_wrap=True)
    for heading in ("dim", "px", "params M"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("licence")
    table.add_column("weights", overflow="fold")
    for spec in specs:
        table.add_row(
            spec.id,
            spec.family,
            str(spec.dim or "?"),
            str(spec.input_px or "?"),
            f"{spec.params_m:.1f}" if spec.params_m else "?",
            spec.licence or "see source",
            _state(spec, weights_dir),
        )
    stdout().print(table)


@app.command("fetch")
def fetch_model(
    model_id: ModelId,
    weights_dir: WeightsDir = Settings.weights_dir,
    as_json: AsJson = False,
    hub_url: Annotated[
        str, typer.Option("--hub_url", envvar="HF_ENDPOINT", help="The hub, or a mirror of it.")
    ] = HUB_URL,
) -> None:
    """Download a model's weights to where they are looked up. Stopped downloads go on; nothing is fetched twice."""
    spec = catalogue.find(model_id, weights_dir)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress("{task.description}", *columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(spec.id, total=spec.file_bytes or None)

        def on_progress(done_bytes: int, total_bytes: int) -> None:
            progress.update(task, completed=done_bytes, total=total_bytes or None)

        path = fetch(spec, weights_dir, on_progress, hub_url=hub_url)
    if as_json:
        print(json.dumps({"id": spec.id, "path": str(path), "sha256": recorded_sha256(path)}))
    else:
        stdout().print(f"{spec.id} is here: {path}", soft_wrap=True, highlight=False)


@app.command("check")
def check_model(
    model_id: ModelId,
    weights_dir: WeightsDir = Settings.weights_dir,
    device: Device = "cpu",
    dtype: Annotated[str, typer.Option(help="auto, fp32, bf16, fp16.")] = "fp32",
    as_json: AsJson = False,
) -> None:
    """Load a model strictly, encode three images and say what it is. Fails if anything does not fit."""
    from ..models.device import pick_device, pick_dtype

    spec = catalogue.find(model_id, weights_dir)
    chosen_device = pick_device(device)
    chosen_dtype = pick_dtype(dtype, chosen_device)
    weights.family_module(spec)  # importing its libraries is no part of the load time
    begin_s = time.perf_counter()
    encoder = weights.load_encoder(spec, weights_dir, chosen_device, chosen_dtype)
    load_s = time.perf_counter() - begin_s
    result = _checked(encoder, weights_dir) | {"load_s": round(load_s, 3)}
    if as_json:
        print(json.dumps(result, indent=1))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in result.items():
        table.add_row(key, str(value))
    stdout().print(table)


def _checked(encoder: Any, weights_dir: Path) -> dict[str, Any]:
    """What `check` prints. Raises `WeightsInvalid` for a hash, a width or a value that is not as it should be."""
    import numpy as np

    from ..models.passport import canary_vectors

    spec = encoder.spec
    path = weights.locate(spec, weights_dir)
    assert path is not None, "just loaded"
    recorded = recorded_sha256(path)
    if recorded not in (None, encoder.weights_sha256):
        raise WeightsInvalid(
            Says.recorded_sha256(found=encoder.weights_sha256[:16], recorded=recorded[:16]),
            where=str(path),
            next_step=Says.delete_then(command=weights.fetch_command(spec)),
        )
    vectors_BD = np.array(canary_vectors(encoder))
    if not np.isfinite(vectors_BD).all():
        raise WeightsInvalid(Says.not_finite(), where=str(path), next_step=Says.fetch_again())
    if vectors_BD.shape[1] != spec.dim:
        raise WeightsInvalid(Says.other_dim(found=vectors_BD.shape[1], expected=spec.dim), where=spec.id)
    return {
        "id": spec.id,
        "file": str(path),
        "sha256": encoder.weights_sha256,
        "sha256_recorded": recorded is not None,
        "dim": vectors_BD.shape[1],
        "input_px": spec.input_px,
        "device": str(encoder.device),
        "dtype": str(encoder.dtype).removeprefix("torch."),
        "size_bytes": encoder.size_bytes,
        "text": spec.has_text,
        "finite": True,
    }


def _facts(spec: ModelSpec, weights_dir: Path) -> dict[str, Any]:
    path = weights.locate(spec, weights_dir)
    return asdict(spec) | {
        "problem": weights.problem_of(spec, weights_dir),
        "input_px": spec.input_px,
        "path": None if path is None else str(path),
        "command": None if path is not None else weights.fetch_command(spec),
    }


def _state(spec: ModelSpec, weights_dir: Path) -> str:
    problem = weights.problem_of(spec, weights_dir)
    if problem:
        return f"cannot be used: {problem}"
    return "here" if weights.locate(spec, weights_dir) else weights.fetch_command(spec)
