"""What several commands have, each written once: options, and a place for tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Device = Annotated[str, typer.Option("--device", help="auto, cpu, gpu, cuda:N, mps.")]
WeightsDir = Annotated[
    Path,
    typer.Option("--weights_dir", help="Where weights lie.", callback=lambda path: path.expanduser()),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def stdout() -> Console:
    """For tables. A file or a pipe is wide, so that no id is cut."""
    console = Console()
    return console if console.is_terminal else Console(width=200)
