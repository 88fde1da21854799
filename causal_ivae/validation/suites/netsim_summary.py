"""Shares of NetSim's edges oriented right, and their figure."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import t as student_t

from causal_ivae.drawing.svg import FAINT, figure_style, new_figure
from causal_ivae.validation.suites.cases import ERROR
from causal_ivae.validation.suites.method_lines import colour, finish
from causal_ivae.validation.suites.report import as_text, share_with_interval

DIRECTIONS = ("x->y", "y->x")
_BLOCKS = {
    "right": "share of edges right, by the sign of the score",
    "decided": "share of edges decided",
    "right_of_decided": "share right of those decided",
}
ALL = "all"
"""In place of a simulation's name: the edges of all."""


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per unit, simulation and method, and one over all simulations.

    Parameters
    ----------
    table : pandas.DataFrame
        As `causal_ivae.validation.suites.cases.run_cases` returns it.

    Returns
    -------
    pandas.DataFrame
        ``right`` with a 95 % interval: Wilson over edges where subjects are pooled, else t over
        the subjects' own shares; ``decided`` and ``right_of_decided`` are shares of edges.
    """
    rows = table[table[ERROR].isna()]
    if "right" not in rows:
        return pd.DataFrame(columns=["unit", "sim", "method", "right"])
    return pd.DataFrame(list(_summaries(rows.astype({"right": bool}))))


def _summaries(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    several = len(set(rows["sim"])) > 1
    for unit, of_unit in rows.groupby("unit", sort=False):
        parts = [(str(sim), part) for sim, part in of_unit.groupby("sim", sort=False)]
        for sim, part in [*parts, (ALL, of_unit)] if several else parts:
            for method, own in part.groupby("method", sort=False):
                decided = own[own["decision"].isin(DIRECTIONS)]
                share = (
                    _over_subjects(own)
                    if unit == "subject"
                    else share_with_interval(int(own["right"].sum()), len(own))
                )
                agreeing = (decided["decision"] == decided["truth"]).mean()
                yield {
                    "unit": unit,
                    "sim": sim,
                    "method": method,
                    "edges": len(own),
                    "right": share["share"],
                    "low": share["low"],
                    "high": share["high"],
                    "decided": len(decided) / len(own),
                    "right_of_decided": float(agreeing) if len(decided) else None,
                }


def _over_subjects(rows: pd.DataFrame) -> dict[str, float | int | None]:
    shares = rows.groupby(["sim", "subject"])["right"].mean().groupby("subject").mean()
    mean, count = float(shares.mean()), len(shares)
    if count < 2:
        return {"share": mean, "low": None, "high": None}
    error = float(shares.std(ddof=1)) / np.sqrt(count) * student_t.isf(0.025, count - 1)
    return {"share": mean, "low": mean - error, "high": mean + error}


def as_blocks(summary: pd.DataFrame) -> str:
    """Return the summary for a terminal: methods in rows, simulations in columns."""
    blocks = []
    for unit, rows in summary.groupby("unit", sort=False):
        for column, words in _BLOCKS.items():
            # Who never abstains has nothing to say here that is not in the first block.
            abstaining = set(rows.loc[rows["decided"] < 1.0, "method"])
            shown = rows if column == "right" else rows[rows["method"].isin(abstaining)]
            if len(shown):
                wide = shown.pivot_table(column, "method", "sim", sort=False, dropna=False)
                blocks.append(f"{unit}: {words}\n{as_text(wide.reset_index())}")
        edges = rows.drop_duplicates("sim").set_index("sim")["edges"]
        blocks[-1] += "\nEdges: " + ", ".join(f"{sim} {count}" for sim, count in edges.items())
    return "\n\n".join(blocks) if blocks else "No case gave a result."


def draw_netsim(summary: pd.DataFrame) -> Figure:
    """Draw the shares by simulation, one panel per unit."""
    with figure_style("benchmark_netsim"):
        units = list(dict.fromkeys(summary["unit"]))
        if not units:
            return new_figure(3.0, 2.0)
        sims = list(dict.fromkeys(summary["sim"]))
        methods = list(dict.fromkeys(summary["method"]))
        figure = new_figure(max(5.0, 1.5 + 0.6 * len(sims)), 1.7 * len(units) + 0.6)
        axes = figure.subplots(len(units), 1, squeeze=False, sharex=True)[:, 0]
        for unit, ax in zip(units, axes, strict=True):
            rows = summary[summary["unit"] == unit]
            for i, method in enumerate(methods):
                own = rows[rows["method"] == method]
                shift = 0.8 * (i - (len(methods) - 1) / 2) / len(methods)
                where = np.array([sims.index(sim) for sim in own["sim"]]) + shift
                drawn = colour(method, methods)
                ax.vlines(where, own["low"], own["high"], color=drawn, lw=1.0, alpha=0.6)
                ax.scatter(where, own["right"], s=12, color=drawn, label=method, zorder=3)
            ax.axhline(0.5, color=FAINT, lw=0.8, ls=":")
            ax.set_title(unit)
            ax.set_ylabel("edges right")
            ax.set_xlim(-0.5, len(sims) - 0.5)
            ax.set_xticks(range(len(sims)), sims)
            for place in range(1, len(sims)):
                ax.axvline(place - 0.5, color=FAINT, lw=0.4)
        finish(figure, axes)
        return figure
