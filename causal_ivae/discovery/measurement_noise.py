"""Test whether the supposed cause of a pair is a noisy measurement of what drives the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.probability import vuong_statistic
from causal_ivae.unmixing.standard_form import normal_scores, signs

_LAGS = (-2, -1, 1, 2)
"""A volume of the cause is predicted from its neighbours at these distances (volumes)."""
_PIECE = 40
"""Blocks are divided into pieces of about this many volumes, the units of the tests."""
_AT_ONCE = 2**20
"""The number of pairs times volumes that are held at once."""
_LEAST_VARIANCE = 1e-3
_TINY = 1e-12


@dataclass(frozen=True)
class NoiseTests:
    """Hold for either direction of every pair what speaks for noise in the supposed cause.

    The first column supposes x -> y, the second y -> x.  Positive numbers speak for noise.

    Attributes
    ----------
    lagged, modulated : ndarray, shape (pairs, 2), float64
        Standard normal numbers of the two tests of `measurement_noise`.
    """

    lagged: NDArray[np.float64]
    modulated: NDArray[np.float64]


def measurement_noise(
    values: NDArray[np.floating],
    segments: NDArray[np.int64],
    blocks: NDArray[np.int64],
    pairs: NDArray[np.int64],
) -> NoiseTests:
    """Test both directions of every pair for noise in the supposed cause.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    segments, blocks : ndarray, shape (n_times,), int64
        The volumes of a block follow one another and belong to one segment.
    pairs : ndarray, shape (n_pairs, 2), int64

    Notes
    -----
    Two regions that see one signal s, x = s + e1 and y = b s + e2, look like an arrow from the
    cleaner one.  But noise in x attenuates the slope of y on x, and an instrument that is
    correlated with s and not with e1 shows by how much (Durbin 1954, "Errors in variables"; Hausman
    1978, "Specification tests in econometrics").  If x drives y and is not noisy, the residual of
    that regression is uncorrelated with both instruments that are used: the neighbours of x in time
    (white noise has none of its signal's autocorrelation), and x times its variance in the segment
    (noise has the same variance in all segments).  Series are mapped to normal scores first, since
    an effect that is not linear in its cause is then nearly unbiased too.
    """
    columns, position = np.unique(pairs, return_inverse=True)
    causes, effects = position.reshape(-1, 2).T
    known = np.asarray(values)[:, columns]
    scores = normal_scores(known * signs(known))[0]
    # Rows are series: sums over a contiguous axis do not depend on the other regions.
    series = np.ascontiguousarray(scores.T, dtype=np.float64)
    series -= _mean_by(blocks, series)
    variance = np.maximum(_mean_by(segments, np.square(series)), _LEAST_VARIANCE)
    neighbours, inside = _from_neighbours(series, blocks)
    pieces = _pieces(blocks)
    found = np.empty((2, len(pairs), 2))
    step = max(1, _AT_ONCE // len(blocks))
    for start in range(0, len(pairs), step):
        some = slice(start, start + step)
        for way, (cause, effect) in enumerate(((causes, effects), (effects, causes))):
            c, e = cause[some], effect[some]
            x, y, spread = series[c], series[e], variance[c]
            found[0, some, way] = _attenuation(x, y, neighbours[c], inside, pieces)
            found[1, some, way] = _attenuation(x, y, spread * x, 1.0 / spread, pieces)
    return NoiseTests(*found)


def _attenuation(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    instrument: NDArray[np.float64],
    weight: NDArray[np.float64],
    pieces: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Test whether the slope of y on x is smaller than the instrument says, shape (pairs,).

    Every array has the shape (pairs, n_times), the weights of the volumes perhaps (n_times,).
    """
    size = (weight * x * x).sum(axis=1, keepdims=True) + _TINY
    slope = (weight * x * y).sum(axis=1, keepdims=True) / size
    beside = instrument - (weight * instrument * x).sum(axis=1, keepdims=True) / size * x
    moment = weight * (y - slope * x) * beside
    starts = np.flatnonzero(np.diff(pieces, prepend=-1))
    statistic = vuong_statistic(np.add.reduceat(moment, starts, axis=1))
    return np.asarray(np.sign(slope[:, 0]) * statistic)


def _from_neighbours(
    series: NDArray[np.float64], blocks: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predict every volume from its neighbours, and say which have all of them in their block.

    Returns
    -------
    predicted : ndarray, shape (n_regions, n_times), float64
        0 for volumes without all neighbours.
    inside : ndarray, shape (n_times,), float64
        1 or 0.
    """
    reach = max(_LAGS)
    rows = np.arange(reach, len(blocks) - reach)
    rows = rows[blocks[rows - reach] == blocks[rows + reach]]
    predicted, inside = np.zeros_like(series), np.zeros(len(blocks))
    inside[rows] = 1.0
    beside = np.stack([series[:, rows + lag] for lag in _LAGS], axis=1)
    for region, (around, own) in enumerate(zip(beside, series[:, rows], strict=True)):
        square = around @ around.T + _TINY * np.eye(len(_LAGS))
        predicted[region, rows] = np.linalg.solve(square, around @ own) @ around
    return predicted, inside


def _mean_by(labels: NDArray[np.int64], series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for every volume the mean of the volumes with its label, shape of the series."""
    count = np.maximum(np.bincount(labels), 1)
    total = np.stack([np.bincount(labels, row) for row in series])
    return np.asarray((total / count)[:, labels])


def _pieces(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a label of every volume's piece of its block, shape (n_times,)."""
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))
    length = np.diff(starts, append=len(blocks))
    number = np.maximum(1, length // _PIECE)
    place = np.arange(len(blocks)) - np.repeat(starts, length)
    first = np.repeat(np.cumsum(number) - number, length)
    return np.asarray(first + place * np.repeat(number, length) // np.repeat(length, length))
