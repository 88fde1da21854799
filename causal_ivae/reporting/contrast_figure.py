"""Draw what the scores of subjects depend on: estimates of a model, with their intervals."""

import pandas as pd

from causal_ivae.drawing.svg import BLUE, GRID, INK, Drawing, figure_style, new_figure, shorten
from causal_ivae.reporting.group_rows import tested_terms

_MOST_PAIRS = 20
"""A panel shows this many pairs, those with the smallest p-values."""
_MOST_TERMS = 3


def contrast_figure(
    model: pd.DataFrame, alpha: float, figure_name: str, method: str
) -> Drawing | None:
    """Draw a panel for each term, with one row per pair; None without a tested term.

    Parameters
    ----------
    model : pandas.DataFrame
        Columns of `causal_ivae.derivatives.unit_tables.MODEL`.
    alpha : float
        Largest q-value of a filled mark.
    figure_name : str
        Name that is unique on the page.
    method : str
        Name of the method on pages.
    """
    tested = model[tested_terms(model)]
    terms = list(dict.fromkeys(tested["term"]))[:_MOST_TERMS]
    if not terms:
        return None
    panels = {
        term: tested[tested["term"] == term].sort_values("p_value", kind="stable").head(_MOST_PAIRS)
        for term in terms
    }
    most = max(map(len, panels.values()))
    with figure_style(figure_name):
        figure = new_figure(4.6 * len(terms), 0.2 * most + 0.9)
        for axes, (term, rows) in zip(
            figure.subplots(1, len(terms), squeeze=False)[0], panels.items(), strict=True
        ):
            height = range(len(rows))
            axes.axvline(0, color=INK, lw=0.8, dashes=(4, 3))
            axes.hlines(height, rows["low"], rows["high"], color=BLUE, lw=1.4)
            sure = (rows["q_value"] <= alpha).to_numpy()
            for shown, fill in ((~sure, "white"), (sure, BLUE)):
                axes.plot(
                    rows["estimate"].to_numpy()[shown], [i for i in height if shown[i]],
                    "o", ms=5, mec=BLUE, mew=1.3, mfc=fill,
                )  # fmt: skip
            names = zip(rows["x"], rows["y"], strict=True)
            axes.set_yticks(height, [f"{shorten(x, 18)} → {shorten(y, 18)}" for x, y in names])
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.set_ylim(most - 0.4, -0.6)
            axes.grid(axis="y", color=GRID, lw=0.6)
            axes.set_axisbelow(True)
            axes.set_title(term, loc="left", fontweight="bold")
            axes.set_xlabel("change of the score")
        n_sure = int((tested["q_value"] <= alpha).sum())
        label = (
            f"Estimates of the model over subjects by {method} for {len(terms)} terms, with 95 "
            f"percent intervals; {n_sure} of all have q of at most {alpha:g} and are filled."
        )
        return Drawing(figure, figure_name, label)
