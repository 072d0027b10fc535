"""What the commands of `python -m core foreground` share: their flags, the request these make, tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..foreground.words import Says
from ..types import Notice, Reject
from ..vectorize.report import one_line

if TYPE_CHECKING:
    from ..foreground.prompts import PromptSet

PROBLEMS_PRINTED = 20

Model = Annotated[
    str | None, typer.Option("--model", help="A CLIP's id; default: the note's model, else one that is here.")
]
Dtype = Annotated[str, typer.Option("--dtype", help="fp32 (the note's numbers), auto, bf16, fp16.")]
BatchSize = Annotated[int, typer.Option("--batch_size", help="Components in one forward pass.")]
Positive = Annotated[
    str | None, typer.Option("--positive", help="Prompts of foreground: a file, one per line, or a preset's name.")
]
Negative = Annotated[str | None, typer.Option("--negative", help="Prompts of background and fragments, likewise.")]
Neutral = Annotated[str | None, typer.Option("--neutral", help="Prompts of neither, likewise; none by default.")]
Templates = Annotated[str, typer.Option("--templates", help="none, one, simple (7), full (80).")]
Mode = Annotated[str, typer.Option("--mode", help="note, or balanced: list lengths do not matter.")]
Margin = Annotated[float, typer.Option("--margin", help="Added around each box, as a part of its longer side.")]
Alpha = Annotated[float, typer.Option("--alpha", help="soft_mask: how far the outside turns grey, 0..1.")]
Grey = Annotated[float, typer.Option("--grey", help="The grey, 0..255.")]
Gain = Annotated[float, typer.Option("--gain", help="What the inside is multiplied by.")]
Blur = Annotated[float, typer.Option("--blur", help="blur_background: sigma as a part of the crop's shorter side.")]


def prompt_set(positive: str | None, negative: str | None, neutral: str | None) -> PromptSet:
    """The three lists, each a file, a preset's name, or the default."""
    from ..foreground.prompts import PromptSet

    return PromptSet(
        _prompt_list(positive, PromptSet.positive),
        _prompt_list(negative, PromptSet.negative),
        _prompt_list(neutral, PromptSet.neutral),
    )


def _prompt_list(given: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    from ..foreground.prompt_lists import PRESETS, is_preset, preset
    from ..foreground.prompts import read

    if given is None:
        return default
    if Path(given).is_file():
        return read(Path(given))
    if is_preset(given):
        return preset(given).prompts
    names = ", ".join(repr(each.name) for each in PRESETS)
    raise InputError(Says.neither_file_nor_preset(given=given), next_step=Says.presets(names=names))


def print_model(facts: dict[str, str], more: str = "") -> None:
    print(f"{facts['id']} on {facts['device']}, {facts['dtype']}{more}\n")


def print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(line[column]) for line in (headings, *rows)) for column in range(len(headings))]
    for line in (headings, tuple("-" * width for width in widths), *rows):
        print(one_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()))


def print_problems(rejects: Sequence[Reject], notices: Sequence[Notice]) -> None:
    for notice in notices:
        print(one_line(f"Note: {notice.text}"))
    if rejects:
        print(f"\nNot scored ({len(rejects):,}):")
        for reject in rejects[:PROBLEMS_PRINTED]:
            print(one_line(f"  {reject.id}: {reject.reason}"))
        if len(rejects) > PROBLEMS_PRINTED:
            print(f"  … and {len(rejects) - PROBLEMS_PRINTED:,} more (in the JSON)")
