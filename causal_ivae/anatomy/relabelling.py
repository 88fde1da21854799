"""Tell by permuted region labels whether a graph follows anatomy beyond chance."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_BINS = 20
"""Pairs of regions are sorted into at most this many classes of distance."""
_LEAST_IN_BIN = 5
"""A class of distance holds at least this many pairs of regions."""
_AT_ONCE = 4_000_000
"""The number of arrows times permutations that are held at once."""


def expected_by_distance(
    explained: NDArray[np.bool_],
    covered: NDArray[np.bool_],
    names: Sequence[str],
    coordinates: Mapping[str, Sequence[float]] | None,
) -> NDArray[np.float64]:
    """Return how often a prior explains arrows between regions as far apart as each pair.

    Parameters
    ----------
    explained, covered : ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect: what the prior explains, and what it speaks of.
    names : sequence of str, length n_regions
    coordinates : mapping of str to sequence of float, or None
        Centre of every region (mm); without that of every region, distance plays no part.

    Returns
    -------
    ndarray, shape (n_regions, n_regions), float64
        Share of the covered pairs in the same class of distance that the prior explains.
    """
    total = int(covered.sum())
    shares = np.full(covered.shape, explained[covered].mean() if total else 0.0)
    if coordinates is None or any(name not in coordinates for name in names) or not total:
        return shares
    places = np.array([coordinates[name] for name in names], dtype=np.float64)
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    # Both directions of a pair are in the same class.
    bins = min(_BINS, max(1, total // (2 * _LEAST_IN_BIN)))
    borders = np.quantile(distance[covered], np.arange(1, bins) / bins)
    classes = np.digitize(distance, borders)
    for which in range(bins):
        members = covered & (classes == which)
        if members.any():
            shares[members] = explained[members].mean()
    return shares


def relabelling_p(
    arrows: NDArray[np.int64],
    gain: NDArray[np.float64],
    groups: NDArray[np.int64],
    draws: int,
    rng: np.random.Generator,
) -> float:
    """Test whether the arrows of a graph gain more than those of the same graph relabelled.

    Parameters
    ----------
    arrows : ndarray, shape (n_arrows, 2), int64
        Cause and effect, as indices of regions.
    gain : ndarray, shape (n_regions, n_regions), float64
        What an arrow counts; row = cause, column = effect.
    groups : ndarray, shape (n_regions,), int64
        Labels change places within a group, such as a hemisphere.

    Returns
    -------
    float
        (1 + number of permutations that gain at least as much) / (1 + draws).

    Notes
    -----
    Arrows that share a region are not independent: with a region that drives many others, a graph
    often meets a prior with such a region by chance.  Permuted labels keep that (quadratic
    assignment procedure; Krackhardt 1988).
    """
    observed = gain[arrows[:, 0], arrows[:, 1]].sum()
    least = observed - 1e-9 * max(1.0, abs(observed))
    step = max(1, _AT_ONCE // max(1, len(arrows)))
    as_large = 0
    for start in range(0, draws, step):
        count = min(step, draws - start)
        labels = np.tile(np.arange(len(groups)), (count, 1))
        for group in np.unique(groups):
            members = np.flatnonzero(groups == group)
            labels[:, members] = rng.permuted(labels[:, members], axis=1)
        gained = gain[labels[:, arrows[:, 0]], labels[:, arrows[:, 1]]].sum(axis=1)
        as_large += int((gained >= least).sum())
    return (1 + as_large) / (1 + draws)
