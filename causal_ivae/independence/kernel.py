"""Compute the kernel bandwidth and the centred Gram matrix of every block.

- gaussian: exp(-|v - v'|^2 / 2 h^2), where h is the block's median distance.
- distance: -|v - v'| / (the block's mean distance).  HSIC with this kernel is distance covariance
  (Sejdinovic et al. 2013, "Equivalence of distance-based and RKHS-based statistics").
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Kernel = Literal["gaussian", "distance"]

MEDIAN_ROWS = 128
"""The median distance of a longer block is taken over this many of its rows."""


def squared_bandwidth(series: Tensor) -> Tensor:
    """Return the squared median distance between the rows of every block.

    Parameters
    ----------
    series : Tensor, shape (..., length, n_features), float32

    Returns
    -------
    Tensor, shape (...,), float32
        The mean squared distance instead where most values coincide; never zero.

    Notes
    -----
    In a block longer than `MEDIAN_ROWS`, only that many rows count, evenly spaced in the order of
    the first feature.  For one feature these are quantiles, and their median distance is within
    half a per cent of the block's once the distances of each to the neighbours that it stands for
    are counted as zero.  The choice of rows does not depend on their order in time, so that a
    permuted or shifted block keeps its bandwidth and a periodic series is not sampled in phase.
    """
    rows = series if series.shape[-2] <= MEDIAN_ROWS else _evenly_spaced(series)
    length = rows.shape[-2]
    # Entry (d, i) pairs row i with row i + d + 1, counted on a circle; half the circle is enough.
    offsets = torch.cat([rows, rows], -2).unfold(-2, length, 1)[..., 1 : length // 2 + 1, :, :]
    squared = (offsets[..., 0, :] - rows[..., None, :, 0]).square_()
    for feature in range(1, rows.shape[-1]):
        squared += (offsets[..., feature, :] - rows[..., None, :, feature]).square_()
    distances = length * (length - 1) // 2
    middle = (distances - 1) // 2
    if rows is not series and rows.shape[-1] == 1:
        middle -= length // 4
    # With an even length, the second half of the last offset repeats the first half.
    median = _smallest(squared.flatten(-2)[..., :distances], middle)
    if bool((median > 0).all()):
        return median
    mean = 2.0 * series.var(-2, correction=0).sum(-1)
    return torch.where(median > 0, median, mean.clamp_min(1e-30))


def centred_gram(series: Tensor, kernel: Kernel = "gaussian") -> Tensor:
    """Compute the centred Gram matrix of every block.

    Parameters
    ----------
    series : Tensor, shape (..., length, n_features), float32
    kernel : {"gaussian", "distance"}

    Returns
    -------
    Tensor, shape (..., length, length), float32
        H K H, where H is the centring matrix.
    """
    first, *others = series.unbind(-1)
    gram = (first[..., :, None] - first[..., None, :]).square_()
    for feature in others:
        gram += (feature[..., :, None] - feature[..., None, :]).square_()
    if kernel == "gaussian":
        gram = gram.div_(-2.0 * squared_bandwidth(series)[..., None, None]).exp_()
    else:
        gram = gram.sqrt_()
        gram /= -gram.mean((-2, -1), keepdim=True).clamp_min(1e-30)
    gram -= gram.mean(-1, keepdim=True)
    gram -= gram.mean(-2, keepdim=True)
    return gram


def _evenly_spaced(series: Tensor) -> Tensor:
    """Pick `MEDIAN_ROWS` rows at even steps in the order of the first feature."""
    steps = torch.arange(MEDIAN_ROWS, device=series.device)
    middle = (2 * steps + 1) * series.shape[-2] // (2 * MEDIAN_ROWS)
    if series.shape[-1] == 1:
        return _sorted(series[..., 0])[..., middle, None]
    rows = series[..., 0].argsort(-1)[..., middle, None]
    return series.gather(-2, rows.expand(*rows.shape[:-1], series.shape[-1]))


def _sorted(values: Tensor) -> Tensor:
    """Sort the values along the last axis."""
    if values.device.type != "cpu":
        return values.sort(-1).values
    # On a CPU, numpy sorts several times faster than torch.
    return torch.from_numpy(np.sort(values.numpy(), axis=-1))


def _smallest(values: Tensor, index: int) -> Tensor:
    """Return the value at a position, counted from 0, of the sorted last axis."""
    if values.device.type != "cpu":
        return values.kthvalue(index + 1, -1).values
    # On a CPU, numpy finds it several times faster than torch.
    return torch.from_numpy(np.partition(values.numpy(), index, axis=-1)[..., index].copy())
