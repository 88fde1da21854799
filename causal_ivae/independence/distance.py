"""Test independence by distance covariance within groups, which is HSIC with a distance kernel."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.independence.hsic import IndependenceTest, hsic_test
from causal_ivae.settings import Null


def distance_covariance_test(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    groups: NDArray[np.integer] | None = None,
    null: Null = "circular_shift",
    *,
    draws: int = 999,
    seed: int = 0,
) -> IndependenceTest:
    """Test by distance covariance whether two series are independent, within groups if any.

    Parameters
    ----------
    x, y, groups, null, draws, seed
        As in `causal_ivae.independence.hsic_test`.

    Returns
    -------
    IndependenceTest

    Raises
    ------
    InputError
        In the same cases as `causal_ivae.independence.hsic_test`.

    Notes
    -----
    The statistic is the sum over groups of L V^2 / S, where L is the number of rows of the group,
    V^2 the squared sample distance covariance and S the product of the two mean distances
    (Szekely, Rizzo and Bakirov 2007, "Measuring and testing dependence by correlation of
    distances", theorem 6).  In long groups of single features, V takes n log n operations and the
    draws from the null come from factors (`causal_ivae.independence.distance_factors`).
    `causal_ivae.independence.hsic.hsic_table` with ``kernel="distance"``
    tests many pairs at once.
    """
    return hsic_test(x, y, groups, null, draws=draws, seed=seed, kernel="distance")
