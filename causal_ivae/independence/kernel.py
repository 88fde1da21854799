"""The kernel of a block: its bandwidth and its centred Gram matrix.

- gaussian: exp(-|v - v'|^2 / 2 h^2), h the block's median distance.
- distance: -|v - v'| / (the block's mean distance).  HSIC with it is distance covariance
  (Sejdinovic et al. 2013, "Equivalence of distance-based and RKHS-based statistics").
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Kernel = Literal["gaussian", "distance"]

MEDIAN_ROWS = 256
"""Rows from which the median distance of a longer block is taken."""


def squared_bandwidth(series: Tensor) -> Tensor:
    """Return the squared median distance between the rows of every block.

    Parameters
    ----------
    series : Tensor, shape (..., length, n_features), float32

    Returns
    -------
    Tensor, shape (...,), float32
        The mean squared distance where most values coincide; never zero.

    Notes
    -----
    Of a block longer than `MEDIAN_ROWS`, that many rows count, evenly spaced in the order of the
    first feature: for one feature these are quantiles, whose median distance is that of the block
    up to its discreteness.  Which rows they are does not depend on their order in time, so a
    permuted or shifted block keeps its bandwidth, and no period of the series can hide.
    """
    mean = 2.0 * series.var(-2, correction=0).sum(-1)
    if series.shape[-2] > MEDIAN_ROWS:
        series = _evenly_spaced(series)
    length = series.shape[-2]
    # Row d of all offsets up to half the length has the distances of i to i + d on the circle.
    offsets = torch.cat([series, series], -2).unfold(-2, length, 1)[..., 1 : length // 2 + 1, :, :]
    squared = (offsets[..., 0, :] - series[..., None, :, 0]).square_()
    for feature in range(1, series.shape[-1]):
        squared += (offsets[..., feature, :] - series[..., None, :, feature]).square_()
    # With an even length, half of the last offset repeats the other half.
    median = _lower_median(squared.flatten(-2)[..., : length * (length - 1) // 2])
    return torch.where(median > 0, median, mean.clamp_min(1e-30))


def centred_gram(series: Tensor, kernel: Kernel = "gaussian") -> Tensor:
    """Centre the Gram matrix of every block.

    Parameters
    ----------
    series : Tensor, shape (..., length, n_features), float32
    kernel : {"gaussian", "distance"}

    Returns
    -------
    Tensor, shape (..., length, length), float32
        H K H.
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
    """Take `MEDIAN_ROWS` rows at even steps in the order of the first feature."""
    steps = torch.arange(MEDIAN_ROWS, device=series.device)
    middle = (2 * steps + 1) * series.shape[-2] // (2 * MEDIAN_ROWS)
    rows = series[..., 0].argsort(-1)[..., middle, None]
    return series.gather(-2, rows.expand(*rows.shape[:-1], series.shape[-1]))


def _lower_median(values: Tensor) -> Tensor:
    """Return the lower median over the last axis."""
    if values.device.type != "cpu":
        return values.median(-1).values
    # The same number as torch's, which takes several times as long.
    middle = (values.shape[-1] - 1) // 2
    return torch.from_numpy(np.partition(values.numpy(), middle, axis=-1)[..., middle].copy())
