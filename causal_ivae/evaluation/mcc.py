"""Mean correlation coefficient between true and estimated disturbances."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from causal_ivae.errors import InputError


def mean_correlation(
    z_true: ArrayLike, z_est: ArrayLike, method: Literal["pearson", "spearman"] = "pearson"
) -> float:
    """Return the mean correlation coefficient (MCC) of two sets of components.

    Parameters
    ----------
    z_true, z_est : array_like, shape (n_times, n_components)
        True and estimated disturbances, any unit.
    method : {"pearson", "spearman"}
        Spearman's is unchanged by monotone maps of each component.

    Returns
    -------
    float
        In [0, 1]; 1 if the estimate is the truth up to order, sign and scale.

    Raises
    ------
    InputError
        If the shapes differ or are not two-dimensional, there are fewer than two times, a value
        is not finite, or `method` is unknown.

    Notes
    -----
    Mean of ``|corr(z_true[:, i], z_est[:, pi(i)])|`` over i, for the assignment pi that maximises
    it (Khemakhem et al. 2020, section 5).  A constant component has correlation 0.
    """
    if np.ndim(z_true) != 2:
        raise InputError(
            f"z_true must have shape (n_times, n_components), but has {np.shape(z_true)}; "
            "for stacks use mean_correlations."
        )
    return float(mean_correlations(z_true, z_est, method))


def mean_correlations(
    z_true: ArrayLike, z_est: ArrayLike, method: Literal["pearson", "spearman"] = "pearson"
) -> NDArray[np.float64]:
    """Return the mean correlation coefficient of every member of a stack.

    Parameters
    ----------
    z_true, z_est : array_like, shape (..., n_times, n_components)
        Stacks of components; the leading axes broadcast, so that one truth serves many fits.
    method : {"pearson", "spearman"}

    Returns
    -------
    ndarray, shape (...)
        In [0, 1]; see `mean_correlation`.

    Raises
    ------
    InputError
        As `mean_correlation` does.
    """
    if method not in ("pearson", "spearman"):
        raise InputError(
            f"Invalid value for 'method'. Allowed values are 'pearson', 'spearman', "
            f"but got {method!r} instead."
        )
    true, estimated = _checked("z_true", z_true), _checked("z_est", z_est)
    if true.shape[-2:] != estimated.shape[-2:]:
        raise InputError(
            f"z_true has shape {true.shape} but z_est has {estimated.shape}: times and components "
            "must be as many in both."
        )
    if method == "spearman":
        true, estimated = rankdata(true, axis=-2), rankdata(estimated, axis=-2)
    try:
        correlation = np.abs(np.swapaxes(_standardised(true), -1, -2) @ _standardised(estimated))
    except ValueError as error:
        raise InputError(
            f"The leading axes of z_true {true.shape} and z_est {estimated.shape} do not broadcast."
        ) from error
    means = np.empty(correlation.shape[:-2])
    for member in np.ndindex(means.shape):
        matched = linear_sum_assignment(correlation[member], maximize=True)
        means[member] = correlation[member][matched].mean()
    # Rounding can lift a perfect correlation just above 1.
    return np.minimum(means, 1.0)


def _checked(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 2 or array.shape[-2] < 2 or array.shape[-1] < 1:
        raise InputError(
            f"{name} must have shape (..., n_times, n_components) with at least two times, "
            f"but has {array.shape}."
        )
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds values that are not finite; remove those times.")
    return array


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre each component and give it unit norm; a constant one becomes zero."""
    centred = values - values.mean(axis=-2, keepdims=True)
    norm = np.linalg.norm(centred, axis=-2, keepdims=True)
    # The mean of equal numbers may differ from them in the last digit.
    floor = 1e-12 * np.linalg.norm(values, axis=-2, keepdims=True)
    constant = norm <= floor
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, norm))
