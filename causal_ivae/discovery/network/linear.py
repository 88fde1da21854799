"""Fit linear equations with feedback, x = B x + n, by a non-Gaussian likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from causal_ivae.discovery.network.units import Units

LOG_COSH, GAUSSIAN_LOG_COSH, ODD = 79.047, 0.37457, 7.4129
"""Constants of the maximum-entropy approximation (Hyvarinen 1998)."""
GAUSSIAN_ENTROPY = 0.5 * (1.0 + float(np.log(2.0 * np.pi)))
RIDGE = 1e-3
"""Nats per volume and squared coefficient, which keep coefficients of little effect small."""
LARGEST = 0.97
"""Coefficients between z-scored regions are kept below this size."""
_STEP = 3e-3
_LEAST_CURVATURE = 1e-3


def log_cosh(z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return log cosh z without overflow, and tanh z, its derivative."""
    size = np.abs(z)
    twice = np.float32(1.0) + np.exp(np.float32(-2.0) * size)
    tangent = np.copysign((np.float32(2.0) - twice) / twice, z)
    return np.asarray(size + np.log(np.float32(0.5) * twice)), tangent


def negentropy(even: NDArray[np.float64], odd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the negentropy of a variable with these means of log cosh z and of z exp(-z^2 / 2).

    Notes
    -----
    Hyvarinen 1998, "New approximations of differential entropy for independent component analysis
    and projection pursuit", with the constants of Hyvarinen and Smith 2013, JMLR 14:111-152.
    """
    return np.asarray(LOG_COSH * np.square(even - GAUSSIAN_LOG_COSH) + ODD * np.square(odd))


def objective(units: Units, coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the negative log-likelihood (nats per volume) and its gradient in every unit.

    Parameters
    ----------
    units : Units
    coefficients : ndarray, shape (n_regions, n_regions), float64
        B, with ``coefficients[i, j]`` the effect of region j on region i.

    Returns
    -------
    value : float
    gradient : ndarray, shape (n_units, n_regions, n_regions), float64
        Its weighted mean over units is the gradient of the value with respect to B.

    Notes
    -----
    log p = log|det(I - B)| - sum over i of H(n_i), where the entropy H is approximated by moments
    of n_i that is scaled to variance one in every unit.
    """
    w = np.eye(len(coefficients)) - coefficients
    entropy, gradient = _entropy(units, w)
    return entropy - float(np.linalg.slogdet(w)[1]), gradient + np.linalg.inv(w).T


def _entropy(units: Units, w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the sum of the entropies of the disturbances, and its gradient by B in every unit."""
    weight, x = units.weights, units.values
    residual = x @ w.T.astype(np.float32)
    sd = np.sqrt(units.mean(np.square(residual))) + 1e-9
    z: NDArray[np.float32] = np.divide(residual, sd[:, None], dtype=np.float32)
    squares = np.square(z)
    bell = np.exp(np.float32(-0.5) * squares)
    bent, tangent = log_cosh(z)
    even, odd = weight @ units.mean(bent), weight @ units.mean(z * bell)
    value = (weight @ np.log(sd) + GAUSSIAN_ENTROPY - negentropy(even, odd)).sum()
    slope = (2.0 * LOG_COSH * (even - GAUSSIAN_LOG_COSH)).astype(np.float32) * tangent
    slope += (2.0 * ODD * odd).astype(np.float32) * (np.float32(1.0) - squares) * bell
    unit = units.counts[:, None, None] * sd[:, :, None]
    scale = np.swapaxes(z, 1, 2) @ x / unit
    shape = np.swapaxes(slope, 1, 2) @ x / unit
    return float(value), shape - (1.0 + units.mean(slope * z)[:, :, None]) * scale


@dataclass(frozen=True)
class FeedbackFit:
    """Hold the coefficients of both directions of every adjacent pair.

    Attributes
    ----------
    coefficients : ndarray, shape (n_regions, n_regions), float64
        ``coefficients[i, j]`` is the effect of region j on region i.
    covariance : ndarray, shape (n_coefficients, n_coefficients), float64
        Of the coefficients at `effect`, `cause`, with units as the units of resampling.
    inverse_hessian : ndarray, shape (n_coefficients, n_coefficients), float64
    effect, cause : ndarray, shape (n_coefficients,), int64
    loss : float
        Negative log-likelihood with the penalty (nats per volume).
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    inverse_hessian: NDArray[np.float64]
    effect: NDArray[np.int64]
    cause: NDArray[np.int64]
    loss: float


def fit_feedback(
    units: Units, adjacent: NDArray[np.bool_], starts: list[NDArray[np.float64]]
) -> FeedbackFit:
    """Fit the coefficients of adjacent pairs in both directions by maximum likelihood.

    Parameters
    ----------
    units : Units
    adjacent : ndarray, shape (n_regions, n_regions), bool
        Symmetric.
    starts : list of ndarray, shape (n_regions, n_regions), float64
        Coefficients to start from; the best result is kept.
    """
    effect, cause = np.nonzero(adjacent)
    weight = units.weights

    def loss(free: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        b = np.zeros(adjacent.shape)
        b[effect, cause] = free
        value, gradient = objective(units, b)
        mean = np.tensordot(weight, gradient, axes=1)[effect, cause]
        return value + RIDGE * float(free @ free), mean + 2.0 * RIDGE * free

    found = [
        minimize(
            loss,
            np.clip(start[effect, cause], -0.9, 0.9),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-LARGEST, LARGEST)] * len(effect),
            options={"maxiter": 150},
        )
        for start in starts
    ]
    best = min(found, key=lambda one: float(one.fun))
    b = np.zeros(adjacent.shape)
    b[effect, cause] = best.x
    covariance, inverse = _sandwich(units, b, effect, cause)
    return FeedbackFit(b, covariance, inverse, effect, cause, float(best.fun))


def _sandwich(
    units: Units,
    coefficients: NDArray[np.float64],
    effect: NDArray[np.int64],
    cause: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the covariance of the coefficients and the inverse Hessian.

    Notes
    -----
    The entropies of different regions have no coefficient in common, so that one coefficient of
    every region can be changed at once to find second derivatives; those of log|det(I - B)| are
    known.  The covariance is White's (1982), "Maximum likelihood estimation of misspecified
    models", with units as observations.
    """
    weight, n = units.weights, len(effect)
    w = np.eye(len(coefficients)) - coefficients
    hessian = np.zeros((n, n))
    # The coefficients of every region are numbered from 0.
    number = np.arange(n) - np.searchsorted(effect, effect)
    same_effect = effect[:, None] == effect
    for slot in range(int(number.max()) + 1):
        chosen = number == slot
        change = np.zeros_like(w)
        change[effect[chosen], cause[chosen]] = _STEP
        above, below = (
            np.tensordot(weight, _entropy(units, w - sign * change)[1], axes=1)
            for sign in (1.0, -1.0)
        )
        slope = ((above - below) / (2.0 * _STEP))[effect, cause]
        hessian[:, chosen] = slope[:, None] * same_effect[:, chosen]
    paths = np.linalg.inv(w)[np.ix_(cause, effect)]
    hessian += paths * paths.T
    hessian += 2.0 * RIDGE * np.eye(n)
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    inverse_hessian = (vectors / np.maximum(values, _LEAST_CURVATURE)) @ vectors.T
    by_unit = objective(units, coefficients)[1][:, effect, cause]
    spread = weight[:, None] * (by_unit - weight @ by_unit)
    middle = spread.T @ spread * len(by_unit) / max(len(by_unit) - 1, 1)
    return inverse_hessian @ middle @ inverse_hessian, inverse_hessian
