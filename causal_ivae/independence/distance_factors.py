"""Compute distance covariance of long blocks of single features without their distances.

For one feature, the centred matrix of distances K of a block has the exact form

    K_ij = -H |x_i - x_j| H / m = (2 / m) integral of f_i(t) f_j(t) dt,  f_i(t) = 1[x_i > t] - F(t),

where m is the mean distance and F(t) the share of rows above t.  T itself, the traces and the sums
along the diagonals are computed exactly: T takes n log n operations (Huo and Szekely 2016, "Fast
computing for distance covariance"; Chaudhuri and Hu 2019, "A fast algorithm for computing distance
correlation").  The draws from a null, hundreds of further values of T, come from the leading `RANK`
eigenvectors of K.  What these leave out is the same for all draws but for a few millionths of their
variance, and its mean is known, so that it is added.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from causal_ivae.independence.lowrank import GramFactors
from causal_ivae.settings import Null

DISTANCE_ROWS: dict[Null, int] = {"circular_shift": 1000, "permutation": 129}
"""From this number of rows in a block on (other nulls: 500), this is faster than Gram matrices."""
RANK = 24
CELLS = 192
"""Eigenvectors are piecewise linear functions of the feature with about this many pieces."""
_DISTANCES = 2**20
"""Distances between rows are held this many at a time."""


@dataclass(frozen=True)
class DistanceFactors:
    """Compute what `causal_ivae.independence.nulls.Kernels` promises, with a distance kernel.

    Attributes
    ----------
    first, second : Tensor, shape (pairs, a or b, n_blocks, length), float64
        The series, divided by their blocks' mean distances.
    """

    first: Tensor
    second: Tensor

    @classmethod
    def of(cls, first: Tensor, second: Tensor) -> "DistanceFactors":
        """Prepare the series, shape (pairs, a or b, n_blocks, length, 1)."""
        return cls(*(_in_mean_distances(one[..., 0].double()) for one in (first, second)))

    @cached_property
    def factors(self) -> GramFactors:
        """Return the leading eigenvectors of both sets."""
        first, second = _leading(self.first).float(), _leading(self.second).float()
        shape = len(first), first.shape[1], second.shape[1], first.shape[2]
        return GramFactors(first, second, torch.ones(shape, dtype=torch.bool, device=first.device))

    @property
    def length(self) -> int:
        """Return the number of volumes per block."""
        return self.first.shape[-1]

    def statistic(self) -> Tensor:
        """Return T, exactly."""
        n = self.length
        b, a = self.second.shape[1], self.first.shape[1]
        x = self.first[:, :, None].expand(-1, -1, b, -1, -1)
        y = self.second[:, None].expand(-1, a, -1, -1, -1)
        of_x, of_y = _row_sums(self.first)[:, :, None], _row_sums(self.second)[:, None]
        total = of_x.sum(-1) * of_y.sum(-1) / n**2 - 2.0 * (of_x * of_y).sum(-1) / n
        return ((_sum_of_products(x, y) + total) / n).float()

    def trace_and_square(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the traces and the sums of squares off the diagonal, exactly."""
        return _trace_and_square(self.first), _trace_and_square(self.second)

    def lag_sums(self) -> tuple[Tensor, Tensor]:
        """Return the sums along the diagonals, exactly."""
        return self._lag_sums

    @cached_property
    def _lag_sums(self) -> tuple[Tensor, Tensor]:
        return _lag_sums(self.first).float(), _lag_sums(self.second).float()

    def shifts(self) -> Tensor:
        """Return T of every shift, by factors but for the mean over all and for none."""
        # Row i and row i + d of a circle are d or length - d apart.
        around = [sums + torch.roll(sums.flip(-1), 1, -1) for sums in self.lag_sums()]
        for sums in around:
            sums[..., 0] *= 0.5
        mean = (around[0][:, :, None] * around[1][:, None]).sum(-1) / self.length**2
        table = self.factors.shifts()
        table += (mean - table.mean(-1))[..., None]
        table[..., 0] = self.statistic()
        return table

    def permuted(self, order: Tensor) -> Tensor:
        """Return T with the rows of the second series in other orders, by factors."""
        n = self.length
        (first, _), (second, _) = self.trace_and_square()
        (known, _), (known_second, _) = self.factors.trace_and_square()
        left_out = first[:, :, None] * second[:, None] - known[:, :, None] * known_second[:, None]
        return self.factors.permuted(order) + left_out[..., None] / (n * (n - 1))

    def multiplied(self, weight: Tensor) -> Tensor:
        """Return w' (K * L) w / length, by factors but for the diagonal."""
        exact = _diagonal(self.first)[:, :, None] * _diagonal(self.second)[:, None]
        first, second = (
            part.square().sum(-2) for part in (self.factors.first, self.factors.second)
        )
        left_out = exact.float() - first[:, :, None] * second[:, None]
        # A matrix product would round differently in stacks of other sizes.
        added = (left_out[..., None, :] * weight.square()).sum(-1)
        return self.factors.multiplied(weight) + added / self.length


def _in_mean_distances(series: Tensor) -> Tensor:
    mean = _row_sums(series).sum(-1, keepdim=True) / series.shape[-1] ** 2
    return series / mean.clamp_min(1e-30)


def _row_sums(series: Tensor) -> Tensor:
    """Return the sum of every value's distances to all others, with the shape of the series."""
    n = series.shape[-1]
    values, order = series.sort(-1)
    place = torch.arange(n, device=series.device)
    above = values.sum(-1, keepdim=True) - values.cumsum(-1)
    below = values.cumsum(-1) - values
    sums = values * (2 * place - n + 1) + above - below
    return torch.empty_like(series).scatter_(-1, order, sums)


def _diagonal(series: Tensor) -> Tensor:
    """Return the diagonal of the centred matrix, with the shape of the series."""
    n = series.shape[-1]
    sums = _row_sums(series)
    return 2.0 * sums / n - sums.sum(-1, keepdim=True) / n**2


def _trace_and_square(series: Tensor) -> tuple[Tensor, Tensor]:
    n = series.shape[-1]
    sums, diagonal = _row_sums(series), _diagonal(series)
    centred = series - series.mean(-1, keepdim=True)
    squares = 2.0 * n * centred.square().sum(-1)
    whole = squares - 2.0 * sums.square().sum(-1) / n + (sums.sum(-1) / n).square()
    return diagonal.sum(-1).float(), (whole - diagonal.square().sum(-1)).float()


def _lag_sums(series: Tensor) -> Tensor:
    """Return for every lag d the sum over i of K[i, i + d], with the shape of the series."""
    n = series.shape[-1]
    apart = torch.empty_like(series)
    one = series.float()
    wide = pad(one, (0, n), value=torch.inf)
    step = max(1, _DISTANCES // series.numel())
    for start in range(0, n, step):
        lags = wide.unfold(-1, n, 1)[..., start : min(start + step, n), : n - start]
        # Beyond the end, a row is not apart from itself.
        distances = torch.where(lags < torch.inf, lags, one[..., None, : n - start])
        distances -= one[..., None, : n - start]
        apart[..., start : start + step] = distances.abs_().sum(-1)
    sums = _row_sums(series) / n
    kept = torch.arange(n, 0, -1, device=series.device)
    both = sums.cumsum(-1).flip(-1) + sums.flip(-1).cumsum(-1).flip(-1)
    return both - kept * sums.mean(-1, keepdim=True) - apart


def _sum_of_products(x: Tensor, y: Tensor) -> Tensor:
    """Return the sum over all i, j of |x_i - x_j| |y_i - y_j|, for series in the last axis.

    In the order of x, |y_i - y_j| is y_i - y_j, and 2 (y_j - y_i) more for an earlier j with a
    larger y.  Those pairs are summed by merging halves of 1, 2, 4, ... rows: of every two halves,
    the later rows meet those of the earlier half that come first in falling order of y.
    """
    n = x.shape[-1]
    order = x.argsort(-1)
    x, y = x.gather(-1, order), y.gather(-1, order)
    plain = n * (x * y).sum(-1) - x.sum(-1) * y.sum(-1)
    falling = y.argsort(dim=-1, descending=True)
    total = torch.zeros_like(plain)
    half = 1
    while half < n:
        merged = falling.gather(-1, (falling // (2 * half)).argsort(dim=-1, stable=True))
        left = (merged // half) % 2 == 0
        u, v = x.gather(-1, merged), y.gather(-1, merged)
        # Before the rows of a block come whole blocks only, with min(half, rest) earlier rows each.
        start = merged // (2 * half) * (2 * half)
        parts = torch.stack([torch.ones_like(u), u, v, u * v], dim=0) * left
        running = torch.cat([torch.zeros_like(parts[..., :1]), parts.cumsum(-1)], dim=-1)
        before = running.gather(-1, start.expand(parts.shape))
        count, of_u, of_v, of_product = running[..., :-1] - before
        later = u * (of_v - v * count) - (of_product - v * of_u)
        total = total + (later * ~left).sum(-1)
        half *= 2
    return 2.0 * (plain + 2.0 * total)


def _leading(series: Tensor) -> Tensor:
    """Return the leading eigenvectors, times the roots of their eigenvalues.

    Parameters
    ----------
    series : Tensor, shape (..., length), float64, in units of their mean distance

    Returns
    -------
    Tensor, shape (..., RANK, length)

    Notes
    -----
    K is projected on functions of t that are constant between quantiles of the series.  Integrated,
    they are linear functions of x between these.
    """
    n = series.shape[-1]
    values, order = series.sort(-1)
    place = torch.linspace(0, n - 1, min(CELLS, n) + 1, device=series.device).round().long()
    edges = values[..., place]
    width = edges.diff(dim=-1)
    # Entry (c, i) is how much of cell c lies below row i, in units of the root of its width.
    inside = (values[..., None, :] - edges[..., :-1, None]).clamp_min_(0.0)
    inside = torch.minimum(inside, width[..., None])
    inside *= width.clamp_min(1e-30).rsqrt()[..., None]
    inside -= inside.mean(-1, keepdim=True)
    eigenvectors = torch.linalg.eigh(inside @ inside.mT).eigenvectors[..., -RANK:]
    sorted_factors = 2.0**0.5 * (eigenvectors.mT @ inside)
    return torch.empty_like(sorted_factors).scatter_(
        -1, order[..., None, :].expand(sorted_factors.shape), sorted_factors
    )
