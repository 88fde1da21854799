"""Draw the estimated graph over the outline of a brain, from three sides."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from causal_ivae.drawing.arrows import (
    FONT,
    STYLES,
    draw_arrow,
    drawn_edges,
    shortened,
    spread,
    text_width,
)
from causal_ivae.drawing.svg import FAINT, INK, Drawing, figure_style, new_figure, shorten
from causal_ivae.drawing.wording import count
from causal_ivae.outcomes import CONNECTED

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
_VIEWS = {"-side": (1, 2), "-front": (0, 2), "": (0, 1)}
"""Axes of MNI space across and up in every view, by what its identifiers end in."""
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
    with figure_style(figure_name):
        figure, views = _panels(placed)
        drawn = [
            edge
            for edge in drawn_edges(edges, verdicts)
            if (edge.style.arrow or edge.style is STYLES[CONNECTED])
            and {edge.start, edge.stop} <= set(placed)
        ]
        scale = min(1.0, 12.0 / len(placed))
        for suffix, across in _VIEWS.items():
            axes = views[suffix]
            at = dict(zip(placed, xyz[:, across] * _SCALE, strict=True))
            for edge in drawn:
                start, stop = at[edge.start], at[edge.stop]
                # There is no room for an arrow between regions that lie one behind the other.
                if np.hypot(*(stop - start)) > 2 * _NODE + 6.0:
                    ends = _bent(shortened(start, stop, _NODE + 1.0, _NODE + 1.5))
                    width = max(0.5, edge.width * scale)
                    name = f"edge-{edge.row}{suffix}"
                    draw_arrow(axes, ends, edge.style, width, edge.heads, name, hollow=edge.hollow)
            right, up = xyz[:, across].T * _SCALE
            area = (2 * _NODE) ** 2
            axes.scatter(right, up, s=area, c="white", edgecolors=INK, lw=0.9, zorder=3)
        _labels(views[""], placed, xyz[:, :2] * _SCALE)
    missing = len(names) - len(placed)
    without = f"; {count(missing, 'region')} without coordinates" if missing else ""
    label = (
        f"Graph estimated by {method} over the brain, from the left, the front and above: "
        f"{count(len(placed), 'region')} and "
        f"{count(sum(len(edge.heads) for edge in drawn), 'directed edge')}, each listed in "
        f"the edge table{without}."
    )
    return Drawing(figure, figure_name, label)


def _bent(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a Bezier curve that leads along a line and bends to its left, shape (4, 2)."""
    along = line[1] - line[0]
    aside = _BEND * np.array([-along[1], along[0]])
    return np.array([line[0], line[0] + along / 3 + aside, line[1] - along / 3 + aside, line[1]])


def _panels(names: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    """Make a figure with axes in points for every view: two above, and that from above below."""
    widest = max((text_width(shorten(name)) for name in names), default=0.0)
    width = max(_WIDTH, 2 * (_HIGH[0] * _SCALE + widest + 8.0))
    labelled = max(0.0, (len(names) / 2 + 1) * _LINE - (_HIGH - _LOW)[1] * _SCALE) / 2
    low, high = _LOW * _SCALE, _HIGH * _SCALE
    size = high - low
    tall = size[2], size[1] + 2 * labelled
    total = sum(tall)
    figure = new_figure(width / 72, total / 72)
    figure.set_layout_engine("none")
    # What is left of the width stands beside and between the two upper views.
    gap = (width - size[1] - size[0]) / 3
    views = {}
    for suffix, left, across in (("-side", gap, 1), ("-front", 2 * gap + size[1], 0)):
        place = left / width, tall[1] / total, size[across] / width, tall[0] / total
        views[suffix] = figure.add_axes(place)
        views[suffix].set(xlim=(low[across], high[across]), ylim=(low[2], high[2]))
    views[""] = figure.add_axes((0, 0, 1, tall[1] / total))
    views[""].set(xlim=(-width / 2, width / 2), ylim=(low[1] - labelled, high[1] + labelled))
    for suffix, view in (("-side", "x"), ("-front", "y"), ("", "z")):
        views[suffix].set_axis_off()
        for shade, path in _outline(view):
            patch = PathPatch(path, fill=False, edgecolor=shade, lw=0.5, zorder=-1)
            views[suffix].add_artist(patch)
    for suffix, bottom in (("", low[1]), ("-front", low[2])):
        for x, text in ((_LOW[0] + 16.0, "L"), (_HIGH[0] - 16.0, "R")):
            views[suffix].text(
                x * _SCALE, bottom + 8.0, text, ha="center", fontsize=FONT, color=INK
            )
    return figure, views


@cache
def _outline(view: str) -> list[tuple[tuple[float, ...], Path]]:
    """Return nilearn's outline of a brain with its hundreds of curves joined to one per shade."""
    # The import takes seconds, and pages without a drawing of the brain do not need it.
    from nilearn.plotting.glass_brain import plot_brain_schematics

    scratch = Figure().add_axes((0, 0, 1, 1))
    plot_brain_schematics(scratch, view, alpha=0.55, linewidth=0.5)
    shades: dict[tuple[float, ...], list[NDArray[np.float64]]] = {}
    for patch in scratch.patches:
        to_mm = patch.get_transform() - scratch.transData
        points = np.asarray(to_mm.transform(patch.get_path().vertices))
        shades.setdefault(to_rgba(patch.get_edgecolor()), []).append(points * _SCALE)
    outline = []
    for shade, curves in shades.items():
        # Every part is a cubic curve or a line, and most begin where the previous part ends.
        joined, codes = [], []
        for one, other in pairwise([np.full((1, 2), np.inf), *curves]):
            goes_on = np.allclose(one[-1], other[0], atol=0.05)
            joined.append(other[1:] if goes_on else other)
            code = Path.CURVE4 if len(other) == 4 else Path.LINETO
            codes += [*([] if goes_on else [Path.MOVETO]), *[code] * (len(other) - 1)]
        outline.append((shade, Path(np.concatenate(joined), codes)))
    return outline


def _labels(axes: Axes, names: Sequence[str], nodes: NDArray[np.float64]) -> None:
    """Write the names of regions to the left and right of the brain, with a line to each region."""
    right = nodes[:, 0] > 0
    # If most regions lie in one hemisphere, the labels are divided evenly to fit on both sides.
    order = np.argsort(nodes[:, 0], kind="stable")
    if abs(int(right.sum()) - len(names) // 2) > len(names) // 4:
        right = np.isin(np.arange(len(names)), order[len(names) // 2 :])
    edge = _HIGH[0] * _SCALE
    for members, sign in ((np.flatnonzero(right), 1.0), (np.flatnonzero(~right), -1.0)):
        members = members[np.argsort(nodes[members, 1], kind="stable")]
        if not len(members):
            continue
        heights = spread(nodes[members, 1], np.full(len(members) - 1, _LINE))
        low, high = axes.get_ylim()
        heights += max(0.0, low + _LINE - heights[0]) - max(0.0, heights[-1] - high + _LINE)
        ends = np.column_stack([np.full(len(members), sign * edge), heights])
        leads = np.stack([nodes[members], ends], axis=1)
        axes.add_collection(LineCollection(list(leads), colors=FAINT, lw=0.5, zorder=0))
        for member, height in zip(members, heights, strict=True):
            axes.text(
                sign * (edge + 3.0), height, shorten(names[int(member)]), fontsize=FONT, zorder=4,
                ha="left" if sign > 0 else "right", va="center_baseline",
            )  # fmt: skip
