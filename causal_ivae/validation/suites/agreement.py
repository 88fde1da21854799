"""Test whether two graphs of the same regions agree more than with permuted regions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_ivae.seeding import generator

_CHUNK_NUMBERS = 2**23
_LEVELS = 15
"""A curve has at most this many points."""


@dataclass(frozen=True)
class Graphs:
    """Hold the graphs of one part of the data, for instance one half, in several splits.

    Attributes
    ----------
    direction : ndarray, shape (splits, regions, regions), int8
        1 in row i, column j where i drives j is favoured, -1 where j drives i, else 0.
    strength : ndarray, shape (splits, regions, regions), float64
        How sure that is, symmetric; of any unit.
    decided : ndarray, shape (splits, regions, regions), bool
        Where the method claims a direction.
    """

    direction: NDArray[np.int8]
    strength: NDArray[np.float64]
    decided: NDArray[np.bool_]

    def of_decided(self) -> NDArray[np.int8]:
        """Return the directions that are claimed."""
        return np.where(self.decided, self.direction, 0).astype(np.int8)

    def from_strength(self, level: float) -> NDArray[np.int8]:
        """Return the directions whose strength is at least `level`."""
        return np.where(self.strength >= level, self.direction, 0).astype(np.int8)


@dataclass(frozen=True)
class Agreement:
    """Hold how often two graphs agree.

    Attributes
    ----------
    edges : float
        With a direction in both, mean over splits.
    share : float or None
        Of these, those with the same direction; None where there are none.
    expected : float or None
        The same with regions permuted, mean over permutations.
    p_value : float or None
        One-sided.
    """

    edges: float
    share: float | None
    expected: float | None
    p_value: float | None


def permutations_of(regions: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return random permutations of regions, shape (count, regions)."""
    rng = generator(seed, "permuted regions", regions)
    return rng.permuted(np.tile(np.arange(regions), (count, 1)), axis=1)


def agreement(
    first: NDArray[np.int8], second: NDArray[np.int8], permutations: NDArray[np.int64]
) -> Agreement:
    """Compare two directed graphs of the same regions.

    Parameters
    ----------
    first, second : ndarray, shape (splits, regions, regions), int8
        1, -1 or 0 (no direction); antisymmetric.
    permutations : ndarray, shape (count, regions), int64
        Of the regions of `second`; one permutation for all splits, because splits of the same
        subjects depend on each other.

    Notes
    -----
    The quadratic assignment procedure (Hubert and Schultz 1976): edges that share a region depend
    on each other, so regions are permuted and not edges.
    """
    splits, regions, _ = first.shape
    upper = np.triu(np.ones((regions, regions), dtype=bool), 1)
    same, both = _counts(first, second, upper)
    if not both:
        return Agreement(0.0, None, None, None)
    share = same / both
    step = max(1, _CHUNK_NUMBERS // (splits * regions * regions))
    shares = []
    for start in range(0, len(permutations), step):
        some = permutations[start : start + step]
        moved = second[:, some[:, :, None], some[:, None, :]].swapaxes(0, 1)
        product = (first * moved)[..., upper]
        hits, counts = (product > 0).sum(axis=(1, 2)), (product != 0).sum(axis=(1, 2))
        # A permutation that leaves nothing to compare counts as one half.
        shares.append(np.where(counts > 0, hits / np.maximum(counts, 1), 0.5))
    drawn = np.concatenate(shares)
    p_value = (1 + int((drawn >= share - 1e-12).sum())) / (1 + len(drawn))
    return Agreement(both / splits, share, float(drawn.mean()), p_value)


def _counts(
    first: NDArray[np.int8], second: NDArray[np.int8], upper: NDArray[np.bool_]
) -> tuple[int, int]:
    product = (first * second)[:, upper]
    return int((product > 0).sum()), int((product != 0).sum())


def curve(
    first: Graphs, second: Graphs, permutations: NDArray[np.int64]
) -> list[tuple[float, Agreement]]:
    """Return the agreement of edges that are at least so sure in both graphs.

    Parameters
    ----------
    permutations : ndarray, shape (count, regions), int64

    Returns
    -------
    list of (float, Agreement)
        The level, from the least to the largest: quantiles of the smaller of the two strengths.
    """
    both = np.triu(first.direction * second.direction != 0, 1)
    if not both.any():
        return []
    weaker = np.minimum(first.strength, second.strength)[both]
    levels = np.unique(np.quantile(weaker, np.linspace(0.0, 0.95, _LEVELS), method="higher"))
    return [
        (float(t), agreement(first.from_strength(t), second.from_strength(t), permutations))
        for t in levels
    ]
