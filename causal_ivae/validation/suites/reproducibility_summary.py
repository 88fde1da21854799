"""Summarise how two parts of the same data agree, and draw it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from causal_ivae.drawing.svg import FAINT, new_figure
from causal_ivae.validation.suites.agreement import (
    Agreement,
    Graphs,
    agreement,
    curve,
    permutations_of,
)
from causal_ivae.validation.suites.method_lines import colour, finish, form
from causal_ivae.validation.text_tables import share_with_interval

_SIGN = {"x->y": 1, "y->x": -1}


def summarise(
    rows: pd.DataFrame, parts: Mapping[str, tuple[str, str]], *, permutations: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the agreement of the two parts, and its curve over the confidence.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of all cases: ``comparison``, ``split``, ``part``, ``series``, ``method``, ``x``, ``y``,
        ``decision``, ``score``, ``confidence``.
    parts : mapping of str to (str, str)
        The two parts of every comparison.

    Returns
    -------
    summary : pandas.DataFrame
        One row per comparison, method and kind of series: ``pairs`` of regions, ``abstained``, the
        share ``agree`` of those decided in both parts with its 95 % Wilson interval (of the mean
        number of edges over splits), ``expected`` and ``p`` under permuted regions; ``sign_agree``,
        ``sign_expected`` and ``sign_p`` for the signs of all scores.
    curves : pandas.DataFrame
        ``level`` of confidence, ``abstained``, ``agree``, ``expected``, ``p``.
    """
    summary: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    kinds = ["comparison", "method", "series"]
    for (comparison, method, series), group in rows.groupby(kinds, sort=False):
        regions = list(dict.fromkeys([*group["x"], *group["y"]]))
        first, second = (
            _graphs(group[group["part"] == part], regions) for part in parts[str(comparison)]
        )
        if first.direction.shape != second.direction.shape:
            # A part failed, which the table reports.
            continue
        permuted = permutations_of(len(regions), permutations, seed)
        pairs = len(regions) * (len(regions) - 1) // 2
        decided = agreement(first.of_decided(), second.of_decided(), permuted)
        signs = agreement(first.direction, second.direction, permuted)
        head = {"comparison": comparison, "method": method, "series": series}
        summary.append(
            {
                **head,
                "pairs": pairs,
                **_row(decided, pairs),
                "sign_agree": signs.share,
                "sign_expected": signs.expected,
                "sign_p": signs.p_value,
            }
        )
        curves += [
            {**head, "level": level, **_row(found, pairs)}
            for level, found in curve(first, second, permuted)
        ]
    return pd.DataFrame(summary), pd.DataFrame(curves)


def _row(found: Agreement, pairs: int) -> dict[str, float | None]:
    return {
        "abstained": 1.0 - found.edges / pairs,
        "decided": found.edges,
        **share_with_interval("agree", (found.share or 0.0) * found.edges, found.edges),
        "expected": found.expected,
        "p": found.p_value,
    }


def _graphs(rows: pd.DataFrame, regions: list[str]) -> Graphs:
    splits = {split: i for i, split in enumerate(sorted(set(rows["split"])))}
    shape = (len(splits), len(regions), len(regions))
    where = (
        rows["split"].map(splits).to_numpy(dtype=np.int64),
        rows["x"].map(regions.index).to_numpy(dtype=np.int64),
        rows["y"].map(regions.index).to_numpy(dtype=np.int64),
    )
    mirrored = (where[0], where[2], where[1])
    directed = rows["decision"].isin(list(_SIGN))
    # The decision counts, even if the score has the other sign.
    sign = np.where(directed, rows["decision"].map(_SIGN), np.sign(rows["score"])).astype(np.int8)
    sure = rows["confidence"].astype(float).fillna(rows["score"].abs())
    sure = sure.where(rows["decision"] != "none", 0.0)
    direction = np.zeros(shape, dtype=np.int8)
    strength, decided = np.zeros(shape), np.zeros(shape, dtype=bool)
    direction[where], direction[mirrored] = sign, -sign
    strength[where] = strength[mirrored] = sure
    decided[where] = decided[mirrored] = directed
    return Graphs(direction, strength, decided)


def draw(summary: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Draw agreement against abstention, one panel per comparison.

    Parameters
    ----------
    summary, curves : pandas.DataFrame
        As `summarise` returns them.

    Returns
    -------
    matplotlib.figure.Figure
        Lines go over the confidence level; a cross is the default decision, a ring the same in
        twins; dotted lines are what permuted regions give.
    """
    comparisons = list(dict.fromkeys(summary["comparison"]))
    methods = list(dict.fromkeys(summary["method"]))
    figure = new_figure(max(5.0, 2.8 * len(comparisons)), 3.0)
    axes = figure.subplots(1, len(comparisons), squeeze=False, sharey=True)[0]
    for comparison, ax in zip(comparisons, axes, strict=True):
        for method in methods:
            drawn = colour(method, methods)
            own = _of(curves, comparison, method)
            ax.plot(own["abstained"], own["agree"], **form(method, methods), lw=1.1, ms=2.5)
            ax.plot(own["abstained"], own["expected"], color=drawn, lw=0.8, ls=":")
            for series, shape, face in (("data", "x", drawn), ("twins", "o", "none")):
                default = _of(summary, comparison, method, series)
                ax.plot(default["abstained"], default["agree"], shape, ms=6.0, mec=drawn, mfc=face)
        ax.axhline(0.5, color=FAINT, lw=0.8)
        ax.set_title(comparison)
        ax.set_xlabel("share abstained on")
        ax.set_xlim(-0.02, 1.02)
    axes[0].set_ylabel("share of directions that agree")
    finish(figure, axes)
    return figure


def _of(table: pd.DataFrame, comparison: str, method: str, series: str = "data") -> pd.DataFrame:
    kind = table[["comparison", "method", "series"]] == [comparison, method, series]
    return table[kind.all(axis=1)]
