"""Make twins of series: the same covariance and spectra, but no region drives another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.network.units import series_of_own

_ROUNDS = 25
_LEAST_COMMON, _MOST_COMMON = 0.05, 0.98
_SHRINKAGE = 0.05
_REGIONS_PER_FACTOR = 3
_LEAST_SHIFT, _MOST_LEAST_SHIFT, _SHIFT_SHARE = 10, 40, 8


@dataclass(frozen=True)
class FactorParts:
    """Hold the factor model of one series.

    Attributes
    ----------
    rows : ndarray, shape (n_rows,), int64
        Its volumes.
    factors : ndarray, shape (n_rows, n_factors), float64
        Time courses of the common factors.
    loadings : ndarray, shape (n_regions, n_factors), float64
    own : ndarray, shape (n_rows, n_regions), float64
        What is left of every region.
    """

    rows: NDArray[np.int64]
    factors: NDArray[np.float64]
    loadings: NDArray[np.float64]
    own: NDArray[np.float64]


class Twins:
    """Draw twins of series, which have their covariance and spectra and no arrow.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    segments, blocks : ndarray, shape (n_times,), int64
        Segments of a hundred volumes or more (subjects, runs) have factor models of their own.
        No shift crosses the end of a block.
    n_factors : int, optional
        Default: a third of the number of regions, at least one.

    Notes
    -----
    x = L f + e by principal factors.  A twin is L Q' (Q f)* + e*, where Q is a random rotation, and
    the star moves every factor and every own part by a time of its own, around within blocks.  The
    moves keep every spectrum and every common factor's share, but neither the relative timing nor
    the joint distribution by which an arrow could show.
    """

    def __init__(
        self,
        values: NDArray[np.floating],
        segments: NDArray[np.int64],
        blocks: NDArray[np.int64],
        n_factors: int | None = None,
    ) -> None:
        x = np.asarray(values, dtype=np.float64)
        self._values = x
        starts = np.flatnonzero(np.diff(blocks, prepend=blocks[0] - 1))
        self._starts, self._lengths = starts, np.diff(np.append(starts, len(x)))
        count = n_factors or max(1, x.shape[1] // _REGIONS_PER_FACTOR)
        own = series_of_own(segments)
        self._parts = [
            _factor_parts(x, np.flatnonzero(own == label), count) for label in np.unique(own)
        ]

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw one twin, shape (n_times, n_regions)."""
        twin = np.empty_like(self._values)
        for part in self._parts:
            n = part.factors.shape[1]
            turned, _ = np.linalg.qr(rng.standard_normal((n, n)))
            moving = np.column_stack([part.factors @ turned, part.own])
            moved = self._moved(moving, part.rows, rng)
            twin[part.rows] = moved[:, :n] @ (part.loadings @ turned).T + moved[:, n:]
        return twin

    def shifted(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Move every region by times of its own, shape (n_times, n_regions); they share nothing."""
        result = np.empty_like(self._values)
        for part in self._parts:
            result[part.rows] = self._moved(self._values[part.rows], part.rows, rng)
        return result

    def _moved(
        self, series: NDArray[np.float64], rows: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Move every column around within the blocks, each by times of its own."""
        block = np.searchsorted(self._starts, rows, side="right") - 1
        _, first, length = np.unique(block, return_index=True, return_counts=True)
        least = np.clip(length // _SHIFT_SHARE, _LEAST_SHIFT, _MOST_LEAST_SHIFT)
        least = np.minimum(least, length // 2)
        draw = rng.random((len(length), series.shape[1]))
        shift = least[:, None] + np.floor(draw * np.maximum(length - 2 * least, 1)[:, None])
        number = np.repeat(np.arange(len(length)), length)
        place = np.arange(len(rows)) - first[number]
        moved = (place[:, None] - shift.astype(np.int64)[number]) % length[number][:, None]
        return np.take_along_axis(series, first[number][:, None] + moved, axis=0)


def _factor_parts(
    values: NDArray[np.float64], rows: NDArray[np.int64], n_factors: int
) -> FactorParts:
    """Fit a factor model to some volumes by iterated principal factors."""
    x = values[rows] - values[rows].mean(axis=0)
    deviation = x.std(axis=0) + 1e-12
    x = x / deviation
    d = x.shape[1]
    correlation = x.T @ x / len(x)
    shrunk = (1.0 - _SHRINKAGE) * correlation + _SHRINKAGE * np.eye(d)
    common = 1.0 - 1.0 / np.diag(np.linalg.inv(shrunk))
    loadings = np.zeros((d, n_factors))
    for _ in range(_ROUNDS):
        reduced = correlation - np.diag(np.diag(correlation)) + np.diag(common)
        size, direction = np.linalg.eigh(reduced)
        loadings = direction[:, -n_factors:] * np.sqrt(np.maximum(size[-n_factors:], 1e-6))
        common = np.clip(np.square(loadings).sum(axis=1), _LEAST_COMMON, _MOST_COMMON)
    unique = 1.0 - common
    weighted = loadings / unique[:, None]
    factors = x @ np.linalg.solve(np.eye(n_factors) + loadings.T @ weighted, weighted.T).T
    factors = factors / factors.std(axis=0)
    own = x - factors @ np.linalg.lstsq(factors, x, rcond=None)[0]
    own = own / (own.std(axis=0) + 1e-12) * np.sqrt(unique)
    return FactorParts(rows, factors, loadings * deviation[:, None], own * deviation)


def threshold(
    claims: NDArray[np.float64],
    decoys: NDArray[np.float64],
    confidence: float,
    share: float,
) -> float | None:
    """Return the least probability at which claims are to be trusted; None if there is none.

    Parameters
    ----------
    claims : ndarray, shape (n,), float64
        Probabilities of all arrows of the data.
    decoys : ndarray, shape (n_twins, n), float64
        Those of the twins.
    confidence : float
        The threshold is at least this.
    share : float
        Largest share of the claims that a twin may make as well.

    Notes
    -----
    The target-decoy rule of proteomics (Elias and Gygi 2007, Nature Methods 4:207-214), with one
    more claim of all twins together as a correction for their number: (decoys >= t + 1) / twins is
    at most ``share`` times (claims >= t).
    """
    trusted = claims[decoy_q_values(claims, decoys, confidence) <= share]
    return float(trusted.min()) if len(trusted) else None


def decoy_q_values(
    claims: NDArray[np.float64], decoys: NDArray[np.float64], confidence: float
) -> NDArray[np.float64]:
    """Return for every arrow the least share of twins' claims at which it is claimed, at most 1.

    Parameters
    ----------
    claims, decoys, confidence
        See `threshold`.

    Returns
    -------
    ndarray, shape (n,), float64
        NaN for arrows with a probability below the confidence, and without twins.
    """
    q_value = np.full(len(claims), np.nan)
    sure = np.flatnonzero(claims >= confidence)
    sure = sure[np.argsort(-claims[sure], kind="stable")]
    if not len(sure) or not len(decoys):
        return q_value
    level = claims[sure]
    # Arrows of equal probability are claimed together.
    count = len(level) - np.searchsorted(level[::-1], level, side="left")
    false = decoys.size - np.searchsorted(np.sort(decoys, axis=None), level, side="left")
    share = (false + 1) / len(decoys) / count
    q_value[sure] = np.minimum(np.minimum.accumulate(share[::-1])[::-1], 1.0)
    return q_value
