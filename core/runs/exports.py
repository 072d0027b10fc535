"""Charts that other trackers let people download as CSV, told from their names.

* TensorBoard: `run-NAME-tag-TAG.csv` with the one metric `Value`.
* Weights & Biases: one column for each run, `NAME - METRIC`, with `…__MIN` and `…__MAX` beside it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType

from .series import Run, Series, clean_text
from .trees import opaque_id

_TENSORBOARD = re.compile(r"(?:run-)?(?P<run>.*?)-?tag-(?P<tag>.+)")
_WANDB_SPAN = re.compile(r"__(MIN|MAX)$")


def with_tag_of_name(series: dict[str, Series], path: str) -> dict[str, Series]:
    """TensorBoard's CSV: its one series under the tag that the file is named after. Anything else as it is."""
    export = _TENSORBOARD.fullmatch(PurePosixPath(path).stem)
    return {clean_text(export["tag"]): series["Value"]} if export and list(series) == ["Value"] else series


def runs_of_chart(run: Run) -> tuple[Run, ...]:
    """The runs in a chart of Weights & Biases; any other run alone. The span columns repeat the value and go."""
    names = [name for name in run.metrics if not _WANDB_SPAN.search(name)]
    has_spans = len(names) < len(run.metrics)
    if run.formats != ("csv",) or not has_spans or not all(" - " in name for name in names):
        return (run,)
    found: dict[str, dict[str, Series]] = {}
    for name in names:
        of, _, metric = name.partition(" - ")
        found.setdefault(of, {})[metric] = run.metrics[name]
    return tuple(
        replace(run, id=opaque_id(run.id, of), name=of, path=f"{run.path}#{of}", metrics=MappingProxyType(series))
        for of, series in found.items()
    )
