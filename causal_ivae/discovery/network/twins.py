"""Make twins of series: the same covariance and spectra, but no region drives another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.network.scaling import is_standardised, standardised
from causal_ivae.discovery.network.units import series_of_own

_ROUNDS = 25
_LEAST_COMMON, _MOST_COMMON = 0.05, 0.98
_SHRINKAGE = 0.05
_REGIONS_PER_FACTOR = 3
_LEAST_SHIFT, _MOST_LEAST_SHIFT, _SHIFT_SHARE = 10, 40, 8
_LONGEST_LAG = 2
_ROWS_PER_RESPONSE = 15
_RIDGE = 1e-3
_MOST_BANDS, _ROWS_PER_BAND = 24, 8
_LEAST_OWN = 0.03
"""Own parts have at least this share of a region's power in every band of frequencies."""


@dataclass(frozen=True)
class FactorParts:
    """Hold the factor model of one series.

    Attributes
    ----------
    rows : ndarray, shape (n_rows,), int64
        Its volumes.
    blocks : tuple of slice
        Where every stretch without a gap lies among the rows.
    factors : ndarray, shape (n_rows, n_factors), float64
        Time courses of the common factors.
    responses : ndarray, shape (n_lags, n_factors, n_regions), float64
        What a factor adds to every region, some volumes earlier or later.
    own : ndarray, shape (n_rows, n_regions), float64
        What is left of every region.
    common_sd, own_sd : ndarray, shape (n_regions,), float64
        Standard deviations of both parts by the factor model.
    power : ndarray, shape (n_bands, n_regions), float64
        Spectrum of every region.
    """

    rows: NDArray[np.int64]
    blocks: tuple[slice, ...]
    factors: NDArray[np.float64]
    responses: NDArray[np.float64]
    own: NDArray[np.float64]
    common_sd: NDArray[np.float64]
    own_sd: NDArray[np.float64]
    power: NDArray[np.float64]

    def drawn(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a twin, shape (n_rows, n_regions)."""
        n = self.factors.shape[1]
        turned, _ = np.linalg.qr(rng.standard_normal((n, n)))
        moved = self.moved(np.column_stack([self.factors @ turned, self.own]), rng)
        lagged = _with_lags(moved[:, :n], self.blocks, len(self.responses))
        common = lagged @ np.concatenate(turned.T @ self.responses)
        common *= self.common_sd / (common.std(axis=0) + 1e-12)
        own = moved[:, n:]
        missing = np.maximum(self.power - self._power(common), _LEAST_OWN * self.power)
        gain = np.sqrt(missing / (self._power(own) + 1e-300))
        own = _filtered(own, self.blocks, gain)
        return np.asarray(common + own * (self.own_sd / (own.std(axis=0) + 1e-12)))

    def _power(self, series: NDArray[np.float64]) -> NDArray[np.float64]:
        return _band_power(series, self.blocks, len(self.power))

    def moved(self, series: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Move every column around within the blocks, each by times of its own."""
        first = np.array([block.start for block in self.blocks])
        length = np.array([block.stop for block in self.blocks]) - first
        least = np.clip(length // _SHIFT_SHARE, _LEAST_SHIFT, _MOST_LEAST_SHIFT)
        least = np.minimum(least, length // 2)
        draw = rng.random((len(length), series.shape[1]))
        shift = least[:, None] + np.floor(draw * np.maximum(length - 2 * least, 1)[:, None])
        number = np.repeat(np.arange(len(length)), length)
        place = np.arange(len(series)) - first[number]
        moved = (place[:, None] - shift.astype(np.int64)[number]) % length[number][:, None]
        return np.take_along_axis(series, first[number][:, None] + moved, axis=0)


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
    x = sum over lags l of L_l f(t - l) + e, with factors f by principal factors and responses of at
    most two volumes to both sides, by least squares, such as where the haemodynamics of regions
    differ.  A twin is made of (Q f)* and e*, where Q is a random rotation, and the star moves every
    factor and every own part by a time of its own, around within blocks.  Own parts are filtered so
    that every region has the spectrum that it had.  Moves keep the common factors' shares, but
    neither the relative timing of factors and own parts nor the joint distribution by which an
    arrow could show.
    """

    def __init__(
        self,
        values: NDArray[np.floating],
        segments: NDArray[np.int64],
        blocks: NDArray[np.int64],
        n_factors: int | None = None,
    ) -> None:
        x = np.asarray(values, dtype=np.float64)
        self._values, self._segments = x, segments
        self._standardised = is_standardised(x, segments)
        count = n_factors or max(1, x.shape[1] // _REGIONS_PER_FACTOR)
        own = series_of_own(segments)
        block = np.cumsum(np.diff(blocks, prepend=blocks[0]) != 0)
        self._parts = [
            _factor_parts(x, np.flatnonzero(own == label), block, count) for label in np.unique(own)
        ]

    @property
    def n_regions(self) -> int:
        """Return the number of regions."""
        return int(self._values.shape[1])

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw one twin, shape (n_times, n_regions)."""
        twin = np.empty_like(self._values)
        for part in self._parts:
            twin[part.rows] = part.drawn(rng)
        return self.as_scaled(twin)

    def as_scaled(self, series: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return series that are made of the data's, standardised by segment if the data are.

        Parameters
        ----------
        series : ndarray, shape (n_times, n_regions)
            Twins, or series into which arrows were planted.

        Notes
        -----
        A sum of two standardised series has another standard deviation in every segment, by how
        much they happen to be correlated there.  Series that were standardised as a whole never
        show that, and left as it is, it makes the wrong direction of an arrow the likelier one:
        with the correlation r in a segment, the disturbances of x and .8 y + .6 x have variances
        whose product does not depend on r in the right order, and falls with r^2 in the other.
        """
        return standardised(series, self._segments) if self._standardised else series

    def shifted(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Move every region by times of its own, shape (n_times, n_regions); they share nothing."""
        result = np.empty_like(self._values)
        for part in self._parts:
            result[part.rows] = part.moved(self._values[part.rows], rng)
        return result


def _factor_parts(
    values: NDArray[np.float64], rows: NDArray[np.int64], block: NDArray[np.int64], n_factors: int
) -> FactorParts:
    """Fit a factor model to some volumes by iterated principal factors."""
    _, starts, lengths = np.unique(block[rows], return_index=True, return_counts=True)
    blocks = tuple(slice(a, a + n) for a, n in zip(starts, lengths, strict=True))
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
    factors = x @ _score_weights(loadings, common)
    responses = _responses(x, blocks, loadings, common)
    factors = factors / factors.std(axis=0)
    fitted = _with_lags(factors, blocks, len(responses)) @ np.concatenate(responses)
    fitted *= np.sqrt(common) / (fitted.std(axis=0) + 1e-12)
    own = x - fitted * ((x * fitted).mean(axis=0) / (np.square(fitted).mean(axis=0) + 1e-300))
    bands = int(np.clip(lengths.max() // _ROWS_PER_BAND, 1, _MOST_BANDS))
    return FactorParts(
        rows=rows,
        blocks=blocks,
        factors=factors,
        responses=responses * deviation,
        own=own * deviation,
        common_sd=np.sqrt(common) * deviation,
        own_sd=np.sqrt(1.0 - common) * deviation,
        power=_band_power(x * deviation, blocks, bands),
    )


def _score_weights(
    loadings: NDArray[np.float64], common: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weights of regions in the regression scores of the factors (Thomson 1951)."""
    weighted = loadings / (1.0 - common)[:, None]
    inverse = np.linalg.inv(np.eye(loadings.shape[1]) + loadings.T @ weighted)
    return np.asarray(weighted @ inverse)


def _responses(
    x: NDArray[np.float64],
    blocks: Sequence[slice],
    loadings: NDArray[np.float64],
    common: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit what every factor adds to every region at lags, shape (n_lags, n_factors, n_regions).

    The scores leave out the region itself, or what it does not share would count as shared.
    """
    n_rows, d = x.shape
    n_factors = loadings.shape[1]
    longest = (n_rows // (_ROWS_PER_RESPONSE * n_factors) - 1) // 2
    n_lags = 2 * int(np.clip(longest, 0, _LONGEST_LAG)) + 1
    if n_lags == 1 or d <= n_factors + 1:
        return loadings.T[None]
    found = np.empty((n_lags * n_factors, d))
    for i in range(d):
        others = np.arange(d) != i
        scores = x[:, others] @ _score_weights(loadings[others], common[others])
        lagged = _with_lags(scores, blocks, n_lags)
        gram = lagged.T @ lagged + _RIDGE * n_rows * np.eye(lagged.shape[1])
        found[:, i] = np.linalg.solve(gram, lagged.T @ x[:, i])
    return found.reshape(n_lags, n_factors, d)


def _with_lags(
    series: NDArray[np.float64], blocks: Sequence[slice], n_lags: int
) -> NDArray[np.float64]:
    """Return the series at lags around zero side by side, zero beyond the ends of blocks."""
    lagged = np.zeros((len(series), n_lags, series.shape[1]))
    for block in blocks:
        for k, lag in enumerate(range(-(n_lags // 2), n_lags // 2 + 1)):
            first = block.start + max(lag, 0)
            last = max(first, block.stop + min(lag, 0))
            lagged[first:last, k] = series[first - lag : last - lag]
    return lagged.reshape(len(series), -1)


def _bands_of(length: int, n_bands: int) -> NDArray[np.int64]:
    """Return the band of every frequency of a block; bands are equally wide."""
    return np.minimum((2 * n_bands * np.fft.rfftfreq(length)).astype(np.int64), n_bands - 1)


def _band_power(
    series: NDArray[np.float64], blocks: Sequence[slice], n_bands: int
) -> NDArray[np.float64]:
    """Return the mean power of every column in bands of frequencies, shape (n_bands, n_columns)."""
    total, count = np.zeros((n_bands, series.shape[1])), np.zeros(n_bands)
    for block in blocks:
        length = block.stop - block.start
        power = np.square(np.abs(np.fft.rfft(series[block], axis=0))) / length
        band = _bands_of(length, n_bands)
        np.add.at(total, band, power)
        count += np.bincount(band, minlength=n_bands)
    return total / np.maximum(count, 1.0)[:, None]


def _filtered(
    series: NDArray[np.float64], blocks: Sequence[slice], gain: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Multiply the amplitudes of every column by gains that bands have (n_bands, n_columns)."""
    middle = (np.arange(len(gain)) + 0.5) / (2 * len(gain))
    result = np.empty_like(series)
    for block in blocks:
        length = block.stop - block.start
        frequency = np.fft.rfftfreq(length)
        at = [np.interp(frequency, middle, column) for column in gain.T]
        amplitude = np.fft.rfft(series[block], axis=0) * np.column_stack(at)
        result[block] = np.fft.irfft(amplitude, length, axis=0)
    return result
