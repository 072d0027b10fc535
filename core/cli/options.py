"""Options that several commands have, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[str, typer.Option("--device", help="auto, cpu, gpu, cuda:N, mps.")]
WeightsDir = Annotated[
    Path,
    typer.Option("--weights_dir", "--weights-dir", help="Where weights lie.", callback=lambda path: path.expanduser()),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
