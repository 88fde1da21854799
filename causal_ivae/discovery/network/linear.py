"""Fit linear equations with feedback, x = B x + n, by a non-Gaussian likelihood."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.network.entropy import Disturbances
from causal_ivae.discovery.network.newton import Point, minimise
from causal_ivae.discovery.network.units import Units

RIDGE = 1e-3
"""Nats per volume and squared coefficient, which keep coefficients of little effect small."""
LARGEST = 0.97
"""Coefficients between z-scored regions are kept below this size."""
_LEAST_CURVATURE = 1e-3
_FIRST_ROWS = 2500
"""Longer series are first fitted with so many of their volumes."""
_APART = 0.05
"""Fits with fewer volumes are taken for the same if no coefficient differs by more than this."""


def objective(units: Units, coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the negative log-likelihood (nats per volume) and its gradient in every unit.

    Parameters
    ----------
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
    found = Disturbances.of(units, w)
    value = found.total() - float(np.linalg.slogdet(w)[1])
    return value, found.gradient() + np.linalg.inv(w).T


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
    adjacent : ndarray, shape (n_regions, n_regions), bool
        Symmetric.
    starts : list of ndarray, shape (n_regions, n_regions), float64
        Coefficients to start from; the best result is kept.

    Notes
    -----
    Most steps are made with few of the volumes, and the last ones with all.
    """
    effect, cause = np.nonzero(adjacent)
    few = units.thinned(_FIRST_ROWS)
    likelihood, roughly = (partial(_loss, one, adjacent, one.products()) for one in (units, few))
    found = [minimise(roughly, start[effect, cause], LARGEST) for start in starts]
    if few.counts.sum() < units.counts.sum():
        apart = [one for one in found[1:] if np.abs(one.x - found[0].x).max() > _APART]
        found = [minimise(likelihood, one.x, LARGEST) for one in [found[0], *apart]]
    best = min(found, key=lambda one: one.value)
    b = np.zeros(adjacent.shape)
    b[effect, cause] = best.x
    values, vectors = np.linalg.eigh(best.hessian())
    inverse = (vectors / np.maximum(values, _LEAST_CURVATURE)) @ vectors.T
    moved = _by_unit(units, b, adjacent) @ inverse
    return FeedbackFit(b, moved.T @ moved, inverse, effect, cause, best.value)


def _loss(
    units: Units,
    adjacent: NDArray[np.bool_],
    moments: NDArray[np.float64],
    free: NDArray[np.float64],
) -> Point:
    """Return the penalised negative log-likelihood at the coefficients of adjacent pairs."""
    effect, cause = np.nonzero(adjacent)
    w = np.eye(len(adjacent))
    w[effect, cause] = -free
    found, inverse = Disturbances.of(units, w), np.linalg.inv(w)

    def hessian() -> NDArray[np.float64]:
        paths = inverse[np.ix_(cause, effect)]
        second = paths * paths.T + 2.0 * RIDGE * np.eye(len(free))
        same = effect[:, None] == effect
        second[same] += found.hessians(moments, adjacent)
        return np.asarray(second)

    value = found.total() - float(np.linalg.slogdet(w)[1]) + RIDGE * float(free @ free)
    mean = np.tensordot(units.weights, found.gradient(), axes=1) + inverse.T
    return Point(free, value, mean[effect, cause] + 2.0 * RIDGE * free, hessian)


def _by_unit(
    units: Units, coefficients: NDArray[np.float64], adjacent: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return what every unit adds to the gradient, shape (n_units, n_coefficients).

    Notes
    -----
    The products of its columns are the middle of the sandwich of White (1982), "Maximum likelihood
    estimation of misspecified models", with units as observations.
    """
    weight = units.weights
    by_unit = objective(units, coefficients)[1][:, adjacent]
    spread = weight[:, None] * (by_unit - weight @ by_unit)
    return np.asarray(spread * np.sqrt(len(by_unit) / max(len(by_unit) - 1, 1)))
