"""`python -m core foreground`: score the components of an image; `… foreground evaluate`: against truth."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, Unsupported
from ..settings import Settings
from ..types import Notice, Progress
from ..vectorize.report import one_line

if TYPE_CHECKING:
    from ..foreground.components import ComponentSet
    from ..foreground.evaluate import Evaluation, Interval
    from ..foreground.heatmap import HeatMap
    from ..foreground.pipeline import FeatureCache, ForegroundRequest, ForegroundResult, Picture
    from ..foreground.prompts import PromptSet
    from ..models.manager import ModelManager

app = typer.Typer(
    invoke_without_command=True,
    help="Foreground or background? Score the components of an image with prompts.",
)

Model = Annotated[
    str | None, typer.Option("--model", help="A CLIP's id; default: the note's model, else one that is here.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, gpu, cuda:N, mps.")]
Dtype = Annotated[str, typer.Option("--dtype", help="fp32 (the note's numbers), auto, bf16, fp16.")]
WeightsDir = Annotated[Path, typer.Option("--weights_dir", help="Where weights lie.")]
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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    ] = "original",
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "fp32",
    weights_dir: WeightsDir = Settings.weights_dir,
    positive: Positive = None,
    negative: Negative = None,
    neutral: Neutral = None,
    templates: Templates = "none",
    mode: Mode = "note",
    margin: Margin = 0.0,
    alpha: Alpha = 0.4,
    grey: Grey = 128.0,
    gain: Gain = 1.05,
    blur: Blur = 0.05,
    negative_above: Annotated[
        float, typer.Option("--negative_above", help="p_neg_sum above it: background, × 0.1.")
    ] = 0.5,
    positive_above: Annotated[
        float, typer.Option("--positive_above", help="p_pos_sum above it may be foreground, × 2.")
    ] = 0.7,
    negative_below: Annotated[float, typer.Option("--negative_below", help="… if p_neg_sum is below this.")] = 0.2,
    likely_above: Annotated[float, typer.Option("--likely_above", help="p_pos_sum above it: × 1; else × 0.5.")] = 0.4,
    batch_size: BatchSize = 32,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add each prompt's share and what would change the multiplier (JSON).")
    ] = False,
    leak: Annotated[bool, typer.Option("--leak", help="Add how far each score depends on the outside (JSON).")] = False,
    heatmap: Annotated[Path | None, typer.Option("--heatmap", help="Write the foreground map as a grey PNG.")] = None,
    heat_method: Annotated[
        str, typer.Option("--heat_method", help="clearclip, maskclip, sclip, naclip, clip.")
    ] = "clearclip",
    output: Annotated[Path | None, typer.Option("--output", help="Write .json or .csv.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score each component of an image: how likely it is a foreground object rather than background or a fragment.

    Without --mask and --components, components are proposed from colours and the model's heat map.
    """
    if context.invoked_subcommand is not None:
        return
    if image is None:
        raise InputError("Which image?", next_step="python -m core foreground --image P --output F")
    if mask is not None and components is not None:
        raise InputError("Give --mask or --components, not both.")
    if (explain or leak) and not as_json and (output is None or output.suffix.lower() != ".json"):
        raise InputError("--explain and --leak go into JSON.", next_step="Add --output F.json or --json.")
    from ..foreground import export
    from ..foreground.heatmap import check_method
    from ..foreground.pipeline import FeatureCache, ForegroundRequest, Picture, default_model, score_foreground
    from ..foreground.scoring import Rule
    from ..foreground.treatments import Treatment
    from ..images.decode import decode
    from ..models.manager import ModelManager
    from ..types import ImageSource

    if output is not None:
        export.check_suffix(output)
    check_method(heat_method)
    request = ForegroundRequest(
        model=model or default_model(weights_dir),
        prompts=_prompts(positive, negative, neutral),
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
    given = _given(picture, image, mask, components, mask_kind)
    manager = ModelManager(Settings(weights_dir=weights_dir, device=device, dtype=dtype))
    cache = FeatureCache()
    try:
        heat = None
        if heatmap is not None or given is None:
            heat, given = _heat(picture, request, manager, heat_method, cache, given, must=heatmap is not None)
        if heatmap is not None:
            assert heat is not None
            _write_heat(heat, heatmap)
        result = _run(score_foreground(picture, given, request, manager, cache=cache))
        explanation = None
        if explain:
            from ..foreground.explain import explain as explain_scores

            explanation = explain_scores(result.scores, mode=result.request.mode, rule=result.request.rule)
        leaks = None
        if leak:
            from ..foreground.leak import mask_leak

            leaks = _run(mask_leak(picture, given, result.request, manager))
    finally:
        manager.close()
    made = export.document(result, image=image.name, explanation=explanation, leaks=leaks)
    if output is not None:
        is_json = output.suffix.lower() == ".json"
        export.write_text(output, export.to_json(made) if is_json else export.to_csv(result))
    if as_json:
        print(export.to_json(made))
        return
    _print_result(result)
    if output is not None:
        print(f"Written: {output}", file=sys.stderr)


@app.command("evaluate")
def evaluate_command(
    images: Annotated[Path, typer.Option("--images", help="Folder of the images that the truth names.")],
    truth: Annotated[
        Path, typer.Option("--truth", help="COCO panoptic JSON, or COCO-like JSON with `foreground` flags.")
    ],
    masks: Annotated[
        Path | None, typer.Option("--masks", help="Folder of panoptic PNGs; default: the JSON's name less .json.")
    ] = None,
    treatments: Annotated[
        str, typer.Option("--treatments", help="Several with commas, or all.")
    ] = "original,raw_crop,soft_mask",
    model: Model = None,
    device: Device = "auto",
    dtype: Dtype = "fp32",
    weights_dir: WeightsDir = Settings.weights_dir,
    positive: Positive = None,
    negative: Negative = None,
    neutral: Neutral = None,
    templates: Templates = "none",
    mode: Mode = "note",
    margin: Margin = 0.0,
    alpha: Alpha = 0.4,
    grey: Grey = 128.0,
    gain: Gain = 1.05,
    blur: Blur = 0.05,
    batch_size: BatchSize = 32,
    resamples: Annotated[int, typer.Option("--resamples", min=0, help="Bootstrap resamples of the images.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")] = 0,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write figures and segments as .json.")] = None,
    as_json: AsJson = False,
) -> None:
    """AUROC and average precision against truth, by area, treatments side by side, intervals over images."""
    from ..foreground import export
    from ..foreground.evaluate import evaluate, read_truth
    from ..foreground.pipeline import ForegroundRequest, default_model
    from ..foreground.treatments import TREATMENTS, Treatment
    from ..models.manager import ModelManager

    if output is not None:
        export.check_suffix(output)
        if output.suffix.lower() != ".json":
            raise InputError("An evaluation is written as .json.", where=str(output))
    names = list(TREATMENTS) if treatments == "all" else [name.strip() for name in treatments.split(",")]
    for name in names:
        Treatment(name)  # type: ignore[arg-type]  # an unknown one stops here, before any image is read
    request = ForegroundRequest(
        model=model or default_model(weights_dir),
        prompts=_prompts(positive, negative, neutral),
        templates=templates,  # type: ignore[arg-type]
        treatment=Treatment("original", alpha, grey, gain, blur),
        margin=margin,
        mode=mode,  # type: ignore[arg-type]
        batch_size=batch_size,
        device=device,
        dtype=dtype,
    )
    found = read_truth(truth, images, masks)
    if limit is not None and limit < len(found.images):
        left_out = Notice("limit", f"Only the first {limit:,} of {len(found.images):,} images, as asked.")
        found = replace(found, images=found.images[:limit], notices=(*found.notices, left_out))
    manager = ModelManager(Settings(weights_dir=weights_dir, device=device, dtype=dtype))
    try:
        evaluation: Evaluation = _run(
            evaluate(found, request, manager, treatments=names, resamples=resamples, seed=seed)  # type: ignore[arg-type]
        )
    finally:
        manager.close()
    made = export.plain(
        {
            "model": evaluation.model,
            "mode": request.mode,
            "templates": request.templates,
            "prompts": asdict(request.prompts),
            "figures": [asdict(figure) for figure in evaluation.figures],
            "rejects": [asdict(reject) for reject in evaluation.rejects],
            "notices": [asdict(notice) for notice in evaluation.notices],
        }
    )
    if output is not None:
        export.write_text(output, export.to_json({**made, "segments": export.plain(evaluation.segments)}))
    if as_json:
        print(export.to_json(made))
        return
    _print_evaluation(evaluation)


# --- reading what was given -------------------------------------------------------------------------------------------


def _prompts(positive: str | None, negative: str | None, neutral: str | None) -> PromptSet:
    from ..foreground.prompts import PromptSet

    default = PromptSet()
    return PromptSet(
        _prompt_list(positive, default.positive),
        _prompt_list(negative, default.negative),
        _prompt_list(neutral, default.neutral),
    )


def _prompt_list(given: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    from ..foreground.prompts import PRESETS, preset, read

    if given is None:
        return default
    if Path(given).is_file():
        return read(Path(given))
    if any(candidate.name == given for candidate in PRESETS):
        return preset(given).prompts
    names = ", ".join(repr(candidate.name) for candidate in PRESETS)
    raise InputError(f"{given!r} is neither a file nor a preset.", next_step=f"Presets: {names}.")


def _given(
    picture: Picture, image: Path, mask: Path | None, components: Path | None, mask_kind: str
) -> ComponentSet | None:
    """The components that were named, or None."""
    from ..foreground.annotations import from_json
    from ..foreground.components import ComponentLimits
    from ..foreground.mask_images import from_mask, read_mask
    from ..types import ImageSource

    if mask is not None:
        pixels = read_mask(ImageSource(mask.name, path=mask))
        return from_mask(pixels, picture.image_hw, kind=mask_kind)  # type: ignore[arg-type]
    if components is not None:
        try:
            if components.stat().st_size > ComponentLimits().max_json_bytes:
                raise InputError("The JSON is too long.", where=str(components))
            data = components.read_bytes()
        except OSError as error:
            raise InputError(f"The components cannot be read: {error.strerror}.", where=str(components)) from error
        try:
            return from_json(data, picture.image_hw, image_name=image.name)
        except InputError as error:
            error.where = error.where or str(components)
            raise
    return None


def _heat(
    picture: Picture,
    request: ForegroundRequest,
    manager: ModelManager,
    method: str,
    cache: FeatureCache,
    given: ComponentSet | None,
    *,
    must: bool,
) -> tuple[HeatMap | None, ComponentSet]:
    """The heat map, and proposals where no components were given. A model without one proposes by colour alone."""
    from ..foreground.pipeline import foreground_map
    from ..foreground.proposals import propose

    heat, notices = None, []
    try:
        heat = foreground_map(picture, request, manager, method=method, cache=cache)  # type: ignore[arg-type]
    except Unsupported as error:
        if must:
            raise
        notices.append(Notice("no_heatmap", str(error)))
    if given is None:
        given = propose(picture.rgb_HWC, heat)
        given = replace(given, notices=(*given.notices, *notices))
    return heat, given


def _write_heat(heat: HeatMap, path: Path) -> None:
    import numpy as np
    from PIL import Image

    try:
        Image.fromarray(np.round(heat.resized(heat.image_hw) * 255).astype(np.uint8)).save(path)
    except (OSError, ValueError) as error:
        raise InputError(f"The heat map cannot be written: {error}.", where=str(path)) from error


ROWS_PRINTED = 100  # the best ranked; thousands would push all else out of the terminal


# --- showing ----------------------------------------------------------------------------------------------------------


def _run(items: Iterator[Any]) -> Any:
    """The last item; progress goes to stderr."""
    last = None
    with _bar() as show:
        for item in items:
            if isinstance(item, Progress):
                show(item)
            else:
                last = item
    return last


@contextmanager
def _bar() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda item: bar.update(task, description=item.stage, completed=item.done, total=item.total)


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
    headings = ("rank", "id", "multiplier", "score × mult.", "p_pos_sum", "p_neg_sum", "s_pos", "s_neg")
    facts = result.model
    print(f"{facts['id']} on {facts['device']}, {facts['dtype']}; {result.request.treatment.name}\n")
    _print_table(headings, rows)
    more = len(result.rows) - len(rows)
    if more:
        print(f"… and {more:,} more; --output and --json give all of them")
    _print_problems(result.rejects, result.notices)


def _print_evaluation(evaluation: Evaluation) -> None:
    facts = evaluation.model
    print(f"{facts['id']} on {facts['device']}, {facts['dtype']}\n")
    rows = []
    for figure in evaluation.figures:
        total = figure.n_foreground + figure.n_background
        rows.append(
            (
                figure.treatment,
                figure.score,
                figure.area,
                _interval(figure.auroc),
                _interval(figure.ap),
                f"{figure.n_foreground / total:.3f}" if total else "–",
                f"{figure.n_foreground} / {figure.n_background}",
                str(figure.n_images),
            )
        )
    headings = ("treatment", "score", "area", "AUROC [95 %]", "AP [95 %]", "AP by chance", "fore / back", "images")
    _print_table(headings, rows)
    _print_problems(evaluation.rejects, evaluation.notices)


def _interval(interval: Interval) -> str:
    if math.isnan(interval.value):
        return "–"
    if math.isnan(interval.low):
        return f"{interval.value:.3f}"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(line[column]) for line in (headings, *rows)) for column in range(len(headings))]
    for line in (headings, tuple("-" * width for width in widths), *rows):
        print(one_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()))


def _print_problems(rejects: Any, notices: Any, at_most: int = 20) -> None:
    for notice in notices:
        print(one_line(f"Note: {notice.text}"))
    if rejects:
        print(f"\nNot scored ({len(rejects):,}):")
        for reject in rejects[:at_most]:
            print(one_line(f"  {reject.id}: {reject.reason}"))
        if len(rejects) > at_most:
            print(f"  … and {len(rejects) - at_most:,} more (in the JSON)")
