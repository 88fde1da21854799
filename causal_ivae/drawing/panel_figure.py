"""Draw the prior and the graphs of all methods in one row, as a figure for a paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.drawing.abbreviations import abbreviated
from causal_ivae.drawing.arrows import (
    HOLLOW,
    STYLES,
    ArrowStyle,
    DrawnEdge,
    draw_arrow,
    draw_probability,
    drawn_edges,
)
from causal_ivae.drawing.graph_figure import draw_groups
from causal_ivae.drawing.region_groups import MOST_ON_CIRCLE, Ring
from causal_ivae.drawing.sketch import Sketch
from causal_ivae.drawing.svg import INK, Drawing, shorten
from causal_ivae.drawing.text_width import text_width
from causal_ivae.drawing.wording import count, listed

_SIZE = 8.0
"""Size of all letters (points)."""
_COLUMN, _PAGE = 252.0, 518.0
"""Width of one column and of a whole page of a journal (points)."""
_NAMED = 24
"""Up to this many regions have their names beside the ring."""
_BOX = 6.5
"""Half the height of a region's box (points)."""
_DISC = 2.2
"""Radius of a region's disc (points)."""
_LINE = 12.0
"""Height of a line of the legend (points)."""
_MOST_LINES = 60
"""Of more lines in a panel, those of undecided pairs are left out."""
_SMALL = 0.55
"""Heads between discs are smaller than those between boxes by this factor."""
_TITLE = 14.0
_MARGIN = 4.0
_PRIOR = ArrowStyle("projection of the prior", "#3f4a56", None)
_UNDIRECTED = ArrowStyle("connection of the prior", "#3f4a56", None, arrow=False)
_VERDICTS = ("direct", "not feasible")


@dataclass(frozen=True)
class Panel:
    """Describe the graph of one method, or the prior, in the row.

    Attributes
    ----------
    key : str
        Prefixes the identifiers of the panel's edges.
    edges : sequence of DrawnEdge
        The rows of their edge table number their identifiers.
    """

    key: str
    title: str
    edges: Sequence[DrawnEdge]

    @property
    def arrows(self) -> int:
        """Return the number of arrowheads, without those that only show the likelier direction."""
        return sum(len(edge.heads) for edge in self.edges if edge.style.arrow)


def method_panel(
    key: str, title: str, edges: pd.DataFrame, verdicts: Mapping[tuple[str, str], str]
) -> Panel:
    """Return the panel of a method's graph, as `causal_ivae.drawing.graph_figure` takes it."""
    drawn = drawn_edges(edges, verdicts)
    if len(drawn) > _MOST_LINES:
        # So many undecided pairs would hide the arrows.
        drawn = [edge for edge in drawn if edge.style is not STYLES["undecided"]]
    return Panel(key, title, drawn)


def prior_panel(
    name: str,
    projections: Sequence[Sequence[str]],
    rows: Mapping[frozenset[str], int],
    *,
    directed: bool,
) -> Panel:
    """Return the panel of the prior.

    Parameters
    ----------
    projections : sequence of (cause, effect)
    rows : mapping of frozenset of two regions to int
        Row of every pair in the edge table of the first method.
    directed : bool
        False if the prior knows connections only.
    """
    known = {(str(a), str(b)) for a, b in projections}
    style = _PRIOR if directed else _UNDIRECTED
    edges = []
    for pair, row in rows.items():
        a, b = sorted(pair)
        if (a, b) not in known and (b, a) not in known:
            continue
        start, stop = (a, b) if (a, b) in known else (b, a)
        both = {(a, b), (b, a)} <= known
        heads = (style.color,) * (1 + both) if directed else ()
        edges.append(DrawnEdge(row, start, stop, style, 1.1, heads))
    return Panel("prior", name, edges)


def panel_figure(
    names: Sequence[str],
    panels: Sequence[Panel],
    ring: Ring | None,
    figure_name: str,
    inputs: Sequence[str] = (),
) -> Drawing:
    """Draw panels in one row, with the regions in the same places, over one legend.

    Parameters
    ----------
    names : sequence of str
        Region names, clockwise from the top if there is no ring.
    panels : sequence of Panel
    ring : Ring or None
        Places of many regions; few regions are boxes on a circle.
    figure_name : str
        Name that is unique on the page.
    inputs : sequence of str
        Names that are known inputs, whose corners are square.

    Returns
    -------
    Drawing
        As wide as one column of a journal for one or two panels, and otherwise as a page.  The
        parts of an edge have the identifiers of `causal_ivae.drawing.graph_figure.graph_figure`
        after the panel's key.
    """
    names = tuple(map(str, names))
    width = _COLUMN if len(panels) < 3 else _PAGE
    wide = width / len(panels)
    boxed = len(names) <= MOST_ON_CIRCLE
    # Around a ring there is room for numbers only.
    labels = abbreviated(names) if boxed else tuple(str(1 + i) for i in range(len(names)))
    halves = np.array([max(_BOX, _wide(label) / 2 + 3.0) for label in labels])
    places = _places(names, ring, wide, boxed, halves, labels)
    tall = 2 * float(np.abs(places[:, 1]).max(initial=0.0)) + 2 * _BOX + 4.0
    if not boxed and len(names) <= _NAMED:
        tall += 2 * max(map(_wide, labels))
    entries = _entries(panels)
    known = [name in inputs for name in names]
    key = _key(names, labels, known) if len(names) <= _NAMED else _group_key(ring)
    legend = _rows([40.0 + _wide(words) for *_, words in entries], width)
    keyed = _rows([_wide(text) + 12.0 + 10.0 * bool(color) for text, color in key], width)
    below = _LINE * (len(legend) + len(keyed)) + 6.0
    total = _TITLE + tall + below
    sketch = Sketch(0.0, -total, width, 0.0)
    for number, panel in enumerate(panels):
        centre = np.array([wide * (number + 0.5), -_TITLE - tall / 2])
        left, level = wide * number + _MARGIN, -_TITLE + 7.0
        sketch.words(left, level, shorten(panel.title, 24), size=_SIZE, bold=True)
        at = dict(zip(names, places + centre, strict=True))
        size = dict(zip(names, halves, strict=True)) if boxed else None
        _draw_edges(sketch, panel, at, size)
        if boxed:
            for (x, y), label, half, square in zip(at.values(), labels, halves, known, strict=True):
                if square:
                    _draw_square(sketch, x, y, half, _BOX)
                else:
                    sketch.box(x, y, half, _BOX)
                sketch.words(x, y, label, size=_SIZE, align="center")
        else:
            _draw_discs(sketch, centre, places, labels, ring, known)
    level = -_TITLE - tall - 6.0 - _LINE / 2
    for row in legend:
        _legend_row(sketch, [entries[i] for i in row], level)
        level -= _LINE
    for row in keyed:
        _key_row(sketch, [key[i] for i in row], level)
        level -= _LINE
    drawn = [f"{panel.title} with {count(panel.arrows, 'arrow')}" for panel in panels]
    label = (
        f"{count(len(names), 'region')} in the same places: {listed(drawn)}. The tables list every "
        "pair."
    )
    return Drawing(sketch, figure_name, label, for_print=True)


def _places(
    names: Sequence[str],
    ring: Ring | None,
    wide: float,
    boxed: bool,
    halves: NDArray[np.float64],
    labels: Sequence[str],
) -> NDArray[np.float64]:
    """Return the places of the regions around the centre of a panel (points)."""
    if boxed or ring is None:
        angles = np.pi / 2 - (np.arange(len(names)) + 0.5) * 2 * np.pi / max(len(names), 1)
    else:
        angles = ring.angles
    room = float(halves.max(initial=0.0)) if boxed else 10.0
    if not boxed and len(names) <= _NAMED:
        room = max(map(_wide, labels)) + 8.0
    across = wide / 2 - room - _MARGIN
    # Few regions need no more height than leaves their arrows long enough to be seen.
    up = min(across, 50.0) if boxed else across
    return np.column_stack([across * np.cos(angles), up * np.sin(angles)])


def _draw_edges(
    sketch: Sketch,
    panel: Panel,
    at: Mapping[str, NDArray[np.float64]],
    size: Mapping[str, float] | None,
) -> None:
    lines = len(panel.edges)
    # Many arrows are thinner, so that they do not hide each other.
    thinner = min(1.0, float(np.sqrt(12 / max(lines, 1))))
    for edge in panel.edges:
        start, stop = at[edge.start], at[edge.stop]
        along = (stop - start) / max(float(np.hypot(*(stop - start))), 1e-9)
        gaps = [
            _DISC + 1.0 if size is None else _reach(along, size[end]) + 1.0
            for end in (edge.start, edge.stop)
        ]
        route = np.array([start + along * gaps[0], stop - along * gaps[1]])
        if np.dot(route[1] - route[0], along) < 4.0:
            continue
        width = max(0.5, 0.75 * edge.width * thinner)
        name = f"{panel.key}-edge-{edge.row}"
        draw_arrow(
            sketch, route, edge.style, width, edge.heads, name,
            hollow=edge.hollow, size=1.0 if size else _SMALL,
        )  # fmt: skip
        if np.isfinite(edge.probability) and lines <= _NAMED:
            draw_probability(sketch, route, edge.probability, _SIZE, f"{name}-side")


def _reach(along: NDArray[np.float64], half: float) -> float:
    """Return how far a box reaches from its centre in a direction."""
    across, up = np.abs(along)
    return float(min(half / max(across, 1e-9), _BOX / max(up, 1e-9)))


def _draw_discs(
    sketch: Sketch,
    centre: NDArray[np.float64],
    places: NDArray[np.float64],
    labels: Sequence[str],
    ring: Ring | None,
    known: Sequence[bool],
) -> None:
    for (x, y), square in zip(places + centre, known, strict=True):
        if square:
            _draw_square(sketch, x, y, _DISC, _DISC)
        else:
            sketch.disc(x, y, _DISC, fill="#ffffff", edge=INK, width=0.6, layer=3.0)
    radius = float(np.hypot(*places[0]))
    if ring is not None:
        draw_groups(sketch, ring, centre, radius, 3 * _DISC)
    if len(labels) > _NAMED:
        return
    for place, label in zip(places, labels, strict=True):
        x, y = centre + place * (1 + 6.0 / radius)
        angle = float(np.degrees(np.arctan2(place[1], place[0])))
        turned = abs(angle) > 90
        side = "right" if turned else "left"
        sketch.words(x, y, label, size=_SIZE, align=side, turn=angle + 180 * turned)


def _draw_square(sketch: Sketch, x: float, y: float, half: float, up: float) -> None:
    """Draw the place of a known input, with square corners."""
    sketch.rectangle(
        x - half, y - up, 2 * half, 2 * up, fill="#ffffff", edge=INK, width=1.4, layer=3.0
    )


def _entries(panels: Sequence[Panel]) -> list[tuple[ArrowStyle, bool, str]]:
    """Return style, whether it is hollow, and words of every entry of the legend."""
    edges = [edge for panel in panels for edge in panel.edges]
    drawn = {edge.style.words for edge in edges}
    if STYLES["both"].words in drawn:
        # The two heads may have the colours of verdicts that no line has.
        heads = {color for edge in edges for color in edge.heads}
        drawn |= {STYLES[kind].words for kind in _VERDICTS if STYLES[kind].color in heads}
    shown = (s for s in (_PRIOR, _UNDIRECTED, *STYLES.values()) if s.words in drawn)
    found = [(style, False, style.words) for style in shown]
    if any(edge.hollow for edge in edges):
        found.append((STYLES["no prior"], True, HOLLOW))
    return found


def _key(
    names: Sequence[str], labels: Sequence[str], known: Sequence[bool]
) -> list[tuple[str, str]]:
    """Return the full name of every label that is an abbreviation, and which are inputs."""
    return [
        (f"{label}: {shorten(name)}" + ", known input" * square, "")
        for name, label, square in zip(names, labels, known, strict=True)
        if name != label or square
    ]


def _group_key(ring: Ring | None) -> list[tuple[str, str]]:
    return [] if ring is None else [(group, color) for group, color in ring.colors.items()]


def _rows(widths: Sequence[float], width: float) -> list[list[int]]:
    """Distribute entries over as few rows as they need."""
    rows: list[list[int]] = []
    left = np.inf
    for index, needed in enumerate(widths):
        if left + needed > width - 2 * _MARGIN:
            rows.append([])
            left = 0.0
        rows[-1].append(index)
        left += needed
    return rows


def _legend_row(
    sketch: Sketch, entries: Sequence[tuple[ArrowStyle, bool, str]], level: float
) -> None:
    left = _MARGIN
    for style, hollow, words in entries:
        line = np.array([[left, level], [left + 22.0, level]])
        heads = (style.color,) * (2 if style is STYLES["both"] else int(style.arrow or style.open))
        draw_arrow(sketch, line, style, 1.4 if style.arrow else 0.9, heads, hollow=hollow)
        sketch.words(left + 26.0, level, words, size=_SIZE)
        left += 40.0 + _wide(words)


def _key_row(sketch: Sketch, entries: Sequence[tuple[str, str]], level: float) -> None:
    left = _MARGIN
    for text, color in entries:
        if color:
            sketch.rectangle(left, level - 3.0, 6.0, 6.0, fill=color)
            left += 10.0
        sketch.words(left, level, text, size=_SIZE)
        left += _wide(text) + 12.0


def _wide(text: str) -> float:
    """Return the width of a text in the size of this figure (points)."""
    return text_width(text, _SIZE)
