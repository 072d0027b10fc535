"""The one way from a picture to an outcome, for the page, the endpoint and the command. Read this file first.

    picture ─heat map─▶ ─proposals, if no components were given─▶ ─scores─▶ ─explanation, leak: if asked for─▶ Analysis

`analyse` is a generator: `Progress` on the way, one `Analysis` as the last item. Whoever closes it stops the work.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ..errors import Unsupported
from ..types import Notice, Progress
from .components import ComponentSet
from .encoding import FeatureCache
from .explain import Explanation, explain
from .heatmap import HeatMap
from .leak import LeakReport, mask_leak
from .pipeline import ForegroundResult, foreground_map, score_foreground
from .request import Extras, ForegroundRequest, Picture
from .words import Says

if TYPE_CHECKING:
    from ..models.manager import ModelManager

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Analysis:
    """What one picture came to.

    Attributes:
        picture: what was looked at.
        components: given or proposed, before any prompt had a say.
        result: scores of all components, and all that should be known about them (`notices`).
        extras: what was wanted beyond the scores; without it the following are None.
        heat: also None where the model gives none.
        explanation, leaks: of all components.
    """

    picture: Picture
    components: ComponentSet
    result: ForegroundResult
    extras: Extras
    heat: HeatMap | None = None
    explanation: Explanation | None = None
    leaks: LeakReport | None = None


def analyse(
    picture: Picture,
    components: ComponentSet | None,
    request: ForegroundRequest,
    manager: ModelManager,
    *,
    extras: Extras = Extras(),
    cache: FeatureCache | None = None,
    cancel: threading.Event | None = None,
) -> Generator[Progress | Analysis, None, None]:
    """Everything that is wanted about one picture; the `Analysis` is the last item.

    Args:
        components: None: some are proposed, by colour and by the heat map.

    Raises:
        InputError: no component, no prompt; Unsupported: the model has no text tower, or a required heat map cannot be
        made; Cancelled; whatever the model manager raises.
    """
    cache = FeatureCache() if cache is None else cache
    heat: HeatMap | None = None
    no_heat: tuple[Notice, ...] = ()
    if components is None or extras.heat != "for_proposals":
        yield Progress("heat", 0, 0)
        heat, no_heat = _heat(picture, request, manager, extras, cache, cancel)
    if components is None:
        yield Progress("propose", 0, 0)
        from .proposals import propose  # scikit-image: a second that nobody else has to wait

        components = propose(picture.rgb_HWC, heat)
    yield Progress("components", 0, len(components.components))
    scoring = score_foreground(picture, components, request, manager, cache=cache, cancel=cancel)
    result = yield from _last_of(scoring)
    result = replace(result, notices=(*result.notices, *no_heat))
    explanation, leaks = None, None
    if extras.explain:
        explanation = explain(result.scores, mode=request.mode, rule=request.rule)
    if extras.leak:
        leaks = yield from _last_of(mask_leak(picture, components, request, manager, cancel=cancel))
    yield Analysis(picture, components, result, extras, heat, explanation, leaks)


def _heat(
    picture: Picture,
    request: ForegroundRequest,
    manager: ModelManager,
    extras: Extras,
    cache: FeatureCache,
    cancel: threading.Event | None,
) -> tuple[HeatMap | None, tuple[Notice, ...]]:
    """The heat map, or why there is none."""
    try:
        return foreground_map(picture, request, manager, method=extras.heat_method, cache=cache, cancel=cancel), ()
    except Unsupported as error:
        if extras.heat == "required":
            raise
        return None, (Notice("no_heatmap", Says.no_heat_map(reason=error.said)),)


def _last_of(items: Iterator[Progress | Item]) -> Generator[Progress, None, Item]:
    """Hands the progress on; returns what comes last. Closed, it closes `items`."""
    with closing(items):  # type: ignore[type-var]
        for item in items:
            if not isinstance(item, Progress):
                return item
            yield item
    raise AssertionError("the result is the last item")
