"""Put the runs of a recording on one scale, and find runs that were scaled each by itself."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST_BASELINE = 3.0
"""A mean above this many standard deviations is the baseline of a signal, not an offset."""
_CHANCE = 1e-5
"""Standard deviations that are as alike as this seldom happens by chance were made alike."""


def divide_by_baselines(
    runs: Sequence[NDArray[np.float64]], baselines: Sequence[NDArray[np.float64]]
) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_]]:
    """Convert every run to percent signal change where a region has a baseline in all runs.

    Parameters
    ----------
    runs : sequence of ndarray, each of shape (n_times, n_regions), float64
        Series around zero, in the units of the baselines; a region may be NaN.
    baselines : sequence of ndarray, each of shape (n_regions,)
        Mean of every region in every run before that was subtracted.

    Returns
    -------
    runs : list of ndarray, each of shape (n_times, n_regions), float64
        Percent of the baseline, or as given for regions without one.
    percent : ndarray, shape (n_regions,), bool
        Regions that have a baseline in every run: a positive mean of at least three standard
        deviations.

    Notes
    -----
    A scanner's units differ from run to run by a factor that the baseline shares.  Dividing by
    the standard deviation of the run instead would make the variances of all runs equal, from
    whose differences directions are inferred, and would change the weight of one region's effect
    on another from run to run.
    """
    with np.errstate(invalid="ignore"):
        percent = np.all(
            [
                mean > _LEAST_BASELINE * run.std(axis=0)
                for run, mean in zip(runs, baselines, strict=True)
            ],
            axis=0,
        )
    scaled = [
        run * (100.0 / np.where(percent, mean, 100.0))
        for run, mean in zip(runs, baselines, strict=True)
    ]
    return scaled, percent


def were_scaled_apart(parts: Sequence[NDArray[np.float64]]) -> bool:
    """Check whether every part was divided by its own standard deviation.

    Parameters
    ----------
    parts : sequence of ndarray, each of shape (n_times, n_regions), float64
        Runs, sessions or subjects; regions that are NaN in a part are passed over.

    Returns
    -------
    bool
        True if the standard deviations of the parts are more alike than white noise of constant
        variance has them once in 100,000 cases.  Those of autocorrelated series, and of series
        whose variance changes, differ by more.

    Notes
    -----
    The logarithm of the standard deviation of n values of kurtosis k has the variance
    (k - 1) / (4 n).  The sum of squares over parts and regions is compared with a chi-squared
    distribution whose degrees of freedom allow for the correlations r of the regions
    (Satterthwaite: sum of r to the power 4).
    """
    # scipy.stats takes a second to import, and few recordings come this far.
    from scipy.stats import chi2

    usable = ~np.any([np.isnan(part).any(axis=0) for part in parts], axis=0)
    if len(parts) < 2 or not usable.any():
        return False
    centred = [part[:, usable] - part[:, usable].mean(axis=0) for part in parts]
    lengths = np.array([len(part) for part in centred], dtype=np.float64)[:, None]
    spreads = np.array([part.std(axis=0) for part in centred])
    if (lengths < 2).any() or (spreads == 0).any():
        return False
    whole = np.concatenate([part / spread for part, spread in zip(centred, spreads, strict=True)])
    kurtosis = np.mean(whole**4, axis=0)
    weights = 4.0 * lengths / np.maximum(kurtosis - 1.0, 0.1)
    # Software divides by n or by n - 1.
    least = min(
        _sum_of_squares(np.log(spreads) + shift, weights)
        for shift in (0.0, 0.5 * np.log(lengths / (lengths - 1.0)))
    )
    alike = np.corrcoef(whole, rowvar=False).reshape(whole.shape[1], -1)
    independent = whole.shape[1] ** 2 / np.sum(alike**4)
    freedom = independent * (len(parts) - 1)
    return bool(chi2.cdf(least * independent / whole.shape[1], freedom) < _CHANCE)


def _sum_of_squares(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the weighted sum of squares around every column's weighted mean."""
    means = (weights * values).sum(axis=0) / weights.sum(axis=0)
    return float((weights * (values - means) ** 2).sum())
