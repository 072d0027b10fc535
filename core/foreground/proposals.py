"""Components for an image that came without any: superpixels merged by colour and by CLIP's heat map.

Two kinds of proposals: regions (SLIC superpixels, merged while neighbours are alike in colour and heat), which tile the
image and so contain its background too, and the warm parts of the heat map. No torch; the heat map is made elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import color, filters, graph, segmentation

from ..errors import InputError
from ..images.crops import Box
from ..types import Notice
from .components import Component, ComponentLimits, ComponentSet
from .heatmap import HeatMap
from .masks import LabelMask, resize_nearest
from .words import Says


@dataclass(frozen=True)
class ProposalSettings:
    """How finely an image is cut up.

    Attributes:
        work_px: longer side of the small image on which the work is done.
        superpixels: about how many to begin with.
        merge_below: neighbours nearer than this are merged; CIELAB units (about 2 is a just visible difference). Each
            value gives a layer of regions: parts first, then what they are parts of.
        heat_weight: how many CIELAB units a difference of 1.0 in heat counts for.
        min_part: regions smaller than this part of the image are left out, with a notice.
    """

    work_px: int = 320
    superpixels: int = 250
    merge_below: tuple[float, ...] = (14.0, 28.0)
    heat_weight: float = 60.0
    min_part: float = 0.002

    def __post_init__(self) -> None:
        if not (32 <= self.work_px <= 2048 and 2 <= self.superpixels <= 5000):
            raise InputError(Says.proposal_settings())


def propose(
    rgb_HWC: np.ndarray,
    heat: HeatMap | None = None,
    *,
    settings: ProposalSettings = ProposalSettings(),
    limits: ComponentLimits = ComponentLimits(),
) -> ComponentSet:
    """Components of an image, by its colours and, where there is a heat map, by what CLIP takes for foreground.

    Each brings `id`, `bbox`, `area`, `source` (`region` or `heat`) and, with a heat map, `score`: its mean heat, 0..1.
    The warmest come first; without a heat map the largest.
    """
    image_hw = (rgb_HWC.shape[0], rgb_HWC.shape[1])
    small_HWC = _small(rgb_HWC, settings.work_px)
    heat_HW = heat.resized(small_HWC.shape[:2]) if heat is not None else None
    layers = [("region", labels_HW) for labels_HW in _regions(small_HWC, heat_HW, settings)]
    if heat_HW is not None:
        layers.append(("heat", _warm_parts(heat_HW)))
    found: list[Component] = []
    left_out = 0
    small_area = small_HWC.shape[0] * small_HWC.shape[1]
    for source, labels_HW in layers:  # each tiles the image, but for the warm parts
        areas = np.bincount(labels_HW.ravel())
        big = [value for value in range(1, len(areas)) if areas[value] >= settings.min_part * small_area]
        left_out += int((areas[1:] > 0).sum()) - len(big)
        means = ndimage.mean(heat_HW, labels_HW, big) if heat_HW is not None and big else [None] * len(big)
        full_HW = resize_nearest(labels_HW, image_hw)
        windows = ndimage.find_objects(full_HW)
        full_areas = np.bincount(full_HW.ravel(), minlength=len(areas))
        for value, mean in zip(big, means, strict=True):
            window = windows[value - 1] if value <= len(windows) else None
            if window is None:  # a sliver that fell between the rows of a smaller image
                left_out += 1
                continue
            box = (window[1].start, window[0].start, window[1].stop, window[0].stop)
            if min(box[2] - box[0], box[3] - box[1]) < limits.min_side_px:
                left_out += 1
                continue
            fields = {"source": source} | ({"score": float(mean)} if mean is not None else {})
            found.append(Component("", box, LabelMask(full_HW, value), fields, int(full_areas[value])))
    found, doubled = _without_doubles(found)
    key = (lambda c: -c.fields["score"]) if heat is not None else (lambda c: -c.area_px)
    found.sort(key=key)
    notices = [Notice("proposed", Says.proposed(count=len(found)))]
    if left_out:
        notices.append(Notice("proposals_small", Says.proposals_small(count=left_out, share=settings.min_part)))
    if doubled:
        notices.append(Notice("proposals_double", Says.proposals_double(count=doubled)))
    if heat is None:
        notices.append(Notice("proposals_by_colour", Says.proposals_by_colour()))
    return ComponentSet(tuple(_named(c, number) for number, c in enumerate(found, start=1)), (), tuple(notices))


def _small(rgb_HWC: np.ndarray, work_px: int) -> np.ndarray:
    height_px, width_px = rgb_HWC.shape[:2]
    scale = min(1.0, work_px / max(height_px, width_px))
    if scale == 1.0:
        return rgb_HWC
    size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    return np.asarray(Image.fromarray(rgb_HWC).resize(size, Image.Resampling.BOX))


def _regions(small_HWC: np.ndarray, heat_HW: np.ndarray | None, settings: ProposalSettings) -> list[np.ndarray]:
    """Labels 1..n of superpixels, merged while two neighbours are nearer than each of `merge_below`."""
    lab_HWC = color.rgb2lab(small_HWC)
    # slic() converts to CIELAB by itself; given CIELAB, it would squeeze it into 0..1 and lose the colours to distance.
    labels_HW = segmentation.slic(small_HWC, n_segments=settings.superpixels, compactness=10.0, start_label=1)
    values_HWC = lab_HWC
    if heat_HW is not None:
        values_HWC = np.concatenate([lab_HWC, settings.heat_weight * heat_HW[..., None]], axis=2)
    if labels_HW.max() < 2:
        return [labels_HW]
    return [_merged(labels_HW, values_HWC, threshold) for threshold in settings.merge_below]


def _merged(labels_HW: np.ndarray, values_HWC: np.ndarray, threshold: float) -> np.ndarray:
    adjacency = graph.RAG(labels_HW, connectivity=2)
    counts = np.bincount(labels_HW.ravel())
    sums = np.stack(
        [np.bincount(labels_HW.ravel(), weights=values_HWC[..., c].ravel()) for c in range(values_HWC.shape[2])], axis=1
    )
    for node in adjacency.nodes:
        adjacency.nodes[node].update(labels=[node], count=int(counts[node]), sum=sums[node])
    for first, second in adjacency.edges:
        adjacency.edges[first, second]["weight"] = _distance(adjacency, first, second)
    merged_HW = graph.merge_hierarchical(
        labels_HW,
        adjacency,
        thresh=threshold,
        rag_copy=False,
        in_place_merge=True,
        merge_func=_merge,
        weight_func=lambda rag, source, target, neighbour: {"weight": _distance(rag, target, neighbour)},
    )
    return merged_HW + 1 if merged_HW.min() == 0 else merged_HW


def _distance(rag: graph.RAG, first: int, second: int) -> float:
    one, other = rag.nodes[first], rag.nodes[second]
    return float(np.linalg.norm(one["sum"] / one["count"] - other["sum"] / other["count"]))


def _merge(rag: graph.RAG, source: int, target: int) -> None:
    rag.nodes[target]["sum"] = rag.nodes[target]["sum"] + rag.nodes[source]["sum"]
    rag.nodes[target]["count"] += rag.nodes[source]["count"]


def _warm_parts(heat_HW: np.ndarray) -> np.ndarray:
    """Labels 1..n of the connected parts above Otsu's threshold; none where the map is flat."""
    if float(np.ptp(heat_HW)) < 0.05:
        return np.zeros(heat_HW.shape, dtype=np.int32)
    labels_HW, _ = ndimage.label(heat_HW > filters.threshold_otsu(heat_HW), structure=np.ones((3, 3), dtype=int))
    return labels_HW


def _without_doubles(found: list[Component]) -> tuple[list[Component], int]:
    """Leaves out what overlaps an earlier proposal almost wholly (intersection over union above 0.9)."""
    kept: list[Component] = []
    for component in found:
        if not any(_overlap(component, other) > 0.9 for other in kept):
            kept.append(component)
    return kept, len(found) - len(kept)


def _overlap(one: Component, other: Component) -> float:
    if not 0.9 <= one.area_px / other.area_px <= 1 / 0.9:
        return 0.0
    (a, b, c, d), (e, f, g, h) = one.box_xyxy_px, other.box_xyxy_px
    box: Box = (min(a, e), min(b, f), max(c, g), max(d, h))
    first, second = one.mask.crop(box), other.mask.crop(box)
    return float((first & second).sum() / max(1, (first | second).sum()))


def _named(component: Component, number: int) -> Component:
    x0, y0, x1, y1 = component.box_xyxy_px
    fields = {"id": number, "bbox": [x0, y0, x1 - x0, y1 - y0], "area": component.area_px, **component.fields}
    return Component(str(number), component.box_xyxy_px, component.mask, fields, component.area_px)
