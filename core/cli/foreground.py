"""`python -m core foreground`: score the components of an image; `… foreground evaluate`: against truth."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..foreground.request import DEFAULT_METHOD, Extras, ForegroundRequest, Picture, default_model
from ..foreground.scoring import Rule
from ..foreground.treatments import Treatment
from ..foreground.words import Says
from ..messages import english, reason_of
from ..settings import COMMAND, Settings
from . import foreground_common as common
from .foreground_evaluate import evaluate_command
from .options import AsJson, Device, WeightsDir, last_of

if TYPE_CHECKING:
    from ..foreground.components import ComponentSet
    from ..foreground.heatmap import HeatMap
    from ..foreground.pipeline import ForegroundResult

ROWS_PRINTED = 100  # the best ranked; thousands would push all else out of the terminal

app = typer.Typer(
    invoke_without_command=True,
    help="Foreground or background? Score the components of an image with prompts.",
)
app.command("evaluate")(evaluate_command)


@app.callback()
def score_command(
    context: typer.Context,
    image: Annotated[Path | None, typer.Option("--image", help="The image.")] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="Label, colour or two-valued mask image; two values split.")
    ] = None,
    components: Annotated[Path | None, typer.Option("--components", help="COCO or SAM JSON, or boxes.")] = None,
    mask_kind: Annotated[str, typer.Option("--mask_kind", help="auto, binary, labels, colours.")] = "auto",
    treatment: Annotated[
        str, typer.Option("--treatment", help="original, raw_crop, soft_mask, blur_background.")
    ] = Treatment.name,
    model: common.Model = None,
    device: Device = ForegroundRequest.device,
    dtype: common.Dtype = ForegroundRequest.dtype,
    weights_dir: WeightsDir = Settings.weights_dir,
    positive: common.Positive = None,
    negative: common.Negative = None,
    neutral: common.Neutral = None,
    templates: common.Templates = ForegroundRequest.templates,
    mode: common.Mode = ForegroundRequest.mode,
    margin: common.Margin = ForegroundRequest.margin,
    alpha: common.Alpha = Treatment.alpha,
    grey: common.Grey = Treatment.grey,
    gain: common.Gain = Treatment.gain,
    blur: common.Blur = Treatment.blur,
    negative_above: Annotated[
        float, typer.Option("--negative_above", help=f"p_neg_sum above it: background, × {Rule.background:g}.")
    ] = Rule.negative_above,
    positive_above: Annotated[
        float, typer.Option("--positive_above", help=f"p_pos_sum above it may be foreground, × {Rule.foreground:g}.")
    ] = Rule.positive_above,
    negative_below: Annotated[
        float, typer.Option("--negative_below", help="… if p_neg_sum is below this.")
    ] = Rule.negative_below,
    likely_above: Annotated[
        float, typer.Option("--likely_above", help=f"p_pos_sum above it: × {Rule.likely:g}; else × {Rule.ambiguous:g}.")
    ] = Rule.likely_above,
    batch_size: common.BatchSize = ForegroundRequest.batch_size,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add each prompt's share and what would change the multiplier (JSON).")
    ] = False,
    leak: Annotated[bool, typer.Option("--leak", help="Add how far each score depends on the outside (JSON).")] = False,
    heatmap: Annotated[Path | None, typer.Option("--heatmap", help="Write the foreground map as a grey PNG.")] = None,
    heat_method: Annotated[
        str, typer.Option("--heat_method", help="clearclip, maskclip, sclip, naclip, clip.")
    ] = DEFAULT_METHOD,
    output: Annotated[Path | None, typer.Option("--output", help="Write .json or .csv.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score each component of an image: how likely it is a foreground object rather than background or a fragment.

    Without --mask and --components, components are proposed from colours and the model's heat map.
    """
    if context.invoked_subcommand is not None:
        return
    from ..foreground import export
    from ..foreground.analyse import Analysis, analyse
    from ..images.decode import decode
    from ..models.manager import ModelManager
    from ..types import ImageSource

    if image is None:
        raise InputError(Says.which_image(), next_step=english(f"{COMMAND} foreground --image P --output F"))
    _check_choices(mask, components, output, wants_json=explain or leak, as_json=as_json)
    extras = Extras("for_proposals" if heatmap is None else "required", heat_method, explain, leak)  # type: ignore[arg-type]
    request = ForegroundRequest(
        model=model or default_model(weights_dir),
        prompts=common.prompt_set(positive, negative, neutral),
        templates=templates,  # type: ignore[arg-type]
        treatment=Treatment(treatment, alpha, grey, gain, blur),  # type: ignore[arg-type]
        margin=margin,
        mode=mode,  # type: ignore[arg-type]
        rule=Rule(negative_above, positive_above, negative_below, likely_above),
        batch_size=batch_size,
        device=device,
        dtype=dtype,
    )
    picture = Picture(decode(ImageSource(image.name, path=image)))
    given = _given(picture, image.name, mask, components, mask_kind)
    with closing(ModelManager(Settings(weights_dir=weights_dir, device=device, dtype=dtype))) as manager:
        analysis: Analysis = last_of(analyse(picture, given, request, manager, extras=extras))

    if heatmap is not None and analysis.heat is not None:
        _write_heat(analysis.heat, heatmap)
    made = export.document(analysis, image=image.name)
    if output is not None:
        is_json = output.suffix.lower() == ".json"
        export.write_text(output, export.to_json(made) if is_json else export.to_csv(analysis.result))
    if as_json:
        print(export.to_json(made))
        return
    _print_result(analysis.result)
    if output is not None:
        print(f"Written: {output}", file=sys.stderr)


# --- reading what was given -------------------------------------------------------------------------------------------


def _check_choices(
    mask: Path | None, components: Path | None, output: Path | None, *, wants_json: bool, as_json: bool
) -> None:
    from ..foreground import export

    if mask is not None and components is not None:
        raise InputError(Says.mask_or_components())
    if wants_json and not as_json and (output is None or output.suffix.lower() != ".json"):
        raise InputError(Says.extras_need_json(), next_step=Says.add_json_output())
    if output is not None:
        export.check_suffix(output)


def _given(
    picture: Picture, image_name: str, mask: Path | None, components: Path | None, mask_kind: str
) -> ComponentSet | None:
    """The components that were named, or None."""
    from ..foreground.annotations import from_json
    from ..foreground.mask_images import from_mask, read_mask
    from ..types import ImageSource

    if mask is not None:
        pixels = read_mask(ImageSource(mask.name, path=mask))
        return from_mask(pixels, picture.image_hw, kind=mask_kind)  # type: ignore[arg-type]
    if components is None:
        return None
    try:
        return from_json(_components_file(components), picture.image_hw, image_name=image_name)
    except InputError as error:
        error.where = error.where or str(components)
        raise


def _components_file(path: Path) -> bytes:
    from ..foreground.components import ComponentLimits

    try:
        if path.stat().st_size > ComponentLimits.max_json_bytes:
            raise InputError(Says.components_file_too_long(), where=str(path))
        return path.read_bytes()
    except OSError as error:
        raise InputError(Says.components_file_unreadable(error=reason_of(error)), where=str(path)) from error


# --- writing and showing ----------------------------------------------------------------------------------------------


def _write_heat(heat: HeatMap, path: Path) -> None:
    import numpy as np
    from PIL import Image

    try:
        Image.fromarray(np.round(heat.resized(heat.image_hw) * 255).astype(np.uint8)).save(path)
    except (OSError, ValueError) as error:
        raise InputError(Says.heat_map_unwritable(error=reason_of(error)), where=str(path)) from error


def _print_result(result: ForegroundResult) -> None:
    reweighted = result.reweighted_scores
    rows = []
    for place, row in enumerate(result.ranked[:ROWS_PRINTED], start=1):
        fields = result.scores.fields(row)
        rows.append(
            (
                str(place),
                result.ids[row],
                f"{fields['semantic_multiplier']:g}",
                f"{reweighted[row]:.3g}",
                f"{fields['p_pos_sum']:.3f}",
                f"{fields['p_neg_sum']:.3f}",
                f"{fields['s_pos_text']} {fields['s_pos']:.3f}" if fields["s_pos_text"] else "–",
                f"{fields['s_neg_text']} {fields['s_neg']:.3f}" if fields["s_neg_text"] else "–",
            )
        )
    common.print_model(result.model, f"; {result.request.treatment.name}")
    headings = ("rank", "id", "multiplier", "score × mult.", "p_pos_sum", "p_neg_sum", "s_pos", "s_neg")
    common.print_table(headings, rows)
    more = len(result.rows) - len(rows)
    if more:
        print(f"… and {more:,} more; --output and --json give all of them")
    common.print_problems(result.rejects, result.notices)
