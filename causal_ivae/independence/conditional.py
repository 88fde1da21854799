"""Test whether two series are independent given others, for many triples at once.

Kernel ridge regression removes what z explains of x and of y, and HSIC tests the residuals, as in
Zhang et al. 2011, "Kernel-based conditional independence test and application in causal
discovery".  They regress the kernel features of x and y.  We regress x and y themselves, and then
their squared residuals, which is right where x given z belongs to a location-scale family: an edge
from z with a disturbance whose scale depends on z gives such a family.  Residuals of kernel
features keep a share of z in each segment, and that test rejects two to four times too often where
series are autocorrelated.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from causal_ivae.independence.blocks import Blocks, make_blocks
from causal_ivae.independence.hsic import (
    IndependenceTable,
    IndependenceTest,
    hsic_table,
    single_test,
)
from causal_ivae.independence.lowrank import decompose
from causal_ivae.independence.tested_series import standardised
from causal_ivae.settings import Null

RANK = 100
"""At most this many kernel features of z are used, or a quarter of the volumes if that is less."""
RIDGE = 1e-3
"""The ridge penalty of the regression is this number times the number of volumes."""
LEAST_VARIANCE = 0.1
"""A residual's variance given z is taken as at least this share of its mean over the block."""
LEAST_BLOCK = 1e-3
"""A block's residual variance is taken as at least this share of the mean over blocks."""

_COPIES = 8
"""The regression holds this many arrays of the features' size at once."""


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
    """Test whether x and y are independent given z, within each group if groups are given.

    Parameters
    ----------
    x, y : ndarray, shape (n_times,) or (n_times, n_features)
    z : ndarray, shape (n_times,) or (n_times, n_given)
    groups, null, draws, seed
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
    `conditional_table` describes the method.
    """
    (first, second, given), labels = standardised({"x": x, "y": y, "z": z}, groups)
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
    """Test whether x and y are independent given z and the block, for many triples.

    Parameters
    ----------
    x, y : Tensor, shape (tests, n_times, n_features), float32, z-scored
    z : Tensor, shape (tests, n_times, n_given), float32, z-scored
        If ``n_given`` is 0, x and y are tested without a regression.
    blocks : Blocks
        On the same device as the series.
    null, draws, seed, memory_gib
        As in `causal_ivae.independence.hsic.hsic_table`.

    Returns
    -------
    IndependenceTable, shape (tests, 1, 1)

    Notes
    -----
    The regressors are z itself and the leading `RANK` features of its Gaussian kernel; the ridge
    penalty is `RIDGE` x n_times.  One regression covers all blocks, since the equation of x stays
    the same in every segment and only the scale of its disturbance changes.  A second regression
    weights each block by the inverse of its residual variance in the first.  The residuals are
    divided by their standard deviation given z, from the same regression of their squares, and
    `hsic_table` tests those of x against those of y.
    """
    rank = min(RANK, max(1, x.shape[1] // 4))
    room = int(memory_gib * 2**30 / 4)
    step = max(1, room // (_COPIES * rank * x.shape[1]))
    if z.shape[-1]:
        with torch.inference_mode():
            parts = [
                _residuals(x[i : i + step], y[i : i + step], z[i : i + step], blocks, rank)
                for i in range(0, len(x), step)
            ]
        x, y = (torch.cat(part) for part in zip(*parts, strict=True))
    return hsic_table(
        x[:, None], y[:, None], blocks, null=null, draws=draws, seed=seed, memory_gib=memory_gib
    )


def _residuals(x: Tensor, y: Tensor, z: Tensor, blocks: Blocks, rank: int) -> tuple[Tensor, Tensor]:
    """Return the scaled residuals of x and y given z, with zeros in rows outside all blocks."""
    rows = torch.cat([part.flatten() for part in blocks.rows])
    lengths = torch.cat([rows.new_full((len(r),), r.shape[1]) for r in blocks.rows])
    block = torch.arange(len(lengths), device=rows.device).repeat_interleave(lengths)
    average = one_hot(block).float().T / lengths[:, None]
    given = z[:, rows]
    # The kernel features vanish far from most values of z; z itself still explains x there.
    design = torch.cat(
        [torch.ones_like(given[..., :1]), given, decompose(given, rank)[0].mT], -1
    ).mT

    def scaled(series: Tensor) -> Tensor:
        values = series[:, rows]
        even = torch.ones_like(values[..., :1])
        residual = values - _fitted(design, values, even)
        # Blocks with small disturbances determine the equation best, so they weigh most.
        variance = (average @ residual.square().mean(-1, keepdim=True))[:, block]
        variance = torch.maximum(variance, LEAST_BLOCK * variance.mean(1, keepdim=True))
        residual = values - _fitted(design, values, variance.clamp_min(1e-30).rsqrt())
        square = residual.square()
        square = square / (average @ square)[:, block].clamp_min(1e-30)
        deviation = 1.0 + _fitted(design, square - 1.0, even)
        result = torch.zeros_like(series)
        result[:, rows] = residual * deviation.clamp_min(LEAST_VARIANCE).rsqrt()
        return result

    return scaled(x), scaled(y)


def _fitted(design: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the target as a weighted ridge regression on the design predicts it.

    Parameters
    ----------
    design : Tensor, shape (tests, features, n_times), float32
    target : Tensor, shape (tests, n_times, n_features), float32
    weight : Tensor, shape (tests, n_times, 1), float32
        Square root of each volume's weight; only ratios matter.

    Returns
    -------
    Tensor, shape (tests, n_times, n_features), float32
    """
    weight = weight / weight.square().mean(1, keepdim=True).sqrt()
    weighted = design * weight.mT
    inner = weighted @ weighted.mT
    inner.diagonal(dim1=-2, dim2=-1).add_(RIDGE * weight.shape[1])
    factor = torch.linalg.cholesky(inner)
    return design.mT @ torch.cholesky_solve(weighted @ (target * weight), factor)
