"""What a press does, between the visitor and `core.foreground`.

run            photo, components or none, request → progress, then a `Result`
again          a `Result`, other prompts, mode or thresholds → a `Result`; the image tower is not needed
look           one component of a `Result` → what the model was shown under every treatment, and its scores
leak           the same component → how far each of these scores depends on what lies outside its mask
download_file  a `Result` → a file
Shelf          `Result`s that visitors' windows hold tickets for
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core import files
from core.foreground import export
from core.foreground.analyse import Analysis, analyse
from core.foreground.components import ComponentSet
from core.foreground.encoding import FeatureCache, seen_crop
from core.foreground.explain import Explanation, explain
from core.foreground.leak import LeakReport, mask_leak
from core.foreground.pipeline import ForegroundResult, score_all
from core.foreground.prompts import PromptSet, TemplateSet
from core.foreground.request import Extras, ForegroundRequest, HeatMethod, Picture
from core.foreground.scoring import Mode, Rule
from core.foreground.treatments import TREATMENTS, Treatment
from core.types import Progress
from webapp.kit.services import Services

if TYPE_CHECKING:
    from core.models.encoder import Encoder

SHELF_BYTES = 2**30
FORMATS = ("csv", "json", "png")
EXPLAINED_AT_MOST = 1000  # components; more would make the JSON very long


@dataclass(frozen=True, eq=False)
class Result:
    """What one run left.

    Attributes:
        name: the photo's own name.
        analysis: everything about it.
        folder: private, for files made for download.
    """

    name: str
    analysis: Analysis
    folder: Path

    @property
    def outcome(self) -> ForegroundResult:
        """The scores of all components."""
        return self.analysis.result

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @cached_property
    def size_bytes(self) -> int:
        """About what it holds in memory: the photo, label images, similarities."""
        height_px, width_px = self.analysis.picture.image_hw
        return 8 * height_px * width_px + 24 * self.outcome.cosines_BK.size + 4000 * len(self.outcome.rows)

    def explanation(self, row: int) -> Explanation:
        """Of one component."""
        request = self.outcome.request
        return explain(self.outcome.scores.only(row), mode=request.mode, rule=request.rule)


def run(
    services: Services,
    cache: FeatureCache,
    name: str,
    picture: Picture,
    components: ComponentSet | None,
    request: ForegroundRequest,
    extras: Extras = Extras("if_possible"),
) -> Generator[Progress | Result, None, None]:
    """Progress, then one `Result` as the last item. Closing the generator stops the work."""
    with closing(analyse(picture, components, request, services.manager, extras=extras, cache=cache)) as steps:
        for step in steps:
            yield Result(name, step, services.new_folder()) if isinstance(step, Analysis) else step


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
    known = before.analysis
    request = replace(known.result.request, prompts=prompts, templates=templates, mode=mode, rule=rule)
    extras = replace(known.extras, heat_method=heat_method)
    *_, analysis = analyse(known.picture, known.components, request, services.manager, extras=extras, cache=cache)
    assert isinstance(analysis, Analysis), "the analysis is the last item"
    return replace(before, analysis=analysis)


def download_file(result: Result, kind: str) -> Path:
    """`scores.csv`, `scores.json` (with explanations of up to `EXPLAINED_AT_MOST` components), `annotated.png`."""
    from webapp.foreground.scene import annotated

    analysis, outcome = result.analysis, result.outcome
    if kind == "png":
        path = result.folder / "annotated.png"
        files.write(path, annotated(analysis.picture, outcome))
        return path
    path = result.folder / f"scores.{kind}"
    if kind == "csv":
        export.write_text(path, export.to_csv(outcome))
        return path
    if len(outcome.components) <= EXPLAINED_AT_MOST:
        request = outcome.request
        analysis = replace(analysis, explanation=explain(outcome.scores, mode=request.mode, rule=request.rule))
    export.write_text(path, export.to_json(export.document(analysis, image=result.name)))
    return path


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


# --- one component ----------------------------------------------------------------------------------------------------


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
            scored = score_all(
                result.analysis.picture, ComponentSet((component,)), request, services.manager, cache=cache
            )
            shown = model_input(seen_crop(result.analysis.picture, component, request), lease.encoder)
            looks.append(Look(request.treatment, shown, scored.scores.fields(0)))
    return looks


def leak(services: Services, result: Result, row: int) -> LeakReport:
    """One component under every treatment, its outside repainted."""
    outcome = result.outcome
    alone = ComponentSet((outcome.components[row],))
    with closing(mask_leak(result.analysis.picture, alone, outcome.request, services.manager)) as steps:  # type: ignore[type-var]
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
