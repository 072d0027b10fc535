"""The two sides that meet in a score: features of components (cached) and of prompts, L2-normalised float32."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Unsupported, stop_if_set
from ..images.crops import crop, expand, middle
from ..models.identity import identity_key
from ..types import Notice, Progress
from ..words import Common
from .components import Component
from .prompts import PromptSet, TemplateSet, captions
from .request import ForegroundRequest, Picture
from .treatments import treat
from .words import Says

if TYPE_CHECKING:
    from ..models.batching import BatchRunner
    from ..models.encoder import Encoder
    from ..models.manager import ModelManager

CAPTIONS_AT_ONCE = 512  # between two looks at `cancel`


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
                stop_if_set(self._cancel)
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
            *encoder_key(self._runner.encoder),
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
        stop_if_set(cancel)
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
            Says.no_text_tower(model=encoder.spec.id), where=encoder.spec.id, next_step=Common.choose_clip_model()
        )


def encoder_key(encoder: Encoder) -> tuple[Hashable, ...]:
    return identity_key(encoder), str(encoder.dtype), encoder.device.type
