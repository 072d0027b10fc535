"""`python -m core.cli.docs --check | --write`: the generated parts of README.md and weights/README.md.

A part stands between `<!-- generated:NAME -->` and `<!-- /generated:NAME -->`; everything else is written by hand.
`make check` fails while a part is out of date, `make docs` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError, WorkbenchError
from ..models import catalogue, weights
from ..models.fetch import HUB_URL
from ..models.spec import FAMILY_NAMES, ModelSpec
from ..settings import REPO_DIR
from .words import Says


def models_table() -> str:
    """Every model of the catalogue and what it is."""
    rows = [
        (
            f"`{spec.id}`",
            FAMILY_NAMES[spec.family],
            str(spec.dim or "–"),
            str(spec.input_px or "–"),
            f"{spec.params_m:.1f} M" if spec.params_m else "–",
            f"{spec.gmacs:.1f}" if spec.gmacs else "–",
            spec.licence or "see its source",
            spec.advice,
        )
        for spec in _listed()
    ]
    return _table(("id", "family", "dim", "input px", "parameters", "GMACs", "weights' licence", "advice"), rows)


def weights_table() -> str:
    """Which file goes where, and where it comes from."""
    rows = []
    for spec in _listed():
        places = f"`{spec.folder}/{spec.files[0]}`"
        if spec.family == "openai_clip":
            places += f" or `{spec.elsewhere[0]}`"
        rows.append((f"`{spec.id}`", places, _size(spec), _origin(spec)))
    return _table(("id", "file, in this folder", "size", "from"), rows)


# file → its generated parts, by name
PARTS: dict[Path, dict[str, Callable[[], str]]] = {
    Path("README.md"): {"models": models_table},
    Path("weights/README.md"): {"weights": weights_table},
}


def render(text: str, parts: dict[str, Callable[[], str]], where: str) -> str:
    """`text` with every generated part written anew. Raises `InputError` where the marks of a part are missing."""
    for name, make in parts.items():
        begin, end = f"<!-- generated:{name} -->", f"<!-- /generated:{name} -->"
        pattern = re.compile(re.escape(begin) + r"\n.*?" + re.escape(end), re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise InputError(Says.marks_once(begin=begin, end=end), where=where)
        text = pattern.sub(lambda _, made=f"{begin}\n{make()}\n{end}": made, text)  # type: ignore[misc]
    return text


def stale(root: Path) -> dict[Path, str]:
    """Files whose generated parts are out of date, with the text they should have."""
    fresh = {}
    for name, parts in PARTS.items():
        text = (root / name).read_text(encoding="utf-8")
        rendered = render(text, parts, str(name))
        if rendered != text:
            fresh[root / name] = rendered
    return fresh


def main(
    check: Annotated[bool, typer.Option("--check", help="Fail if a part is out of date.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the parts that are.")] = False,
) -> None:
    """Check or write the generated parts of the documentation."""
    if check == write:
        raise typer.BadParameter("choose one of --check and --write")
    try:
        fresh = stale(REPO_DIR)
    except (WorkbenchError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    for path, text in fresh.items():
        if write:
            path.write_text(text, encoding="utf-8")
        typer.echo(f"{'written' if write else 'out of date'}: {path.relative_to(REPO_DIR)}", err=check)
    if check and fresh:
        typer.echo("Next: make docs", err=True)
        raise typer.Exit(1)


def _listed() -> list[ModelSpec]:
    """What comes with the project, whatever else lies in this copy's weights folder."""
    return [spec for spec in catalogue.specs(REPO_DIR / "weights") if not spec.custom]


def _size(spec: ModelSpec) -> str:
    return f"{spec.file_bytes / 1e6:,.0f} MB" if spec.file_bytes else "–"


def _origin(spec: ModelSpec) -> str:
    places = []
    if spec.url:
        places.append(f"[{spec.url.split('/')[2]}]({spec.url})")
    if spec.hub_id:
        places.append(f"[{spec.hub_id}]({HUB_URL}/{spec.hub_id})")
    return " or ".join(places) or f"`{weights.fetch_command(spec)}`"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    typer.run(main)
