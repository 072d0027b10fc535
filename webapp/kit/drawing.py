"""`Drawing`: one chart as the page wants it, and the few rules of style that all charts share. No gradio here.

A Plotly figure by itself cannot show a picture when the pointer rests on a point, and reads markup in every text it
is given. So a `Drawing` carries the figure plus `Card`s, the tooltips: plain text and a small picture.
`plot.js` builds them from text nodes, so nothing in a card is ever read as markup.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Told apart by people who see colours differently, at least 3:1 against the light and the dark surface.
COLOURS = ("#4f6df5", "#d97706", "#0d9488", "#db2777", "#0891b2", "#7c3aed", "#65a30d", "#dc2626")


@dataclass(frozen=True)
class Card:
    """What is shown while the pointer rests on a point. Plain text: shown letter for letter.

    Attributes:
        title: usually the row's id.
        lines: smaller text below it.
        image: a data URI, or empty.
        key: what a click reports, for the handler to look up (a row's number); -1 for nothing.
    """

    title: str
    lines: tuple[str, ...] = ()
    image: str = ""
    key: int = -1


@dataclass(frozen=True)
class Drawing:
    """A figure, its tooltips, and the name of its view.

    Which cards belong to a point: a trace says it in its own `meta`: `"points"` (card i for point i), `"cells"` (a
    heatmap: the row's card, then the column's) or `{"card": i}` (the whole trace). A trace without `meta` keeps
    Plotly's own hover text.

    Attributes:
        figure: Plotly figure; colours of text, grid and background are left to the page, which follows light and
            dark.
        cards: the tooltips.
        view: while two drawings in a row bear the same view, zoom and camera stay; another view starts afresh.
        description: one sentence for people who do not see the chart.
        refines: the chart has more to show than was drawn: when x is zoomed, `Plot.release` asks for it.
        x_range: with `refines`, the part of x for which this drawing is fine; None for the whole.
    """

    figure: go.Figure
    cards: tuple[Card, ...] = ()
    view: str = ""
    description: str = ""
    refines: bool = False
    x_range: tuple[float, float] | None = None

    def to_json(self) -> str:
        """The value of the page's `Plot` component."""
        figure = json.loads(self.figure.to_json())
        cards = [dataclasses.asdict(card) for card in self.cards]
        payload: dict[str, Any] = {"data": figure["data"], "layout": figure["layout"], "cards": cards}
        if self.refines:
            payload |= {"refines": True, "x_range": self.x_range}
        return json.dumps({**payload, "view": self.view, "description": self.description}, separators=(",", ":"))

    @staticmethod
    def empty_json(words: str) -> str:
        """The value of a `Plot` without a drawing: plain words that say what to do to get one."""
        return json.dumps({"empty": words})


def base_layout(**layout: Any) -> dict[str, Any]:
    """The common layout: no template, small margins, no title (the page has headings), room for tick labels."""
    common: dict[str, Any] = {
        "template": None,
        "colorway": list(COLOURS),
        "margin": {"l": 48, "r": 12, "t": 8, "b": 36},
        "legend": {"orientation": "h", "y": 1.08, "x": 0},
        "hovermode": "closest",
    }
    return {**common, **layout}


def literal(text: str) -> str:
    """`text` for a label, legend or hover text of Plotly, which would otherwise read markup in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "%&#123;")


def shorten(text: str, max_chars: int) -> str:
    """`text` with its middle left out when it is longer than `max_chars`: file names differ at both ends."""
    if len(text) <= max_chars:
        return text
    head = (max_chars - 1) // 2
    tail = max_chars - 1 - head
    return f"{text[:head]}…{text[len(text) - tail :]}"
