"""Conditional independence of two series given others, for many triples at once.

As in the conditional test by kernels of Zhang et al. 2011, "Kernel-based conditional independence
test and application in causal discovery", what z explains is taken off by kernel ridge regression,
and what is left is tested by HSIC.  There the features of the kernels of x and of y are regressed;
here x and y themselves are, and then their squared residuals.  That is right where x given z is of
the location-scale family, which is what an edge from z with a disturbance whose scale depends on z
makes of it.  Residual features keep a share of z in each segment, and reject two to four times as
often as they should where series are autocorrelated.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from causal_ivae.independence.blocks import Blocks, make_blocks
from causal_ivae.independence.checks import checked
from causal_ivae.independence.hsic import (
    IndependenceTable,
    IndependenceTest,
    hsic_table,
    single_test,
)
from causal_ivae.independence.lowrank import decompose
from causal_ivae.settings import Null

RANK = 100
"""Features of z at most; a quarter of the volumes if that is less."""
RIDGE = 1e-3
"""Penalty of the regression, relative to the number of volumes."""
LEAST_VARIANCE = 0.1
"""Of a residual given z, relative to its mean over the block."""
LEAST_BLOCK = 1e-3
"""Residual variance of a block, relative to the mean over blocks."""

_COPIES = 8
"""Arrays of the features' size that are alive at once."""


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
    x, y : Tensor, shape (tests, n_times, n_features), float32, z-scored
    z : Tensor, shape (tests, n_times, n_given), float32, z-scored
        With ``n_given`` 0, x and y are tested as they are.
    blocks : Blocks
        On the same device.
    null, draws, seed, memory_gib
        As in `causal_ivae.independence.hsic.hsic_table`.

    Returns
    -------
    IndependenceTable, shape (tests, 1, 1)

    Notes
    -----
    The regression is on z itself and on the leading `RANK` features of its Gaussian kernel, with a
    ridge penalty of `RIDGE` x n_times, over all blocks: the equation of x does not change from
    segment to segment, only the scale of its disturbance does.  It is made twice, the second time
    with blocks weighted by the residual variance of the first; the residuals are divided by the
    root of the same regression of their squares.  Those of x and of y are tested by `hsic_table`.
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
    """Return what z leaves of x and of y, scaled, in the rows of the blocks; zero elsewhere."""
    rows = torch.cat([part.flatten() for part in blocks.rows])
    lengths = torch.cat([rows.new_full((len(r),), r.shape[1]) for r in blocks.rows])
    block = torch.arange(len(lengths), device=rows.device).repeat_interleave(lengths)
    average = one_hot(block).float().T / lengths[:, None]
    given = z[:, rows]
    # The kernel alone would not follow z to values far from the rest.
    design = torch.cat(
        [torch.ones_like(given[..., :1]), given, decompose(given, rank)[0].mT], -1
    ).mT

    def scaled(series: Tensor) -> Tensor:
        values = series[:, rows]
        even = torch.ones_like(values[..., :1])
        residual = values - _fitted(design, values, even)
        # Blocks with small disturbances say most about the equation.
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
    """Regress by weighted ridge regression.

    Parameters
    ----------
    design : Tensor, shape (tests, features, n_times), float32
    target : Tensor, shape (tests, n_times, n_features), float32
    weight : Tensor, shape (tests, n_times, 1), float32
        Root of each volume's weight, of any scale.

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
