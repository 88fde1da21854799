"""Closed-form measures of the direction of a pair, over any number of pairs at once.

Each takes an array of shape (..., n_times, 2), columns x and y of any unit, and returns one of
shape (...), float64, in which a positive number favours x -> y.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import skew


def tanh_ratio(x: ArrayLike) -> NDArray[np.float64]:
    """Return the likelihood ratio of the two directions for sparse disturbances.

    Notes
    -----
    rho E{x tanh(y) - tanh(x) y} of standardised x and y, rho their correlation: Hyvarinen and
    Smith 2013, "Pairwise likelihood ratios for estimation of non-Gaussian structural equation
    models", equation 9: a first-order approximation of the ratio for log-cosh densities.
    """
    first, second = _standardised(x)
    rho = (first * second).mean(axis=-1)
    difference = first * np.tanh(second) - np.tanh(first) * second
    return np.asarray(rho * difference.mean(axis=-1))


def skewness_ratio(x: ArrayLike) -> NDArray[np.float64]:
    """Return the measure of direction for skewed disturbances.

    Notes
    -----
    rho E{x^2 y - x y^2} of standardised x and y, each with its sign such that its skewness is
    positive: Hyvarinen and Smith 2013, section 3.3.
    """
    first, second = (
        series * np.where(skew(series, axis=-1) < 0, -1.0, 1.0)[..., None]
        for series in _standardised(x)
    )
    rho = (first * second).mean(axis=-1)
    return np.asarray(rho * (first**2 * second - first * second**2).mean(axis=-1))


def patel_tau(x: ArrayLike) -> NDArray[np.float64]:
    """Return Patel's tau of y over x: how much more often y is active than x, in [-1, 1].

    Notes
    -----
    With P the probability that a region is active, (P(y) - P(x)) / max(P(x), P(y)): Patel,
    Bowman, Rilling 2006, who call the region that is active more often the ascendant one.  As in
    Smith et al. 2011 activity is the series with its 10th and 90th percentiles scaled to 0 and 1
    and not binarised, and the sign is turned: the ascendant region is the effect.
    """
    series = np.moveaxis(np.asarray(x, dtype=np.float64), -1, 0)
    low, high = np.percentile(series, [10.0, 90.0], axis=-1, keepdims=True)
    active = np.clip((series - low) / np.maximum(high - low, np.finfo(float).tiny), 0.0, 1.0)
    first, second = active.mean(axis=-1)
    larger = np.maximum(np.maximum(first, second), np.finfo(float).tiny)
    return np.asarray((second - first) / larger)


def _standardised(x: ArrayLike) -> NDArray[np.float64]:
    """Return x and y, z-scored: shape (2, ..., n_times)."""
    series = np.moveaxis(np.asarray(x, dtype=np.float64), -1, 0)
    spread = series.std(axis=-1, keepdims=True)
    centred = series - series.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.maximum(spread, np.finfo(float).tiny))
