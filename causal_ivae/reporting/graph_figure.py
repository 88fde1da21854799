"""The estimated graph: regions on a circle, an arrow from cause to effect, judged by the prior."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from causal_ivae.reporting.svg import (
    BLUE,
    FAINT,
    INK,
    RED,
    figure_style,
    new_figure,
    shorten,
    to_svg,
)

_WIDTH = 400.0  # points
_FONT = 8.5
_NODE = 4.5
_LEGEND_WIDTH = 790.0
_GREY = "#5f6b7a"
_LINE = 12.5  # distance of two labels, points


@dataclass(frozen=True)
class ArrowStyle:
    """How one kind of edge is drawn: told apart by line style as well as by colour."""

    words: str
    color: str
    dashes: tuple[float, ...] | None
    arrow: bool = True


STYLES = {
    "direct": ArrowStyle("direct projection in the prior", BLUE, None),
    "indirect": ArrowStyle("indirect: by a path through the prior", BLUE, (5.0, 2.5)),
    "not feasible": ArrowStyle("not feasible under the prior", RED, (7.0, 2.0, 1.2, 2.0)),
    "no prior": ArrowStyle("directed edge (no prior verdict)", _GREY, None),
    "undecided": ArrowStyle("undecided pair", "#8592a0", (1.0, 2.6), arrow=False),
}


def graph_figure(
    names: Sequence[str],
    edges: pd.DataFrame,
    verdicts: Mapping[tuple[str, str], str],
    figure_name: str,
    method: str,
) -> Markup:
    """Draw one method's graph; the same names give the same layout for every method.

    Parameters
    ----------
    names : sequence of str
        Regions, clockwise from the top.
    edges : pandas.DataFrame
        With ``x``, ``y``, ``decision``, ``cause``, ``effect`` and ``confidence``.
    verdicts : mapping from (cause, effect) to "direct", "indirect" or "not feasible"
    figure_name : str
        Unique in the page.
    method : str
        As it is to be read.

    Returns
    -------
    str
        An SVG element.  Pairs decided "none" are not drawn.
    """
    with figure_style(figure_name):
        figure, n_drawn = draw_graph(names, edges, verdicts)
        label = (
            f"Graph estimated by {method}: {len(names)} regions on a circle and {n_drawn} "
            "directed edges, each listed in the edge table."
        )
        return to_svg(figure, figure_name, label)


def draw_graph(
    names: Sequence[str], edges: pd.DataFrame, verdicts: Mapping[tuple[str, str], str]
) -> tuple[Figure, int]:
    """Return the figure of `graph_figure`, within a `figure_style`, and its number of arrows.

    The parts of row i of `edges` have the identifiers ``edge-i`` and ``edge-i-head``.
    """
    shown = [shorten(name) for name in names]
    widest = max((_text_width(name) for name in shown), default=0.0)
    # Names may take their share of the width, but many regions need a large circle.
    radius = max(70.0, 65.0 + 4.5 * len(names), _WIDTH / 2 - widest - 22.0)
    angles = np.pi / 2 - (np.arange(len(names)) + 0.5) * 2 * np.pi / max(len(names), 1)
    nodes = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    labels = _label_positions(nodes, radius)
    drawn = np.concatenate([nodes[:, 1], labels[:, 1]])
    top = float(np.abs(drawn).max(initial=10.0)) + 12.0
    half = max(_WIDTH / 2, radius + widest + 20.0)
    figure = new_figure(2 * half / 72, 2 * top / 72)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-half, half), ylim=(-top, top))
    axes.set_axis_off()
    position = dict(zip(map(str, names), nodes, strict=True))
    n_drawn = _draw_edges(axes, edges, verdicts, position, min(1.0, 9.0 / max(len(names), 1)))
    _draw_nodes(axes, nodes, labels, shown)
    return figure, n_drawn


def graph_legend(kinds: Sequence[str], figure_name: str) -> Markup:
    """Draw the legend of `graph_figure` for the kinds of edges that occur.

    Parameters
    ----------
    kinds : sequence of str
        Keys of `STYLES`.
    figure_name : str
        Unique in the page.
    """
    with figure_style(figure_name):
        entries = [(kind, STYLES[kind].words) for kind in kinds]
        # The font of the browser is narrower than the one that is measured here.
        widths = [40.0 + 0.88 * _text_width(words) + 16.0 for _, words in entries]
        thickness = "thicker: higher confidence"
        rows: list[list[int]] = [[]]
        for index, width in enumerate(widths):
            if sum(widths[i] for i in rows[-1]) + width > _LEGEND_WIDTH:
                rows.append([])
            rows[-1].append(index)
        last = sum(widths[i] for i in rows[-1])
        if last + 40.0 + 0.88 * _text_width(thickness) > _LEGEND_WIDTH:
            rows.append([])
            last = 0.0
        height = 16.0 * len(rows)
        figure = new_figure(_LEGEND_WIDTH / 72, height / 72)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, _LEGEND_WIDTH), ylim=(-height, 0))
        axes.set_axis_off()
        for row, members in enumerate(rows):
            left, level = 0.0, -16.0 * row - 8.0
            for index in members:
                kind, words = entries[index]
                start, stop = np.array([left - 4, level]), np.array([left + 38, level])
                _arrow(axes, start, stop, STYLES[kind], 2.0 if STYLES[kind].arrow else 1.0)
                axes.text(left + 37.0, level, words, va="center_baseline", fontsize=_FONT)
                left += widths[index]
        if any(STYLES[kind].arrow for kind in kinds):
            level = 8.0 - height
            for offset, width in enumerate((0.8, 2.0, 3.2)):
                ends = last + 12 * offset + 1, last + 12 * offset + 10
                axes.plot(ends, [level, level], lw=width, color=_GREY, solid_capstyle="butt")
            axes.text(last + 41.0, level, thickness, va="center_baseline", fontsize=_FONT)
        label = "Legend of the graphs: " + "; ".join(words for _, words in entries)
        return to_svg(figure, figure_name, label)


def edge_kind(edge: Mapping[Any, Any], verdicts: Mapping[tuple[str, str], str]) -> str | None:
    """Return the key of `STYLES` for one row of an edge table, None where nothing is drawn."""
    if edge["cause"]:
        return verdicts.get((str(edge["cause"]), str(edge["effect"])), "no prior")
    return "undecided" if edge["decision"] == "undecided" else None


def _draw_edges(
    axes: Axes,
    edges: pd.DataFrame,
    verdicts: Mapping[tuple[str, str], str],
    position: Mapping[str, NDArray[np.float64]],
    scale: float,
) -> int:
    n_drawn = 0
    # Undecided pairs lie beneath, and strong edges above weak ones.
    order = edges.assign(directed=edges["cause"] != "").sort_values(
        ["directed", "confidence"], kind="stable"
    )
    for index, edge in zip(order.index, order.to_dict("records"), strict=True):
        kind = edge_kind(edge, verdicts)
        if kind is None:
            continue
        style = STYLES[kind]
        ends = ("cause", "effect") if style.arrow else ("x", "y")
        start, stop = (position[str(edge[end])] for end in ends)
        width = _width(edge["confidence"]) if style.arrow else 1.0
        _arrow(axes, start, stop, style, width * scale, f"edge-{index}")
        n_drawn += style.arrow
    return n_drawn


def _arrow(
    axes: Axes,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    style: ArrowStyle,
    width: float,
    identifier: str | None = None,
) -> None:
    along = (stop - start) / np.hypot(*(stop - start))
    across = np.array([-along[1], along[0]])
    begin, tip = start + along * (_NODE + 1.5), stop - along * (_NODE + 2.0)
    head = 4.0 + 2.2 * width if style.arrow else 0.0
    end = tip - along * head * 0.8
    dashes = style.dashes or ()
    axes.plot(
        [begin[0], end[0]], [begin[1], end[1]], color=style.color, lw=width, zorder=1,
        solid_capstyle="butt", dash_capstyle="butt",
        # Dash lengths are in points here, whatever the width, so that thin edges show them too.
        linestyle=(0, tuple(length / width for length in dashes)) if dashes else "-",
        gid=identifier,
    )  # fmt: skip
    if style.arrow:
        base = tip - along * head
        corners = [tip, base + across * head * 0.42, base - across * head * 0.42]
        head_gid = identifier and f"{identifier}-head"
        axes.add_patch(
            Polygon(corners, closed=True, color=style.color, lw=0, zorder=2, gid=head_gid)
        )


def _draw_nodes(
    axes: Axes,
    nodes: NDArray[np.float64],
    labels: NDArray[np.float64],
    shown: Sequence[str],
) -> None:
    for node, label, name in zip(nodes, labels, shown, strict=True):
        side = "left" if label[0] > 0 else "right"
        if abs(label[1] - node[1]) > 2.5:
            axes.plot(*zip(node, label, strict=True), color=FAINT, lw=0.5, zorder=0)
        axes.text(
            label[0] + (2.0 if label[0] > 0 else -2.0), label[1], name, ha=side,
            va="center_baseline", fontsize=_FONT, zorder=4,
        )  # fmt: skip
    axes.scatter(
        nodes[:, 0], nodes[:, 1], s=(2 * _NODE) ** 2, c="white", edgecolors=INK, lw=1.1, zorder=3
    )


def _label_positions(nodes: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Place labels left and right of the circle, spread so that no two of a side overlap."""
    labels = nodes.copy()
    outer = radius + _NODE + 5.0
    right = nodes[:, 0] > -1e-9 * radius
    for side, sign in ((right, 1.0), (~right, -1.0)):
        members = np.flatnonzero(side)
        if not len(members):
            continue
        members = members[np.argsort(nodes[members, 1], kind="stable")]
        heights = _spread(nodes[members, 1] * outer / radius, _LINE)
        reach = np.sqrt(np.clip(outer**2 - heights**2, 0.0, None))
        labels[members, 0] = sign * np.maximum(reach, _NODE + 5.0)
        labels[members, 1] = heights
    return labels


def _spread(heights: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Return the ascending heights nearest to those given whose distances are at least `gap`."""
    # Isotonic regression of the heights less their minimal offsets keeps the order and the gaps.
    offsets = gap * np.arange(len(heights))
    blocks: list[list[float]] = []
    for value in heights - offsets:
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            blocks[-1][0] = (blocks[-1][0] * blocks[-1][1] + mean * count) / (blocks[-1][1] + count)
            blocks[-1][1] += count
    level = np.concatenate([np.full(int(count), mean) for mean, count in blocks])
    return np.asarray(level + offsets)


def _width(confidence: float) -> float:
    if not np.isfinite(confidence):
        return 0.8
    return 0.8 + 2.4 * float(np.clip((confidence - 0.5) / 0.5, 0.0, 1.0))


@cache
def _text_width(text: str) -> float:
    if not text.strip():
        return 0.0
    return float(TextPath((0, 0), text, size=_FONT).get_extents().width)
