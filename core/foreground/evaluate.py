"""How well scores tell foreground from background, against truth: AUROC and AP, treatments side by side.

`truth.py` reads what a person said, `metrics.py` does the arithmetic.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import ImageRejected, InputError
from ..images.decode import decode
from ..settings import ImageLimits
from ..types import ImageSource, Notice, Progress, Reject
from ..words import Common
from .encoding import FeatureCache
from .metrics import EvaluationFigure, figures_of
from .pipeline import ForegroundResult, score_all
from .request import ForegroundRequest, Picture
from .treatments import TREATMENTS, TreatmentName
from .truth import Truth
from .words import Says

if TYPE_CHECKING:
    from ..models.manager import ModelManager


@dataclass(frozen=True)
class Evaluation:
    """All figures and, by treatment, the segments behind them (`segments`: plain rows, for files)."""

    figures: tuple[EvaluationFigure, ...]
    segments: tuple[dict[str, Any], ...]
    model: dict[str, str]
    rejects: tuple[Reject, ...] = ()
    notices: tuple[Notice, ...] = ()

    def figure(self, treatment: str, score: str = "p_pos_sum", area: str = "all") -> EvaluationFigure:
        for figure in self.figures:
            if (figure.treatment, figure.score, figure.area) == (treatment, score, area):
                return figure
        raise KeyError((treatment, score, area))


def evaluate(
    truth: Truth,
    request: ForegroundRequest,
    manager: ModelManager,
    *,
    treatments: Sequence[TreatmentName] = TREATMENTS,
    resamples: int = 1000,
    seed: int = 0,
    limits: ImageLimits = ImageLimits(),
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Evaluation]:
    """Scores every segment under every treatment. The `Evaluation` is the last item.

    An image that cannot be read is a reject; it never stops the others. The request's treatment gives the parameters.

    Raises:
        InputError: no segment could be scored; whatever `pipeline.score_foreground` raises for the model.
    """
    if not treatments:
        raise InputError(Says.no_treatment(), next_step=Common.choose_one(names=", ".join(TREATMENTS)))
    segments: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    notices: dict[Notice, None] = dict.fromkeys(truth.notices)
    model: dict[str, str] = {}
    for done, image in enumerate(truth.images):
        yield Progress("images", done, len(truth.images))
        try:
            picture = Picture(decode(ImageSource(image.id, path=image.path), limits))
            components = image.load(picture.image_hw)
            rejects += [Reject(f"{image.id} {r.id}", r.code, r.reason) for r in components.rejects]
            if not components.components:
                continue
        except InputError as error:  # an `ImageRejected` says in more detail what kind it is
            code = error.code_detail if isinstance(error, ImageRejected) else error.code
            rejects.append(Reject(image.id, code, error.said))
            continue
        cache = FeatureCache()  # a treatment that hides nothing new costs nothing twice within one image
        for name in treatments:
            result = score_all(
                picture,
                components,
                replace(request, treatment=replace(request.treatment, name=name)),
                manager,
                cache=cache,
                cancel=cancel,
            )
            model = result.model
            # What concerns one image's own annotations would drown the rest.
            notices |= dict.fromkeys(n for n in result.notices if n.code not in ("fields_kept", "crop_middle"))
            segments += _segment_rows(image.id, name, result)
    yield Progress("images", len(truth.images), len(truth.images))
    if not segments:
        reasons = [reject.reason for reject in rejects[:3]]
        raise InputError(Says.nothing_scored_because(reasons=reasons) if reasons else Says.nothing_scored())
    figures = figures_of(segments, treatments, resamples=resamples, seed=seed)
    yield Evaluation(figures, tuple(segments), model, tuple(rejects), tuple(notices))


def _segment_rows(image_id: str, treatment: str, result: ForegroundResult) -> list[dict[str, Any]]:
    margins = [row["cos_margin"] for row in result.cosine_view()]
    rows = []
    for place, (component, margin, reweighted) in enumerate(
        zip(result.components, margins, result.reweighted_scores, strict=True)
    ):
        rows.append(
            {
                "image": image_id,
                "segment": component.id,
                "treatment": treatment,
                "foreground": bool(component.fields["foreground"]),
                "area": component.area_px,
                "p_pos_sum": float(result.scores.p_pos_sum_B[place]),
                "semantic_multiplier": float(result.scores.multiplier_B[place]),
                "cos_margin": margin,
                "own": component.score,
                "reweighted": reweighted if component.score is not None else None,
            }
        )
    return rows
