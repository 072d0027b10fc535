"""`ResultTable`: rows of a result. A click on a heading sorts, a click on a row chooses it.

Not `gr.Dataframe`: that one is now and then drawn empty, with the headings "0 1 2", when its value arrives while the
column that it stands in becomes visible. This one is drawn from its value alone, whenever that is.

    table = ResultTable(elem_id="vz-table")
    button.click(show, inputs, table)                  # show returns a Rows
    table.select(on_row, None, outputs)                # def on_row(event: gr.EventData): chosen_row(event, count)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.errors import InputError
from webapp.kit import assets
from webapp.kit.words import KitSays
from webapp.text import in_both

Cell = str | int | float | None
"""Text, a number (sorted as one, at the right), or nothing."""


@dataclass(frozen=True)
class Rows:
    """What a table shows.

    Attributes:
        headings: of the columns.
        cells: one sequence a row, as many as there are headings.
        widths: of the columns, in CSS; empty for the browser's own choice.
    """

    headings: tuple[str, ...]
    cells: Sequence[Sequence[Cell]]
    widths: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        cells = [[_plain(cell) for cell in row] for row in self.cells]
        return {"headings": list(self.headings), "cells": cells, "widths": list(self.widths)}


def _plain(cell: Cell) -> Cell:
    """JSON has no NaN and no infinity; they are shown as what they are called."""
    return str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell


class ResultTable(gr.HTML):
    """The table. `select` fires for the row that was clicked, or that Enter was pressed on.

    Args:
        max_height_px: beyond it the rows scroll under their headings.
    """

    def __init__(self, elem_id: str, *, max_height_px: int = 380, **kwargs: Any) -> None:
        super().__init__(
            value=None,
            elem_id=elem_id,
            html_template=(
                f'<div class="wb-table" style="max-height:{max_height_px}px" tabindex="0"></div>'
                f'<button type="button" class="wb-table-copy">'
                f'<span class="when-not-copied">{in_both("table_copy")}</span>'
                f'<span class="when-copied" role="status">{in_both("table_copied")}</span></button>'
            ),
            head=assets.head(__file__, "table"),
            js_on_load="WorkbenchTable.mount(element, props, trigger, watch);",
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> None:
        """A table is never an input: what a browser sends back is not read."""

    def postprocess(self, value: Rows | None) -> dict[str, Any] | None:  # type: ignore[override]
        return None if value is None else value.to_json()

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": "{headings, cells}"}


def chosen_row(event: gr.EventData, count: int) -> int:
    """The place of the row that was chosen, in the order in which the rows were given.

    Raises:
        InputError: the browser named a row that is not there.
    """
    row = event._data.get("row") if isinstance(event._data, dict) else None
    if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < count:
        raise InputError(KitSays.no_row(row=str(row)[:20]))
    return row
