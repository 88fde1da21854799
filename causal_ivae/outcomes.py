"""Define what can be decided about a pair of regions, and which arrows a table of edges holds."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DECISIONS = ("undecided", "x->y", "y->x", "none", "both")
"""Decisions on a pair (x, y); ``"both"`` means that each region drives the other."""
DIRECTIONS = ("x->y", "y->x")
"""Decisions on one direction."""
TURNED = {name: name for name in DECISIONS} | {"x->y": "y->x", "y->x": "x->y"}
"""Every decision on the pair (y, x) that stands for one on the pair (x, y)."""
CONNECTED = "connected, direction unknown"
"""Outcome of an undecided pair that is probably connected directly."""
LEAST_ADJACENT = 0.5
"""Probability of a direct connection at which an undecided pair counts as `CONNECTED`."""

LEAST_LEANING = 0.6
"""Probability, given an arrow, from which the likelier direction of an undecided pair is drawn."""
USABLE = "usable"
"""Verdict on a fit against which nothing speaks."""
WHY = {
    "twins": "not clearly more than what twins of these data without any arrow show",
    "planted": "arrows planted into these data lean the wrong way as often as the right one",
    "direction": "connected, but nothing tells the direction",
    "data": "too little data to tell whether the two are connected",
    "other": "a common cause, a cycle or noise fits as well",
    "same": "the two are the same series",
    "through": "the input reaches it only through other regions",
    "reached": "the input reaches it; directly or through other regions is not known",
    "independent": "no dependence beyond the other regions",
}
"""Why a pair has no arrow, in words for pages."""


def leaning_columns(forward: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return the columns ``leaning`` and ``probability_leaning``.

    Parameters
    ----------
    forward : ndarray, shape (pairs,), float64
        Probability of x -> y if one of the two drives the other; NaN where it is not known.
    """
    likelier = np.select([forward > 0.5, forward < 0.5], DIRECTIONS, "").astype(object)
    return {"leaning": likelier, "probability_leaning": np.maximum(forward, 1.0 - forward)}


def leaning_of(edges: pd.DataFrame) -> NDArray[np.object_]:
    """Return the direction to draw for every pair without an arrow, shape (pairs,); else empty.

    Pairs with the decision "none" have none, nor has a pair whose two directions are about equally
    probable.
    """
    if "leaning" not in edges:
        return np.full(len(edges), "", dtype=object)
    clear = (edges["probability_leaning"] >= LEAST_LEANING) & (edges["decision"] == "undecided")
    return np.where(clear, edges["leaning"].fillna(""), "").astype(object)


def arrow_columns(
    decision: NDArray[Any], x: NDArray[Any], y: NDArray[Any]
) -> dict[str, NDArray[np.object_]]:
    """Return the columns ``cause`` and ``effect``, which are empty unless one direction is decided.

    Parameters
    ----------
    decision : ndarray of str, shape (pairs,)
        Values of `DECISIONS`.
    x, y : ndarray of str, shape (pairs,)
    """
    chosen = [decision == one for one in DIRECTIONS]
    ends = (np.select(chosen, sides, "").astype(object) for sides in ([x, y], [y, x]))
    return dict(zip(("cause", "effect"), ends, strict=True))


def is_decided(edges: pd.DataFrame) -> NDArray[np.bool_]:
    """Return for every row of an edge table whether it has an arrow, shape (pairs,)."""
    return edges["decision"].isin([*DIRECTIONS, "both"]).to_numpy()


def rests_on_poor_fit(edges: pd.DataFrame) -> NDArray[np.bool_]:
    """Return for every row of an edge table whether its fit is not usable, shape (pairs,).

    Pairs whose fit was not judged do not count.
    """
    if "quality" not in edges:
        return np.zeros(len(edges), dtype=bool)
    return ~edges["quality"].fillna("").isin(["", USABLE]).to_numpy()


def count_arrows(edges: pd.DataFrame) -> int:
    """Return the number of arrows of an edge table, in which "both" stands for two."""
    # An index of a cohort counts thousands of small tables, on which pandas is slower than a list.
    decisions = edges["decision"].to_list()
    return sum(decisions.count(one) for one in (*DIRECTIONS, "both", "both"))


def arrows_of(edges: pd.DataFrame) -> pd.DataFrame:
    """Return the decided arrows of an edge table: two for the decision "both", else at most one.

    Parameters
    ----------
    edges : pandas.DataFrame
        Columns ``x``, ``y`` and ``decision``.

    Returns
    -------
    pandas.DataFrame
        ``cause`` and ``effect`` of every arrow, in the order of the rows; ``row``, the label of its
        row in the index of `edges`; ``turned`` (bool), true if the arrow leads from y to x.
    """
    x, y, decision = (edges[name].to_numpy(dtype=object) for name in ("x", "y", "decision"))
    # One column for x -> y and one for y -> x, so that both arrows of a row stand together.
    there = np.stack([np.isin(decision, [one, "both"]) for one in DIRECTIONS], axis=1)
    place, turned = np.nonzero(there)
    return pd.DataFrame(
        {
            "cause": np.where(turned, y[place], x[place]),
            "effect": np.where(turned, x[place], y[place]),
            "row": edges.index[place],
            "turned": turned.astype(bool),
        }
    )


def outcomes_of(edges: pd.DataFrame) -> NDArray[np.object_]:
    """Return the decisions in the words of pages, shape (pairs,), with `CONNECTED` as one of them.

    Parameters
    ----------
    edges : pandas.DataFrame
        ``decision``, and ``probability_adjacent`` if the method estimates it.
    """
    outcome = edges["decision"].to_numpy(dtype=object).copy()
    if "probability_adjacent" in edges:
        near = (edges["probability_adjacent"] >= LEAST_ADJACENT).to_numpy()
        outcome[(outcome == "undecided") & near] = CONNECTED
    return outcome
