"""Turn single arrows of acyclic graphs while their score rises, many graphs at once."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.whole_tables import ancestors

_LEAST_GAIN = 1e-9
_ROUNDS = 200


class Climb:
    """Search graphs of one connected part of the skeleton, many at once.

    Parameters
    ----------
    candidates : list of ndarray of int64, length n_regions
        Possible causes of every region; bit k of a set says whether candidate k is in it.
    score : list of ndarray, each of shape (n_sets,), float64
        Score of every region given every set of its possible causes.
    pairs : ndarray, shape (n_pairs, 2), int64
        Adjacent pairs of the part.
    part : ndarray, shape (size,), int64
        The regions of the part, in ascending order.
    """

    def __init__(
        self,
        candidates: list[NDArray[np.int64]],
        score: list[NDArray[np.float64]],
        pairs: NDArray[np.int64],
        part: NDArray[np.int64],
    ) -> None:
        self.ends = np.searchsorted(part, pairs)
        self.size = len(part)
        self.adjacent = np.zeros((self.size, self.size), dtype=bool)
        self.adjacent[self.ends[:, 0], self.ends[:, 1]] = True
        self.adjacent |= self.adjacent.T
        widest = max(len(score[r]) for r in part)
        self.table = np.zeros((self.size, widest))
        self.bit = np.zeros((self.size, self.size), dtype=np.int64)
        for i, r in enumerate(part):
            own = score[r]
            self.table[i, : len(own)] = own
            near = np.searchsorted(part, candidates[r])
            self.bit[near, i] = 1 << np.arange(len(near))

    def totals(self, graphs: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the total score of every graph."""
        sets = (graphs * self.bit).sum(axis=1)
        return np.asarray(self.table[np.arange(self.size), sets].sum(axis=1))

    def order_of(self, guess: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return an order of the regions in which those that drive more come first."""
        drives = np.zeros(self.size)
        np.add.at(drives, self.ends[:, 0], guess)
        np.add.at(drives, self.ends[:, 1], -guess)
        return np.argsort(-drives, kind="stable")

    def order_in(self, graph: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return an order of the regions in which causes come before effects."""
        depth = np.zeros(self.size, dtype=np.int64)
        for _ in range(self.size):
            depth = np.maximum(depth, np.where(graph, depth[:, None] + 1, 0).max(axis=0))
        return np.argsort(depth, kind="stable")

    def with_turned(self, order: NDArray[np.int64], pair: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the order with the later region of a pair moved just before the earlier one."""
        place = np.argsort(order)
        first, last = sorted(place[pair].tolist())
        return np.concatenate(
            [order[:first], order[last : last + 1], order[first:last], order[last + 1 :]]
        )

    def oriented(self, order: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Orient every pair from the region that comes first in an order."""
        place = np.argsort(order)
        return self.adjacent & (place[:, None] < place)

    def climb(self, graphs: NDArray[np.bool_], fixed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Turn the arrow that gains most in every graph until none gains.

        Parameters
        ----------
        graphs : ndarray, shape (n_graphs, size, size), bool
        fixed : ndarray, shape (n_graphs, n_pairs), bool
            Arrows that stay.
        """
        graphs = graphs.copy()
        moving = np.arange(len(graphs))
        x, y = self.ends.T
        for _ in range(_ROUNDS):
            here = graphs[moving]
            sets = (here * self.bit).sum(axis=1)
            current = self.table[np.arange(self.size), sets]
            sign = np.where(here[:, x, y], 1, -1)
            new_y = self.table[y, sets[:, y] - sign * self.bit[x, y]]
            new_x = self.table[x, sets[:, x] + sign * self.bit[y, x]]
            gain = new_x + new_y - current[:, x] - current[:, y]
            around = here.astype(np.float32) @ ancestors(here) > 0
            closes = np.where(sign > 0, around[:, x, y], around[:, y, x])
            gain[closes | fixed[moving]] = -np.inf
            best = gain.argmax(axis=1)
            moves = np.take_along_axis(gain, best[:, None], axis=1)[:, 0] > _LEAST_GAIN
            if not moves.any():
                break
            # A graph in which no arrow gains anything stays as it is.
            moving = moving[moves]
            a, b = x[best[moves]], y[best[moves]]
            graphs[moving, a, b], graphs[moving, b, a] = graphs[moving, b, a], graphs[moving, a, b]
        return graphs
