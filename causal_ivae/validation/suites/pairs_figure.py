"""Draw the figure of the benchmark of pairs."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from causal_ivae.drawing.svg import FAINT, INK, new_figure
from causal_ivae.validation.suites.calibration_error import reliability
from causal_ivae.validation.suites.method_lines import colour, finish, marker
from causal_ivae.validation.suites.pairs_summary import with_marks

PUBLISHED = {1: 0.95, 2: 0.94, 3: 0.76, 4: 0.66, 5: 0.64}
"""NonSENS of Monti et al. 2019 at `PUBLISHED_SEGMENTS`, by layers; read off their figure."""
PUBLISHED_SEGMENTS = 48
_SHOWN = {
    "directed": ("correct", "directed: share correct"),
    "cyclic": ("decided", "cyclic: direction claimed"),
    "independent": ("decided", "independent: direction claimed"),
}


def draw_pairs(rows: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw shares by layers, one panel per number of segments, and how reliable confidences are.

    Generators other than the network are further places on the axis of layers.
    """
    kinds = [kind for kind in _SHOWN if kind in set(summary["kind"])]
    columns = sorted(summary["segments"].unique())
    methods = list(dict.fromkeys(summary["method"]))
    figure = new_figure(max(5.0, 2.1 * (len(columns) + 1)), 2.3 * len(kinds) + 0.7)
    axes = figure.subplots(len(kinds), len(columns) + 1, squeeze=False)
    for kind, line in zip(kinds, axes, strict=True):
        column, label = _SHOWN[kind]
        for segments, ax in zip(columns, line, strict=False):
            cell = summary[(summary["kind"] == kind) & (summary["segments"] == segments)]
            _shares(ax, cell, column, methods)
            if kind == "directed" and segments == PUBLISHED_SEGMENTS:
                _published(ax, cell)
            ax.set_title(f"{segments} segments")
        line[0].set_ylabel(label)
        line[-1].set_axis_off()
    axes[0, -1].set_axis_on()
    _reliability(axes[0, -1], with_marks(rows), methods)
    finish(figure, axes.flat)
    return figure


def _shares(ax: Axes, cell: pd.DataFrame, column: str, methods: Sequence[str]) -> None:
    places = list(dict.fromkeys(zip(cell["generator"], cell["layers"], strict=True)))
    for method in methods:
        rows = cell[cell["method"] == method]
        # Methods are shifted sideways, so that their intervals do not overlap.
        shift = 0.04 * (methods.index(method) - (len(methods) - 1) / 2)
        for generator, own in rows.groupby("generator", sort=False):
            where = [places.index((str(generator), n)) + shift for n in own["layers"]]
            drawn = colour(method, methods)
            ax.plot(
                where, own[column], marker=marker(method, methods), ms=3, lw=1.1, color=drawn,
                label=method,
            )  # fmt: skip
            low, high = own[f"{column}_low"], own[f"{column}_high"]
            ax.vlines(where, low, high, color=drawn, lw=0.7, alpha=0.5)
    names = [str(n) if n else name.replace("_", " ") for name, n in places]
    ax.set_xticks(range(len(places)), names)
    if all(n for _, n in places):
        ax.set_xlabel("layers")
        return
    # The names of other generators need room.
    ax.set_xlabel("layers or generator")
    for label in ax.get_xticklabels():
        label.set(rotation=35, horizontalalignment="right")


def _published(ax: Axes, cell: pd.DataFrame) -> None:
    layers = sorted(set(cell["layers"]) & set(PUBLISHED))
    shares = [PUBLISHED[n] for n in layers]
    ax.plot(range(len(layers)), shares, color=INK, ls=":", lw=1.3, label="NonSENS, as published")


def _reliability(ax: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    ax.plot([0, 1], [0, 1], color=FAINT, lw=0.8)
    said = rows[rows["decided"] & rows["confidence"].notna()]
    for method in methods:
        own = said[said["method"] == method]
        if len(own):
            table = reliability(own["confidence"], own["right"])
            ax.plot(
                table["confidence"], table["right"], marker=marker(method, methods), ms=3, lw=1.1,
                color=colour(method, methods),
            )  # fmt: skip
    ax.set_title("directions claimed")
    ax.set_xlabel("confidence")
    ax.set_ylabel("share right")
    ax.set_xlim(0.4, 1.02)
