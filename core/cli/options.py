"""What several commands have, each written once: options, progress, a place for tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..types import Progress

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


def last_of(items: Iterator[Any]) -> Any:
    """The last item; progress goes to a bar on stderr."""
    from rich.progress import Progress as Bar

    last = None
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        for item in items:
            if isinstance(item, Progress):
                bar.update(task, description=item.stage, completed=item.done, total=item.total or None)
            else:
                last = item
    return last
