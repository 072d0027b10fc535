"""One run from an uploaded photo to a `Result`: what the page and the HTTP API share between the visitor and
`core.foreground`.

    run       photo, components or none, request → progress, then a Result
    again     a Result, other prompts, mode or thresholds → a Result; the image tower is not needed
    look      one component of a Result → what the model was shown under every treatment, and its scores
    leak      the same component → how far each of these scores depends on what lies outside its mask
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError, Unsupported
from core.foreground import export
from core.foreground.annotations import from_boxes, from_json
from core.foreground.components import Component, ComponentLimits, ComponentSet
from core.foreground.explain import Explanation, explain
from core.foreground.leak import LeakReport, mask_leak
from core.foreground.mask_images import from_mask
from core.foreground.mask_images import read_mask as read_mask_image
from core.foreground.masks import resize_nearest
from core.foreground.pipeline import (
    FeatureCache,
    ForegroundRequest,
    ForegroundResult,
    Picture,
    foreground_map,
    score_all,
    score_foreground,
    seen_crop,
)
from core.foreground.prompts import PromptSet, TemplateSet
from core.foreground.scoring import Mode, Rule
from core.foreground.treatments import TREATMENTS, Treatment
from core.images.decode import decode
from core.settings import ImageLimits
from core.types import ImageSource, Progress
from core.words import Common
from webapp.foreground.words import Says
from webapp.kit.services import Services
from webapp.kit.uploads import Upload

if TYPE_CHECKING:
    from core.foreground.heatmap import HeatMap, HeatMethod
    from core.models.encoder import Encoder

SHELF_BYTES = 2**30
DRAWING_BYTES = 4 * 2**20
LIMITS = ComponentLimits(max_json_bytes=64 * 2**20)
_DATA_URI = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]*)")


@dataclass(frozen=True, eq=False)
class Result:
    """What one run left.

    Attributes:
        name: the photo's own name.
        picture: its pixels.
        given: the components, before any prompt had a say.
        outcome: scores of all components.
        heat: the foreground map, or None.
        no_heat: why there is none, in a sentence; else empty.
        heat_method: how the map is made.
        folder: private, for files made for download.
    """

    name: str
    picture: Picture
    given: ComponentSet
    outcome: ForegroundResult
    heat: HeatMap | None
    no_heat: str
    heat_method: HeatMethod
    folder: Path

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @cached_property
    def size_bytes(self) -> int:
        """About what it holds in memory: the photo, label images, similarities."""
        height_px, width_px = self.picture.image_hw
        return 8 * height_px * width_px + 24 * self.outcome.cosines_BK.size + 4000 * len(self.outcome.rows)

    def explanation(self, row: int) -> Explanation:
        """Of one component."""
        scores = self.outcome.scores
        one = slice(row, row + 1)
        narrowed = replace(
            scores,
            logits_BK=scores.logits_BK[one],
            probabilities_BK=scores.probabilities_BK[one],
            p_pos_sum_B=scores.p_pos_sum_B[one],
            p_neg_sum_B=scores.p_neg_sum_B[one],
            best_positive_B=scores.best_positive_B[one],
            best_negative_B=scores.best_negative_B[one],
            multiplier_B=scores.multiplier_B[one],
        )
        request = self.outcome.request
        return explain(narrowed, mode=request.mode, rule=request.rule)


class Shelf:
    """Results by a secret ticket, the least recently used forgotten first. Thread-safe.

    A visitor's session holds the ticket alone, so that many open windows cannot fill the memory with photos.
    """

    def __init__(self, max_bytes: int = SHELF_BYTES) -> None:
        self._max_bytes = max_bytes
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, result: Result, ticket: str | None = None) -> str:
        """Keeps a result, under `ticket` if it takes that one's place. Returns the ticket. The newest always stays."""
        ticket = ticket or secrets.token_urlsafe(16)
        with self._lock:
            self._results[ticket] = result
            self._results.move_to_end(ticket)
            while len(self._results) > 1 and sum(each.size_bytes for each in self._results.values()) > self._max_bytes:
                self._results.popitem(last=False)[1].forget()
        return ticket

    def get(self, ticket: str | None) -> Result | None:
        with self._lock:
            if ticket is None or ticket not in self._results:
                return None
            self._results.move_to_end(ticket)
            return self._results[ticket]

    def forget(self, ticket: str | None) -> None:
        with self._lock:
            result = self._results.pop(ticket or "", None)
        if result is not None:
            result.forget()


FORMATS = ("csv", "json", "png")
EXPLAINED_AT_MOST = 1000  # components; more would make the JSON very long


def download_file(result: Result, kind: str) -> Path:
    """`scores.csv`, `scores.json` (with explanations of up to `EXPLAINED_AT_MOST` components), `annotated.png`."""
    from webapp.foreground.figures import annotated

    outcome = result.outcome
    if kind == "png":
        path = result.folder / "annotated.png"
        path.write_bytes(annotated(result.picture, outcome))
        return path
    path = result.folder / f"scores.{kind}"
    if kind == "csv":
        export.write_text(path, export.to_csv(outcome))
        return path
    request, explanation = outcome.request, None
    if len(outcome.components) <= EXPLAINED_AT_MOST:
        explanation = explain(outcome.scores, mode=request.mode, rule=request.rule)
    export.write_text(path, export.to_json(export.document(outcome, image=result.name, explanation=explanation)))
    return path


# --- what comes in ----------------------------------------------------------------------------------------------------


def open_picture(upload: Upload, limits: ImageLimits) -> Picture:
    """The photo, upright. Raises `ImageRejected`."""
    return Picture(decode(ImageSource(upload.name, path=upload.path), limits))


@dataclass(frozen=True)
class Drawn:
    """What a visitor drew over a photo.

    Attributes:
        mask_png: PNG whose opaque pixels are painted; empty if there is none.
        boxes: corners as shares of width and height, 0..1.
    """

    mask_png: bytes = b""
    boxes: tuple[tuple[float, float, float, float], ...] = ()

    @classmethod
    def read(cls, sent: Any) -> Drawn:
        """From what a browser sent. Raises `InputError` for anything that the page does not send itself."""
        if not isinstance(sent, dict):
            return cls()
        mask, boxes = sent.get("mask") or "", sent.get("boxes") or []
        if not isinstance(mask, str) or len(mask) > DRAWING_BYTES or not isinstance(boxes, list):
            raise InputError(Says.drawing_cannot_read(), next_step=Says.clear_draw_again())
        try:
            match = _DATA_URI.fullmatch(mask)
            png = base64.b64decode(match[1], validate=True) if match else b""
            corners = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in boxes)
        except (TypeError, ValueError, binascii.Error):
            raise InputError(Says.drawing_cannot_read(), next_step=Says.clear_draw_again()) from None
        if mask and not match:
            raise InputError(Says.drawing_cannot_read(), next_step=Says.clear_draw_again())
        return cls(png, corners)

    def components(self, image_hw: tuple[int, int], limits: ImageLimits) -> ComponentSet:
        """Each connected stroke is a component, then each box."""
        sets = []
        if self.mask_png:
            pixels = read_mask_image(ImageSource("drawing", data=self.mask_png), limits)
            painted_HW = pixels[..., 3] > 127 if pixels.ndim == 3 and pixels.shape[2] == 4 else np.zeros((1, 1), bool)
            if painted_HW.any():
                sets.append(from_mask(resize_nearest(painted_HW, image_hw), image_hw, kind="binary", limits=LIMITS))
        if self.boxes:
            height_px, width_px = image_hw
            sets.append(from_boxes(np.array(self.boxes) * ([width_px, height_px] * 2), image_hw, limits=LIMITS))
        if not sets:
            raise InputError(Says.nothing_drawn(), next_step=Says.paint_over_part_photo_draw())
        return joined(sets)


def joined(sets: Sequence[ComponentSet]) -> ComponentSet:
    """Several sets as one, numbered through."""
    if len(sets) == 1:
        return sets[0]
    components = [component for part in sets for component in part.components]
    renumbered = [
        Component(str(n), c.box_xyxy_px, c.mask, {**c.fields, "id": n}, c.area_px)
        for n, c in enumerate(components, start=1)
    ]
    rejects = tuple(reject for part in sets for reject in part.rejects)
    return ComponentSet(tuple(renumbered), rejects, tuple(notice for part in sets for notice in part.notices))


def parse_boxes(text: str) -> list[list[float]]:
    """`x0, y0, x1, y1` in pixels, one box per line; commas, semicolons or spaces between."""
    boxes = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = [part for part in re.split(r"[\s,;，；()\[\]]+", line) if part]
        if not parts:
            continue
        try:
            values = [float(part) for part in parts]
        except ValueError:
            values = []
        if len(values) != 4 or not all(map(math.isfinite, values)):
            raise InputError(
                Says.line_not_box(number=number, line=line.strip()[:60]), next_step=Says.write_x0_y0_x1_y1_2()
            )
        boxes.append(values)
    if not boxes:
        raise InputError(Says.there_no_boxes(), next_step=Says.write_x0_y0_x1_y1())
    return boxes


def from_file(upload: Upload, picture: Picture, image_name: str, limits: ImageLimits) -> ComponentSet:
    """A mask image, or JSON (COCO, SAM, boxes, our own), told apart by the first character."""
    if upload.path.stat().st_size > LIMITS.max_json_bytes:
        raise InputError(Says.file_too_long(), where=upload.name)
    data = upload.path.read_bytes()
    if not data.strip():
        raise InputError(Common.file_empty(), where=upload.name)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return from_json(data, picture.image_hw, image_name=image_name, limits=LIMITS)
    return from_mask(read_mask_image(ImageSource(upload.name, data=data), limits), picture.image_hw, limits=LIMITS)


# --- the work ---------------------------------------------------------------------------------------------------------


def run(
    services: Services,
    cache: FeatureCache,
    name: str,
    picture: Picture,
    components: ComponentSet | None,
    request: ForegroundRequest,
    heat_method: HeatMethod = "clearclip",
    *,
    want_heat: bool = True,
) -> Generator[Progress | Result, None, None]:
    """Progress, then one `Result` as the last item. Closing the generator stops the work.

    Args:
        components: None: some are proposed.
        want_heat: make a heat map even where no proposals need it.
    """
    from core.foreground.proposals import propose

    heat, no_heat = None, ""
    if want_heat or components is None:
        yield Progress("heat", 0, 0)
        heat, no_heat = _heat(services, cache, picture, request, heat_method)
    if components is None:
        yield Progress("propose", 0, 0)
        components = propose(picture.rgb_HWC, heat, limits=LIMITS)
    yield Progress("components", 0, len(components.components))
    with closing(score_foreground(picture, components, request, services.manager, cache=cache)) as steps:  # type: ignore[type-var]
        for step in steps:
            if isinstance(step, Progress):
                yield step
            else:
                yield Result(name, picture, components, step, heat, no_heat, heat_method, services.new_folder())


def again(
    services: Services,
    cache: FeatureCache,
    before: Result,
    prompts: PromptSet,
    *,
    templates: TemplateSet,
    mode: Mode,
    rule: Rule,
    heat_method: HeatMethod,
) -> Result:
    """The same components under other prompts, mode or thresholds: from cached image features, as long as they last."""
    asked = before.outcome.request
    request = replace(asked, prompts=prompts, templates=templates, mode=mode, rule=rule)
    scored = score_all(before.picture, before.given, request, services.manager, cache=cache)
    heat, no_heat = before.heat, before.no_heat
    if heat is not None:
        heat, no_heat = _heat(services, cache, before.picture, request, heat_method)
    return Result(before.name, before.picture, before.given, scored, heat, no_heat, heat_method, before.folder)


def _heat(
    services: Services, cache: FeatureCache, picture: Picture, request: ForegroundRequest, method: HeatMethod
) -> tuple[HeatMap | None, str]:
    try:
        return foreground_map(picture, request, services.manager, method=method, cache=cache), ""
    except Unsupported as error:
        return None, error.what


@dataclass(frozen=True, eq=False)
class Look:
    """One component under one treatment.

    Attributes:
        treatment: which, with its parameters.
        input_HWC: uint8, the square picture that went into the image tower, after resizing and centre crop.
        fields: the nine.
    """

    treatment: Treatment
    input_HWC: np.ndarray
    fields: dict[str, Any]


def look(services: Services, cache: FeatureCache, result: Result, row: int) -> list[Look]:
    """One component under every treatment, the run's own first."""
    outcome = result.outcome
    own = outcome.request.treatment
    component = outcome.components[row]
    names = [own.name, *(name for name in TREATMENTS if name != own.name)]
    looks = []
    with services.manager.lease(outcome.request.model, outcome.request.device, outcome.request.dtype) as lease:
        for name in names:
            request = replace(outcome.request, treatment=replace(own, name=name))
            scored = score_all(result.picture, ComponentSet((component,)), request, services.manager, cache=cache)
            shown = model_input(seen_crop(result.picture, component, request), lease.encoder)
            looks.append(Look(request.treatment, shown, scored.scores.fields(0)))
    return looks


def leak(services: Services, result: Result, row: int) -> LeakReport:
    """One component under every treatment, its outside repainted."""
    outcome = result.outcome
    alone = ComponentSet((outcome.components[row],))
    with closing(mask_leak(result.picture, alone, outcome.request, services.manager)) as steps:  # type: ignore[type-var]
        *_, report = steps
    assert isinstance(report, LeakReport), "the report is the last item"
    return report


def model_input(seen_HWC: np.ndarray, encoder: Encoder) -> np.ndarray:
    """A treated crop after the model's own preprocessing, as uint8 `[H, W, 3]`; its normalisation undone."""
    pixels_CHW = encoder.preprocess(seen_HWC)
    values: np.ndarray = pixels_CHW.numpy().transpose(1, 2, 0)
    if values.dtype == np.uint8:
        return values
    mean, std = np.array(encoder.spec.preprocessing.mean), np.array(encoder.spec.preprocessing.std)
    return np.clip(np.round((values * std + mean) * 255), 0, 255).astype(np.uint8)
