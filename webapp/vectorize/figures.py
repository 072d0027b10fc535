"""A `VectorTable` as charts: how similar the images are (heatmap), and where they lie (a 2-D map).

Both compare directions, not lengths: rows are L2-normalised first, so that a distance on the map and a cell of the
heatmap speak of the same thing, the cosine. Thumbnails come as data URIs by id; a missing one is left out, never an
error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.types import VectorTable
from core.vectorize.ensemble import unit_rows
from webapp.kit.drawing import COLOURS, Card, Drawing, base_layout, literal, shorten
from webapp.kit.table import Rows
from webapp.text import Language, say

HEATMAP_LIMIT = 200
"""Images in the heatmap: the first of the table. 40,000 cells are what a browser still moves without effort."""
TSNE_LIMIT = 1000
"""Images t-SNE is run on: the first of the table; the time grows faster than their number."""
PICTURED_AXIS_LIMIT = 24
"""Up to this many images the heatmap bears thumbnails, or names, along its sides; more would be too small."""
PICTURED_MAP_LIMIT = 60
"""Up to this many images the map shows the pictures themselves instead of dots."""
VALUES_LIMIT = 12
"""Up to this many images each cell also says its value."""
TSNE_MIN_ROWS = 4


# ------------------------------------------------------------------ numbers


def cosines(vectors_ND: np.ndarray) -> np.ndarray:
    """Cosine of every row with every row, `[N, N]`, -1..1; 0 where a row is zero."""
    units_ND = unit_rows(vectors_ND)
    return np.clip(units_ND @ units_ND.T, -1.0, 1.0)


def similar_together(cosines_NN: np.ndarray) -> np.ndarray:
    """An order of the rows in which similar ones are neighbours: leaves of an average-linkage tree, best ordering."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(cosines_NN) < 3:
        return np.arange(len(cosines_NN))
    distances_NN = np.clip(1.0 - cosines_NN.astype(np.float64), 0.0, 2.0)
    distances_NN = (distances_NN + distances_NN.T) / 2
    np.fill_diagonal(distances_NN, 0.0)
    return leaves_list(linkage(squareform(distances_NN, checks=False), "average", optimal_ordering=True))


def project_pca(vectors_ND: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """The two directions along which the normalised rows differ most.

    Returns `xy_N2` (float32) and the share of the variance, 0..1, that each axis holds. With fewer than three rows
    the missing axes are zero.
    """
    xy_N2: np.ndarray = np.zeros((len(vectors_ND), 2), dtype=np.float32)
    axes = min(2, len(vectors_ND) - 1, vectors_ND.shape[1])
    if axes < 1:
        return xy_N2, (0.0, 0.0)
    units_ND = unit_rows(vectors_ND).astype(np.float64)
    centred_ND = units_ND - units_ND.mean(axis=0)
    total = float((centred_ND**2).sum())
    if total < 1e-12:  # all the same
        return xy_N2, (0.0, 0.0)
    # Eigenvectors of the smaller of the two square matrices; the largest eigenvalues come last.
    if len(centred_ND) <= centred_ND.shape[1]:
        values, vectors = np.linalg.eigh(centred_ND @ centred_ND.T)
        scores_NA = vectors * np.sqrt(np.maximum(values, 0.0))
    else:
        values, vectors = np.linalg.eigh(centred_ND.T @ centred_ND)
        scores_NA = centred_ND @ vectors
    scores_NA = scores_NA[:, ::-1][:, :axes]
    # An axis may point either way; the entry farthest from zero is made positive, so that the map is always the same.
    farthest = np.abs(scores_NA).argmax(axis=0)
    xy_N2[:, :axes] = scores_NA * np.sign(scores_NA[farthest, range(axes)])
    shares = (xy_N2.astype(np.float64) ** 2).sum(axis=0) / total
    return xy_N2, (float(shares[0]), float(shares[1]))


def project_tsne(vectors_ND: np.ndarray) -> np.ndarray:
    """t-SNE of the normalised rows, the same at every call (PCA start, fixed seed). Float32 `xy_N2`; at least 4 rows.

    Neighbours are kept, distances between far groups mean little. Perplexity 30, or a third of the rows when there
    are few.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    assert len(vectors_ND) >= TSNE_MIN_ROWS, "the page offers t-SNE only with enough rows"
    units_ND = unit_rows(vectors_ND)
    perplexity = max(1.0, min(30.0, (len(units_ND) - 1) / 3))
    made = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, random_state=0)
    with threadpool_limits(1):  # at this size more threads mostly wait for each other, beside other visitors' work
        return made.fit_transform(units_ND).astype(np.float32)


# ------------------------------------------------------------------ charts


def similarity_heatmap(
    table: VectorTable, thumbnails: Mapping[str, str], language: Language, *, together: bool = False, view: str = ""
) -> Drawing:
    """Cosine of every image with every image, at most `HEATMAP_LIMIT` (the caller says so on the page).

    Args:
        together: order the images so that similar ones are neighbours, instead of as they were given.
    """
    import plotly.graph_objects as go

    count = min(len(table.ids), HEATMAP_LIMIT)
    cosines_NN = cosines(table.vectors_ND[:count])
    order_N = similar_together(cosines_NN) if together else np.arange(count)
    ids = [table.ids[row] for row in order_N]
    z_NN = np.round(cosines_NN[np.ix_(order_N, order_N)].astype(np.float64), 4)

    # The scale spans what differs: with the diagonal in it, all else would look the same.
    others = z_NN[~np.eye(count, dtype=bool)]
    low, high = (float(others.min()), float(others.max())) if count > 1 else (-1.0, 1.0)
    heatmap = go.Heatmap(
        z=z_NN,
        zmin=low,
        zmax=max(high, low + 0.01),
        autocolorscale=True,  # the page has one for light and one for dark
        hoverinfo="none",
        meta="cells",
        name=say(language, "vectorize_cosine"),
        xgap=1 if count <= 60 else 0,
        ygap=1 if count <= 60 else 0,
        colorbar={"thickness": 8, "len": 0.9, "nticks": 5, "tickformat": ".2f"},
    )
    if count <= VALUES_LIMIT:
        heatmap.update(texttemplate="%{z:.2f}", textfont={"size": 10})

    pictured = 2 <= count <= PICTURED_AXIS_LIMIT and all(thumbnails.get(row_id) for row_id in ids)
    named = not pictured and count <= PICTURED_AXIS_LIMIT
    # The pictures stand in a row and a column of their own before the cells.
    span = [-0.5 - (1.15 if pictured else 0.0), count - 0.5]
    axis: dict[str, Any] = {
        "range": span,
        "showgrid": False,
        "showline": False,
        "zeroline": False,
        "constrain": "domain",
        "showticklabels": named,
        "tickvals": list(range(count)) if named else [],
        "ticktext": [literal(shorten(row_id, 14)) for row_id in ids] if named else [],
    }
    layout = base_layout(
        margin={"l": 92 if named else 6, "r": 4, "t": 6, "b": 76 if named else 6},
        xaxis={**axis, "side": "bottom", "tickangle": -45},
        # Square cells; the first image is at the top.
        yaxis={**axis, "range": span[::-1], "scaleanchor": "x"},
        images=[
            picture
            for place, row_id in enumerate(ids)
            if pictured
            for picture in (
                _picture(thumbnails[row_id], place, -1.05, 0.92),
                _picture(thumbnails[row_id], -1.05, place, 0.92),
            )
        ],
    )
    cards = tuple(Card(table.ids[row], image=thumbnails.get(table.ids[row], ""), key=int(row)) for row in order_N)
    description = say(language, "vectorize_heatmap_description", count=count)
    return Drawing(go.Figure(heatmap, layout), cards, view, description)


def vector_map(
    table: VectorTable, xy_N2: np.ndarray, thumbnails: Mapping[str, str], language: Language, *, view: str = ""
) -> Drawing:
    """The images where a projection put them: pictures while they are few, dots when many, a card on hover."""
    import plotly.graph_objects as go

    ids = table.ids[: len(xy_N2)]
    spans = np.ptp(xy_N2, axis=0) if len(ids) else np.zeros(2)
    span = float(max(spans.max() if len(ids) else 0.0, 1e-6))
    pictured = len(ids) <= PICTURED_MAP_LIMIT
    side = span * (0.13 if len(ids) <= 24 else 0.09)
    points = go.Scatter(
        x=np.round(xy_N2[:, 0].astype(np.float64), 5),
        y=np.round(xy_N2[:, 1].astype(np.float64), 5),
        mode="markers",
        hoverinfo="none",
        meta="points",
        marker={
            # Under a picture the marker is what the pointer finds: large and nearly clear.
            "size": [26 if pictured and thumbnails.get(row_id) else 8 for row_id in ids],
            "opacity": [0.02 if pictured and thumbnails.get(row_id) else 0.75 for row_id in ids],
            "color": COLOURS[0],
        },
    )
    # No numbers along the axes: the unit of a projection says nothing.
    axis = {"showticklabels": False, "zeroline": False, "ticks": ""}
    pad = side if pictured else span * 0.05
    centres = (xy_N2.max(axis=0) + xy_N2.min(axis=0)) / 2 if len(ids) else np.zeros(2)
    ranges = [[float(c - s / 2 - pad), float(c + s / 2 + pad)] for c, s in zip(centres, spans, strict=True)]
    layout = base_layout(
        margin={"l": 6, "r": 6, "t": 6, "b": 6},
        xaxis={**axis, "range": ranges[0]},
        yaxis={**axis, "range": ranges[1], "scaleanchor": "x"},
        images=[
            _picture(thumbnails[row_id], float(x), float(y), side)
            for row_id, (x, y) in zip(ids, xy_N2, strict=True)
            if pictured and thumbnails.get(row_id)
        ],
        dragmode="pan",
    )
    cards = tuple(Card(row_id, image=thumbnails.get(row_id, ""), key=row) for row, row_id in enumerate(ids))
    description = say(language, "vectorize_map_description", count=len(ids))
    return Drawing(go.Figure(points, layout), cards, view, description)


def _picture(uri: str, x: float, y: float, side: float) -> dict[str, object]:
    """A picture centred at `(x, y)`, at most `side` wide and high, in units of the axes."""
    return {
        "source": uri,
        "xref": "x",
        "yref": "y",
        "x": x,
        "y": y,
        "sizex": side,
        "sizey": side,
        "xanchor": "center",
        "yanchor": "middle",
        "sizing": "contain",
        "layer": "above",
    }


# ------------------------------------------------------------------ table


def result_rows(table: VectorTable, language: Language) -> Rows:
    """One row per image: id, dimension, mean, std, norm of the vector, milliseconds (empty where not measured)."""
    vectors_ND = table.vectors_ND
    ms_N = np.full(len(table.ids), np.nan) if table.ms_N is None else table.ms_N
    columns = (
        table.ids,
        [table.dim] * len(table.ids),
        [round(float(value), 5) for value in vectors_ND.mean(axis=1)],
        [round(float(value), 5) for value in vectors_ND.std(axis=1)],
        [round(float(value), 4) for value in np.linalg.norm(vectors_ND, axis=1)],
        [None if np.isnan(ms) else round(float(ms), 1 if ms < 100 else None) for ms in ms_N],
    )
    headings = tuple(say(language, f"vectorize_column_{name}") for name in ("id", "dim", "mean", "std", "norm", "ms"))
    return Rows(headings, list(zip(*columns, strict=True)), ("33%", "11%", "15%", "14%", "14%", "13%"))
