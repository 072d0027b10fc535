"""Tables as files: CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence


def table_text(headings: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    """A table as `csv`, `md` (Markdown) or `tex` (LaTeX, booktabs), with everything in its cells taken literally."""
    if kind == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerows([[_csv_cell(cell) for cell in row] for row in [headings, *rows]])
        return "\ufeff" + out.getvalue()  # spreadsheets then read it as UTF-8
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


def _csv_cell(cell: str) -> str:
    """A spreadsheet would run a text that begins like a formula; numbers may begin with a sign."""
    cell = cell.replace("−", "-")
    number = re.fullmatch(r"[+\-]?[\d.,]+(e[+\-]?\d+)?( ?[%a-zA-Z]{1,3})?", cell)
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not number else cell


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
