"""Choose whether the regions of every subject have scales of their own, or one for all."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.network.acyclic import best_total, local_scores
from causal_ivae.discovery.network.adjacency import partial_correlations
from causal_ivae.discovery.network.units import Units, series_of_own
from causal_ivae.seeding import generator

_ALIKE = 0.01
"""Standard deviations that differ by less than this share count as equal."""
_FLAT = 1e-6
"""A region does not move in a segment with less than this share of its largest deviation."""
_NEIGHBOURS = 3
"""Pairs among the so many largest partial correlations of a region make the skeleton."""


def scaled(
    values: NDArray[np.floating], segments: NDArray[np.int64], seed: int = 0
) -> tuple[NDArray[np.float64], bool]:
    """Divide long segments by their own standard deviations if the equations then fit better.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    segments : ndarray, shape (n_times,), int64
        Those of a hundred volumes or more (subjects, runs) may have scales of their own.

    Returns
    -------
    values : ndarray, shape (n_times, n_regions), float64
    by_segment : bool
        True if every segment was divided by its own standard deviations.

    Notes
    -----
    The gain of a haemodynamic response differs between subjects, so that the coefficients of
    equations may be alike only between standardised series.  Where the disturbances' scales differ
    instead, for instance between conditions, standardising makes the coefficients differ.  What
    holds is told by the likelihood of the best acyclic graph of the series as they were measured,
    with coefficients that are the same for all segments and disturbances whose scales are not.
    """
    x = np.asarray(values, dtype=np.float64)
    own = series_of_own(segments)
    if not own.any():
        return x, False
    centred, deviation = _centred(x, own)
    count = np.bincount(own)
    standard = centred / deviation[own]
    volume = [
        0.5 * np.log(count @ np.square(deviation) / len(x)).sum(),
        (count @ np.log(deviation) / len(x)).sum(),
    ]
    fits = [
        _total(form, segments, seed) - size
        for form, size in zip((centred, standard), volume, strict=True)
    ]
    return (standard, True) if fits[1] > fits[0] else (x, False)


def is_standardised(values: NDArray[np.floating], segments: NDArray[np.int64]) -> bool:
    """Check whether every region has the same standard deviation in all long segments.

    Segments in which a region does not move at all do not count.
    """
    own = series_of_own(segments)
    _, deviation = _centred(np.asarray(values, dtype=np.float64), own)
    largest = deviation.max(axis=0)
    smallest = np.where(deviation > _FLAT * largest, deviation, np.inf).min(axis=0)
    return bool(own.any() and (largest - smallest < _ALIKE * largest).all())


def standardised(values: NDArray[np.floating], segments: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide every region by its own standard deviation in every long segment.

    Segments that are not long are of one series, which is divided by its own (see
    `causal_ivae.discovery.network.units.series_of_own`).
    """
    own = series_of_own(segments)
    centred, deviation = _centred(np.asarray(values, dtype=np.float64), own)
    return np.asarray(centred / deviation[own])


def _centred(
    x: NDArray[np.float64], own: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return series without their means, and the standard deviations (n_series, n_regions)."""
    count = np.bincount(own)
    order = np.argsort(own, kind="stable")
    starts = np.cumsum(count) - count
    mean = np.add.reduceat(x[order], starts, axis=0) / count[:, None]
    centred = x - mean[own]
    power = np.add.reduceat(np.square(centred[order]), starts, axis=0) / count[:, None]
    return centred, np.sqrt(power) + 1e-12 * np.sqrt(power.mean(axis=0)) + 1e-300


def _total(values: NDArray[np.float64], segments: NDArray[np.int64], seed: int) -> float:
    """Return the log-likelihood of the best acyclic graph of standardised series."""
    units = Units.of(values, segments)
    size = np.abs(partial_correlations(np.tensordot(units.weights, units.products(), axes=1)))
    np.fill_diagonal(size, 0.0)
    near = np.argsort(-size, axis=1, kind="stable")[:, :_NEIGHBOURS]
    adjacent = np.zeros(size.shape, dtype=bool)
    np.put_along_axis(adjacent, near, values=True, axis=1)
    adjacent |= adjacent.T
    np.fill_diagonal(adjacent, False)
    pairs = np.argwhere(np.triu(adjacent, 1))
    scores = local_scores(units, adjacent, scales=False)
    return best_total(scores, pairs, np.zeros(len(pairs)), generator(seed, "scaling"))
