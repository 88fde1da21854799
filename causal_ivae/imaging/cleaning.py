"""Remove drifts and confounds from region time series."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError, TooShortError

_NOTHING_LEFT = 1e-9
"""Residuals below this share of the original values are rounding errors, not signal."""
MIN_RESIDUAL_DOF = 10


def polynomial_design(n_times: int, order: int) -> NDArray[np.float64]:
    """Return Legendre polynomials of orders 0 to `order`, shape (n_times, order + 1)."""
    design = np.polynomial.legendre.legvander(np.linspace(-1.0, 1.0, n_times), order)
    return np.asarray(design, dtype=np.float64)


def regress_out(
    values: NDArray[np.float64], design: NDArray[np.float64], kept: NDArray[np.bool_], where: str
) -> tuple[NDArray[np.float64], int]:
    """Return the residuals of one least-squares fit on the kept volumes, and its rank.

    Parameters
    ----------
    values : ndarray, shape (n_volumes, n_regions)
    design : ndarray, shape (n_volumes, n_regressors)
        Confounds without the intercept, which is added here.
    kept : ndarray, shape (n_volumes,), bool
        Volumes that enter the regression.
    where : str
        How error messages call the run.

    Returns
    -------
    residuals : ndarray, shape (n_kept, n_regions)
    rank : int
        Number of independent regressors, including the intercept.

    Raises
    ------
    TooShortError
        If fewer than 10 degrees of freedom remain.

    Notes
    -----
    Confounds, drifts and censoring are part of one model, since separate regressions put back what
    an earlier one removed (Lindquist et al. 2019, doi:10.1002/hbm.24528).
    """
    regressors = design[kept] - design[kept].mean(axis=0)
    scale = regressors.std(axis=0)
    # Constant regressors are left out, since the intercept covers them.  The others are scaled so
    # that the rank does not depend on their units.
    varying = scale > 1e-12 * np.maximum(1.0, np.abs(design[kept]).max(axis=0, initial=0.0))
    full = np.column_stack([np.ones(int(kept.sum())), regressors[:, varying] / scale[varying]])
    rank = int(np.linalg.matrix_rank(full))
    left = full.shape[0] - rank
    if left < MIN_RESIDUAL_DOF:
        raise TooShortError(
            f"{where}: {full.shape[0]} kept volumes and {rank} independent regressors leave "
            f"{left} degrees of freedom; at least {MIN_RESIDUAL_DOF} are needed. Use fewer "
            "confounds (denoise.strategy) or a milder censoring threshold."
        )
    fitted: NDArray[np.float64] = full @ np.linalg.lstsq(full, values[kept], rcond=None)[0]
    return values[kept] - fitted, rank


def require_signal(
    residuals: NDArray[np.float64], magnitude: NDArray[np.float64], names: Sequence[str], where: str
) -> None:
    """Check that something of every region is left.

    Parameters
    ----------
    residuals : ndarray, shape (n_times, n_regions)
        Cleaned series.
    magnitude : ndarray, shape (n_regions,)
        Largest absolute value of every region before cleaning, in the units of the residuals.
    where : str
        How the error message calls the run.

    Raises
    ------
    InputError
        If no signal remains of a region.
    """
    empty = np.flatnonzero(residuals.std(axis=0) <= _NOTHING_LEFT * magnitude)
    if empty.size:
        raise InputError(
            f"{where}: nothing is left of '{names[empty[0]]}' once drifts and confounds are "
            "removed; leave that column or region out."
        )
