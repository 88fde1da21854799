"""Draw the figures of the pages other than graphs: training, subjects' agreement, power."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from statsmodels.stats.proportion import proportion_confint

from causal_ivae.drawing.svg import (
    AMBER,
    BLUE,
    GRID,
    INK,
    RED,
    Drawing,
    figure_style,
    new_figure,
    shorten,
)
from causal_ivae.drawing.text_width import FONT
from causal_ivae.outcomes import is_decided

_MOST_VECTOR_CURVES = 120
"""More curves are drawn as pixels."""


def training_figure(
    training: pd.DataFrame, figure_name: str, method: str, fit: str = "restart"
) -> Drawing:
    """Draw the objective of every fit against the step, and their median.

    Parameters
    ----------
    training : pandas.DataFrame
        Columns ``x``, ``y``, ``restart``, ``step``, ``objective`` (higher is better).
    figure_name : str
        Name that is unique on the page.
    method : str
        Name of the method on pages.
    fit : str
        What distinguishes the fits of a pair, "restart" or "direction".
    """
    table = training[np.isfinite(pd.to_numeric(training["objective"]))]
    fit = table.groupby(["x", "y", "restart"], sort=False).ngroup().to_numpy()
    order = np.lexsort((table["step"], fit))
    points = table[["step", "objective"]].to_numpy(dtype=float)[order]
    curves = np.split(points, np.flatnonzero(np.diff(fit[order])) + 1) if len(points) else []
    alpha = float(np.clip(25 / max(len(curves), 1), 0.05, 0.35))
    with figure_style(figure_name):
        figure = new_figure(4.7, 2.7, placed=True)
        axes = figure.add_axes((0.15, 0.17, 0.83, 0.72))
        lines = LineCollection(curves, colors=BLUE, linewidths=0.5, alpha=alpha)
        lines.set_rasterized(len(curves) > _MOST_VECTOR_CURVES)
        axes.add_collection(lines)
        if len(table):
            median = table.groupby("step")["objective"].median()
            axes.plot(median.index, median, color=INK, lw=2.0)
            late = table.loc[table["step"] >= 0.1 * table["step"].max(), "objective"]
            low, high = np.quantile(late, 0.04), late.max()
            margin = 0.08 * (high - low) or 1.0
            axes.set_ylim(low - margin, high + margin)
            axes.set_xlim(table["step"].min(), max(table["step"].max(), table["step"].min() + 1))
        axes.set(xlabel="training step", ylabel="objective (higher is better)")
        axes.set_title(method, loc="left", fontweight="bold")
        axes.grid(axis="y", color=GRID, lw=0.6)
        label = (
            f"Training curves of {method}: {len(curves)} thin lines, one per pair and {fit}, "
            "and their median as a thick line."
        )
        return Drawing(figure, figure_name, label)


def share_figure(edges: Mapping[str, pd.DataFrame], figure_name: str) -> Drawing | None:
    """Draw, for every pair that may have an edge, the share of subjects that favour a direction.

    Parameters
    ----------
    edges : mapping of str to pandas.DataFrame
        Edges of the group by each method's name on pages: ``x``, ``y``, ``decision``, ``score``,
        ``confidence`` (share of subjects whose score has the sign of the mean), ``share_low``,
        ``share_high`` (Wilson interval of that share).
    figure_name : str
        Name that is unique on the page.

    Returns
    -------
    Drawing or None
        Marks are filled for decided directions and hollow for undecided pairs.  A pair to which a
        method gives no edge has no direction and so no mark of that method.  None if there is no
        mark.
    """
    edges = {
        method: table[(table["decision"] != "none") & table["confidence"].notna()]
        for method, table in edges.items()
    }
    if not sum(map(len, edges.values())):
        return None
    order: dict[tuple[str, str], int] = {}
    for table in edges.values():
        for pair in zip(table["x"].astype(str), table["y"].astype(str), strict=True):
            order.setdefault(pair, len(order))
    step = 0.5 / max(len(edges) - 1, 1)
    with figure_style(figure_name):
        figure = new_figure(8.4, (0.2 + 0.06 * len(edges)) * len(order) + 1.25)
        axes = figure.subplots()
        axes.axvline(0.5, color=INK, lw=0.8, dashes=(4, 3))
        looks = (("o", BLUE), ("s", AMBER), ("^", INK), ("D", RED))
        for index, (method, table) in enumerate(edges.items()):
            marker, color = looks[index % len(looks)]
            rows = [order[(str(x), str(y))] for x, y in zip(table["x"], table["y"], strict=True)]
            height = np.array(rows) + (index - (len(edges) - 1) / 2) * step
            # The left end stands for x, so that shares that favour x are mirrored.
            mirrored = table["score"].to_numpy(dtype=float) >= 0
            share, low, high = (
                np.where(mirrored, 1 - column, column)
                for column in (
                    table[name].to_numpy(dtype=float)
                    for name in ("confidence", "share_low", "share_high")
                )
            )
            axes.hlines(height, np.fmin(low, high), np.fmax(low, high), color=color, lw=1.4)
            decided = is_decided(table)
            mark: dict[str, Any] = {
                "marker": marker, "ms": 5, "mec": color, "mew": 1.3, "ls": "none",
            }  # fmt: skip
            axes.plot(share[~decided], height[~decided], mfc="white", **mark)
            axes.plot(share[decided], height[decided], mfc=color, label=method, **mark)
        pairs = list(order)
        axes.set_yticks(range(len(pairs)), [shorten(x) for x, _ in pairs])
        other = axes.secondary_yaxis("right")
        other.set_yticks(range(len(pairs)), [shorten(y) for _, y in pairs])
        for side in (axes, other):
            side.tick_params(axis="y", length=0)
        other.spines["right"].set_visible(False)
        axes.spines["left"].set_visible(False)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["100%", "75%", "50%", "75%", "100%"])
        axes.set(xlim=(-0.02, 1.02), ylim=(len(pairs) - 0.4, -0.6))
        axes.set_xlabel(
            "← share of subjects whose score makes the left region the cause | the right region →"
        )
        axes.grid(axis="y", color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=4, frameon=False)
        label = (
            f"For {len(pairs)} pairs of regions, the share of subjects that favour either "
            "direction, with 95 percent Wilson intervals; filled marks are decided directions."
        )
        return Drawing(figure, figure_name, label)


def power_figure(power: pd.DataFrame, figure_name: str, method: str) -> Drawing:
    """Draw which share of planted arrows is drawn, drawn wrongly, and leans the right way.

    Parameters
    ----------
    power : pandas.DataFrame
        Columns of `causal_ivae.derivatives.network_tables.POWER`.
    figure_name : str
        Name that is unique on the page.
    method : str
        Name of the method on pages.
    """
    titles = {"twins": "common sources as in these data", "shifted": "regions that share nothing"}
    with figure_style(figure_name):
        figure = new_figure(6.6, 2.9, placed=True)
        first = figure.add_axes((0.08, 0.23, 0.43, 0.68))
        panels = first, figure.add_axes((0.55, 0.23, 0.43, 0.68), sharey=first)
        panels[1].tick_params(labelleft=False)
        for axes, (kind, title) in zip(panels, titles.items(), strict=True):
            rows = power[power["series"] == kind]
            looks = (
                ("drawn", "o-", BLUE, "drawn, either way"),
                ("wrong", "s--", RED, "drawn the wrong way"),
                ("right_sign", "^:", INK, "likelier direction right, if connected"),
            )
            for name, form, color, words in looks:
                axes.plot(rows["strength"], rows[name], form, color=color, ms=4.5, label=words)
                if f"{name}_low" in rows:
                    ends = rows[f"{name}_low"], rows[f"{name}_high"]
                    axes.vlines(rows["strength"], *ends, color=color, lw=0.8, alpha=0.5)
            axes.axhline(0.5, color=GRID, lw=0.8)
            axes.set(xlim=(0.2, 1.0), ylim=(-0.02, 1.02), xlabel="strength of the arrow")
            axes.set_title(title, loc="left", fontsize=FONT)
        panels[0].set_ylabel("share of planted arrows")
        lines, texts = first.get_legend_handles_labels()
        figure.legend(lines, texts, loc="lower center", ncols=3, frameon=False, fontsize=7.5)
        said = "; ".join(
            f"{titles[row['series']]}, strength {row['strength']:g}: {100 * row['drawn']:.0f} "
            f"percent drawn, {100 * row['wrong']:.0f} percent the wrong way"
            for row in power.to_dict("records")
        )
        return Drawing(figure, figure_name, f"Power of {method} by planted arrows. {said}.")


def reliability_figure(bins: Sequence[Mapping[str, float]], figure_name: str) -> Drawing:
    """Draw how often probabilities were right on simulated pairs.

    Parameters
    ----------
    bins : sequence of mapping
        For every bin of probabilities ``confidence`` (the mean probability), ``right`` (the share
        of pairs for which it was right) and ``count`` (the number of pairs).
    figure_name : str
        Name that is unique on the page.
    """
    said, right, count = (
        np.array([one[name] for one in bins]) for name in ("confidence", "right", "count")
    )
    low, high = proportion_confint(np.rint(right * count), count, method="wilson")
    with figure_style(figure_name):
        figure = new_figure(3.9, 3.5, placed=True)
        axes = figure.add_axes((0.13, 0.13, 0.85, 0.85))
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8, dashes=(4, 3))
        axes.vlines(said, low, high, color=BLUE, lw=1.4)
        axes.plot(said, right, "o", ms=4.5, color=BLUE)
        for x, y, n in zip(said, right, count, strict=True):
            beside = (5, -9) if y > 0.5 else (5, 5)
            axes.annotate(
                f"{int(n)}", (x, y), xytext=beside, textcoords="offset points", fontsize=7,
            )  # fmt: skip
        axes.set(xlim=(-0.03, 1.08), ylim=(-0.03, 1.03), aspect="equal")
        axes.set_xlabel("probability of the likelier direction")
        axes.set_ylabel("share of pairs for which it is right")
        listed = ", ".join(
            f"{100 * x:.0f} percent: {100 * y:.0f} percent right of {int(n)} pairs"
            for x, y, n in zip(said, right, count, strict=True)
        )
        return Drawing(figure, figure_name, f"Reliability of the probabilities. {listed}.")
