"""Image + components + prompts → scored components. Read this file first.

    rgb_HWC, box, mask ─crop─▶ ─treat─▶ uint8 picture ─preprocess, image tower, L2─▶ images_BD (cached) ─┐
    prompts ─templates─▶ captions ─text tower (cached), mean per prompt, L2─▶ texts_KD ──────────────────┤
                                                    cosines_BK ─softmax at the model's temperature─▶ scores

`score_foreground` runs it for one image. The image's part is cached by everything that changes it, so changed prompts,
modes and thresholds are scored again without the image tower.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Cancelled, InputError, Unsupported
from ..images.crops import crop, expand, middle
from ..models.catalogue import DEMO_MODEL
from ..types import Notice, Progress, Reject
from ..words import Common
from .components import Component, ComponentSet
from .prompts import TEMPLATE_SETS, PromptSet, TemplateSet, captions, check
from .scoring import (
    FIELDS,
    MODES,
    Mode,
    Rule,
    Scores,
    add_fields,
    cosine_view,
    list_notices,
    ranking,
    score,
)
from .treatments import Treatment, treat
from .words import Says

if TYPE_CHECKING:
    from ..models.batching import BatchRunner
    from ..models.encoder import Encoder
    from ..models.manager import ModelManager
    from .heatmap import HeatMap, HeatMethod

NOTE_MODEL = "open_clip_vit_b32_laion2b"
CAPTIONS_AT_ONCE = 512  # between two looks at `cancel`


@dataclass(frozen=True, eq=False)
class Picture:
    """One upright image and the hash of its pixels, taken once."""

    rgb_HWC: np.ndarray

    def __post_init__(self) -> None:
        shape = self.rgb_HWC.shape
        assert self.rgb_HWC.dtype == np.uint8 and len(shape) == 3 and shape[2] == 3, "an upright uint8 RGB image"

    @property
    def image_hw(self) -> tuple[int, int]:
        return self.rgb_HWC.shape[0], self.rgb_HWC.shape[1]

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(repr(self.image_hw).encode() + np.ascontiguousarray(self.rgb_HWC).tobytes()).digest()


@dataclass(frozen=True)
class ForegroundRequest:
    """How to score.

    Attributes:
        model: catalogue id of a CLIP.
        prompts: the three groups.
        templates: `none` is the note's recipe.
        treatment: how a component is shown to the model.
        margin: added around each box before it is cropped, as a part of its longer side, 0..2.
        mode: `note` or `balanced`; rule: thresholds and multipliers.
        batch_size: components in one forward pass, 1..4096.
        device: as everywhere.
        dtype: `fp32` gives the note's numbers; `auto`, `bf16`, `fp16` are quicker where the hardware has them.
    """

    model: str = NOTE_MODEL
    prompts: PromptSet = field(default_factory=PromptSet)
    templates: TemplateSet = "none"
    treatment: Treatment = field(default_factory=Treatment)
    margin: float = 0.0
    mode: Mode = "note"
    rule: Rule = field(default_factory=Rule)
    batch_size: int = 32
    device: str = "auto"
    dtype: str = "fp32"

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 2:
            raise InputError(Says.margin_must_lie_0_2(value=self.margin))
        if self.mode not in MODES:
            raise InputError(Says.there_no_mode(name=self.mode), next_step=Common.choose(names=" or ".join(MODES)))
        if self.templates not in TEMPLATE_SETS:
            raise InputError(
                Says.there_no_templates(name=self.templates), next_step=Common.choose(names=", ".join(TEMPLATE_SETS))
            )
        if type(self.batch_size) is not int or not 1 <= self.batch_size <= 4096:
            raise InputError(Says.batch_size_must_whole_number(value=self.batch_size))


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


class FeatureCache:
    """Image features by everything that changes them, the least recently used forgotten first. Thread-safe.

    Args:
        max_bytes: of all arrays together; a component takes 2 kB, a heat map's patches 100 kB to 6 MB.
    """

    def __init__(self, max_bytes: int = 128 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any | None:
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        with self._lock:
            if key in self._entries:
                return
            self._entries[key] = value
            self._sizes[key] = size_bytes
            self._bytes += size_bytes
            while self._bytes > self._max_bytes and self._entries:
                forgotten, _ = self._entries.popitem(last=False)
                self._bytes -= self._sizes.pop(forgotten)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        return self._bytes


def default_model(weights_dir: Path) -> str:
    """The note's model if its weights are here, else another CLIP whose weights are, the built-in one last.

    Without any, the note's again: it is the one to fetch.
    """
    from ..models.weights import usable_clips

    usable = usable_clips(weights_dir)
    return NOTE_MODEL if NOTE_MODEL in usable or not usable else usable[0]


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
        text = Says.demo_clip_small_built_model()
        notices.insert(0, Notice("built_in_model", text))
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
    result = None
    for item in score_foreground(picture, components, request, manager, cache=cache, cancel=cancel):
        result = item
    assert isinstance(result, ForegroundResult), "the result is the last item"
    return result


def foreground_map(
    picture: Picture,
    request: ForegroundRequest,
    manager: ModelManager,
    *,
    method: HeatMethod = "clearclip",
    cache: FeatureCache | None = None,
    cancel: threading.Event | None = None,
) -> HeatMap:
    """The heat map of one image for the request's model, prompts, templates and mode; see `core.foreground.heatmap`.

    Raises:
        Unsupported: the architecture has no patch tokens in the space of the texts.
    """
    from .heatmap import check_method, dense_features, heat_map

    check_method(method)
    prompts, _ = check(request.prompts)
    with manager.lease(request.model, request.device, request.dtype, cancel) as lease:
        encoder = lease.encoder
        require_text(encoder)
        key = ("patches", method, picture.digest, *_encoder_key(encoder))
        dense = cache.get(key) if cache is not None else None
        if dense is None:
            dense = dense_features(picture.rgb_HWC, encoder, method, batch_size=request.batch_size)
            if cache is not None:
                cache.put(key, dense, dense.patches_NPD.nbytes)
        texts_KD, _ = encode_prompts(encoder, prompts, request.templates, manager, cancel)
        return heat_map(dense, texts_KD, encoder.logit_scale, prompts, request.mode)


# --- the two sides ----------------------------------------------------------------------------------------------------


def seen_crop(picture: Picture, component: Component, request: ForegroundRequest) -> np.ndarray:
    """The component as the model is shown it, uint8 `[h, w, 3]`: cropped and treated, before the preprocessing."""
    crop_HWC, mask_HW = crop_and_mask(picture, component, request.margin)
    return treat(crop_HWC, mask_HW, request.treatment)


def crop_and_mask(picture: Picture, component: Component, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The crop (a view) and the component's mask in it."""
    box = middle(expand(component.box_xyxy_px, margin, picture.image_hw))
    return crop(picture.rgb_HWC, box), component.mask.crop(box)


class ComponentEncoder:
    """The image side: L2-normalised features of components, from the cache or the image tower.

    Attributes:
        features_BD: after `run`.
        encoded: how many went through the image tower.
    """

    def __init__(
        self,
        picture: Picture,
        request: ForegroundRequest,
        runner: BatchRunner,
        cache: FeatureCache | None,
        cancel: threading.Event | None,
    ) -> None:
        self._picture, self._request, self._runner = picture, request, runner
        self._cache, self._cancel = cache, cancel
        self.encoded = 0
        self.features_BD: np.ndarray = np.empty((0, runner.encoder.dim), dtype=np.float32)

    def run(self, components: Sequence[Component]) -> Iterator[Progress]:
        """Fills `features_BD`, in batches; the crops of a batch are made by several threads."""
        total = len(components)
        self.features_BD = np.empty((total, self._runner.encoder.dim), dtype=np.float32)
        missing = []
        for row, component in enumerate(components):
            found = self._cache.get(self._key(component)) if self._cache is not None else None
            if found is None:
                missing.append(row)
            else:
                self.features_BD[row] = found
        started = time.perf_counter()
        yield self._progress(total - len(missing), total, started)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
            for begin in range(0, len(missing), self._request.batch_size):
                if self._cancel is not None and self._cancel.is_set():
                    raise Cancelled(Common.stopped())
                rows = missing[begin : begin + self._request.batch_size]
                self._encode([components[row] for row in rows], rows, threads)
                yield self._progress(total - len(missing) + begin + len(rows), total, started)

    def _encode(self, components: list[Component], rows: list[int], threads: ThreadPoolExecutor) -> None:
        import torch

        encoder = self._runner.encoder
        pixels_BCHW = torch.stack(
            list(threads.map(lambda one: encoder.preprocess(seen_crop(self._picture, one, self._request)), components))
        )
        self.features_BD[rows] = normalised(self._runner.encode(pixels_BCHW))
        self.encoded += len(rows)
        if self._cache is not None:
            for row, component in zip(rows, components, strict=True):
                feature_D = self.features_BD[row].copy()
                self._cache.put(self._key(component), feature_D, feature_D.nbytes)

    def _key(self, component: Component) -> Hashable:
        request = self._request
        return (
            "component",
            self._picture.digest,
            component.digest,
            request.treatment,
            request.margin,
            *_encoder_key(self._runner.encoder),
        )

    def _progress(self, done: int, total: int, started: float) -> Progress:
        seconds = time.perf_counter() - started
        per_s = self.encoded / seconds if self.encoded else 0.0
        left_s = (total - done) / per_s if per_s else None
        return Progress("components", done, total, per_s, left_s, tuple(self._runner.notices))


def encode_prompts(
    encoder: Encoder,
    prompts: PromptSet,
    templates: TemplateSet,
    manager: ModelManager,
    cancel: threading.Event | None = None,
) -> tuple[np.ndarray, list[Notice]]:
    """`texts_KD`, L2-normalised float32, in the order of `prompts.texts`; notices of captions that were cut.

    With templates each caption is normalised, a prompt's captions are averaged, and the mean is normalised again.
    """
    texts, per_prompt = captions(prompts.texts, templates)
    parts, notices = [], []
    for begin in range(0, len(texts), CAPTIONS_AT_ONCE):
        if cancel is not None and cancel.is_set():
            raise Cancelled(Common.stopped())
        features_KD, cut = manager.text_cache.encode(encoder, texts[begin : begin + CAPTIONS_AT_ONCE])
        parts.append(features_KD)
        notices += cut
    means_KD = normalised(np.concatenate(parts)).reshape(len(prompts.texts), per_prompt, -1).mean(axis=1)
    return (means_KD if per_prompt == 1 else normalised(means_KD)), notices


def normalised(features_ND: np.ndarray) -> np.ndarray:
    """L2-normalised rows; a row of zeros stays."""
    norms_N1 = np.linalg.norm(features_ND, axis=-1, keepdims=True)
    return features_ND / np.maximum(norms_N1, np.finfo(np.float32).tiny)


def require_text(encoder: Encoder) -> None:
    if not encoder.spec.has_text:
        raise Unsupported(
            Says.no_text_tower_so_cannot(model=encoder.spec.id),
            where=encoder.spec.id,
            next_step=Common.choose_clip_model(),
        )


def _encoder_key(encoder: Encoder) -> tuple[Hashable, ...]:
    return (
        encoder.weights_sha256,
        encoder.spec.architecture,
        str(encoder.dtype),
        encoder.device.type,
        encoder.spec.preprocessing,
    )


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
        notices.append(Notice("fields_kept", Says.components_brought_fields_names_see(names=", ".join(taken))))
    long = sum(middle(component.box_xyxy_px) != component.box_xyxy_px for component in components)
    if long:
        notices.append(Notice("crop_middle", Says.component_s_longer_than_16(count=long)))
    return notices
