"""Draw the estimated graph with regions on a circle and arrows from cause to effect."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.drawing.arrows import draw_arrow, draw_probability, drawn_edges, shortened, spread
from causal_ivae.drawing.region_groups import Ring
from causal_ivae.drawing.sketch import Sketch
from causal_ivae.drawing.svg import FAINT, INK, Drawing, shorten
from causal_ivae.drawing.text_width import FONT, text_width
from causal_ivae.drawing.wording import count

_WIDTH = 400.0
"""Least width of a figure (points)."""
_NODE = 4.5
"""Radius of a region's disc (points)."""
_ALL_WIDE = 20
"""Up to this many lines are drawn in full width."""
_PER_LINE = 4
"""So many groups of a ring are named in a line."""
_LINE = 12.5
"""Vertical distance of two labels (points)."""


def graph_figure(
    names: Sequence[str],
    edges: pd.DataFrame,
    verdicts: Mapping[tuple[str, str], str],
    figure_name: str,
    method: str,
    inputs: Sequence[str] = (),
    ring: Ring | None = None,
) -> Drawing:
    """Draw one method's graph in a layout that does not depend on its edges.

    Parameters
    ----------
    names : sequence of str
        Region names, clockwise from the top.
    edges : pandas.DataFrame
        Columns ``x``, ``y``, ``decision``, ``confidence`` and, if it is known,
        ``probability_adjacent``.
    verdicts : mapping from (cause, effect) to "direct", "indirect" or "not feasible"
    figure_name : str
        Name that is unique on the page.
    method : str
        Name of the method on pages.
    inputs : sequence of str
        Names that are known inputs, which are drawn as squares.
    ring : Ring, optional
        Places by hemisphere and lobe, and the groups' colours.

    Returns
    -------
    Drawing
        The parts of row i of `edges` have the identifiers ``edge-i`` and ``edge-i-head``, and
        ``edge-i-tail`` if both regions are causes.  Pairs with the decision "none" are not drawn.
    """
    shown = [shorten(name) for name in names]
    widest = max((text_width(name) for name in shown), default=0.0)
    # Long names reduce the circle, but many regions need a large one.
    radius = max(70.0, 65.0 + 4.5 * len(names), _WIDTH / 2 - widest - 22.0)
    angles = np.pi / 2 - (np.arange(len(names)) + 0.5) * 2 * np.pi / max(len(names), 1)
    if ring is not None:
        angles = ring.angles
    nodes = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    labels = _label_positions(nodes, radius)
    heights = np.concatenate([nodes[:, 1], labels[:, 1]])
    top = float(np.abs(heights).max(initial=10.0)) + 12.0
    half = max(_WIDTH / 2, radius + widest + 20.0)
    below = 0.0 if ring is None else _LINE * (-(-len(ring.colors) // _PER_LINE)) + 6.0
    drawn = drawn_edges(edges, verdicts)
    sketch = Sketch(-half, -top - below, half, top)
    if ring is not None:
        draw_groups(sketch, ring, np.zeros(2), radius, 3 * _NODE)
        _draw_key(sketch, ring, half, -top)
    position = dict(zip(map(str, names), nodes, strict=True))
    arrows = sum(edge.style.arrow for edge in drawn)
    heads = sum(len(edge.heads) for edge in drawn if edge.style.arrow)
    scales = {True: _thinner(arrows), False: _thinner(len(drawn) - arrows)}
    for edge in drawn:
        ends = shortened(position[edge.start], position[edge.stop], _NODE + 1.5, _NODE + 2.0)
        width = edge.width * scales[edge.style.arrow]
        name = f"edge-{edge.row}"
        draw_arrow(sketch, ends, edge.style, width, edge.heads, name, hollow=edge.hollow)
        if np.isfinite(edge.probability) and len(drawn) <= _ALL_WIDE:
            draw_probability(sketch, ends, edge.probability, FONT, f"{name}-side")
    known = np.isin(np.array(names, dtype=object), list(inputs))
    _draw_nodes(sketch, nodes, labels, shown, known)
    label = (
        f"Graph estimated by {method}: {count(len(names), 'region')} on a "
        f"{'circle' if ring is None else 'ring by hemisphere and lobe'} and "
        f"{count(heads, 'directed edge')}, each listed in the edge table."
    )
    return Drawing(sketch, figure_name, label)


def draw_groups(
    sketch: Sketch, ring: Ring, centre: NDArray[np.float64], radius: float, width: float
) -> None:
    """Draw the groups of a ring as coloured bands behind its regions.

    Parameters
    ----------
    centre : ndarray, shape (2,)
    radius, width : float
        Of the ring, and of the bands (points).
    """
    x, y = map(float, centre)
    for group, begin, end in ring.arcs:
        sketch.arc(x, y, radius, begin, end, ring.colors[group], width)


def _draw_key(sketch: Sketch, ring: Ring, half: float, level: float) -> None:
    """Name the groups of a ring below it."""
    step = 2 * half / _PER_LINE
    for index, (group, color) in enumerate(ring.colors.items()):
        x = -half + step * (index % _PER_LINE) + 8.0
        y = level - _LINE * (index // _PER_LINE)
        sketch.rectangle(x - 3.4, y - 3.4, 6.8, 6.8, fill=color)
        sketch.words(x + 8.0, y, shorten(group, 18))


def _thinner(lines: int) -> float:
    """Return the factor by which many lines are thinner, so that they do not cover the circle."""
    return min(1.0, float(np.sqrt(_ALL_WIDE / max(lines, 1))))


def _draw_nodes(
    sketch: Sketch,
    nodes: NDArray[np.float64],
    labels: NDArray[np.float64],
    shown: Sequence[str],
    known: NDArray[np.bool_],
) -> None:
    for node, label, name, square in zip(nodes, labels, shown, known, strict=True):
        right = label[0] > 0
        if abs(label[1] - node[1]) > 2.5:
            sketch.line([node, label], FAINT, 0.5, layer=0.0)
        side = "left" if right else "right"
        sketch.words(label[0] + (2.0 if right else -2.0), label[1], name, align=side)
        x, y = map(float, node)
        if square:
            corner = x - _NODE, y - _NODE, 2 * _NODE, 2 * _NODE
            sketch.rectangle(*corner, fill="#ffffff", edge=INK, width=1.1, layer=3.0)
        else:
            sketch.disc(x, y, _NODE, fill="#ffffff", edge=INK, width=1.1, layer=3.0)


def _label_positions(nodes: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Place labels to the left and right of the circle so that they do not overlap."""
    labels = nodes.copy()
    outer = radius + _NODE + 5.0
    right = nodes[:, 0] > -1e-9 * radius
    for side, sign in ((right, 1.0), (~right, -1.0)):
        members = np.flatnonzero(side)
        if not len(members):
            continue
        members = members[np.argsort(nodes[members, 1], kind="stable")]
        heights = spread(nodes[members, 1] * outer / radius, np.full(len(members) - 1, _LINE))
        reach = np.sqrt(np.clip(outer**2 - heights**2, 0.0, None))
        labels[members, 0] = sign * np.maximum(reach, _NODE + 5.0)
        labels[members, 1] = heights
    return labels
