"""Draw the paper's simulation figures from the table of runs."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from causal_ivae.drawing.svg import (
    AMBER,
    BLUE,
    FAINT,
    GRID,
    INK,
    RED,
    figure_style,
    new_figure,
    png_and_svg,
)
from causal_ivae.validation.paper.experiments import (
    BETA,
    BETA_TC,
    DIAGONAL,
    FLOW,
    OURS,
    PUBLISHED,
    TCL_NAME,
    VAE_NAME,
    FigureName,
    Outcome,
    choices,
)
from causal_ivae.validation.suites.method_lines import legend_below

_COLOURS = {
    OURS: BLUE,
    FLOW: "#1b3a5c",
    DIAGONAL: "#5b9bd5",
    PUBLISHED: "#2a9d8f",
    VAE_NAME: AMBER,
    BETA: "#8d5fa8",
    BETA_TC: "#7a7a2e",
    TCL_NAME: RED,
    "linear ICA": INK,
    "observations": FAINT,
    "chance": "#cbd2d9",
}
_BASELINES = ("linear ICA", "observations", "chance")
_MCC = "MCC on other rows"
_MOST_POINTS = 2500
_BELOW = (1.0, 0.1, 0.01, 0.0)
"""Distances from the best held-out ELBO (nats per row) that have a tick."""


def draw(name: FigureName, outcome: Outcome) -> tuple[bytes, str]:
    """Draw a figure."""
    with figure_style(name):
        return png_and_svg(_DRAWN[name](outcome))


def _figure1(outcome: Outcome) -> Figure:
    figure = new_figure(2.1 * len(outcome.points), 2.4)
    axes = figure.subplots(1, len(outcome.points), squeeze=False)[0]
    scores = outcome.runs[outcome.runs["selected"] & (outcome.runs["target"] == "s")]
    for ax, (title, values) in zip(axes, outcome.points.items(), strict=True):
        shown = np.random.default_rng(0).permutation(len(values))[:_MOST_POINTS]
        colours = None if outcome.segments is None else outcome.segments[shown]
        ax.scatter(*values[shown].T, c=colours, s=2, cmap="viridis", linewidths=0, rasterized=True)
        score = scores.loc[scores["method"] == title, "mcc_out"]
        ax.set_title(f"{title}\nMCC {score.max():.2f}" if len(score) else title)
        ax.set_xticks([])
        ax.set_yticks([])
    return figure


def _figure2(outcome: Outcome) -> Figure:
    figure = new_figure(10.5, 3.4)
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.2], sharey=True)
    runs = outcome.runs
    for ax, mixing in zip(axes, ("leaky_relu", "xtanh"), strict=False):
        chosen = runs[(runs["panel"] == "a") & (runs["mixing"] == mixing) & runs["selected"]]
        curves = outcome.curves[outcome.curves["mixing"] == mixing].merge(
            chosen[["method", "data_seed", "restart"]], on=["method", "data_seed", "restart"]
        )
        for method, rows in curves.groupby("method", sort=False):
            by_epoch = rows.groupby("epoch")["mcc_out"]
            _band(ax, by_epoch.median(), by_epoch.min(), by_epoch.max(), str(method))
        _baselines(ax, chosen)
        ax.set_title(f"(a) n = d = 5, {mixing.replace('_', ' ')} mixing")
        ax.set_xlabel("epochs")
    rest = runs[(runs["mixing"] == "leaky_relu") & runs["selected"] & (runs["target"] == "s")]
    methods = [m for m in _COLOURS if m in set(rest["method"]) and m != PUBLISHED]
    for i, method in enumerate(methods):
        rows = rest[rest["method"] == method]
        shift = (i - len(methods) / 2 + 0.5) * 0.09
        _spread(axes[2], rows, "n", method, shift)
    axes[2].set_title("(b) d = 5, leaky relu mixing")
    axes[2].set_xlabel("n")
    axes[2].set_xticks(sorted(rest["n"].unique()))
    _finish(figure, axes)
    return figure


def _figure3(outcome: Outcome) -> Figure:
    figure = new_figure(8.5, 3.4)
    axes = figure.subplots(1, 2, sharey=True)
    titles = {"a": "(a) n = d = 5", "b": "(b) one source gives the segment away"}
    for ax, (panel, title) in zip(axes, titles.items(), strict=True):
        chosen = outcome.runs[(outcome.runs["panel"] == panel) & outcome.runs["selected"]]
        signed = chosen[chosen["target"] == "s"]
        for method in (OURS, FLOW, DIAGONAL, *_BASELINES):
            _line(ax, signed[signed["method"] == method], method)
        form, rows = best_tcl(chosen)
        _line(ax, rows, TCL_NAME, f"{form} (best form)")
        accuracy = rows.groupby("M")["accuracy"].median()
        ax.plot(accuracy.index, accuracy, color=RED, lw=0.9, ls=":", label="TCL, accuracy")
        ax.set_title(title)
        ax.set_xlabel("segments M")
    _finish(figure, axes)
    return figure


def best_tcl(runs: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Return TCL in the form, of its ICAs and targets, that scores best over all rows."""
    tcl = runs[runs["method"].str.startswith(TCL_NAME)]
    forms = dict(list(tcl.groupby(["method", "target"])))
    best = max(forms, key=lambda form: forms[form]["mcc_out"].median())
    return f"{best[0]}, {best[1]}", forms[best]


def _discrete(outcome: Outcome) -> Figure:
    figure = new_figure(4.5, 3.2)
    ax = figure.subplots()
    chosen = outcome.runs[outcome.runs["selected"] & (outcome.runs["target"] == "s")]
    methods = [m for m in _COLOURS if m in set(chosen["method"])]
    for i, method in enumerate(methods):
        values = chosen.loc[chosen["method"] == method, "mcc_out"]
        ax.scatter(np.full(len(values), i), values, color=_COLOURS[method], s=18, zorder=3)
    ax.set_xticks(range(len(methods)), methods)
    first = chosen.iloc[0]
    ax.set_title(f"binary x: n = {first['n']}, d = {first['d']}, M = {first['M']}")
    _finish(figure, [ax], legend=False)
    return figure


def _selection(outcome: Outcome) -> Figure:
    figure = new_figure(8.5, 3.8)
    axes = figure.subplots(1, 2, sharey=True)
    runs = outcome.runs[outcome.runs["selected"] & outcome.runs["held_out"].notna()]
    said = choices(outcome.runs).groupby("panel")["rank_correlation"]
    for ax, (panel, family) in zip(axes, {"a": OURS, "b": DIAGONAL}.items(), strict=True):
        of_panel = runs[runs["panel"] == panel]
        for (data_seed, rows), marker in zip(
            of_panel.groupby("data_seed"), "os^Dv<>ph*" * 9, strict=False
        ):
            below = rows["held_out"].max() - rows["held_out"]
            label = f"data set {data_seed}"
            ax.scatter(below, rows["mcc_out"], s=16, marker=marker, label=label)
        _baselines(ax, outcome.runs[outcome.runs["panel"] == panel])
        shown = [f"{rho:.2f}" for rho in said.get_group(panel).dropna()]
        correlations = f"\nrank correlations {', '.join(shown)}" if shown else ""
        ax.set_title(f"({panel}) settings of {family}{correlations}")
        ax.set_xscale("symlog", linthresh=0.01)
        ax.set_xticks(_BELOW, [f"{value:g}" for value in _BELOW])
        ax.set_xlim(1.2 * max(1.0, (runs["held_out"].max() - runs["held_out"]).max()), -0.002)
        ax.set_xlabel("held-out ELBO below the best setting's, nats per row")
    _finish(figure, axes)
    return figure


def _line(ax: Axes, rows: pd.DataFrame, method: str, label: str | None = None) -> None:
    by_size = rows.groupby("M")["mcc_out"]
    if len(by_size):
        _band(ax, by_size.median(), by_size.min(), by_size.max(), method, label, marker="o")


def _band(
    ax: Axes,
    middle: "pd.Series[float]",
    low: "pd.Series[float]",
    high: "pd.Series[float]",
    method: str,
    label: str | None = None,
    marker: str | None = None,
) -> None:
    colour = _COLOURS[method]
    ax.plot(middle.index, middle, color=colour, lw=1.4, label=label or method, marker=marker, ms=3)
    if method not in _BASELINES:
        ax.fill_between(middle.index, low, high, color=colour, alpha=0.15, lw=0)


def _spread(ax: Axes, rows: pd.DataFrame, column: str, method: str, shift: float) -> None:
    grouped = rows.groupby(column)["mcc_out"]
    middle, low, high = grouped.median(), grouped.min(), grouped.max()
    place = middle.index.to_numpy(dtype=float) + shift
    ax.vlines(place, low, high, color=_COLOURS[method], lw=1.2)
    ax.scatter(place, middle, color=_COLOURS[method], s=14, label=method, zorder=3)


def _baselines(ax: Axes, chosen: pd.DataFrame) -> None:
    for method in _BASELINES:
        rows = chosen[(chosen["method"] == method) & (chosen["target"] == "s")]
        if len(rows):
            ax.axhline(
                rows["mcc_out"].median(), color=_COLOURS[method], lw=1.0, ls="--", label=method
            )


def _finish(figure: Figure, axes: Iterable[Axes], *, legend: bool = True, columns: int = 4) -> None:
    panels = list(axes)
    for ax in panels:
        ax.set_ylim(0.0, 1.02)
        ax.grid(visible=True, axis="y", color=GRID, lw=0.6)
        ax.set_axisbelow(True)
        if ax.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            ax.set_ylabel(_MCC)
    if legend:
        legend_below(figure, panels, columns=columns)


_DRAWN: dict[FigureName, Callable[[Outcome], Figure]] = {
    "figure1": _figure1,
    "figure2": _figure2,
    "figure3": _figure3,
    "discrete": _discrete,
    "selection": _selection,
}
