"""How well scores tell foreground from background, against truth: AUROC and AP, treatments side by side.

Truth comes as COCO's panoptic format (a JSON and a folder of PNGs; `isthing` says what is foreground) or as any
COCO-like JSON whose annotations carry `foreground` (or whose categories carry `isthing` or `foreground`). Segments of
one image resemble each other, so the intervals resample images, not segments.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageRejected, InputError
from ..images.decode import decode
from ..settings import ImageLimits
from ..types import ImageSource, Notice, Progress, Reject
from .annotations import from_json
from .components import Component, ComponentLimits, ComponentSet
from .mask_images import read_mask
from .masks import LabelMask, resize_nearest
from .pipeline import FeatureCache, ForegroundRequest, Picture, score_all
from .treatments import TREATMENTS, TreatmentName

if TYPE_CHECKING:
    from ..models.manager import ModelManager

# COCO's sizes, by the area of the segment in pixels.
AREAS: dict[str, tuple[float, float]] = {
    "all": (0, float("inf")),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, float("inf")),
}
SCORES = {
    "p_pos_sum": "the softmax mass on the positive prompts",
    "semantic_multiplier": "the multiplier alone",
    "cos_margin": "the old way: best positive cosine less best negative",
    "own": "the component's own score, where it brought one",
    "reweighted": "own score × multiplier",
}


@dataclass(frozen=True)
class TruthImage:
    """One image and the segments whose side is known.

    Attributes:
        id: its file name in the truth.
        path: of the image.
        load: image size → components, each with a bool field `foreground`; rejects for what cannot be used.
    """

    id: str
    path: Path
    load: Callable[[tuple[int, int]], ComponentSet]


@dataclass(frozen=True)
class Truth:
    """All images of a truth file; `notices` say what was left out and why."""

    images: tuple[TruthImage, ...]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % bootstrap interval; NaN where a class is missing."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        treatment, score, area: see `TREATMENTS`, `SCORES`, `AREAS`.
        n_foreground, n_background, n_images: what it rests on.
        auroc, ap: AP's chance level is the prevalence, n_foreground / (n_foreground + n_background).
    """

    treatment: str
    score: str
    area: str
    n_foreground: int
    n_background: int
    n_images: int
    auroc: Interval
    ap: Interval


@dataclass(frozen=True)
class Evaluation:
    """All figures and, by treatment, the segments behind them (`segments`: plain rows, for files)."""

    figures: tuple[Figure, ...]
    segments: tuple[dict[str, Any], ...]
    model: dict[str, str]
    rejects: tuple[Reject, ...] = ()
    notices: tuple[Notice, ...] = ()

    def figure(self, treatment: str, score: str = "p_pos_sum", area: str = "all") -> Figure:
        for figure in self.figures:
            if (figure.treatment, figure.score, figure.area) == (treatment, score, area):
                return figure
        raise KeyError((treatment, score, area))


# --- truth ------------------------------------------------------------------------------------------------------------


def read_truth(
    truth_json: Path,
    images_dir: Path,
    masks_dir: Path | None = None,
    *,
    limits: ComponentLimits = ComponentLimits(),
) -> Truth:
    """Reads either format; see the module's first lines.

    Args:
        masks_dir: panoptic truth: the folder of its PNGs; default: a folder named as the JSON file without `.json`.

    Raises:
        InputError: not readable, neither format, or no image of it is in `images_dir`.
    """
    data = _read_json(truth_json, limits)
    images, annotations = data.get("images"), data.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise InputError(
            "The truth has no lists `images` and `annotations`.",
            where=str(truth_json),
            next_step="Give COCO panoptic JSON, or COCO-like JSON whose annotations carry `foreground`.",
        )
    categories = {c.get("id"): c for c in data.get("categories") or [] if isinstance(c, dict)}
    panoptic = any(isinstance(annotation, dict) and "segments_info" in annotation for annotation in annotations)
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for annotation in annotations:
        if isinstance(annotation, dict):
            by_image.setdefault(annotation.get("image_id"), []).append(annotation)
    if panoptic:
        masks_dir = masks_dir or truth_json.with_suffix("")
        if not masks_dir.is_dir():
            raise InputError(
                "The folder of panoptic PNGs is not there.", where=str(masks_dir), next_step="Name it with --masks."
            )
    found: list[TruthImage] = []
    missing: list[str] = []
    bare: list[str] = []
    for image in images:
        name = image.get("file_name") if isinstance(image, dict) else None
        if not isinstance(name, str):
            continue
        own = by_image.get(image.get("id"), [])
        path = _inside(images_dir, name)
        if path is None:
            missing.append(name)
        elif not own:
            bare.append(name)
        elif panoptic:
            assert masks_dir is not None
            found.append(TruthImage(name, path, _panoptic_loader(own[0], masks_dir, categories, limits)))
        else:
            found.append(TruthImage(name, path, _flagged_loader(image, own, categories, limits)))
    notices = []
    if missing:
        notices.append(Notice("images_missing", f"{len(missing):,} image(s) are not in the folder ({_some(missing)})."))
    if bare:
        notices.append(Notice("images_bare", f"{len(bare):,} image(s) have no segments ({_some(bare)})."))
    if not found:
        raise InputError(
            f"None of the {len(images):,} images of the truth can be evaluated.",
            where=str(images_dir),
            next_step="Check the images folder; file names are relative to it.",
        )
    return Truth(tuple(found), tuple(notices))


def _read_json(path: Path, limits: ComponentLimits) -> dict[str, Any]:
    try:
        if path.stat().st_size > limits.max_json_bytes:
            raise InputError(f"The file is longer than {limits.max_json_bytes // 2**20} MiB.", where=str(path))
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"The truth cannot be read: {error.strerror}.", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise InputError("The truth is not JSON.", where=str(path)) from error
    return data if isinstance(data, dict) else {}


def _inside(folder: Path, name: str) -> Path | None:
    """The file of that name, if it is there. A name cannot lead out of the folder; the user's own links may."""
    parts = PurePath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in name:
        return None
    path = folder / parts
    return path if path.is_file() else None


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _flag(value: Any) -> bool | None:
    return bool(value) if value in (0, 1, True, False) else None


def _side_of(annotation: dict[str, Any], categories: dict[Any, dict[str, Any]]) -> bool | None:
    """Whether a segment is foreground; None if nothing says so."""
    category = categories.get(annotation.get("category_id"), {})
    for holder, key in (
        (annotation, "foreground"),
        (annotation, "isthing"),
        (category, "foreground"),
        (category, "isthing"),
    ):
        side = _flag(holder.get(key))
        if side is not None:
            return side
    return None


def _flagged_loader(
    image: dict[str, Any],
    annotations: list[dict[str, Any]],
    categories: dict[Any, dict[str, Any]],
    limits: ComponentLimits,
) -> Callable[[tuple[int, int]], ComponentSet]:
    def load(image_hw: tuple[int, int]) -> ComponentSet:
        rejects: list[Reject] = []
        usable = []
        for number, annotation in enumerate(annotations, start=1):
            side = _side_of(annotation, categories)
            name = str(annotation.get("id", number))
            if annotation.get("iscrowd") == 1:
                rejects.append(Reject(name, "crowd", "a crowd is no single component"))
            elif side is None:
                rejects.append(Reject(name, "no_side", "nothing says whether it is foreground"))
            else:
                usable.append({**annotation, "foreground": side})
        # The size in `images` lets boxes and polygons be scaled where the image has another.
        parsed = from_json({"images": [image], "annotations": usable}, image_hw, limits=limits)
        return ComponentSet(parsed.components, (*rejects, *parsed.rejects), parsed.notices)

    return load


def _panoptic_loader(
    annotation: dict[str, Any], masks_dir: Path, categories: dict[Any, dict[str, Any]], limits: ComponentLimits
) -> Callable[[tuple[int, int]], ComponentSet]:
    def load(image_hw: tuple[int, int]) -> ComponentSet:
        name = annotation.get("file_name")
        path = _inside(masks_dir, name) if isinstance(name, str) else None
        if path is None:
            raise InputError("The panoptic PNG is missing.", where=str(name))
        rgb_HWC: np.ndarray = read_mask(ImageSource(path.name, path=path)).astype(np.int32)
        if rgb_HWC.ndim != 3:
            raise InputError("A panoptic PNG has three channels.", where=str(name))
        ids_HW = rgb_HWC[..., 0] + 256 * rgb_HWC[..., 1] + 65536 * rgb_HWC[..., 2]
        notices = []
        if ids_HW.shape != image_hw:
            notices.append(Notice("mask_resized", f"{name}: resized to the image."))
            ids_HW = resize_nearest(ids_HW, image_hw)
        return _panoptic_components(annotation.get("segments_info"), ids_HW, categories, limits, notices)

    return load


def _panoptic_components(
    segments: Any,
    ids_HW: np.ndarray,
    categories: dict[Any, dict[str, Any]],
    limits: ComponentLimits,
    notices: list[Notice],
) -> ComponentSet:
    components: list[Component] = []
    rejects: list[Reject] = []
    present, inverse, counts = np.unique(ids_HW, return_inverse=True, return_counts=True)
    places_HW = inverse.reshape(ids_HW.shape).astype(np.int32)
    from scipy import ndimage

    windows = dict(zip(present.tolist(), ndimage.find_objects(places_HW + 1), strict=True))
    areas = dict(zip(present.tolist(), counts.tolist(), strict=True))
    for number, segment in enumerate(segments if isinstance(segments, list) else [], start=1):
        segment_id: Any = segment.get("id") if isinstance(segment, dict) else None
        name = str(segment_id if segment_id is not None else number)
        if not isinstance(segment, dict) or segment_id not in windows:
            rejects.append(Reject(name, "degenerate", "it has no pixel in the PNG"))
            continue
        side = _side_of(segment, categories)
        rows, columns = windows[segment_id]
        box = (columns.start, rows.start, columns.stop, rows.stop)
        if segment.get("iscrowd") == 1:
            rejects.append(Reject(name, "crowd", "a crowd is no single component"))
        elif side is None:
            rejects.append(Reject(name, "no_side", "its category has no `isthing`"))
        elif min(box[2] - box[0], box[3] - box[1]) < limits.min_side_px:
            rejects.append(Reject(name, "too_small", f"{box[2] - box[0]} × {box[3] - box[1]} px"))
        else:
            fields = {**segment, "foreground": side}
            components.append(Component(name, box, LabelMask(ids_HW, segment_id), fields, areas[segment_id]))
    return ComponentSet(tuple(components), tuple(rejects), tuple(notices))


# --- running ----------------------------------------------------------------------------------------------------------


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
        raise InputError("Name at least one treatment.", next_step=f"Choose from {', '.join(TREATMENTS)}.")
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
        except (ImageRejected, InputError) as error:
            rejects.append(Reject(image.id, getattr(error, "code_detail", error.code), str(error)))
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
        reasons = "; ".join(reject.reason for reject in rejects[:3])
        raise InputError(f"No segment could be scored{f' ({reasons})' if reasons else ''}.")
    figures = figures_of(segments, treatments, resamples=resamples, seed=seed)
    yield Evaluation(figures, tuple(segments), model, tuple(rejects), tuple(notices))


def _segment_rows(image_id: str, treatment: str, result: Any) -> list[dict[str, Any]]:
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


# --- figures ----------------------------------------------------------------------------------------------------------


def figures_of(
    segments: Sequence[dict[str, Any]], treatments: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> tuple[Figure, ...]:
    """The table: `p_pos_sum` for every area, the other scores for all areas together.

    Treatments see the same resampled images, so their intervals can be compared.
    """
    figures = []
    for treatment in treatments:
        rows = [row for row in segments if row["treatment"] == treatment]
        for name in SCORES:
            if any(row[name] is None for row in rows):
                continue  # nothing brought a score of its own, or a group of prompts is empty
            for area, (low, high) in AREAS.items() if name == "p_pos_sum" else [("all", AREAS["all"])]:
                chosen = [row for row in rows if low <= row["area"] < high]
                figures.append(_figure(treatment, name, area, chosen, resamples, seed))
    return tuple(figures)


def _figure(treatment: str, name: str, area: str, rows: list[dict[str, Any]], resamples: int, seed: int) -> Figure:
    truth_N = np.array([row["foreground"] for row in rows], dtype=bool)
    scores_N = np.array([row[name] for row in rows], dtype=np.float64)
    images, image_N = np.unique([row["image"] for row in rows], return_inverse=True)
    auroc, ap = intervals(truth_N, scores_N, image_N, len(images), resamples=resamples, seed=seed)
    n_foreground = int(truth_N.sum())
    return Figure(treatment, name, area, n_foreground, len(rows) - n_foreground, len(images), auroc, ap)


def intervals(
    truth_N: np.ndarray, scores_N: np.ndarray, image_N: np.ndarray, n_images: int, *, resamples: int, seed: int
) -> tuple[Interval, Interval]:
    """AUROC and average precision with 95 % percentile intervals over resampled images (all their segments).

    Resamples without one of the classes have no AUROC and are left out of its interval.
    """
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    if not truth_N.any() or truth_N.all():
        return nothing, nothing
    values = weighted_auroc_ap(truth_N, scores_N, np.ones((1, len(scores_N))))[:, 0]
    if n_images < 2 or resamples < 1:
        return tuple(Interval(float(value), float("nan"), float("nan")) for value in values)  # type: ignore[return-value]
    from scipy import stats

    def statistic(sample: np.ndarray, axis: int) -> np.ndarray:
        """Resampled image numbers `[..., n_images]` → `[2, ...]`; an image drawn twice weighs twice."""
        drawn = np.moveaxis(np.atleast_2d(np.asarray(sample, dtype=int)), axis, -1)
        weights = np.stack([np.bincount(row, minlength=n_images) for row in drawn.reshape(-1, n_images)])
        result = weighted_auroc_ap(truth_N, scores_N, weights[:, image_N].astype(np.float64))
        return result.reshape(2, *drawn.shape[:-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's own interval is NaN where one resample lacks a class; ours is not
        drawn = stats.bootstrap(
            (np.arange(n_images),),
            statistic,
            n_resamples=resamples,
            batch=max(1, 20_000_000 // max(1, 8 * len(scores_N))),
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=-1)
    return tuple(  # type: ignore[return-value]
        Interval(float(values[metric]), float(low[metric]), float(high[metric])) for metric in range(2)
    )


def weighted_auroc_ap(truth_N: np.ndarray, scores_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """AUROC and average precision for R weightings of the same N rows, `[2, R]`; NaN where a class has no weight.

    Agrees with scikit-learn's `roc_auc_score` and `average_precision_score` with `sample_weight`, ties included, but
    sorts once for all R.
    """
    order = np.argsort(-scores_N, kind="stable")
    scores, truth, weights = scores_N[order], truth_N[order], weights_RN[:, order]
    last_of_tie = np.flatnonzero(np.append(np.diff(scores) != 0, True))
    hits = np.cumsum(weights * truth, axis=1)[:, last_of_tie]
    misses = np.cumsum(weights * ~truth, axis=1)[:, last_of_tie]
    all_hits, all_misses = hits[:, -1:], misses[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        new_hits = np.diff(hits, axis=1, prepend=0.0)
        new_misses = np.diff(misses, axis=1, prepend=0.0)
        # A hit beats the misses that come later, and half of those it is tied with.
        wins = (new_hits * (all_misses - misses + new_misses / 2)).sum(axis=1)
        auroc = wins / (all_hits * all_misses)[:, 0]
        precision = np.where(hits + misses > 0, hits / (hits + misses), 0.0)
        ap = (new_hits * precision).sum(axis=1) / all_hits[:, 0]
    return np.stack([auroc, ap])
