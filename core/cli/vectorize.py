"""`python -m core vectorize`: images → vectors; the report on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ..errors import InputError, WorkbenchError
from ..images.sources import Found, find
from ..messages import joined
from ..settings import Settings
from ..types import Progress, VectorizeRequest, VectorTable
from ..vectorize import store
from ..vectorize.ensemble import check_request
from ..vectorize.report import one_line, report, report_text
from ..vectorize.resume import alone_at, discard
from ..words import Common
from .options import Device, WeightsDir
from .words import Says

app = typer.Typer(add_completion=False)

_DTYPES = ("auto", "fp32", "bf16", "fp16")


@app.command()
def vectorize(
    image_path: Annotated[Path, typer.Option("--image_path", help="An image, or a folder of images.")],
    models: Annotated[
        str | None,
        typer.Option("--models", help="One id, or several with commas: an ensemble. Default: what is here."),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch_size", help="Images in one forward pass at most.")] = 32,
    device: Device = "auto",
    output: Annotated[
        Path | None,
        typer.Option("--output", help=f"Written by suffix: {' '.join(store.SUFFIXES)}. Without it: the report only."),
    ] = None,
    weights_dir: WeightsDir = Settings.weights_dir,
    dtype: Annotated[str, typer.Option("--dtype", help="auto, fp32 (the reference), bf16, fp16.")] = "auto",
    normalize: Annotated[bool, typer.Option("--normalize", help="L2-normalise each model's part.")] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="Folders inside the folder too.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace also an output that this project did not write.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Turn an image, or a folder of images, into vectors.

    A run with --output that was killed goes on where it stopped when it is started again.
    """
    if output is not None:
        store.check_output(output, overwrite=overwrite)
    if dtype not in _DTYPES:
        raise InputError(Common.unknown_dtype(name=dtype), next_step=Common.choose_one(names=", ".join(_DTYPES)))
    found = find(image_path, recursive)
    if not found.sources:
        raise InputError(
            Says.no_image_in_folder(),
            where=str(image_path),
            next_step=joined(*(notice.text for notice in found.notices)) or Says.check_image_path(),
        )
    request = VectorizeRequest(_chosen(models, weights_dir), batch_size, device, dtype, normalize)
    check_request(request)
    settings = Settings(weights_dir=weights_dir, device=device, dtype=dtype)
    if output is None:
        table = _run(found, request, settings, None)
    else:
        with alone_at(output) as folder:
            table = _run(found, request, settings, folder)
            if table.ids:
                written = store.write(table, output, overwrite=overwrite, drafts_in=folder)
                _say(f"Written: {', '.join(str(path) for path in written)}")
            discard(folder)
    print(json.dumps(report(table), ensure_ascii=False, indent=1) if as_json else report_text(table))
    if not table.ids:
        raise WorkbenchError(Says.no_image_usable(), where=str(image_path))


def default_model(weights_dir: Path) -> str:
    """The built-in CLIP where its weights are, else the classic model that is always there."""
    from ..models.described import DEMO_MODEL, demo_spec
    from ..models.weights import is_here

    return DEMO_MODEL if is_here(demo_spec(weights_dir), weights_dir) else "efficientnet_lite0"


def _chosen(models: str | None, weights_dir: Path) -> tuple[str, ...]:
    """Model ids of the flag, each one known and with its weights here, before anything slow begins."""
    from ..errors import WeightsMissing
    from ..models import catalogue, weights

    if models is None:
        return (default_model(weights_dir),)
    chosen = tuple(part.strip() for part in models.split(",") if part.strip())
    for model_id in chosen:
        spec = catalogue.find(model_id, weights_dir)
        if weights.locate(spec, weights_dir) is None and not spec.problem:
            raise WeightsMissing(Common.weights_not_here(), where=model_id, next_step=weights.fetch_command(spec))
    return chosen


def _run(found: Found, request: VectorizeRequest, settings: Settings, journal_folder: Path | None) -> VectorTable:
    from ..models.manager import ModelManager
    from ..vectorize.pipeline import vectorize as run

    manager = ModelManager(settings)
    items = run(
        found.sources,
        request,
        manager,
        limits=settings.limits,
        rejects=found.rejects,
        notices=found.notices,
        journal_folder=journal_folder,
    )
    try:
        return _shown(items, len(found.sources))
    except KeyboardInterrupt:
        if journal_folder is not None:
            _say("Stopped. The same command goes on from here.")
        raise
    finally:
        items.close()
        manager.close()


def _shown(items: Iterable[Progress | VectorTable], total: int) -> VectorTable:
    """The table, with a bar on stderr until it is there."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading", total=total, rate="")
        for item in items:
            if isinstance(item, VectorTable):
                return item
            what = "loading" if item.stage == "load" else "vectorizing"
            rate = f"{item.images_per_s:.1f} images/s" if item.images_per_s else ""
            bar.update(task, completed=item.done, description=what, rate=rate)
    raise AssertionError("a job ends with its table or an error")


def _say(text: str) -> None:
    print(one_line(text), file=sys.stderr)
