"""Draw the estimated graph as a circuit: rows of regions with causes above their effects."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.drawing.arrows import DrawnEdge, draw_arrow, draw_band, drawn_edges, spread
from causal_ivae.drawing.sketch import Sketch
from causal_ivae.drawing.svg import Drawing, shorten
from causal_ivae.drawing.text_width import text_width
from causal_ivae.drawing.wording import count

MOST_EDGES = 100
"""Of more edges, only the most confident ones are drawn."""
_MOST_BANDS = 60
"""No projections are drawn if there are more, since they would cover everything."""
_WIDTH = 400.0
"""Least width of a figure (points)."""
_BOX = 9.0
"""Half the height of a region's box (points)."""
_GAP = 12.0
"""Distance of two boxes in a row (points)."""
_WAYPOINT = 5.0
"""Width that an edge takes where it passes a row (points)."""
_SWEEPS = 12
"""The rows are arranged in this many sweeps down or up."""
_RIGHT, _UP = np.eye(2)

_Item = str | tuple[str, str, int]
"""An item of a row is a region, or the waypoint of an edge between two regions (and its row)."""


@dataclass(frozen=True)
class _Layout:
    """Hold the places of regions, and the waypoints at which edges pass other rows.

    Attributes
    ----------
    row : dict of str to int
        Row of every region, counted from the top.
    place : dict of str to float
        Horizontal position of regions and waypoints (points).
    between : dict of (str, str) to list
        Waypoints of the edge between an upper and a lower region.
    """

    row: dict[str, int]
    place: dict[_Item, float]
    between: dict[tuple[str, str], list[_Item]] = field(default_factory=dict)


def circuit_figure(
    names: Sequence[str],
    edges: pd.DataFrame,
    verdicts: Mapping[tuple[str, str], str],
    figure_name: str,
    method: str,
    *,
    rows: Sequence[Sequence[str]] = (),
    projections: Sequence[Sequence[str]] = (),
) -> Drawing | None:
    """Draw one method's directed edges between rows of regions, over the prior's projections.

    Parameters
    ----------
    names, edges, verdicts, figure_name, method
        As in `causal_ivae.drawing.graph_figure.graph_figure`.
    rows : sequence of sequence of str
        Regions of every row from top to bottom, usually the prior's; other regions come last.  If
        there are none, the rows follow from the edges.
    projections : sequence of (cause, effect)
        Direct projections of the prior.

    Returns
    -------
    Drawing or None
        The parts of row i of `edges` have the identifiers ``edge-i`` and ``edge-i-head``, and
        ``edge-i-tail`` if both regions are causes.  None if there is neither an edge nor a
        projection.

    Notes
    -----
    Where rows follow from the edges, every region stands below all its causes.  For this, the edges
    that close cycles are first reversed by the heuristic of Eades, Lin and Smyth (1993, "A fast and
    effective heuristic for the feedback arc set problem"), which prefers edges of low confidence.
    Within rows, regions are placed near the mean of their neighbours (Sugiyama, Tagawa and Toda
    1981).
    """
    names = tuple(map(str, names))
    drawn = [edge for edge in drawn_edges(edges, verdicts) if edge.style.arrow][-MOST_EDGES:]
    bands = _bands(projections, names)
    if not drawn and not bands:
        return None
    placed = _rows(names, drawn, rows)
    widths = {name: text_width(shorten(name)) + 14.0 for name in names}
    pairs = [*((edge.start, edge.stop) for edge in drawn), *bands]
    layout = _layout(placed, pairs, widths)
    crossing = len(drawn) / max(len(placed) - 1, 1)
    height = float(np.clip(44.0 + 3.0 * crossing, 52.0, 110.0))
    centre = {name: np.array([layout.place[name], -height * layout.row[name]]) for name in names}
    boxes = (abs(layout.place[name]) + widths[name] / 2 for name in names)
    half = max(_WIDTH / 2, *map(abs, layout.place.values()), *boxes) + 6.0
    arcs = any(layout.row[a] == layout.row[b] == 0 for a, b in pairs)
    room = 32.0 if arcs else _BOX + 4.0
    total = room + height * (len(placed) - 1) + _BOX + 6.0
    sketch = Sketch(-half, room - total, half, room)
    for (cause, effect), both in bands.items():
        draw_band(sketch, _route(cause, effect, layout, centre, widths, height), both=both)
    for edge in drawn:
        route = _route(edge.start, edge.stop, layout, centre, widths, height)
        name = f"edge-{edge.row}"
        draw_arrow(sketch, route, edge.style, edge.width, edge.heads, name, hollow=edge.hollow)
    for name in names:
        x, y = centre[name]
        sketch.box(x, y, widths[name] / 2, _BOX)
        sketch.words(x, y, shorten(name), align="center")
    heads = sum(len(edge.heads) for edge in drawn)
    label = (
        f"Circuit estimated by {method}: {count(len(names), 'region')} in rows and "
        f"{count(heads, 'directed edge')}, each listed in the edge table."
    )
    return Drawing(sketch, figure_name, label)


def _bands(
    projections: Sequence[Sequence[str]], names: Sequence[str]
) -> dict[tuple[str, str], bool]:
    """Return each pair with a projection, and whether it has projections in both directions."""
    known = [(str(a), str(b)) for a, b in projections if a in names and b in names]
    once = dict.fromkeys(pair for pair in known if pair[::-1] not in known or pair[0] < pair[1])
    if len(once) > _MOST_BANDS:
        return {}
    return {pair: pair[::-1] in known for pair in once}


def _rows(
    names: Sequence[str], drawn: Sequence[DrawnEdge], given: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Return the regions by row, in the order of `names`; regions without a place come last."""
    placed = [[name for name in names if name in row] for row in given]
    if not any(placed):
        placed = _rows_of_edges(names, drawn)
    there = {name for row in placed for name in row}
    rest = [name for name in names if name not in there]
    # Regions without an edge fill rows of the others' width, or a square.
    breadth = max((len(row) for row in placed), default=0)
    breadth = max(4, breadth) if breadth else math.ceil(len(rest) ** 0.5)
    placed += [rest[start : start + breadth] for start in range(0, len(rest), breadth)]
    return [row for row in placed if row]


def _rows_of_edges(names: Sequence[str], drawn: Sequence[DrawnEdge]) -> list[list[str]]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    joined = {end for edge in drawn for end in (edge.start, edge.stop)}
    graph.add_nodes_from(name for name in names if name in joined)
    graph.add_weighted_edges_from((edge.start, edge.stop, edge.width) for edge in drawn)
    order = {name: i for i, name in enumerate(_sequence(graph))}
    downwards: nx.DiGraph[str] = nx.DiGraph()
    downwards.add_nodes_from(graph)
    downwards.add_edges_from((a, b) if order[a] < order[b] else (b, a) for a, b in graph.edges)
    return [list(row) for row in nx.topological_generations(downwards)]


def _sequence(graph: "nx.DiGraph[str]") -> list[str]:
    """Return the nodes in an order against which few edges run."""
    left = graph.copy()
    first: list[str] = []
    last: list[str] = []
    while left:
        ends = [node for node in left if not left.out_degree(node)]
        starts = [node for node in left if not left.in_degree(node) and node not in ends]
        if not ends and not starts:
            surplus = {
                node: left.out_degree(node, "weight") - left.in_degree(node, "weight")
                for node in left
            }
            starts = [max(surplus, key=surplus.__getitem__)]
        first += starts
        last = ends + last
        left.remove_nodes_from([*starts, *ends])
    return first + last


def _layout(
    rows: Sequence[Sequence[str]], pairs: Sequence[tuple[str, str]], widths: Mapping[str, float]
) -> _Layout:
    """Place regions and the waypoints of edges horizontally, near what they are connected to.

    The rows are arranged one at a time, in sweeps down and up.
    """
    row_of = {name: i for i, row in enumerate(rows) for name in row}
    layers: list[list[_Item]] = [list(row) for row in rows]
    between: dict[tuple[str, str], list[_Item]] = {}
    neighbours: dict[_Item, list[_Item]] = {name: [] for name in row_of}
    for pair in pairs:
        upper, lower = sorted(pair, key=row_of.__getitem__)
        if row_of[upper] == row_of[lower] or (upper, lower) in between:
            continue
        points: list[_Item] = [
            (upper, lower, row) for row in range(row_of[upper] + 1, row_of[lower])
        ]
        between[upper, lower] = points
        for row, point in enumerate(points, start=row_of[upper] + 1):
            layers[row].append(point)
        for one, other in pairwise([upper, *points, lower]):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)
    width: dict[_Item, float] = dict.fromkeys(neighbours, _WAYPOINT)
    width.update(widths)
    level = {item: i for i, layer in enumerate(layers) for item in layer}
    place: dict[_Item, float] = {}
    for layer in layers:
        ends = np.cumsum([width[item] + _GAP for item in layer])
        place |= {
            item: float(end - (width[item] + _GAP) / 2 - ends[-1] / 2)
            for item, end in zip(layer, ends, strict=True)
        }
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        numbered = list(enumerate(layers))
        for number, layer in numbered if down else numbered[::-1]:
            wanted = {}
            for item in layer:
                # The first sweeps find an order; the last ones average over the rows on both sides.
                near = [
                    place[n]
                    for n in neighbours[item]
                    if sweep >= _SWEEPS - 4 or (level[n] < number) == down
                ]
                wanted[item] = float(np.mean(near)) if near else place[item]
            if sweep < _SWEEPS - 4:
                layer.sort(key=wanted.__getitem__)
            half = np.array([width[item] + _GAP for item in layer]) / 2
            at = spread(np.array([wanted[item] for item in layer]), half[:-1] + half[1:])
            place |= dict(zip(layer, map(float, at), strict=True))
    # Rows without edges are already centred.
    joined = {item for layer in layers if any(neighbours[i] for i in layer) for item in layer}
    sides = [place[item] + side * width[item] / 2 for item in joined for side in (-1, 1)]
    middle = (min(sides, default=0.0) + max(sides, default=0.0)) / 2
    return _Layout(
        row_of, {item: x - middle * (item in joined) for item, x in place.items()}, between
    )


def _route(
    cause: str,
    effect: str,
    layout: _Layout,
    centre: Mapping[str, NDArray[np.float64]],
    widths: Mapping[str, float],
    height: float,
) -> NDArray[np.float64]:
    """Return the points of the Bezier curves from one box to another."""
    if layout.row[cause] == layout.row[effect]:
        start, stop = centre[cause], centre[effect]
        apart = abs(stop[0] - start[0])
        if apart - (widths[cause] + widths[effect]) / 2 < _GAP + 2 * _WAYPOINT:
            side = np.sign(stop[0] - start[0])
            begin = start + side * widths[cause] / 2 * _RIGHT
            end = stop - side * (widths[effect] / 2 + 1.5) * _RIGHT
            if abs(end[0] - begin[0]) > 8.0 and side * (end[0] - begin[0]) > 0:
                return np.array([begin, end])
        rise = min(0.62 * height - _BOX, 12.0 + 0.06 * apart)
        begin, end = start + _BOX * _UP, stop + (_BOX + 1.5) * _UP
        return np.array([begin, begin + rise * _UP, end + rise * _UP, end])
    down = layout.row[cause] < layout.row[effect]
    upper, lower = (cause, effect) if down else (effect, cause)
    places = [centre[upper][0], *(layout.place[p] for p in layout.between[upper, lower])]
    places.append(centre[lower][0])
    # An edge leaves and enters a box on the side of the region at its other end.
    ends = [
        place + float(np.clip(0.2 * (to - place), 8.0 - widths[box] / 2, widths[box] / 2 - 8.0))
        for box, place, to in (
            (upper, places[0], places[1]), (lower, places[-1], places[-2]),
        )
    ]  # fmt: skip
    levels = -height * np.arange(layout.row[upper], layout.row[lower] + 1.0)
    levels[0] -= _BOX + (0.0 if down else 1.5)
    levels[-1] += _BOX + (1.5 if down else 0.0)
    points = np.column_stack([[ends[0], *places[1:-1], ends[1]], levels])
    # Cubic Hermite curves are vertical at boxes, and elsewhere parallel to the neighbours' line.
    slopes = np.gradient(points, axis=0)
    slopes[[0, -1]] = [0.0, -1.35 * height]
    route = [points[0]]
    for i in range(len(points) - 1):
        route += [points[i] + slopes[i] / 3, points[i + 1] - slopes[i + 1] / 3, points[i + 1]]
    return np.array(route if down else route[::-1])
