"""Test partial correlations with degrees of freedom corrected for autocorrelation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from causal_ivae.errors import InputError
from causal_ivae.independence.tested_series import standardised

_LEAST_FREE = 10.0
"""The test needs at least this many effective degrees of freedom."""


@dataclass(frozen=True)
class PartialCorrelations:
    """Hold the partial correlations of pairs and their tests.

    Attributes
    ----------
    value : ndarray, shape (pairs,), float64
        Partial correlations.
    p_value : ndarray, shape (pairs,), float64
        Two-sided p-values.
    effective : ndarray, shape (pairs,), float64
        Effective numbers of independent volumes.
    """

    value: NDArray[np.float64]
    p_value: NDArray[np.float64]
    effective: NDArray[np.float64]


def partial_correlation_test(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    z: NDArray[np.floating] | None = None,
    groups: NDArray[np.integer] | None = None,
) -> PartialCorrelations:
    """Test whether x and y are correlated given z, within each group if groups are given.

    Parameters
    ----------
    x, y : ndarray, shape (n_times,)
    z : ndarray, shape (n_times,) or (n_times, n_given), or None
    groups : ndarray of int, shape (n_times,), or None
        Every series is centred within each group, whose rows are contiguous and in order of time.

    Returns
    -------
    PartialCorrelations
        The result of one pair.

    Raises
    ------
    InputError
        If the lengths differ, a value is not finite, a series is constant, or the effective
        number of rows is too small.

    Notes
    -----
    `partial_correlations` describes the test.
    """
    given = {} if z is None else {"z": z}
    series, labels = standardised({"x": x, "y": y, **given}, groups)
    values = np.concatenate([s[0].numpy() for s in series], axis=1)
    return partial_correlations(values, labels, np.array([[0, 1]]))


def partial_correlations(
    values: NDArray[np.floating],
    blocks: NDArray[np.int64],
    pairs: NDArray[np.int64],
    given: Sequence[int] | None = None,
) -> PartialCorrelations:
    """Test partial correlations of pairs of regions given all other regions, or given some.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    blocks : ndarray, shape (n_times,), int64
        Stretches of consecutive volumes; every series is centred within each.
    pairs : ndarray, shape (pairs, 2), int64
        Columns of the two regions of each pair.
    given : sequence of int, optional
        Columns to condition on, which are in no pair; by default, for each pair, all others.

    Raises
    ------
    InputError
        If the effective number of volumes is too small for this number of regions.

    Notes
    -----
    Fisher's z of a partial correlation given k others has variance 1 / (n - k - 3) (Fisher 1924).
    The effective number of volumes is n = N / (1 + 2 sum_t r_i(t) r_j(t)) / m, where r are the
    autocorrelations of the residuals given the other regions (Bartlett 1935).  m is the mean over
    volumes of the product of both residuals' variances in the block, each relative to its mean:
    if both vary most in the same blocks, the few volumes of these blocks decide the correlation.
    """
    _, labels, counts = np.unique(blocks, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, labels, values)
    centred = np.asarray(values, dtype=np.float64) - (sums / counts[:, None])[labels]
    volumes = len(values) - len(counts)
    n_given = values.shape[1] - 2 if given is None else len(given)
    if volumes < n_given + 2 + _LEAST_FREE:
        raise _too_few(len(values), volumes, n_given + 2)
    if given is None:
        first, second = pairs.T
        precision = np.linalg.inv(centred.T @ centred / volumes)
        scale = np.sqrt(np.diag(precision))
        value = (-precision / np.outer(scale, scale))[first, second]
        left = centred @ (precision / np.diag(precision))
    else:
        columns, place = np.unique(pairs, return_inverse=True)
        first, second = place.reshape(pairs.shape).T
        left, known = centred[:, columns], centred[:, list(given)]
        left = left - known @ np.linalg.lstsq(known, left, rcond=None)[0]
        unit = left / np.linalg.norm(left, axis=0)
        value = (unit.T @ unit)[first, second]
    lagged = _autocorrelations(left, labels)
    inflation = 1.0 + 2.0 * np.einsum("ti,ti->i", lagged[:, first], lagged[:, second])
    power = np.zeros((len(counts), left.shape[1]))
    np.add.at(power, labels, np.square(left))
    power *= len(values) / power.sum(axis=0) / counts[:, None]
    inflation *= (counts / len(values)) @ (power[:, first] * power[:, second])
    effective = volumes / np.clip(inflation, 1.0, None)
    free = effective - n_given - 3.0
    if free.min() < _LEAST_FREE:
        raise _too_few(len(values), effective.min(), n_given + 2)
    z = np.arctanh(np.clip(value, -0.999999, 0.999999))
    return PartialCorrelations(value, 2.0 * norm.sf(np.abs(z) * np.sqrt(free)), effective)


def _too_few(n_times: int, effective: float, regions: int) -> InputError:
    return InputError(
        f"{n_times} volumes count as {effective:.0f} independent ones, too few for partial "
        f"correlations among {regions} regions: screen by 'dependence', or give more runs or "
        "fewer regions."
    )


def _autocorrelations(
    series: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute each column's autocorrelation within blocks at lags 1, 2, ..., (lags, columns)."""
    n_times = len(series)
    lags = min(n_times // 4, round(10.0 * np.log10(n_times)))
    power = np.square(series).mean(axis=0)
    found = []
    for lag in range(1, lags + 1):
        follows = labels[lag:] == labels[:-lag]
        products = (series[lag:] * series[:-lag])[follows]
        # Bartlett's sum weights a lag by its share of volume pairs.  The root puts this weight
        # into the product of two autocorrelations.
        found.append(products.sum(axis=0) / np.sqrt(n_times * max(1, follows.sum())) / power)
    return np.array(found)
