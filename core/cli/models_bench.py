"""`python -m core models bench`: images/s, load time and memory of each model and dtype on this machine."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..errors import InputError
from ..models import catalogue
from ..models.manager import ModelManager
from ..models.words import Says
from ..settings import Settings
from .options import AsJson, Device, WeightsDir, stdout

if TYPE_CHECKING:
    from ..models.bench import BenchRow


def bench_models(
    models: Annotated[
        str, typer.Option("--models", help="Ids, separated by commas; default: the whole catalogue.")
    ] = "",
    dtype: Annotated[
        str, typer.Option("--dtype", help="auto, fp32, bf16, fp16; several separated by commas.")
    ] = "auto",
    device: Device = "auto",
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, max=4096, help="Images in one pass.")] = 32,
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="Time for each row, about.")] = 5.0,
    weights_dir: WeightsDir = Settings.weights_dir,
    as_json: AsJson = False,
) -> None:
    """Images/s of the model alone, load time, memory, on random pixels. Models without weights are listed as absent."""
    from ..models.bench import bench_rows

    model_ids = _list_of(models) or [spec.id for spec in catalogue.specs(weights_dir)]
    dtypes = _list_of(dtype)
    if not dtypes:
        raise InputError(Says.no_dtype_named(), next_step=Says.choose_any_dtype())
    progress = Console(stderr=True)
    rows = []
    with closing(ModelManager(Settings(weights_dir=weights_dir, idle_unload_s=0.0))) as manager:
        for row in bench_rows(model_ids, manager, dtypes, batch_size, seconds, device=device):
            rows.append(row)
            progress.print(f"{row.model_id}: {row.state}", highlight=False)
            for notice in row.notices:
                progress.print(f"  {notice.text}", highlight=False, soft_wrap=True)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        stdout().print(_table(rows))


def _list_of(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _table(rows: list[BenchRow]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("device", no_wrap=True)
    table.add_column("dtype", no_wrap=True)
    for heading in ("batch", "images/s", "load s", "memory MB", "peak MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in rows:
        figures = ["", "", "", "", ""]
        if row.state == "measured":
            peak_mb = "" if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.0f}"
            figures = [
                str(row.batch_size),
                f"{row.images_per_s:.1f}",
                f"{row.load_s:.2f}",
                f"{row.memory_bytes / 1e6:.1f}",
                peak_mb,
            ]
        remark = "" if row.state == "measured" else f"{row.state}: {row.hint}"
        table.add_row(row.model_id, row.device, row.dtype, *figures, remark)
    return table
