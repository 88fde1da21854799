"""Define how methods are drawn in all figures of the benchmarks."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from causal_ivae.drawing.svg import AMBER, BLUE, FAINT, GRID, INK, RED

_COLOURS = {
    "structural": BLUE,
    "ivae": "#2a9d8f",
    "ivae (rule)": "#8cc9c2",
    "tcl": "#5b9bd5",
    "hs-tanh": RED,
    "hs-skew": "#e88b8e",
    "direct-lingam": AMBER,
    "resit": "#d9a05b",
    "anm": "#8d5fa8",
    "cd-nod": "#7a7a2e",
    "patel-tau": INK,
    "coin": FAINT,
}
_MORE = ("#3d405b", "#81b29a", "#f2cc8f", "#9d4edd", "#ef476f")
_MARKERS = "osD^v<>ph*"


def colour(method: str, methods: Sequence[str]) -> str:
    """Return the colour of a method among those that are drawn."""
    others = [name for name in methods if name not in _COLOURS]
    if method in _COLOURS:
        return _COLOURS[method]
    return _MORE[others.index(method) % len(_MORE)]


def form(method: str, methods: Sequence[str]) -> dict[str, Any]:
    """Return colour, marker and label of a method among those that are drawn."""
    marker = _MARKERS[list(methods).index(method) % len(_MARKERS)]
    return {"color": colour(method, methods), "marker": marker, "label": method}


def finish(figure: Figure, axes: Iterable[Axes]) -> None:
    """Set limits of shares, a grid and one legend below."""
    panels = list(axes)
    for ax in panels:
        ax.set_ylim(-0.02, 1.03)
        ax.grid(visible=True, axis="y", color=GRID, lw=0.6)
        ax.set_axisbelow(True)
    legend_below(figure, panels, columns=max(1, int(figure.get_figwidth() / 1.3)))


def legend_below(figure: Figure, axes: Iterable[Axes], *, columns: int) -> None:
    """Set one legend below for all panels, in which every label stands once."""
    handles: dict[str, Artist] = {}
    for ax in axes:
        drawn, labels = ax.get_legend_handles_labels()
        handles |= dict(zip(labels, drawn, strict=True))
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
    )
