"""The Pose tab's charts: the head, the embedding, q/k/v, the map around the pose. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.pose.rendering import head_mesh
from core.pose.text import PITCH_EDGES_DEG, YAW_EDGES_DEG
from webapp.kit.drawing import COLOURS, Drawing, base_layout
from webapp.text import Language, say

if TYPE_CHECKING:
    from webapp.pose.job import Looked

NOSE_FROM_TO = (0.9, 1.75)  # head units along the nose
# The least and most values on the q/k/v strip, and nothing in between: amber, the ground, blue.
_TWO_SIDED = [[0.0, "#d97706"], [0.5, "rgba(148,163,184,.08)"], [1.0, "#4f6df5"]]


def head_drawing(language: Language) -> Drawing:
    """The head at rest, x right, y up, z to the viewer; `script.js` turns the traces whose `meta` says so."""
    import plotly.graph_objects as go

    mesh = head_mesh()
    light = {"ambient": 0.62, "diffuse": 0.55, "specular": 0.12, "roughness": 0.6, "fresnel": 0.05}
    traces: list[Any] = []
    for turns in (False, True):
        rows = np.flatnonzero(mesh.turns_V == turns)
        place_of = np.full(len(mesh.turns_V), -1)
        place_of[rows] = np.arange(len(rows))
        triangles = place_of[mesh.triangles_T3]
        triangles = triangles[(triangles >= 0).all(axis=1)]
        x, y, z = (column.tolist() for column in mesh.vertices_V3[rows].round(4).T.astype(np.float64).round(4))
        i, j, k = (column.tolist() for column in triangles.T)
        colours = [f"rgb({r},{g},{b})" for r, g, b in (mesh.rgb_V3[rows] * 255).round().astype(int).tolist()]
        traces.append(
            go.Mesh3d(
                x=x, y=y, z=z, i=i, j=j, k=k, vertexcolor=colours, lighting=light, hoverinfo="skip", flatshading=False,
                lightposition={"x": 4000, "y": 8000, "z": 12000}, meta={"turns": turns},
            )
        )  # fmt: skip
    traces.append(
        go.Scatter3d(
            x=[0, 0], y=[-0.19, -0.19], z=list(NOSE_FROM_TO), mode="lines", hoverinfo="skip",
            line={"color": "#dc2626", "width": 6}, meta={"turns": True},
        )
    )  # fmt: skip
    hidden = {"visible": False, "showspikes": False}
    layout = base_layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        showlegend=False,
        scene={
            "xaxis": {**hidden, "range": [-1.9, 1.9]},
            "yaxis": {**hidden, "range": [-2.4, 1.8]},
            "zaxis": {**hidden, "range": [-1.9, 1.9]},
            "aspectmode": "manual",
            "aspectratio": {"x": 1.9, "y": 2.1, "z": 1.9},
            "dragmode": "orbit",
            "camera": {
                "up": {"x": 0, "y": 1, "z": 0},
                "center": {"x": 0, "y": 0.06, "z": 0},
                "eye": {"x": 0, "y": 0.06, "z": 2.5},
                "projection": {"type": "perspective"},
            },
        },
    )
    return Drawing(go.Figure(traces, layout), view="head", description=say(language, "pose_head_description"))


def embedding_drawing(looked: Looked, language: Language) -> Drawing:
    """Every value as a bar."""
    import plotly.graph_objects as go

    values = looked.made.units_ND[0].astype(np.float64).round(5)
    bars = go.Bar(
        x=list(range(len(values))),
        y=values.tolist(),
        marker={"color": [COLOURS[0] if value >= 0 else COLOURS[1] for value in values], "line": {"width": 0}},
        hovertemplate=f"%{{x}}: %{{y:.4f}}<extra>{say(language, 'pose_value')}</extra>",
    )
    layout = base_layout(
        bargap=0.0,
        showlegend=False,
        margin={"l": 44, "r": 8, "t": 6, "b": 34},
        xaxis={"title": {"text": say(language, "pose_dimension"), "standoff": 6}},
        yaxis={"tickformat": ".2f"},
    )
    description = say(language, "pose_embedding_description", dim=len(values))
    return Drawing(go.Figure(bars, layout), view=f"embedding {len(values)}", description=description)


def qkv_drawing(looked: Looked, language: Language) -> Drawing:
    """Three strips of 512 values."""
    import plotly.graph_objects as go

    values = looked.qkv_3M.astype(np.float64).round(4)
    most = max(float(np.abs(values).max()), 1e-6)
    strips = go.Heatmap(
        z=values.tolist(),
        y=["q", "k", "v"],
        zmin=-most,
        zmax=most,
        colorscale=_TWO_SIDED,
        ygap=3,
        hovertemplate="%{y}[%{x}] = %{z:.3f}<extra></extra>",
        colorbar={"thickness": 8, "len": 1.0, "nticks": 5, "tickformat": ".1f"},
    )
    layout = base_layout(
        margin={"l": 24, "r": 8, "t": 4, "b": 22},
        yaxis={"autorange": "reversed", "ticks": "", "showgrid": False},
        xaxis={"showgrid": False},
    )
    description = say(language, "pose_qkv_description")
    return Drawing(go.Figure(strips, layout), view=f"qkv {values.shape[1]}", description=description)


def map_drawing(looked: Looked, language: Language) -> Drawing:
    """Similarity over yaw and pitch, the bins' edges, and where the pose is."""
    import plotly.graph_objects as go

    pose = looked.asked.pose
    values_PY = looked.similarity_PY.astype(np.float64).round(4)
    low, high = float(values_PY.min()), float(values_PY.max())
    cells = go.Heatmap(
        x=looked.yaw_deg.tolist(),
        y=looked.pitch_deg.tolist(),
        z=values_PY.tolist(),
        zmin=low,
        zmax=max(high, low + 0.01),
        autocolorscale=True,
        hovertemplate=f"yaw %{{x:g}}, pitch %{{y:g}}: %{{z:.3f}}<extra>{say(language, 'pose_cosine')}</extra>",
        colorbar={"thickness": 8, "len": 0.9, "nticks": 5, "tickformat": ".2f"},
    )
    here = go.Scatter(
        x=[pose.yaw],
        y=[pose.pitch],
        mode="markers",
        marker={"symbol": "circle-open", "size": 13, "color": "#dc2626", "line": {"width": 3}},
        hoverinfo="skip",
        cliponaxis=True,
    )
    half_yaw, half_pitch = (float(axis[1] - axis[0]) / 2 for axis in (looked.yaw_deg, looked.pitch_deg))
    yaw_range = [float(looked.yaw_deg[0]) - half_yaw, float(looked.yaw_deg[-1]) + half_yaw]
    pitch_range = [float(looked.pitch_deg[0]) - half_pitch, float(looked.pitch_deg[-1]) + half_pitch]
    line = {"color": "rgba(148,163,184,.75)", "width": 1, "dash": "dot"}
    edges: list[dict[str, Any]] = [
        {"type": "line", "xref": "x", "yref": "paper", "x0": edge, "x1": edge, "y0": 0, "y1": 1, "line": line}
        for edge in YAW_EDGES_DEG
    ]
    edges += [
        {"type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": edge, "y1": edge, "line": line}
        for edge in PITCH_EDGES_DEG
    ]
    layout = base_layout(
        showlegend=False,
        margin={"l": 46, "r": 8, "t": 6, "b": 36},
        xaxis={"title": {"text": "yaw", "standoff": 4}, "range": yaw_range, "tickvals": [-90, *YAW_EDGES_DEG, 90]},
        yaxis={
            "title": {"text": "pitch", "standoff": 2}, "range": pitch_range, "tickvals": [-60, *PITCH_EDGES_DEG, 60],
        },
        shapes=edges,
        dragmode=False,
        # Its buttons would lie over the corner, and a click there is a pose.
        modebar={"remove": ["zoom", "pan", "zoomIn", "zoomOut", "resetScale", "toImage"]},
    )  # fmt: skip
    view = f"map {len(looked.yaw_deg)}"
    return Drawing(go.Figure([cells, here], layout), view=view, description=say(language, "pose_map_description"))
