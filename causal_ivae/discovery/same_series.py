"""Find pairs of regions that hold one series twice."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.tables import DIAGNOSTICS, EDGES, RESTARTS, TESTS, TRAINING
from causal_ivae.outcomes import arrow_columns

_SAME = 0.9999
"""Correlation above which two regions are copies of each other, whatever their scale and sign."""
_PAIRS_AT_ONCE = 4096


def correlations(x: NDArray[np.float32], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the correlation of the two regions of every pair, shape (n_pairs,), float64.

    Parameters
    ----------
    x : ndarray, shape (n_times, n_regions), float32, z-scored
    pairs : ndarray, shape (n_pairs, 2), int64
    """
    columns = (x - x.mean(axis=0, dtype=np.float64)).T
    columns /= np.linalg.norm(columns, axis=1, keepdims=True)
    found = np.empty(len(pairs))
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        found[start : start + len(some)] = np.einsum(
            "pt,pt->p", columns[some[:, 0]], columns[some[:, 1]]
        )
    return found


def reasons_undecided(
    x: NDArray[np.float32], pairs: NDArray[np.int64], names: tuple[str, ...]
) -> NDArray[np.object_]:
    """Return for every pair why no direction can be asked of it, or an empty text.

    Two copies of one series (a sphere or a column that was given twice, or with the other sign)
    are the same measurement: either explains the other without rest.

    Parameters
    ----------
    x : ndarray, shape (n_times, n_regions), float32, z-scored
    pairs : ndarray, shape (n_pairs, 2), int64
    names : tuple of str, length n_regions

    Returns
    -------
    ndarray of str, shape (n_pairs,)
    """
    r = correlations(x, pairs)
    same = np.flatnonzero(np.abs(r) > _SAME)
    reasons = np.full(len(pairs), "", dtype=object)
    for pair in same:
        i, j = pairs[pair]
        reasons[pair] = (
            f"{names[i]} and {names[j]} are the same series up to scale, r = {r[pair]:.4f}."
        )
    return reasons


def undecided_edges(
    names: tuple[str, ...], pairs: NDArray[np.int64], reasons: NDArray[np.object_]
) -> pd.DataFrame:
    """Return the edge table of pairs that have no direction to ask for; its numbers are missing.

    Parameters
    ----------
    names, pairs
        As in `reasons_undecided`.
    reasons : ndarray of str, shape (n_pairs,)
    """
    x, y = np.array(names, dtype=object)[pairs.T]
    decision = np.full(len(pairs), "undecided", dtype=object)
    table = EDGES.frame({"x": x, "y": y, "decision": decision, **arrow_columns(decision, x, y)})
    return table.assign(reason=reasons)


def tables_without_fits(edges: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables of a graph of which nothing was fitted, since all regions are copies.

    Parameters
    ----------
    edges : pandas.DataFrame
        From `undecided_edges`.
    """
    others = (TESTS, RESTARTS, TRAINING, DIAGNOSTICS)
    return {"edges": edges, **{table.name: table.frame() for table in others}}


def reasons_of_copies(
    x: NDArray[np.float32],
    pairs: NDArray[np.int64],
    names: tuple[str, ...],
    first: NDArray[np.int64],
) -> NDArray[np.object_]:
    """Return why pairs with a copy among their regions are not in the graph of all regions.

    Parameters
    ----------
    x, pairs, names
        As in `reasons_undecided`.
    first : ndarray, shape (n_regions,), int64
        From `first_copies`.
    """
    # The pair of a copy and the first region with its series says it for all pairs of the copy.
    copy = np.where(first[pairs[:, 1]] == pairs[:, 1], pairs[:, 0], pairs[:, 1])
    return reasons_undecided(x, np.stack([first[copy], copy], axis=1), names)


def first_copies(x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return for every region the first region that holds the same series, often itself.

    Parameters
    ----------
    x : ndarray, shape (n_times, n_regions), float32, z-scored

    Returns
    -------
    ndarray, shape (n_regions,), int64
    """
    pairs = np.stack(np.triu_indices(x.shape[1], 1), axis=1)
    same = pairs[np.abs(correlations(x, pairs)) > _SAME]
    first = np.arange(x.shape[1])
    np.minimum.at(first, same[:, 1], same[:, 0])
    return first
