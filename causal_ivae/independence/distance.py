"""Distance covariance, conditional on groups: HSIC with the distance kernel."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.checks import checked
from causal_ivae.independence.hsic import IndependenceTest, hsic_table, single_test
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
    """Test by distance covariance whether two series are independent, within groups if given.

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
        As `causal_ivae.independence.hsic_test` does.

    Notes
    -----
    The statistic is the sum over groups of L V^2 / S, with L the rows of the group, V^2 the
    squared sample distance covariance and S the product of the two mean distances (Szekely, Rizzo
    and Bakirov 2007, "Measuring and testing dependence by correlation of distances", theorem 6).
    For many pairs at once: `causal_ivae.independence.hsic.hsic_table` with ``kernel="distance"``.
    """
    (first, second), labels = checked({"x": x, "y": y}, groups)
    table = hsic_table(
        first[:, None],
        second[:, None],
        make_blocks(labels),
        null=null,
        draws=draws,
        seed=seed,
        kernel="distance",
    )
    return single_test(table, null, draws)
