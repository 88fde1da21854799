"""Find pairs of regions that hold one series twice."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError

_SAME = 0.9999
"""Correlation above which two regions are copies of each other, whatever their scale and sign."""
_PAIRS_AT_ONCE = 4096


def correlations(x: NDArray[np.float32], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the correlation of the two regions of every pair.

    Parameters
    ----------
    x : ndarray, shape (n_times, n_regions), float32, z-scored
    pairs : ndarray, shape (n_pairs, 2), int64

    Returns
    -------
    ndarray, shape (n_pairs,), float64
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

    Raises
    ------
    InputError
        If no pair is left.
    """
    r = correlations(x, pairs)
    same = np.flatnonzero(np.abs(r) > _SAME)
    reasons = np.full(len(pairs), "", dtype=object)
    for pair in same:
        i, j = pairs[pair]
        reasons[pair] = (
            f"{names[i]} and {names[j]} are the same series up to scale, r = {r[pair]:.4f}."
        )
    if len(same) == len(pairs):
        raise InputError(f"No pair of regions can be oriented. {reasons[0]}")
    return reasons
