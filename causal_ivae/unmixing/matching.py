"""Match two sets of components and measure how well they agree."""

import math
from itertools import permutations
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata
from torch import Tensor

from causal_ivae.arrays import require_finite
from causal_ivae.errors import InputError

CorrelationMethod = Literal["pearson", "spearman"]

_MAX_ENUMERATED = 4


def mean_correlation(
    z_true: ArrayLike, z_est: ArrayLike, method: CorrelationMethod = "pearson"
) -> float:
    """Return the mean correlation coefficient (MCC) of two sets of components.

    Parameters
    ----------
    z_true, z_est : array_like, shape (n_times, n_components)
        True and estimated disturbances, in any unit.
    method : {"pearson", "spearman"}
        Spearman's correlation does not change under monotone maps of each component.

    Returns
    -------
    float
        A number in [0, 1]; 1 if the estimate equals the truth up to order, sign and scale.

    Raises
    ------
    InputError
        If the shapes differ or are not two-dimensional, there are fewer than two times, a value
        is not finite, or `method` is unknown.

    Notes
    -----
    This is the mean of ``|corr(z_true[:, i], z_est[:, pi(i)])|`` over i for the assignment pi that
    maximises it (Khemakhem et al. 2020, section 5).  A constant component has correlation 0.
    """
    if np.ndim(z_true) != 2:
        raise InputError(
            f"z_true must have shape (n_times, n_components), but has {np.shape(z_true)}; "
            "for stacks use mean_correlations."
        )
    return float(mean_correlations(z_true, z_est, method))


def mean_correlations(
    z_true: ArrayLike,
    z_est: ArrayLike,
    method: CorrelationMethod = "pearson",
    *,
    held_out: tuple[ArrayLike, ArrayLike] | None = None,
) -> NDArray[np.float64]:
    """Return the mean correlation coefficient of every member of a stack.

    Parameters
    ----------
    z_true, z_est : array_like, shape (..., n_times, n_components)
        Stacks of components; the leading axes broadcast, so that one truth serves many fits.
    method : {"pearson", "spearman"}
    held_out : (array_like, array_like), optional
        True and estimated components at other times: components are matched on `z_true` and
        `z_est`, but correlated on these.

    Returns
    -------
    ndarray, shape (...)
        Numbers in [0, 1], as `mean_correlation` defines them.

    Raises
    ------
    InputError
        In the same cases as `mean_correlation`.
    """
    if method not in ("pearson", "spearman"):
        raise InputError(
            f"Invalid value for 'method'. Allowed values are 'pearson', 'spearman', "
            f"but got {method!r} instead."
        )
    correlation = _correlations(z_true, z_est, method)
    scored = correlation if held_out is None else _correlations(*held_out, method)
    means = np.empty(correlation.shape[:-2])
    for member in np.ndindex(means.shape):
        matched = linear_sum_assignment(correlation[member], maximize=True)
        means[member] = scored[member][matched].mean()
    # Rounding can lift a perfect correlation just above 1.
    return np.minimum(means, 1.0)


def weak_mean_correlations(
    z_true: ArrayLike, z_est: ArrayLike, *, held_out: tuple[ArrayLike, ArrayLike] | None = None
) -> NDArray[np.float64]:
    """Return the mean canonical correlation of every member, which is the MCC up to linear maps.

    Parameters
    ----------
    z_true, z_est : array_like, shape (..., n_times, n_components)
        As in `mean_correlations`.
    held_out : (array_like, array_like), optional
        True and estimated components at other times: the maps are fitted on `z_true` and
        `z_est`, but correlated on these.

    Returns
    -------
    ndarray, shape (...)
        Numbers in [0, 1]; 1 if the estimate equals the truth up to a linear map.

    Raises
    ------
    InputError
        In the same cases as `mean_correlation`.

    Notes
    -----
    Canonical correlation analysis is due to Hotelling 1936.  Theorem 1 of Khemakhem et al. 2020
    without its further conditions gives identifiability up to a linear map, which they call "weak".
    """
    true, estimated = _pair(z_true, z_est)
    whiten_true, whiten_estimated = _whitening(true), _whitening(estimated)
    centred = true - true.mean(axis=-2, keepdims=True)
    other = estimated - estimated.mean(axis=-2, keepdims=True)
    cross = np.swapaxes(centred @ whiten_true, -1, -2) @ (other @ whiten_estimated)
    left, correlation, right = np.linalg.svd(cross, full_matrices=False)
    if held_out is not None:
        true, estimated = _pair(*held_out)
        first = _standardised(true @ (whiten_true @ left))
        second = _standardised(estimated @ (whiten_estimated @ np.swapaxes(right, -1, -2)))
        correlation = np.abs((first * second).sum(axis=-2))
    return np.asarray(np.minimum(correlation.mean(axis=-1), 1.0))


def _correlations(
    z_true: ArrayLike, z_est: ArrayLike, method: CorrelationMethod
) -> NDArray[np.float64]:
    """Return the absolute correlation of every true with every estimated component."""
    true, estimated = _pair(z_true, z_est)
    if method == "spearman":
        true, estimated = rankdata(true, axis=-2), rankdata(estimated, axis=-2)
    return np.asarray(np.abs(np.swapaxes(_standardised(true), -1, -2) @ _standardised(estimated)))


def _pair(z_true: ArrayLike, z_est: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    true, estimated = _checked("z_true", z_true), _checked("z_est", z_est)
    if true.shape[-2:] != estimated.shape[-2:]:
        raise InputError(
            f"z_true has shape {true.shape} but z_est has {estimated.shape}: times and components "
            "must be as many in both."
        )
    try:
        np.broadcast_shapes(true.shape[:-2], estimated.shape[:-2])
    except ValueError as error:
        raise InputError(
            f"The leading axes of z_true {true.shape} and z_est {estimated.shape} do not broadcast."
        ) from error
    return true, estimated


def _whitening(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the map to uncorrelated columns of unit norm, with zeros for constant directions."""
    # Columns get equal norms first, since one in a small unit would otherwise count as constant.
    units = _inverse_norms(values)
    standard = (values - values.mean(axis=-2, keepdims=True)) * units
    variances, vectors = np.linalg.eigh(np.swapaxes(standard, -1, -2) @ standard)
    usable = variances > 1e-12 * variances.max(axis=-1, keepdims=True).clip(min=1e-300)
    scale = np.where(usable, 1.0 / np.sqrt(np.where(usable, variances, 1.0)), 0.0)
    return np.asarray(np.swapaxes(units, -1, -2) * vectors * scale[..., None, :])


def _checked(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 2 or array.shape[-2] < 2 or array.shape[-1] < 1:
        raise InputError(
            f"{name} must have shape (..., n_times, n_components) with at least two times, "
            f"but has {array.shape}."
        )
    require_finite(array, name)
    return array


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre each component and scale it to unit norm; a constant one becomes zero."""
    return np.asarray((values - values.mean(axis=-2, keepdims=True)) * _inverse_norms(values))


def _inverse_norms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one over the norm of each centred component; 0 for a constant one."""
    norm = np.linalg.norm(values - values.mean(axis=-2, keepdims=True), axis=-2, keepdims=True)
    # A constant may differ from its mean in the last digit, so its norm is compared with a floor.
    floor = 1e-12 * np.linalg.norm(values, axis=-2, keepdims=True)
    constant = norm <= floor
    return np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, norm))


def restart_agreement(disturbances: Tensor) -> list[float]:
    """Return the mean MCC between every two restarts, for every model.

    Parameters
    ----------
    disturbances : Tensor, shape (models, restarts, n_times, n_components), float32
        Restarts that are not finite are left out.

    Returns
    -------
    list of float, length models
        NaN for models with fewer than two finite restarts.
    """
    models, restarts, _, n = disturbances.shape
    finite = disturbances.isfinite().flatten(2).all(-1)
    clean = torch.where(finite[..., None, None], disturbances, 0.0)
    centred = clean - clean.mean(2, keepdim=True)
    unit = centred / centred.norm(dim=2, keepdim=True).clamp_min(1e-12)
    columns = unit.transpose(1, 2).flatten(2)
    correlation = (columns.mT @ columns).abs().reshape(models, restarts, n, restarts, n)
    first, second = torch.triu_indices(restarts, restarts, 1, device=columns.device)
    pairs = correlation[:, first, :, second, :].movedim(0, 1).double().cpu().numpy()
    means = np.empty(pairs.shape[:2])
    if n <= _MAX_ENUMERATED:
        orders = np.array(list(permutations(range(n))))
        means = pairs[:, :, np.arange(n), orders].mean(axis=-1).max(axis=-1)
    else:
        for member in np.ndindex(means.shape):
            matched = linear_sum_assignment(pairs[member], maximize=True)
            means[member] = pairs[member][matched].mean()
    both = (finite[:, first] & finite[:, second]).cpu().numpy()
    counted = both.sum(axis=1)
    totals = np.where(both, means, 0.0).sum(axis=1)
    return [float(t / c) if c else math.nan for t, c in zip(totals, counted, strict=True)]
