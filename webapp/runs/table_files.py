"""Tables as files: CSV, Markdown, LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.files import csv_text


def table_text(headings: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    """A table as `csv`, `md` (Markdown) or `tex` (LaTeX, booktabs), with everything in its cells taken literally."""
    if kind == "csv":
        plain = [[cell.replace("−", "-") for cell in row] for row in [headings, *rows]]
        return csv_text(plain[0], plain[1:], bom=True, line_end="\r\n")
    if kind == "md":
        lines = [[_markdown_cell(cell) for cell in row] for row in [headings, *rows]]
        lines.insert(1, ["---"] + ["---:"] * (len(headings) - 1))
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)
    assert kind == "tex", kind
    body = [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in [headings, *rows]]
    columns = "l" + "r" * (len(headings) - 1)
    return (
        "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule"])
        + "\n\\end{tabular}\n"
    )


def _markdown_cell(cell: str) -> str:
    cell = cell.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", cell)


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def _latex_cell(cell: str) -> str:
    return "".join(_LATEX.get(char, char) for char in cell.replace("\n", " "))
