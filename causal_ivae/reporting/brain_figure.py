"""Draw the estimated graph over the outline of a brain, from three sides."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from causal_ivae.drawing.arrows import STYLES, draw_arrow, drawn_edges, shortened, spread
from causal_ivae.drawing.sketch import Sketch
from causal_ivae.drawing.svg import FAINT, INK, Drawing, shorten
from causal_ivae.drawing.text_width import text_width
from causal_ivae.drawing.wording import count
from causal_ivae.outcomes import CONNECTED
from causal_ivae.reporting.brain_outline import brain_outline

_WIDTH = 400.0
"""Least width of a figure (points)."""
_LINE = 11.5
"""Vertical distance of two labels (points)."""
_NODE = 3.2
"""Radius of a region's disc (points)."""
_LOW, _HIGH = np.array([-76.0, -112.0, -74.0]), np.array([76.0, 80.0, 88.0])
"""Corners of the part of MNI space that is shown (mm: right, front, up), around the templates."""
_SCALE = 1.1
"""Scale of a figure (points per mm)."""
_VIEWS = {"-side": ("x", (1, 2)), "-front": ("y", (0, 2)), "": ("z", (0, 1))}
"""Axes of MNI space towards the reader, across and up, by what the view's identifiers end in."""
_BEND = 0.1
"""How far an arrow bends to its left (share of its length), so that arrows hide each other less."""


def brain_figure(
    names: Sequence[str],
    edges: pd.DataFrame,
    verdicts: Mapping[tuple[str, str], str],
    figure_name: str,
    method: str,
    centres: Mapping[str, Sequence[float]],
) -> Drawing | None:
    """Draw one method's directed edges over a brain, from the left, the front and above.

    Parameters
    ----------
    names, edges, verdicts, figure_name, method
        As in `causal_ivae.drawing.graph_figure.graph_figure`.
    centres : mapping of str to (x, y, z)
        Centres of the regions in MNI space (mm); regions without one are not drawn.

    Returns
    -------
    Drawing or None
        The parts of row i of `edges` have the identifiers ``edge-i`` and ``edge-i-head`` in the
        view from above, ``edge-i-side`` and ``edge-i-front`` (and ``-head``) in the other views,
        and ``-tail`` for a second head.  None if no region has a centre.
    """
    placed = [str(name) for name in names if name in centres]
    if not placed:
        return None
    xyz = np.array([centres[name] for name in placed], dtype=np.float64)
    sketch, origins = _views(placed)
    drawn = [
        edge
        for edge in drawn_edges(edges, verdicts)
        if (edge.style.arrow or edge.style is STYLES[CONNECTED])
        and {edge.start, edge.stop} <= set(placed)
    ]
    scale = min(1.0, 12.0 / len(placed))
    for suffix, (_, across) in _VIEWS.items():
        nodes = origins[suffix] + xyz[:, across] * _SCALE
        at = dict(zip(placed, nodes, strict=True))
        for edge in drawn:
            start, stop = at[edge.start], at[edge.stop]
            # There is no room for an arrow between regions that lie one behind the other.
            if np.hypot(*(stop - start)) > 2 * _NODE + 6.0:
                ends = _bent(shortened(start, stop, _NODE + 1.0, _NODE + 1.5))
                width = max(0.5, edge.width * scale)
                name = f"edge-{edge.row}{suffix}"
                draw_arrow(sketch, ends, edge.style, width, edge.heads, name, hollow=edge.hollow)
        for x, y in nodes.tolist():
            sketch.disc(x, y, _NODE, fill="#ffffff", edge=INK, width=0.9, layer=3.0)
    _labels(sketch, placed, xyz[:, :2] * _SCALE, origins[""])
    missing = len(names) - len(placed)
    without = f"; {count(missing, 'region')} without coordinates" if missing else ""
    label = (
        f"Graph estimated by {method} over the brain, from the left, the front and above: "
        f"{count(len(placed), 'region')} and "
        f"{count(sum(len(edge.heads) for edge in drawn), 'directed edge')}, each listed in "
        f"the edge table{without}."
    )
    return Drawing(sketch, figure_name, label)


def _bent(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a Bezier curve that leads along a line and bends to its left, shape (4, 2)."""
    along = line[1] - line[0]
    aside = _BEND * np.array([-along[1], along[0]])
    return np.array([line[0], line[0] + along / 3 + aside, line[1] - along / 3 + aside, line[1]])


def _views(names: Sequence[str]) -> tuple[Sketch, dict[str, NDArray[np.float64]]]:
    """Make a sketch with three outlines: two above, and that from above below.

    Returns
    -------
    sketch : Sketch
        Its bottom is at 0, and its middle too.
    origins : dict of str to ndarray, shape (2,)
        Place of the origin of MNI space in every view (points).
    """
    widest = max((text_width(shorten(name)) for name in names), default=0.0)
    width = max(_WIDTH, 2 * (_HIGH[0] * _SCALE + widest + 8.0))
    labelled = max(0.0, (len(names) / 2 + 1) * _LINE - (_HIGH - _LOW)[1] * _SCALE) / 2
    low = _LOW * _SCALE
    size = (_HIGH - _LOW) * _SCALE
    below = size[1] + 2 * labelled
    # What is left of the width stands beside and between the two upper views.
    gap = (width - size[1] - size[0]) / 3
    origins = {
        "-side": np.array([gap - width / 2 - low[1], below - low[2]]),
        "-front": np.array([2 * gap + size[1] - width / 2 - low[0], below - low[2]]),
        "": np.array([0.0, labelled - low[1]]),
    }
    sketch = Sketch(-width / 2, 0.0, width / 2, below + size[2])
    for suffix, (view, _) in _VIEWS.items():
        place = Affine2D().scale(_SCALE).translate(*origins[suffix])
        for shade, path in brain_outline(view):
            line = path.transformed(place)
            sketch.shape(line, edge=shade, width=0.5, layer=-1.0, opacity=0.55)
    for suffix, bottom in (("", low[1]), ("-front", low[2])):
        for x, text in ((_LOW[0] + 16.0, "L"), (_HIGH[0] - 16.0, "R")):
            across, up = origins[suffix] + np.array([x * _SCALE, bottom + 11.0])
            sketch.words(across, up, text, align="center")
    return sketch, origins


def _labels(
    sketch: Sketch, names: Sequence[str], nodes: NDArray[np.float64], origin: NDArray[np.float64]
) -> None:
    """Write the names of regions to the left and right of the brain, with a line to each region."""
    right = nodes[:, 0] > 0
    # If most regions lie in one hemisphere, the labels are divided evenly to fit on both sides.
    order = np.argsort(nodes[:, 0], kind="stable")
    if abs(int(right.sum()) - len(names) // 2) > len(names) // 4:
        right = np.isin(np.arange(len(names)), order[len(names) // 2 :])
    edge = _HIGH[0] * _SCALE
    # The view from above has the lower part of the sketch.
    low, high = -origin[1], sketch.top - (_HIGH - _LOW)[2] * _SCALE - origin[1]
    for members, sign in ((np.flatnonzero(right), 1.0), (np.flatnonzero(~right), -1.0)):
        members = members[np.argsort(nodes[members, 1], kind="stable")]
        if not len(members):
            continue
        heights = spread(nodes[members, 1], np.full(len(members) - 1, _LINE))
        heights += max(0.0, low + _LINE - heights[0]) - max(0.0, heights[-1] - high + _LINE)
        side = "left" if sign > 0 else "right"
        for member, height in zip(members, heights, strict=True):
            end = origin + np.array([sign * edge, height])
            sketch.line([origin + nodes[member], end], FAINT, 0.5, layer=0.0)
            sketch.words(end[0] + sign * 3.0, end[1], shorten(names[int(member)]), align=side)
