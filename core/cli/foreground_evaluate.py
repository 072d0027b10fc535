"""`python -m core foreground evaluate`: how well the scores tell foreground from background, against truth."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..foreground.request import ForegroundRequest, default_model
from ..foreground.treatments import TREATMENTS, Treatment
from ..foreground.words import Says
from ..settings import Settings
from ..types import Notice
from . import foreground_common as common
from .options import AsJson, Device, WeightsDir, last_of

if TYPE_CHECKING:
    from ..foreground.evaluate import Evaluation
    from ..foreground.metrics import EvaluationFigure, Interval
    from ..foreground.truth import Truth


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
    batch_size: common.BatchSize = ForegroundRequest.batch_size,
    resamples: Annotated[int, typer.Option("--resamples", min=0, help="Bootstrap resamples of the images.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")] = 0,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write figures and segments as .json.")] = None,
    as_json: AsJson = False,
) -> None:
    """AUROC and average precision against truth, by area, treatments side by side, intervals over images."""
    from ..foreground import export
    from ..foreground.evaluate import evaluate
    from ..foreground.truth import read_truth
    from ..models.manager import ModelManager

    if output is not None:
        export.check_suffix(output)
        if output.suffix.lower() != ".json":
            raise InputError(Says.evaluation_suffix(), where=str(output))
    names = list(TREATMENTS) if treatments == "all" else [name.strip() for name in treatments.split(",")]
    for name in names:
        Treatment(name)  # type: ignore[arg-type]  # an unknown one stops here, before any image is read
    request = ForegroundRequest(
        model=model or default_model(weights_dir),
        prompts=common.prompt_set(positive, negative, neutral),
        templates=templates,  # type: ignore[arg-type]
        treatment=Treatment("original", alpha, grey, gain, blur),
        margin=margin,
        mode=mode,  # type: ignore[arg-type]
        batch_size=batch_size,
        device=device,
        dtype=dtype,
    )
    found = _at_most(read_truth(truth, images, masks), limit)
    with closing(ModelManager(Settings(weights_dir=weights_dir, device=device, dtype=dtype))) as manager:
        steps = evaluate(found, request, manager, treatments=names, resamples=resamples, seed=seed)  # type: ignore[arg-type]
        evaluation: Evaluation = last_of(steps)
    made = export.plain(_document(evaluation, request))
    if output is not None:
        export.write_text(output, export.to_json({**made, "segments": export.plain(evaluation.segments)}))
    if as_json:
        print(export.to_json(made))
        return
    common.print_model(evaluation.model)
    headings = ("treatment", "score", "area", "AUROC [95 %]", "AP [95 %]", "AP by chance", "fore / back", "images")
    common.print_table(headings, [_line(figure) for figure in evaluation.figures])
    common.print_problems(evaluation.rejects, evaluation.notices)


def _at_most(truth: Truth, limit: int | None) -> Truth:
    if limit is None or limit >= len(truth.images):
        return truth
    left_out = Notice("limit", Says.limited(limit=limit, count=len(truth.images)))
    return replace(truth, images=truth.images[:limit], notices=(*truth.notices, left_out))


def _document(evaluation: Evaluation, request: ForegroundRequest) -> dict[str, Any]:
    return {
        "model": evaluation.model,
        "mode": request.mode,
        "templates": request.templates,
        "prompts": asdict(request.prompts),
        "figures": [asdict(figure) for figure in evaluation.figures],
        "rejects": [asdict(reject) for reject in evaluation.rejects],
        "notices": [asdict(notice) for notice in evaluation.notices],
    }


def _line(figure: EvaluationFigure) -> tuple[str, ...]:
    total = figure.n_foreground + figure.n_background
    return (
        figure.treatment,
        figure.score,
        figure.area,
        _interval(figure.auroc),
        _interval(figure.ap),
        f"{figure.n_foreground / total:.3f}" if total else "–",
        f"{figure.n_foreground} / {figure.n_background}",
        str(figure.n_images),
    )


def _interval(interval: Interval) -> str:
    if math.isnan(interval.value):
        return "–"
    if math.isnan(interval.low):
        return f"{interval.value:.3f}"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
