"""Scores of simulated networks, averaged over graphs, and their figure."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import t as student_t

from causal_ivae.drawing.svg import figure_style, new_figure
from causal_ivae.validation.suites.cases import ERROR
from causal_ivae.validation.suites.method_lines import colour, finish, marker
from causal_ivae.validation.suites.report import as_text

_CELL = ["layers", "segments", "method"]
_BLOCKS = {
    "f1": "F1 of directed edges, mean over graphs",
    "orientation_accuracy": "share of the pairs adjacent in both graphs that point the right way",
    "skeleton_f1": "F1 of adjacent pairs",
}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per layers, segments and method.

    Parameters
    ----------
    table : pandas.DataFrame
        As `causal_ivae.validation.suites.cases.run_cases` returns it.

    Returns
    -------
    pandas.DataFrame
        Means over graphs of ``f1`` (with ``low`` and ``high``, a 95 % t interval), ``precision``,
        ``recall``, ``skeleton_f1``, ``orientation_accuracy``, ``hamming`` and ``edges``.
    """
    rows = table[table[ERROR].isna()]
    if rows.empty or "f1" not in rows:
        return pd.DataFrame(columns=[*_CELL, "graphs", *_BLOCKS])
    return pd.DataFrame(list(_summaries(rows)))


def _summaries(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    for (layers, segments, method), own in rows.groupby(_CELL, sort=False):
        # A graph without an edge, found to have none, has no F1; there is nothing wrong with it.
        f1 = own["f1"].astype(float).fillna(1.0)
        count = len(f1)
        error = np.nan
        if count > 1:
            error = f1.std(ddof=1) / np.sqrt(count) * student_t.isf(0.025, count - 1)
        means = {
            name: float(own[name].astype(float).mean())
            for name in (
                "precision", "recall", "skeleton_f1", "orientation_accuracy", "hamming", "edges",
            )
        }  # fmt: skip
        yield {
            "layers": layers,
            "segments": segments,
            "method": method,
            "graphs": count,
            "f1": float(f1.mean()),
            "low": float(f1.mean() - error),
            "high": float(f1.mean() + error),
            **means,
        }


def as_blocks(summary: pd.DataFrame) -> str:
    """Return the summary for a terminal: methods in rows, layers in columns."""
    blocks = []
    for segments, rows in summary.groupby("segments", sort=False):
        for column, words in _BLOCKS.items():
            wide = rows.pivot_table(column, "method", "layers", sort=False, dropna=False)
            wide.columns = [f"{layers} layers" for layers in wide.columns]
            blocks.append(f"{segments} segments: {words}\n{as_text(wide.reset_index())}")
        graphs = rows.drop_duplicates("layers").set_index("layers")["graphs"]
        blocks[-1] += "\nGraphs: " + ", ".join(f"{n} of {k} layers" for k, n in graphs.items())
    return "\n\n".join(blocks) if blocks else "No case gave a result."


def draw_many(summary: pd.DataFrame) -> Figure:
    """Draw F1 by layers, one panel per number of segments."""
    with figure_style("benchmark_many"):
        panels = list(dict.fromkeys(summary["segments"]))
        if not panels:
            return new_figure(3.0, 2.0)
        methods = list(dict.fromkeys(summary["method"]))
        figure = new_figure(max(4.0, 1.0 + 2.0 * len(panels)), 3.0)
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for segments, ax in zip(panels, axes, strict=True):
            rows = summary[summary["segments"] == segments]
            for method in methods:
                own = rows[rows["method"] == method].sort_values("layers")
                drawn = colour(method, methods)
                ax.vlines(own["layers"], own["low"], own["high"], color=drawn, lw=0.8, alpha=0.5)
                ax.plot(
                    own["layers"],
                    own["f1"],
                    color=drawn,
                    marker=marker(method, methods),
                    ms=3.5,
                    lw=1.0,
                    label=method,
                )
            ax.set_title(f"{segments} segments")
            ax.set_xlabel("layers")
            ax.set_xticks(sorted(set(rows["layers"])))
        axes[0].set_ylabel("F1 of directed edges")
        finish(figure, axes)
        return figure
