"""Standard errors that are robust to unequal variances, with p-values that hold in small groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

_ALONE = 1.0 - 1e-9
"""A subject with this leverage is fitted exactly, whatever its score."""
_ABSENT = 1e-9
"""Smaller weights in an estimate, relative to its largest, are rounding errors."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_SQUARED_SINES = np.sin((_NODES + 1.0) * np.pi / 4.0) ** 2


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Hold the estimates of a linear model.

    Attributes
    ----------
    estimate, error, low, high, p_value : ndarray, shape (n_terms, n_pairs)
        Ends of the 95 % interval, and two-sided p-values.  All but the estimate are NaN for a term
        that rests on a subject whom nothing can contradict, such as the only one of its group.
    alone : tuple of ndarray of int64, length n_terms
        Rows of these subjects for every term.
    """

    estimate: NDArray[np.float64]
    error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_value: NDArray[np.float64]
    alone: tuple[NDArray[np.int64], ...]


def least_squares(design: NDArray[np.float64], scores: NDArray[np.float64]) -> Coefficients:
    """Fit scores by ordinary least squares.

    Parameters
    ----------
    design : ndarray, shape (n_subjects, n_terms)
        Of full column rank, with fewer terms than subjects.
    scores : ndarray, shape (n_subjects, n_pairs)

    Notes
    -----
    The covariance is bias-reduced linearisation (CR2 with one subject a cluster, or HC2): squared
    residuals over 1 minus the leverage.  Its ratio t to an estimate has the weights a, and its
    square is a quadratic form of the residuals.  For normal errors of equal variance that form
    is a sum of squares of standard normal variables with the weights lambda_j, independent of the
    estimate, so that with Craig's integral of the normal distribution

        p = 2/pi int_0^(pi/2) prod_j (1 + t^2 lambda_j / (a'a sin(v)^2))^(-1/2) dv.

    Bell and McCaffrey 2002 approximate the same distribution by a t distribution of fitted degrees
    of freedom, which rejects far too seldom where a level has two subjects.
    """
    solver = np.linalg.pinv(design)
    estimate = solver @ scores
    left = np.eye(len(design)) - design @ solver
    own = np.diag(left)
    alone = own <= 1.0 - _ALONE
    weight = np.divide(1.0, own, out=np.zeros_like(own), where=~alone)
    error = np.sqrt(np.square(solver) @ (np.square(left @ scores) * weight[:, None]))
    # The error is 0 where the covariates explain the scores exactly.
    ratio = np.divide(estimate, error, out=np.full_like(estimate, np.inf), where=error > 0)
    ratio[(error == 0) & (estimate == 0)] = 0.0
    present = np.abs(solver) > _ABSENT * np.abs(solver).max(axis=1, keepdims=True)
    rests_on = [np.flatnonzero(row & alone) for row in present]
    p_value, half = np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)
    for term, (row, subjects) in enumerate(zip(solver, rests_on, strict=True)):
        if len(subjects):
            error[term] = np.nan
            continue
        scaled = row * np.sqrt(weight)
        variances = np.linalg.eigvalsh(scaled[:, None] * left * scaled) / (row @ row)
        variances = variances[variances > 1e-12 * variances[-1]]
        p_value[term] = _p_value(np.square(ratio[term]), variances)
        half[term] = _critical(variances) * error[term]
    return Coefficients(
        estimate, error, estimate - half, estimate + half, p_value, tuple(rests_on)
    )  # fmt: skip


def _p_value(squares: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of larger ratios than those with these squares."""
    total = np.zeros_like(squares)
    for sine, node in zip(_SQUARED_SINES, _WEIGHTS, strict=True):
        total += (
            node
            / 2.0
            * np.exp(-0.5 * np.log1p(np.multiply.outer(squares / sine, variances)).sum(axis=-1))
        )
    return np.minimum(total, 1.0)


def _critical(variances: NDArray[np.float64]) -> float:
    """Return the ratio that is exceeded with a probability of .05."""

    def excess(logarithm: float) -> float:
        return float(_p_value(np.array([np.exp(2.0 * logarithm)]), variances)[0]) - 0.05

    return float(np.exp(brentq(excess, -5.0, 10.0)))
