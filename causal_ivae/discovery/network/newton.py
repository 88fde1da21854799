"""Minimise a smooth function of bounded variables, by Newton's method where they are few."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

_MOST_BY_NEWTON = 200
"""With more variables the eigenvectors of the second derivatives take nearly all of the time."""
_MOST_BY_GRADIENTS = 300
_MOST_STEPS = 40
_HALVINGS = 12
_LEAST_CURVATURE = 1e-3
_LONGEST_STEP = 0.5
_TOLERANCE = 1e-5
_SUFFICIENT = 1e-4

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """Hold a function and its derivatives at some values of its variables.

    Attributes
    ----------
    x, gradient : ndarray, shape (n,), float64
    hessian : callable
        Returns the second derivatives, shape (n, n).
    """

    x: Vector
    value: float
    gradient: Vector
    hessian: Callable[[], NDArray[np.float64]]


def minimise(at: Callable[[Vector], Point], start: Vector, bound: float) -> Point:
    """Go down from a start to a minimum.

    Parameters
    ----------
    at : callable
        Returns the function at given values.
    start : ndarray, shape (n,), float64
    bound : float
        Variables stay between ``-bound`` and ``bound``.

    Notes
    -----
    Projected Newton steps (Bertsekas 1982, SIAM J. Control Optim. 20:221-246): variables at a bound
    that the function pushes against stay where they are.  Directions of negative curvature are
    followed as if it were positive, no variable moves by more than .5 in one step, and steps are
    halved until the function falls.  The step after which little can be gained is the last one.
    More than 200 variables are moved by L-BFGS-B, which needs no second derivatives.
    """
    if len(start) > _MOST_BY_NEWTON:
        return _by_gradients(at, start, bound)
    here, radius = at(np.clip(start, -bound, bound)), _LONGEST_STEP
    for _ in range(_MOST_STEPS):
        outwards = (np.abs(here.x) >= bound) & (here.x * here.gradient < 0.0)
        free = np.flatnonzero(~outwards)
        if not len(free):
            break
        step = np.zeros_like(here.x)
        step[free] = _newton_step(here.hessian()[np.ix_(free, free)], here.gradient[free])
        if not step.any():
            break
        last = float(-here.gradient @ step) < _TOLERANCE
        for _ in range(_HALVINGS):
            length = float(np.abs(step).max())
            moved = step * min(1.0, radius / length)
            there = at(np.clip(here.x + moved, -bound, bound))
            fall = float(here.gradient @ (there.x - here.x))
            if there.value <= here.value + _SUFFICIENT * min(fall, 0.0):
                radius = min(_LONGEST_STEP, 2.0 * radius)
                break
            radius = 0.5 * min(radius, length)
        else:
            break
        here = there
        if last:
            break
    return here


def _by_gradients(at: Callable[[Vector], Point], start: Vector, bound: float) -> Point:
    """Go down by quasi-Newton steps, which cost no more than a few products of vectors."""

    def value_and_gradient(x: Vector) -> tuple[float, Vector]:
        point = at(x)
        return point.value, point.gradient

    found = minimize(
        value_and_gradient,
        np.clip(start, -bound, bound),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-bound, bound)] * len(start),
        options={"maxiter": _MOST_BY_GRADIENTS, "maxcor": 20, "ftol": 1e-7, "gtol": 1e-4},
    )
    return at(np.asarray(found.x))


def _newton_step(hessian: NDArray[np.float64], gradient: Vector) -> Vector:
    """Return the step to the minimum of the quadratic function with absolute curvatures."""
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    curvature = np.maximum(np.abs(values), _LEAST_CURVATURE)
    return np.asarray(-vectors @ ((vectors.T @ gradient) / curvature))
