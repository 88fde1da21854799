"""Rejection rates of tests under independence: the table and its figure."""

import pandas as pd
from matplotlib.figure import Figure

from causal_ivae.drawing.svg import FAINT, figure_style, new_figure
from causal_ivae.validation.suites.cases import ERROR
from causal_ivae.validation.suites.method_lines import colour
from causal_ivae.validation.suites.report import as_text, share_with_interval

BAND = (0.03, 0.07)
"""Within which a test of nominal level .05 should be."""
_MARK = " *"


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per series, test and null.

    Parameters
    ----------
    table : pandas.DataFrame
        As `causal_ivae.validation.suites.cases.run_cases` returns it.

    Returns
    -------
    pandas.DataFrame
        ``rejected`` is a share, ``low`` and ``high`` its 95 % Wilson interval; ``within`` says
        whether the share lies in `BAND`.
    """
    columns = ["series", "test", "null", "default", "pairs", "rejected", "low", "high", "within"]
    found = []
    for row in table[table[ERROR].isna()].to_dict("records"):
        share = share_with_interval(int(row["rejected"]), int(row["pairs"]))
        within = BAND[0] <= (share["share"] or 0.0) <= BAND[1]
        found.append(
            row
            | {"default": bool(row["default"]), "rejected": share["share"], "within": within}
            | {"low": share["low"], "high": share["high"]}
        )
    return pd.DataFrame(found, columns=columns)


def as_blocks(summary: pd.DataFrame) -> str:
    """Return the summary for a terminal: series in rows, tests and nulls in columns."""
    blocks = []
    for test, rows in summary.groupby("test", sort=False):
        names = rows["null"] + rows["default"].map({True: _MARK, False: ""})
        wide = rows.assign(null=names).pivot_table(
            "rejected", "series", "null", sort=False, dropna=False
        )
        blocks.append(f"{test}: share rejected at .05\n{as_text(wide.reset_index())}")
    default = summary[summary["default"]]
    if not len(default):
        return "No case gave a result."
    inside = int(default["within"].sum())
    low, high = BAND
    blocks.append(
        f"* the default. It lies between {low:g} and {high:g} in {inside} of {len(default)} cells."
    )
    return "\n\n".join(blocks)


def draw_null(summary: pd.DataFrame) -> Figure:
    """Draw the share of every series, one panel per test, the default filled."""
    with figure_style("benchmark_null"):
        tests = list(dict.fromkeys(summary["test"]))
        if not tests:
            return new_figure(3.0, 2.0)
        series = list(dict.fromkeys(summary["series"]))
        nulls = list(dict.fromkeys(summary["null"]))
        figure = new_figure(2.5 + 1.7 * len(tests), 1.2 + 0.16 * len(series))
        axes = figure.subplots(1, len(tests), squeeze=False, sharey=True)[0]
        for test, ax in zip(tests, axes, strict=True):
            rows = summary[summary["test"] == test]
            ax.axvspan(*BAND, color=FAINT, alpha=0.25, lw=0)
            for null in nulls:
                own = rows[rows["null"] == null]
                where = [series.index(name) for name in own["series"]]
                drawn = colour(null, nulls)
                ax.hlines(where, own["low"], own["high"], color=drawn, lw=1.0, alpha=0.6)
                face = drawn if own["default"].any() else "none"
                ax.scatter(
                    own["rejected"], where, s=14, edgecolors=drawn, facecolors=face, label=null
                )
            ax.set_title(test)
            ax.set_xscale("symlog", linthresh=0.1)
            ax.set_xlim(0.0, 1.0)
            ax.set_xticks([0.0, 0.05, 0.1, 0.5, 1.0], ["0", ".05", ".1", ".5", "1"])
            ax.set_yticks(range(len(series)), series)
        axes[0].invert_yaxis()
        handles = {
            label: handle
            for ax in axes
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=5,
            frameon=False,
        )
        return figure
