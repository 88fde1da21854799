"""Draw the edges of graphs in any layout: styles, widths, arrows and their legend."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.path import Path
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from causal_ivae.drawing.sketch import Sketch
from causal_ivae.drawing.svg import BLUE, RED, Drawing
from causal_ivae.drawing.text_width import text_width
from causal_ivae.outcomes import (
    CONNECTED,
    arrows_of,
    is_decided,
    leaning_of,
    outcomes_of,
    rests_on_poor_fit,
)

_LEGEND_WIDTH = 790.0
"""Width of the legend (points)."""
_GREY = "#5f6b7a"
_BAND = "#d9e0e8"
_LIGHT = "#8592a0"
_TEXT = "#4a5560"
_HOLLOW = 2.6
"""Least width of a hollow line (points), so that its inside is seen."""
_OUTLINE = 1.5
"""How much thinner the inside of a hollow line is (points)."""


@dataclass(frozen=True)
class ArrowStyle:
    """Define how one kind of edge is drawn; kinds differ in line style as well as in colour."""

    words: str
    color: str
    dashes: tuple[float, ...] | None
    arrow: bool = True
    open: bool = False
    """True for a light open head, which is no decided arrow."""


STYLES = {
    "direct": ArrowStyle("direct projection in the prior", BLUE, None),
    "indirect": ArrowStyle("indirect: by a path through the prior", BLUE, (5.0, 2.5)),
    "not feasible": ArrowStyle("not feasible under the prior", RED, (7.0, 2.0, 1.2, 2.0)),
    "no prior": ArrowStyle("directed edge (no prior verdict)", _GREY, None),
    "both": ArrowStyle("two heads: each region drives the other", _GREY, None),
    "leaning": ArrowStyle(
        "undecided; if one drives the other, more probably this way",
        _LIGHT,
        None,
        arrow=False,
        open=True,
    ),
    CONNECTED: ArrowStyle(CONNECTED, _GREY, None, arrow=False),
    "undecided": ArrowStyle("undecided pair", _LIGHT, (1.0, 2.6), arrow=False),
}


HOLLOW = "hollow: the fit is not usable"
"""Words of the legend for the arrows that are hollow, whatever their style is."""


@dataclass(frozen=True)
class DrawnEdge:
    """Describe one edge that is drawn.

    Attributes
    ----------
    row : int
        Row of the edge in the edge table.
    start, stop : str
        Cause and effect, decided or only likelier, or the two regions of a pair with both arrows or
        none.
    width : float
        Line width (points).
    heads : tuple of str
        Colours of the head at `stop` and of the one at `start`, if they are there.
    hollow : bool
        True for an arrow whose fit was judged and is not usable.
    probability : float
        Of an undecided pair with a likelier direction the probability of that direction; else NaN.
    """

    row: int
    start: str
    stop: str
    style: ArrowStyle
    width: float
    heads: tuple[str, ...]
    hollow: bool = False
    probability: float = np.nan


def edge_kinds(
    edges: pd.DataFrame, verdicts: Mapping[tuple[str, str], str]
) -> dict[Hashable, tuple[str, ...]]:
    """Return the keys of `STYLES` for every row of an edge table that is drawn.

    Parameters
    ----------
    edges : pandas.DataFrame
        Columns of `causal_ivae.outcomes.outcomes_of`, and ``x`` and ``y``.
    verdicts : mapping from (cause, effect) to "direct", "indirect" or "not feasible"

    Returns
    -------
    dict
        By the label of the row, the kind of its line, which is followed by those of its two heads
        for a pair with both arrows.  The line is of the kind of the heads if they are alike.
    """
    kinds: dict[Hashable, tuple[str, ...]] = {
        row: ("leaning" if leaning else outcome,)
        for row, outcome, leaning in zip(
            edges.index, outcomes_of(edges), leaning_of(edges), strict=True
        )
        if outcome in (CONNECTED, "undecided")
    }
    for cause, effect, row, _ in arrows_of(edges).itertuples(index=False):
        kinds[row] = (*kinds.get(row, ()), verdicts.get((str(cause), str(effect)), "no prior"))
    for row, found in kinds.items():
        if len(found) == 2:
            kinds[row] = (found[0] if found[0] == found[1] else "both", *found)
    return kinds


def drawn_edges(edges: pd.DataFrame, verdicts: Mapping[tuple[str, str], str]) -> list[DrawnEdge]:
    """Return the edges to draw in drawing order: undecided pairs, then edges by confidence.

    Parameters
    ----------
    edges : pandas.DataFrame
        Columns ``x``, ``y``, ``decision``, ``confidence`` and, if it is known,
        ``probability_adjacent``.
    verdicts : mapping from (cause, effect) to "direct", "indirect" or "not feasible"
    """
    found = []
    kinds = edge_kinds(edges, verdicts)
    order = edges.assign(
        decided=is_decided(edges), likelier=leaning_of(edges), hollow=rests_on_poor_fit(edges)
    ).sort_values(["decided", "confidence"], kind="stable")
    for row, edge in zip(order.index, order.to_dict("records"), strict=True):
        if row not in kinds:
            continue
        line, *heads = kinds[row]
        style = STYLES[line]
        turned = "y->x" in (edge["decision"], edge["likelier"])
        start, stop = (str(edge[end]) for end in (("y", "x") if turned else ("x", "y")))
        width = _width(edge["confidence"]) if style.arrow else 1.0
        headed = style.arrow or style.open
        colors = tuple(STYLES[kind].color for kind in heads or [line]) if headed else ()
        hollow = bool(style.arrow and edge["hollow"])
        given = float(edge["probability_leaning"]) if style.open else np.nan
        found.append(DrawnEdge(row, start, stop, style, width, colors, hollow, given))
    return found


def shortened(
    start: NDArray[np.float64], stop: NDArray[np.float64], before: float, after: float
) -> NDArray[np.float64]:
    """Return the line between two points, shortened at both ends, shape (2, 2)."""
    along = (stop - start) / np.hypot(*(stop - start))
    return np.array([start + along * before, stop - along * after])


def draw_arrow(
    sketch: Sketch,
    route: NDArray[np.float64],
    style: ArrowStyle,
    width: float,
    heads: Sequence[str],
    identifier: str | None = None,
    *,
    hollow: bool = False,
    size: float = 1.0,
) -> None:
    """Draw an arrow along a route.

    Parameters
    ----------
    route : ndarray, shape (2, 2) or (1 + 3 * n, 2)
        Ends of a straight line, or the points of n cubic Bézier curves.
    width : float
        Line width (points).
    heads : sequence of str
        Colours of the head at the end of the route and of the one at its start, if they are there.
    identifier : str, optional
        Identifier of the line; its head has ``<identifier>-head``, and a head at its start
        ``<identifier>-tail``.
    hollow : bool
        True to draw only the outline of the arrow.
    size : float
        Factor of the size of heads, and of how wide a hollow line is at least.
    """
    width = max(width, size * _HOLLOW) if hollow else width
    head = size * 4.0 + 2.2 * width
    line = route.copy()
    for color, place, part in zip(heads, (-1, 0), ("head", "tail"), strict=False):
        tip, before = route[place], route[-2 if place else 1]
        along = (tip - before) / np.hypot(*(tip - before))
        across = np.array([-along[1], along[0]])
        line[place] = tip - along * head * 0.8
        base = tip - along * head
        corners = [tip, base + across * head * 0.42, base - across * head * 0.42]
        name = identifier and f"{identifier}-{part}"
        if style.open or hollow:
            sketch.polygon(corners, fill="#ffffff", edge=color, width=0.9, layer=2.0, name=name)
        else:
            sketch.polygon(corners, fill=color, layer=2.0, name=name)
    path, dashes = curve(line), style.dashes or ()
    sketch.shape(path, edge=style.color, width=width, dashes=dashes, name=identifier)
    if hollow:
        # The white inside of a hollow line has the same dashes, so that gaps stay gaps.
        sketch.shape(path, edge="#ffffff", width=width - size * _OUTLINE, dashes=dashes)


def draw_probability(
    sketch: Sketch, route: NDArray[np.float64], probability: float, size: float, identifier: str
) -> None:
    """Write a probability as a percentage on the line of an arrow, before its head.

    Parameters
    ----------
    sketch, route
        As in `draw_arrow`.
    size : float
        Size of the font (points).
    identifier : str
        Of the white ground of the text, whose own is ``<identifier>-head``.
    """
    x, y = route[0] + 0.42 * (route[-1] - route[0])
    text = f"{100 * probability:.0f}%"
    half = text_width(text, size) / 2
    ground = x - half, y - 0.5 * size, 2 * half, size
    sketch.rectangle(*ground, fill="#ffffff", layer=2.5, name=identifier)
    sketch.words(
        x, y, text, size=size, align="center", color=_TEXT, layer=2.6, name=f"{identifier}-head"
    )


def draw_band(sketch: Sketch, route: NDArray[np.float64], *, both: bool = False) -> None:
    """Draw a projection of the prior beneath all edges, as a pale band with a head at its end.

    Parameters
    ----------
    sketch, route
        As in `draw_arrow`.
    both : bool
        True for a head at both ends.
    """
    sketch.shape(curve(route), edge=_BAND, width=4.5, layer=0.0)
    ends = [route, route[::-1]] if both else [route]
    for points in ends:
        along = (points[-1] - points[-2]) / np.hypot(*(points[-1] - points[-2]))
        across = np.array([-along[1], along[0]])
        base = points[-1] - along * 11.0
        corners = [points[-1], base + across * 7.0, base - across * 7.0]
        sketch.polygon(corners, fill=_BAND, layer=0.0)


def curve(route: NDArray[np.float64]) -> Path:
    """Return a route of `draw_arrow` as a Matplotlib path."""
    code = Path.LINETO if len(route) == 2 else Path.CURVE4
    return Path(route, [Path.MOVETO, *[code] * (len(route) - 1)])


def graph_legend(
    kinds: Sequence[str], figure_name: str, width_of: str, *, hollow: bool = False
) -> Drawing:
    """Draw the legend for the kinds of edges that occur.

    Parameters
    ----------
    kinds : sequence of str
        Keys of `STYLES`.
    figure_name : str
        Name that is unique on the page.
    width_of : str
        What a thicker arrow has more of, for instance "stability".
    hollow : bool
        True if there are arrows whose fit is not usable.
    """
    entries = [(kind, STYLES[kind].words) for kind in kinds]
    if hollow:
        entries.append((HOLLOW, HOLLOW))
    widths = [40.0 + text_width(words) + 16.0 for _, words in entries]
    thickness = f"thicker: higher {width_of}"
    rows: list[list[int]] = [[]]
    for index, width in enumerate(widths):
        if sum(widths[i] for i in rows[-1]) + width > _LEGEND_WIDTH:
            rows.append([])
        rows[-1].append(index)
    last = sum(widths[i] for i in rows[-1])
    if last + 40.0 + text_width(thickness) > _LEGEND_WIDTH:
        rows.append([])
        last = 0.0
    height = 16.0 * len(rows)
    sketch = Sketch(0.0, -height, _LEGEND_WIDTH, 0.0)
    for row, members in enumerate(rows):
        left, level = 0.0, -16.0 * row - 8.0
        for index in members:
            kind, words = entries[index]
            line = np.array([[left + 2.0, level], [left + 32.0, level]])
            style = STYLES.get(kind, STYLES["no prior"])
            heads = (style.color,) * (2 if kind == "both" else int(style.arrow or style.open))
            width = 2.0 if style.arrow else 1.0
            draw_arrow(sketch, line, style, width, heads, hollow=kind == HOLLOW)
            sketch.words(left + 37.0, level, words)
            left += widths[index]
    if any(STYLES[kind].arrow for kind in kinds):
        level = 8.0 - height
        for offset, width in enumerate((0.8, 2.0, 3.2)):
            ends = [(last + 12 * offset + 1, level), (last + 12 * offset + 10, level)]
            sketch.line(ends, _GREY, width)
        sketch.words(last + 41.0, level, thickness)
    label = "Legend of the graphs: " + "; ".join(words for _, words in entries)
    return Drawing(sketch, figure_name, label)


def spread(places: NDArray[np.float64], gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move places as little as possible so that they keep their order and have minimal distances.

    Parameters
    ----------
    places : ndarray, shape (n,)
        Wanted places, in the order that is kept.
    gaps : ndarray, shape (n - 1,)
        Smallest distance of each place from the next.
    """
    # Isotonic regression after subtracting the minimal offsets keeps both the order and the gaps.
    offsets = np.concatenate([[0.0], np.cumsum(gaps)])[: len(places)]
    return np.asarray(isotonic_regression(places - offsets).x + offsets)


def _width(confidence: float) -> float:
    if not np.isfinite(confidence):
        return 0.8
    return 0.8 + 2.4 * float(np.clip((confidence - 0.5) / 0.5, 0.0, 1.0))
