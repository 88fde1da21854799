"""Conditional independence of two series given others, for many triples at once.

The kernel test of Zhang et al. 2011, "Kernel-based conditional independence test and application
in causal discovery", by features: those of x and of y, whose products are their Gaussian kernels,
are regressed on those of z, and the residual features are tested by HSIC.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.config import Null
from causal_ivae.independence.blocks import Blocks, make_blocks
from causal_ivae.independence.checks import checked
from causal_ivae.independence.hsic import (
    IndependenceTable,
    IndependenceTest,
    hsic_table,
    single_test,
)
from causal_ivae.independence.lowrank import cholesky

RANK = 20
"""Features of x and of y."""
RANK_GIVEN = 100
"""Features of z."""
RIDGE = 1e-3
"""Penalty of the regression, relative to the number of rows."""


def conditional_independence_test(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    z: NDArray[np.floating],
    groups: NDArray[np.integer] | None = None,
    null: Null = "circular_shift",
    *,
    draws: int = 999,
    seed: int = 0,
) -> IndependenceTest:
    """Test whether x and y are independent given z, within groups if groups are given.

    Parameters
    ----------
    x, y : ndarray, shape (n_times,)
    z : ndarray, shape (n_times,) or (n_times, n_given)
    groups, null, draws, seed
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
    See `conditional_table`.
    """
    (first, second, given), labels = checked({"x": x, "y": y, "z": z}, groups)
    table = conditional_table(
        first, second, given, make_blocks(labels), null=null, draws=draws, seed=seed
    )
    return single_test(table, null, draws)


def conditional_table(
    x: Tensor,
    y: Tensor,
    z: Tensor,
    blocks: Blocks,
    *,
    null: Null,
    draws: int,
    seed: int,
    memory_gib: float = 1.0,
) -> IndependenceTable:
    """Test x against y given z for many triples, conditional on blocks.

    Parameters
    ----------
    x, y : Tensor, shape (tests, n_times, 1), float32
    z : Tensor, shape (tests, n_times, n_given), float32
        With ``n_given`` 0, x and y are tested without regression.
    blocks : Blocks
        On the same device.
    null, draws, seed, memory_gib
        As in `causal_ivae.independence.hsic.hsic_table`.

    Returns
    -------
    IndependenceTable, shape (tests, 1, 1)
    """
    if z.shape[-1] == 0:
        return hsic_table(
            x[:, None],
            y[:, None],
            blocks,
            null=null,
            draws=draws,
            seed=seed,
            memory_gib=memory_gib,
        )
    rows = torch.cat([r.flatten() for r in blocks.rows])
    x, y, z = (_scaled(series, blocks) for series in (x, y, z))
    n_times = len(rows)
    given = cholesky(z[:, rows], min(RANK_GIVEN, n_times // 4))[0]
    given = given - given.mean(-1, keepdim=True)
    inner = given @ given.mT
    inner.diagonal(dim1=-2, dim2=-1).add_(RIDGE * n_times)
    residuals = []
    for series in (x, y):
        features = cholesky(series[:, rows], RANK)[0]
        features = features - features.mean(-1, keepdim=True)
        fitted = torch.linalg.solve(inner, given @ features.mT).mT @ given
        residual = series.new_zeros(len(series), series.shape[1], features.shape[1])
        residual[:, rows] = (features - fitted).mT
        residuals.append(residual[:, None])
    return hsic_table(
        *residuals,
        blocks,
        null=null,
        draws=draws,
        seed=seed,
        memory_gib=memory_gib,
        kernel="linear",
    )


def _scaled(series: Tensor, blocks: Blocks) -> Tensor:
    """Standardise every block."""
    scaled = torch.zeros_like(series)
    for rows in blocks.rows:
        part = series[:, rows]
        part = part - part.mean(-2, keepdim=True)
        scaled[:, rows] = part / part.square().mean(-2, keepdim=True).sqrt().clamp_min(1e-12)
    return scaled
