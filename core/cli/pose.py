"""`python -m core pose describe|encode`: a head pose in words, and as a vector; one pose, or a CSV of them."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..messages import all_of
from ..pose.words import Says
from ..settings import Settings
from ..vectorize.report import one_line
from .options import AsJson, Device, WeightsDir, last_of

if TYPE_CHECKING:
    import numpy as np

    from ..models.manager import ModelManager
    from ..pose.embedding import Embedded, Wording
    from ..pose.poses import PosesResult

app = typer.Typer(
    no_args_is_help=True,
    help="A head pose in words and as a vector. Degrees; yaw > 0 turns the nose to image right, pitch > 0 up, "
    "roll > 0 tips the head's top to image right.",
)

Yaw = Annotated[float | None, typer.Option("--yaw", help="Degrees; > 0: nose to image right.")]
Pitch = Annotated[float | None, typer.Option("--pitch", help="Degrees; > 0: up.")]
Roll = Annotated[float | None, typer.Option("--roll", help="Degrees; > 0: the head's top to image right.")]
PosesFileOption = Annotated[
    Path | None, typer.Option("--poses_file", help="A CSV with the columns yaw, pitch, roll, instead of one pose.")
]
Continuous = Annotated[bool, typer.Option("--continuous", help="The numbers themselves instead of 45 captions.")]
Expression = Annotated[str, typer.Option("--expression", help="A word or two more, for example smiling.")]
Lighting = Annotated[str, typer.Option("--lighting", help="For example 'light from the left'.")]
Template = Annotated[str, typer.Option("--template", help="Around the caption, with one {}: 'a photo of a face, {}'.")]

FIRST_VALUES = 10
REJECTS_PRINTED = 20


@app.command()
def describe(
    yaw: Yaw = None,
    pitch: Pitch = None,
    roll: Roll = None,
    poses_file: PosesFileOption = None,
    continuous: Continuous = False,
    expression: Expression = "",
    lighting: Lighting = "",
    template: Template = "{}",
    output: Annotated[
        Path | None, typer.Option("--output", help="With --poses_file: write .csv, .parquet or .npz.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the caption alone on one line."""
    wording = _wording(continuous, expression, lighting, template)
    if poses_file is not None:
        _refuse_both(yaw, pitch, roll)
        if output is None:
            raise InputError(Says.captions_need_output(), next_step=Says.add_output())
        _print_file(_convert(poses_file, output, wording), as_json)
        return
    if output is not None:
        raise InputError(Says.output_needs_file())
    angles_13 = _angles(yaw, pitch, roll)
    caption = wording.captions(angles_13)[0]
    if not as_json:
        print(one_line(caption))
        return
    from ..pose.text import bin_words

    print(_json({"caption": caption, **_plain_angles(angles_13), "bins": bin_words(angles_13)}))


@app.command()
def encode(
    yaw: Yaw = None,
    pitch: Pitch = None,
    roll: Roll = None,
    poses_file: PosesFileOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            help="Written by suffix: .npz .npy .parquet .safetensors .csv; of a file of poses .csv .parquet .npz.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="A CLIP's id, or ViT-B/32, ViT-B/16, ViT-L/14. Default: one that is here."),
    ] = None,
    device: Device = "auto",
    dtype: Annotated[str, typer.Option("--dtype", help="fp32 (the reference), auto, bf16, fp16.")] = "fp32",
    weights_dir: WeightsDir = Settings.weights_dir,
    continuous: Continuous = False,
    expression: Expression = "",
    lighting: Lighting = "",
    template: Template = "{}",
    as_json: AsJson = False,
) -> None:
    """The caption's CLIP embedding, of length 1; written to --output, or its first values printed."""
    from ..pose.embedding import catalogue_id, default_model, embed_captions

    wording = _wording(continuous, expression, lighting, template)
    angles_13 = None
    if poses_file is None:
        angles_13 = _angles(yaw, pitch, roll)
        if output is not None:
            from ..vectorize.store import check_output

            check_output(output)
    else:
        _refuse_both(yaw, pitch, roll)
        if output is None:
            raise InputError(Says.vectors_need_output(), next_step=Says.add_output())
    model_id = catalogue_id(model) if model else default_model(weights_dir)
    from ..models.manager import ModelManager

    manager = ModelManager(Settings(weights_dir=weights_dir, device=device, dtype=dtype))
    try:
        if poses_file is not None:
            assert output is not None
            how: dict[str, Any] = {"manager": manager, "model": model_id, "device": device, "dtype": dtype}
            _print_file(_convert(poses_file, output, wording, **how), as_json)
            return
        assert angles_13 is not None
        made = embed_captions(wording.captions(angles_13), manager, model_id, device=device, dtype=dtype)
        if output is not None:
            _write_one(made, output, manager)
    finally:
        manager.close()
    _print_one(made, angles_13, as_json)


# --- reading what was given -------------------------------------------------------------------------------------------


def _wording(continuous: bool, expression: str, lighting: str, template: str) -> Wording:
    from ..pose.embedding import Wording

    return Wording(continuous, expression, lighting, template)


def _angles(yaw: float | None, pitch: float | None, roll: float | None) -> np.ndarray:
    from ..pose.angles import checked_angles

    given = {"--yaw": yaw, "--pitch": pitch, "--roll": roll}
    absent = [flag for flag, value in given.items() if value is None]
    if absent:
        told = Says.flag_not_given if len(absent) == 1 else Says.flags_not_given
        raise InputError(told(flags=all_of(absent)), next_step=Says.flags_not_given_next())
    for flag, value in given.items():
        if not math.isfinite(value or 0.0):
            raise InputError(Says.flag_not_finite(flag=flag, value=value), next_step=Says.give_flag_degrees(flag=flag))
    angles_13 = checked_angles([list(given.values())])
    for flag, value, used in zip(given, given.values(), angles_13[0].tolist(), strict=True):
        if value != used:
            _say(Says.flag_wrapped(flag=flag, given=value, used=used))
    return angles_13


def _refuse_both(*angles: float | None) -> None:
    if any(angle is not None for angle in angles):
        raise InputError(Says.one_pose_or_file())


# --- the work ---------------------------------------------------------------------------------------------------------


def _convert(path: Path, output: Path, wording: Wording, **options: Any) -> PosesResult:
    from ..pose.poses import PosesResult, convert

    result = last_of(convert(path, output, wording, **options))
    assert isinstance(result, PosesResult)
    return result


def _write_one(made: Embedded, output: Path, manager: ModelManager) -> None:
    """A table of one row in the house's own formats; its id is the caption."""
    from ..pose.embedding import vector_table
    from ..vectorize import store

    _say(f"Written: {', '.join(str(path) for path in store.write(vector_table(made, manager), output))}")


# --- showing ----------------------------------------------------------------------------------------------------------


def _print_one(made: Embedded, angles_13: np.ndarray, as_json: bool) -> None:
    vector_D = made.units_ND[0]
    if as_json:
        facts = {"caption": made.captions[0], **_plain_angles(angles_13), "model": made.model, "dim": made.dim}
        notices = [asdict(notice) for notice in made.notices]
        print(_json({**facts, "seconds": made.seconds, "embedding": vector_D.tolist(), "notices": notices}))
        return
    print(one_line(made.captions[0]))
    print(f"{made.model['id']} on {made.model['device']}, {made.model['dtype']}: {made.dim} values of length 1")
    print(f"first {FIRST_VALUES}: {', '.join(f'{value:.4f}' for value in vector_D[:FIRST_VALUES].tolist())}, …")
    for notice in made.notices:
        _say(f"Note: {notice.text}")


def _print_file(result: PosesResult, as_json: bool) -> None:
    _say(f"Written: {result.output}")
    if as_json:
        made = {
            **{name: getattr(result, name) for name in ("rows", "usable", "captions", "dim", "model")},
            "output": str(result.output),
            "rejects": [asdict(reject) for reject in result.rejects],
            "notices": [asdict(notice) for notice in result.notices],
        }
        print(_json(made))
        return
    vectors = f", vectors of {result.dim} values by {result.model['id']}" if result.dim else ""
    print(f"{result.rows:,} rows, {result.usable:,} usable; {result.captions:,} different captions{vectors}")
    for notice in result.notices:
        print(one_line(f"Note: {notice.text}"))
    if result.rejects:
        print(f"\nNot usable ({result.rows - result.usable:,}):")
        for reject in result.rejects[:REJECTS_PRINTED]:
            print(one_line(f"  {reject.id}: {reject.reason}"))
        more = result.rows - result.usable - REJECTS_PRINTED
        if more > 0:
            print(f"  … and {more:,} more (each has its problem in the output)")


def _plain_angles(angles_13: np.ndarray) -> dict[str, float]:
    yaw, pitch, roll = angles_13[0].tolist()
    return {"yaw_deg": yaw, "pitch_deg": pitch, "roll_deg": roll}


def _json(made: Any) -> str:
    return json.dumps(made, ensure_ascii=False, indent=1, allow_nan=False)


def _say(text: str) -> None:
    print(one_line(text), file=sys.stderr)
