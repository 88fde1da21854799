"""Find the acyclic graph whose structural equations have the highest total score."""

from collections.abc import Sequence
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

MAX_REGIONS = 12
"""More regions have too many subsets."""

_CHUNK_NUMBERS = 2**24
"""The table of best scores of a chunk holds this many numbers, 128 MiB of float64."""


def candidate_causes(
    allowed: NDArray[np.bool_], max_causes: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return every set of causes that every region may have.

    Parameters
    ----------
    allowed : ndarray, shape (n_regions, n_regions), bool
        True if the row's region may be a cause of the column's region.
    max_causes : int, optional
        Largest number of causes in a set; any number by default.

    Returns
    -------
    region : ndarray, shape (n_sets,), int64
    causes : ndarray, shape (n_sets, n_regions), bool
    """
    rows: list[tuple[int, Sequence[int]]] = []
    for region in range(len(allowed)):
        may = [i for i in np.flatnonzero(allowed[:, region]).tolist() if i != region]
        most = len(may) if max_causes is None else min(max_causes, len(may))
        sets = chain.from_iterable(combinations(may, size) for size in range(most + 1))
        rows += [(region, chosen) for chosen in sets]
    causes = np.zeros((len(rows), len(allowed)), dtype=bool)
    for row, (_, chosen) in enumerate(rows):
        causes[row, list(chosen)] = True
    return np.array([region for region, _ in rows], dtype=np.int64), causes


def best_graphs(
    region: NDArray[np.int64], causes: NDArray[np.bool_], score: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Find the acyclic graph with the highest total score, for many scorings at once.

    Parameters
    ----------
    region : ndarray, shape (n_sets,), int64
    causes : ndarray, shape (n_sets, n_regions), bool
        A set of causes of that region, without the region itself; every region has the empty set.
    score : ndarray, shape (n_sets, n_scorings), float64
        Score of a graph's region if it has this set of causes.

    Returns
    -------
    ndarray, shape (n_scorings, n_regions, n_regions), bool
        Row = cause, column = effect.

    Notes
    -----
    The search follows Silander and Myllymaki 2006, "A simple approach for finding the globally
    optimal Bayesian network structure": first the best set of causes within every set of regions,
    then the best last region of every set of regions.
    """
    n_regions = causes.shape[1]
    step = max(1, _CHUNK_NUMBERS // (n_regions << n_regions))
    return np.concatenate(
        [
            _best_graphs(region, causes, score[:, start : start + step])
            for start in range(0, score.shape[1], step)
        ]
    )


def _best_graphs(
    region: NDArray[np.int64], causes: NDArray[np.bool_], score: NDArray[np.float64]
) -> NDArray[np.bool_]:
    (n_sets, n), scorings = causes.shape, score.shape[1]
    subsets = 1 << n
    members = causes @ (1 << np.arange(n))
    value = np.full((n, subsets, scorings), -np.inf)
    value[region, members] = score
    which = np.zeros((n, subsets, scorings), dtype=np.int64)
    which[region, members] = np.arange(n_sets)[:, None]
    for bit in range(n):
        # The best causes within a set are those without this region if they score higher.
        halves = value.reshape(n, -1, 2, 1 << bit, scorings)
        chosen = which.reshape(halves.shape)
        better = halves[:, :, 0] > halves[:, :, 1]
        halves[:, :, 1] = np.where(better, halves[:, :, 0], halves[:, :, 1])
        chosen[:, :, 1] = np.where(better, chosen[:, :, 0], chosen[:, :, 1])
    total = np.zeros((subsets, scorings))
    last = np.zeros((subsets, scorings), dtype=np.int64)
    for subset in range(1, subsets):
        inside = [j for j in range(n) if subset >> j & 1]
        before = [subset ^ (1 << j) for j in inside]
        sums = total[before] + value[inside, before]
        best = sums.argmax(axis=0)
        total[subset] = np.take_along_axis(sums, best[None], axis=0)[0]
        last[subset] = np.array(inside)[best]
    graphs = np.zeros((scorings, n, n), dtype=bool)
    every = np.arange(scorings)
    left = np.full(scorings, subsets - 1)
    for _ in range(n):
        effect = last[left, every]
        left = left ^ (1 << effect)
        graphs[every, :, effect] = causes[which[effect, left, every]]
    return graphs
