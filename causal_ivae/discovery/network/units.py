"""Cut series into units, each with scales of its own, and take the prediction of the past off."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

LEAST_UNITS = 20
"""Segments are cut into windows until there are this many units."""
SHORTEST_UNIT = 25
"""A unit has at least this many volumes, unless the whole series has fewer."""
MOST_ROWS = 10_000
"""Of longer series every second, third, ... volume is used: BOLD changes slowly."""
_ROWS_OF_OWN = 100
"""Segments of this many volumes (median) have autoregressive coefficients of their own."""
_LONGEST_ORDER = 8
_ROWS_PER_LAG = 15


@dataclass(frozen=True)
class Units:
    """Hold series cut into units, for instance the subjects of a group or windows of one subject.

    Attributes
    ----------
    values : ndarray, shape (n_units, longest, n_regions), float32
        Demeaned in every unit, and each region scaled to variance one over all units.  Shorter
        units are filled up with rows of zeros.  Sums over volumes lose no more than the
        sixth digit in single precision.
    counts : ndarray, shape (n_units,), int64
        Number of volumes of every unit.
    segment : ndarray, shape (n_units,), int64
        Segment of every unit, for instance the subject of a window; of several that were joined,
        the first.
    """

    values: NDArray[np.float32]
    counts: NDArray[np.int64]
    segment: NDArray[np.int64]

    @classmethod
    def of(
        cls, values: NDArray[np.floating], segments: NDArray[np.int64], most_rows: int = MOST_ROWS
    ) -> Self:
        """Cut series into units of equal segments, or into windows where segments are few.

        Parameters
        ----------
        values : ndarray, shape (n_times, n_regions)
        segments : ndarray, shape (n_times,), int64
        most_rows : int
            Most volumes that are used.
        """
        step = -(-len(values) // most_rows)
        x, label = np.asarray(values[::step], dtype=np.float64), unit_labels(segments[::step])
        order = np.argsort(label, kind="stable")
        x, counts = x[order], np.bincount(label)
        unit = label[order]
        starts = np.cumsum(counts) - counts
        x = x - (np.add.reduceat(x, starts, axis=0) / counts[:, None])[unit]
        x /= np.sqrt(np.square(x).mean(axis=0)) + 1e-12
        padded = np.zeros((len(counts), counts.max(), x.shape[1]), dtype=np.float32)
        padded[unit, np.arange(len(x)) - starts[unit]] = x
        return cls(padded, counts, segments[::step][order][starts])

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Return the share of volumes in every unit, shape (n_units,)."""
        return np.asarray(self.counts / self.counts.sum())

    def rows_of(self, padded: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the volumes of all units (n_rows, ...) of an array that is padded as `values`."""
        filled = np.arange(self.values.shape[1]) < self.counts[:, None]
        return np.asarray(padded[filled])

    def mean(self, padded: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return means over the volumes of every unit, shape (n_units, n_columns).

        The array (n_units, longest, n_columns) must be zero where units are filled up.
        """
        # A product with ones is many times faster than the sum over an axis in the middle.
        total = np.ones((1, padded.shape[1]), dtype=padded.dtype) @ padded
        return np.asarray(total[:, 0] / self.counts[:, None])

    def products(self) -> NDArray[np.float64]:
        """Return the second moments of every unit, shape (n_units, n_regions, n_regions)."""
        x = self.values.astype(np.float64)
        return np.asarray(np.swapaxes(x, 1, 2) @ x / self.counts[:, None, None])

    def thinned(self, most_rows: int) -> "Units":
        """Return every second, third, ... volume of every unit, so that few remain."""
        step = -(-int(self.counts.sum()) // most_rows)
        return Units(self.values[:, ::step], -(-self.counts // step), self.segment)

    def error(self, by_unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard error of a weighted mean over units, from its values by unit.

        Parameters
        ----------
        by_unit : ndarray, shape (n_units, ...), float64
        """
        n = len(by_unit)
        weight = self.weights.reshape(-1, *[1] * (by_unit.ndim - 1))
        mean = (weight * by_unit).sum(axis=0)
        squares = np.square(weight * (by_unit - mean)).sum(axis=0)
        return np.asarray(np.sqrt(squares * n / max(n - 1, 1)))


def unit_labels(segments: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the unit of every volume, from 0 without gaps.

    Parameters
    ----------
    segments : ndarray, shape (n_times,), int64

    Notes
    -----
    Short segments are joined with the next until they have `SHORTEST_UNIT` volumes.  If fewer than
    `LEAST_UNITS` remain, each is cut into equal windows, as long as there can be so many.
    """
    _, label, counts = np.unique(segments, return_inverse=True, return_counts=True)
    group = _joined(counts)
    label = group[label]
    counts = np.bincount(label)
    if len(counts) >= LEAST_UNITS:
        return np.asarray(label)
    lengths = np.arange(SHORTEST_UNIT, max(SHORTEST_UNIT, counts.max()) + 1)
    enough = np.flatnonzero((counts[:, None] // lengths).sum(axis=0) >= LEAST_UNITS)
    windows = np.maximum(1, counts // lengths[enough[-1] if len(enough) else 0])
    order = np.argsort(label, kind="stable")
    place = np.empty(len(label), dtype=np.int64)
    place[order] = np.arange(len(label)) - (np.cumsum(counts) - counts)[label[order]]
    window = place * windows[label] // counts[label]
    return np.asarray((np.cumsum(windows) - windows)[label] + window)


def _joined(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the group of every segment, so that every group has enough volumes."""
    group, current, filled = np.empty(len(counts), dtype=np.int64), 0, 0
    for number, count in enumerate(counts.tolist()):
        group[number] = current
        filled += count
        if filled >= SHORTEST_UNIT and counts[number + 1 :].sum() >= SHORTEST_UNIT:
            current, filled = current + 1, 0
    return group


def series_of_own(segments: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which series every volume belongs to: its segment if segments are long, else all one.

    Subjects and runs that serve as segments have their own spectra; windows of one run share them.
    """
    _, label, counts = np.unique(segments, return_inverse=True, return_counts=True)
    return label if np.median(counts) >= _ROWS_OF_OWN else np.zeros_like(label)


def innovations(
    values: NDArray[np.floating], segments: NDArray[np.int64], blocks: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Take off every region's prediction from its own past.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    segments, blocks : ndarray, shape (n_times,), int64
        Blocks are stretches without a gap; no lag crosses their ends.

    Returns
    -------
    innovations : ndarray, shape (n_kept, n_regions), float64
    kept : ndarray, shape (n_times,), bool
        True for volumes that have all lags within their block.

    Notes
    -----
    The autoregression is fitted by least squares to every region of every series (see
    `series_of_own`); its order, of at most 8 and a 15th of the shortest of most blocks, is the same
    for all and minimises the mean of the Bayesian information criterion.
    """
    x = np.asarray(values, dtype=np.float64)
    own = series_of_own(segments)
    starts = np.flatnonzero(np.diff(blocks, prepend=blocks[0] - 1))
    lengths = np.diff(np.append(starts, len(x)))
    most = int(np.clip(np.median(lengths) // _ROWS_PER_LAG, 1, _LONGEST_ORDER))
    place = np.arange(len(x)) - np.repeat(starts, lengths)
    kept = place >= most
    if not kept.any():
        return x, np.ones(len(x), dtype=bool)
    rows = np.flatnonzero(kept)[np.argsort(own[kept], kind="stable")]
    _, start, count = np.unique(own[rows], return_index=True, return_counts=True)
    lags = [x[rows - lag] for lag in range(most + 1)]

    def summed(a: int, b: int) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(lags[a] * lags[b], start, axis=0))

    total = summed(0, 0)
    cross = np.stack([summed(0, lag) for lag in range(1, most + 1)], axis=2)
    gram = np.empty((*total.shape, most, most))
    for a in range(most):
        for b in range(a + 1):
            gram[..., a, b] = gram[..., b, a] = summed(a + 1, b + 1)
    present, n = count > most, count[:, None]
    criterion = [(n * np.log(total / n + 1e-300))[present].mean()]
    coefficients: list[NDArray[np.floating]] = [np.zeros(0)]
    for order in range(1, most + 1):
        ridge = 1e-6 * n[..., None, None] * np.eye(order)
        found = np.linalg.solve(gram[..., :order, :order] + ridge, cross[..., :order, None])[..., 0]
        left = np.maximum(total - (found * cross[..., :order]).sum(axis=2), 1e-9)
        score = n * np.log(left / n) + order * np.log(n)
        criterion.append(score[present].mean())
        coefficients.append(found)
    order = int(np.argmin(criterion))
    left = lags[0]
    for lag in range(1, order + 1):
        left = left - np.repeat(coefficients[order][..., lag - 1], count, axis=0) * lags[lag]
    result = np.empty((len(x), x.shape[1]))
    result[rows] = left
    return result[kept], kept
