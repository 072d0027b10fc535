"""Image + components + prompts → scored components.

    rgb_HWC, box, mask ─crop─▶ ─treat─▶ uint8 picture ─preprocess, image tower, L2─▶ images_BD (cached) ─┐
    prompts ─templates─▶ captions ─text tower (cached), mean per prompt, L2─▶ texts_KD ──────────────────┤
                                                    cosines_BK ─softmax at the model's temperature─▶ scores

`score_foreground` runs it for one image. The image's part is cached by everything that changes it, so changed prompts,
modes and thresholds are scored again without the image tower.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..images.crops import middle
from ..models.described import DEMO_MODEL
from ..types import Notice, Progress, Reject
from .components import Component, ComponentSet
from .encoding import ComponentEncoder, FeatureCache, encode_prompts, encoder_key, require_text
from .heatmap import HeatMap, dense_features, heat_map
from .prompts import check
from .request import DEFAULT_METHOD, ForegroundRequest, HeatMethod, Picture, check_method
from .scoring import FIELDS, Mode, Rule, Scores, add_fields, cosine_view, list_notices, ranking, score
from .words import Says

if TYPE_CHECKING:
    from ..models.encoder import Encoder
    from ..models.manager import ModelManager


@dataclass(frozen=True, eq=False)
class ForegroundResult:
    """B scored components of one image, in the order they came.

    Attributes:
        request: what was asked for; its prompts are the checked ones.
        components: what was scored.
        rows: for each, all it brought and the nine fields (`scoring.FIELDS`).
        cosines_BK: float64, image · text.
        logit_scale: of the checkpoint.
        scores: arrays behind the rows; `explain.explain` takes them.
        model: id, weights_sha256, device, dtype.
        encoded: components that went through the image tower; the others came from the cache.
        rejects, notices: nothing is dropped silently.
        seconds: wall time, model loading excluded.
    """

    request: ForegroundRequest
    components: tuple[Component, ...]
    rows: tuple[dict[str, Any], ...]
    cosines_BK: np.ndarray
    logit_scale: float
    scores: Scores
    model: dict[str, str]
    encoded: int
    rejects: tuple[Reject, ...] = ()
    notices: tuple[Notice, ...] = ()
    seconds: float = 0.0

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(component.id for component in self.components)

    @property
    def reweighted_scores(self) -> list[float]:
        """Each component's own score (1 if it has none) × its multiplier."""
        return self._ranking()[0]

    @property
    def ranked(self) -> list[int]:
        """Rows from the best re-weighted score to the worst."""
        return self._ranking()[1]

    def cosine_view(self) -> list[dict[str, Any]]:
        """The old way, for comparison; see `scoring.cosine_view`."""
        return cosine_view(self.cosines_BK, self.request.prompts)

    def rescored(self, *, mode: Mode | None = None, rule: Rule | None = None) -> ForegroundResult:
        """The same similarities under another mode or rule; needs no model."""
        request = replace(self.request, mode=mode or self.request.mode, rule=rule or self.request.rule)
        scores = score(self.cosines_BK, self.logit_scale, request.prompts, mode=request.mode, rule=request.rule)
        about_lists = {"lists_unbalanced", "branch_dead"}
        notices = [notice for notice in self.notices if notice.code not in about_lists]
        notices += list_notices(request.prompts, request.mode, request.rule)
        rows = _rows(self.components, scores)
        return replace(self, request=request, scores=scores, rows=rows, notices=tuple(notices))

    def _ranking(self) -> tuple[list[float], list[int]]:
        own = [component.score for component in self.components]
        return ranking(own, self.scores.multiplier_B.tolist())


def score_foreground(
    picture: Picture,
    components: ComponentSet,
    request: ForegroundRequest,
    manager: ModelManager,
    *,
    cache: FeatureCache | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | ForegroundResult]:
    """Scores every component of one image. Progress first; the `ForegroundResult` is the last item.

    Closing the generator, or setting `cancel`, stops everything after the batch under way.

    Raises:
        InputError: no component, no prompt; Unsupported: the model has no text tower; Cancelled; whatever the model
        manager raises.
    """
    from ..models.batching import BatchRunner

    components.require()
    prompts, prompt_notices = check(request.prompts)
    request = replace(request, prompts=prompts)
    notices: list[Notice] = [*components.notices, *prompt_notices]
    if request.model == DEMO_MODEL:
        notices.insert(0, Notice("built_in_model", Says.built_in_model()))
    notices += list_notices(prompts, request.mode, request.rule)
    notices += _notices_of(components.components, request)
    with BatchRunner(
        manager,
        request.model,
        device=request.device,
        dtype=request.dtype,
        batch_size=request.batch_size,
        cancel=cancel,
    ) as runner:
        require_text(runner.encoder)
        started = time.perf_counter()
        images = ComponentEncoder(picture, request, runner, cache, cancel)
        yield from images.run(components.components)
        # After the images: running out of memory may have moved the model, and texts have to come from the same one.
        texts_KD, text_notices = encode_prompts(runner.encoder, prompts, request.templates, manager, cancel)
        logit_scale = runner.encoder.logit_scale
        model = _model_facts(runner.encoder)
        notices += [*text_notices, *runner.notices]
    cosines_BK = images.features_BD.astype(np.float64) @ texts_KD.astype(np.float64).T
    scores = score(cosines_BK, logit_scale, prompts, mode=request.mode, rule=request.rule)
    yield ForegroundResult(
        request=request,
        components=components.components,
        rows=_rows(components.components, scores),
        cosines_BK=cosines_BK,
        logit_scale=logit_scale,
        scores=scores,
        model=model,
        encoded=images.encoded,
        rejects=components.rejects,
        notices=tuple(dict.fromkeys(notices)),
        seconds=time.perf_counter() - started,
    )


def score_all(
    picture: Picture,
    components: ComponentSet,
    request: ForegroundRequest,
    manager: ModelManager,
    *,
    cache: FeatureCache | None = None,
    cancel: threading.Event | None = None,
) -> ForegroundResult:
    """`score_foreground` without the progress."""
    *_, result = score_foreground(picture, components, request, manager, cache=cache, cancel=cancel)
    assert isinstance(result, ForegroundResult), "the result is the last item"
    return result


def foreground_map(
    picture: Picture,
    request: ForegroundRequest,
    manager: ModelManager,
    *,
    method: HeatMethod = DEFAULT_METHOD,
    cache: FeatureCache | None = None,
    cancel: threading.Event | None = None,
) -> HeatMap:
    """The heat map of one image for the request's model, prompts, templates and mode; see `core.foreground.heatmap`.

    Raises:
        Unsupported: the architecture has no patch tokens in the space of the texts.
    """
    check_method(method)
    prompts, _ = check(request.prompts)
    with manager.lease(request.model, request.device, request.dtype, cancel) as lease:
        encoder = lease.encoder
        require_text(encoder)
        key = ("patches", method, picture.digest, *encoder_key(encoder))
        dense = cache.get(key) if cache is not None else None
        if dense is None:
            dense = dense_features(picture.rgb_HWC, encoder, method, batch_size=request.batch_size)
            if cache is not None:
                cache.put(key, dense, dense.patches_NPD.nbytes)
        texts_KD, _ = encode_prompts(encoder, prompts, request.templates, manager, cancel)
        return heat_map(dense, texts_KD, encoder.logit_scale, prompts, request.mode)


def _model_facts(encoder: Encoder) -> dict[str, str]:
    return {
        "id": encoder.spec.id,
        "weights_sha256": encoder.weights_sha256,
        "device": str(encoder.device),
        "dtype": str(encoder.dtype).removeprefix("torch."),
    }


def _rows(components: Sequence[Component], scores: Scores) -> tuple[dict[str, Any], ...]:
    return tuple(add_fields(component.fields, scores.fields(row)) for row, component in enumerate(components))


def _notices_of(components: Sequence[Component], request: ForegroundRequest) -> list[Notice]:
    notices = []
    taken = sorted({name for component in components for name in FIELDS if name in component.fields})
    if taken:
        notices.append(Notice("fields_kept", Says.fields_kept(names=", ".join(taken))))
    long = sum(middle(component.box_xyxy_px) != component.box_xyxy_px for component in components)
    if long:
        notices.append(Notice("crop_middle", Says.crop_middle(count=long)))
    return notices
