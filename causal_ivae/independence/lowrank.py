"""Compute HSIC of long blocks from low-rank factors of their Gram matrices.

The Gaussian Gram matrix K of a long block has few eigenvalues that are not negligible.  It can
therefore be written K = F F' + R, where F has few columns and R is positive semidefinite and
small.  F is found without forming K: the kernel of one feature is first projected on its values at
an even grid over the block's range (Williams and Seeger 2001, "Using the Nyström method to speed
up kernel machines"), and incomplete Cholesky with pivoting decomposes the remainder (Bach and
Jordan 2002, "Kernel independent component analysis").  With factors F of H K H and G of H L H,

    trace(K H L H) = ||F' G||^2,

which takes length x rank^2 operations instead of length^2.

The remainder R, centring included, has a trace of at most `TOLERANCE` x length, so that in a block

    0 <= T - ||F' G||^2 / length <= `TOLERANCE` x (largest eigenvalue of H K H + that of H L H).

The bound is reached only where the remainder of one series lies along the leading eigenvector of
the other.  The mean of T over all permutations is too small by at most
2 x `TOLERANCE` x length / (length - 1).

Random Fourier features (Rahimi and Recht 2007) are not used: with 1,000 columns, T was wrong by 2
to 7 % at 1,000 and 5,000 rows, where these factors of 18 to 21 columns are wrong by 1e-5 and take
at most a sixtieth of the time.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from causal_ivae.independence.kernel import squared_bandwidth
from causal_ivae.settings import Null

TOLERANCE = 1e-5
"""Factors may leave out this share of the trace of K, which equals the block's length."""

LOW_RANK_ROWS: dict[Null, int] = {"permutation": 32}
"""From this number of rows in a block on, factors are faster than Gram matrices.

For other nulls it is the first number of rows above `MEDIAN_ROWS`.

On one core and for series of one feature, both are equally fast at 80 to 130 rows, for one test as
for the 32 tests of a pair with 8 restarts; by permutation they are so below 30 rows.
"""

_RANK: dict[Null, float] = {"permutation": 4.0, "gamma": 4.0}
"""Up to this rank in roots of the length (2 for other nulls), factors are faster than matrices."""

_PASS = 2**22
"""The draws of one pass hold at most this many numbers, since more would exceed the CPU's cache."""

_SPACING = 0.58
"""Distance of grid points in bandwidths; the projection then meets `TOLERANCE` for any values."""
_GRID = 32
"""A grid has at most this many points."""


def max_rank(null: Null, length: int) -> int:
    """Return the rank beyond which Gram matrices are faster than factors."""
    return int(_RANK.get(null, 2.0) * math.sqrt(length))


def decompose(series: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Factor the Gaussian Gram matrix of every block, up to a small remainder.

    Parameters
    ----------
    series : Tensor, shape (..., length, n_features), float32
    rank : int
        The decomposition stops at this rank even if the remainder is still large.

    Returns
    -------
    factors : Tensor, shape (..., up to rank, length), float32
        F'; zero beyond a block's own rank, so that a block's result does not depend on the other
        blocks of the batch.
    reached : Tensor, shape (...,), bool
        True where the trace of the remainder is at most half of `TOLERANCE` x length.

    Notes
    -----
    The pivot is the row with the largest residual (Bach and Jordan 2002, section 4).
    """
    length, n_features = series.shape[-2:]
    allowed = 0.5 * TOLERANCE * length
    bandwidth = squared_bandwidth(series).reshape(-1, 1, 1)
    features = series.reshape(-1, length, n_features).mT
    factors = features.new_empty(len(features), rank, length)
    known = _on_grid(features, bandwidth, factors) if n_features == 1 else 0
    residual = 1.0 - factors[:, :known].square().sum(1, keepdim=True)
    rate = -0.5 / bandwidth
    for column in range(known, rank):
        wanting = residual.sum(-1, keepdim=True) > allowed
        if not wanting.any():
            factors = factors[:, :column]
            break
        largest, pivot = residual.max(-1, keepdim=True)
        distance = features - features.gather(-1, pivot.expand(-1, n_features, 1))
        kernel = distance.square_().sum(1, keepdim=True).mul_(rate).exp_()
        before, new = factors[:, :column], factors[:, column, None]
        weight = before.gather(-1, pivot.expand(-1, column, 1)).mT
        torch.baddbmm(kernel, weight, before, alpha=-1.0, out=new)
        new *= torch.where(wanting, largest, torch.inf).rsqrt_()
        residual.addcmul_(new, new, value=-1.0)
    reached = residual.sum(-1) <= allowed
    shape = series.shape[:-2]
    return factors.reshape(*shape, -1, length), reached.reshape(shape)


def _on_grid(features: Tensor, bandwidth: Tensor, factors: Tensor) -> int:
    """Project the kernel of one feature on an even grid and return the number of columns used.

    Parameters
    ----------
    features : Tensor, shape (blocks, 1, length), float32
    bandwidth : Tensor, shape (blocks, 1, 1), float32
        The squared bandwidth of every block.
    factors : Tensor, shape (blocks, rank, length), float32
        The first columns are written in place; those beyond a block's own grid become zero.

    Notes
    -----
    A grid extends one point beyond the range of the values.  Where this would take too many
    points, as it does with outliers, the grid covers the values around the median.
    """
    most = min(factors.shape[1], _GRID)
    low, high = features.aminmax(dim=-1, keepdim=True)
    points = ((high - low) * bandwidth.rsqrt() / _SPACING).ceil_() + 3.0
    middle, columns = 0.5 * (low + high), int(points.max())
    if columns > most:
        middle = torch.where(points > most, features.median(-1, keepdim=True).values, middle)
        points, columns = points.clamp_max_(most), most
    index = torch.arange(columns, device=features.device)[:, None]
    grid = _SPACING * (index - 0.5 * (points - 1.0))
    kernel = ((features - middle) * bandwidth.rsqrt() - grid).square_().mul_(-0.5).exp_()
    whitening = torch.from_numpy(_whitening()[:columns, :columns]).to(features.device)
    torch.bmm(whitening * (index < points), kernel, out=factors[:, :columns])
    return columns


@cache
def _whitening() -> NDArray[np.float32]:
    """Return the inverse Cholesky factor of the kernel on the largest grid.

    Its top left part is that of a smaller grid.
    """
    points = _SPACING * np.arange(_GRID)
    kernel = np.exp(-0.5 * (points[:, None] - points) ** 2)
    inverse: NDArray[np.float32] = np.linalg.inv(np.linalg.cholesky(kernel)).astype(np.float32)
    return inverse


@dataclass(frozen=True)
class GramFactors:
    """Hold the factors of the Gram matrices of two sets of series, in blocks of one length.

    Attributes
    ----------
    first, second : Tensor, shape (pairs, a or b, n_blocks, rank, length), float32
        F' and G'; zero for series that did not reach `TOLERANCE`.
    reached : Tensor, shape (pairs, a, b, n_blocks), bool
        True where both series of a test reached `TOLERANCE`.

    Notes
    -----
    `causal_ivae.independence.nulls.Kernels` describes the shapes that the methods return.
    """

    first: Tensor
    second: Tensor
    reached: Tensor

    @classmethod
    def of(cls, first: Tensor, second: Tensor, rank: int) -> "GramFactors":
        """Decompose the Gram matrices of all series at once.

        Parameters
        ----------
        first, second : Tensor, shape (pairs, a or b, n_blocks, length, n_features), float32
        rank : int
            A series that needs a higher rank counts as not reached.
        """
        # Both sets get the same number of features; features of zeros add nothing to a distance.
        missing = second.shape[-1] - first.shape[-1]
        series = torch.cat(
            [pad(first, (0, max(0, missing))), pad(second, (0, max(0, -missing)))], 1
        )
        factors, reached = decompose(series, rank)
        if not bool(reached.all()):
            factors = factors.masked_fill(~reached[..., None, None], 0.0)
        factors -= factors.mean(-1, keepdim=True)
        a = first.shape[1]
        return cls(factors[:, :a], factors[:, a:], reached[:, :a, None] & reached[:, None, a:])

    def compressed(self) -> "GramFactors":
        """Return the factors reduced to their leading principal axes.

        An incomplete decomposition has a higher rank than necessary, and the time of a draw from
        the null grows with the product of both ranks.  The omitted axes hold a trace of at most
        half of `TOLERANCE` x length.
        """
        return GramFactors(_principal(self.first), _principal(self.second), self.reached)

    @property
    def length(self) -> int:
        """Return the number of volumes per block."""
        return self.first.shape[-1]

    def statistic(self) -> Tensor:
        """Return T, the squared norm of F' G over the length."""
        rows = self.second.permute(0, 2, 4, 1, 3).flatten(-2)
        return self._squared(rows[..., None, :])[..., 0]

    def trace_and_square(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return traces and squared off-diagonal sums, from the rows of the factors and F' F."""
        return _trace_and_square(self.first), _trace_and_square(self.second)

    def shifts(self) -> Tensor:
        """Return T of every shift, summing squared cross-correlations of F's and G's columns."""
        first, second = torch.fft.rfft(self.first).conj(), torch.fft.rfft(self.second)[:, None]
        table = torch.zeros((), device=first.device)
        for column in first[:, :, None].unbind(-2):
            correlation = torch.fft.irfft(column[..., None, :] * second, n=self.length)
            table = table + correlation.square_().sum(-2)
        return table / self.length

    def lag_sums(self) -> tuple[Tensor, Tensor]:
        """Return the diagonal sums, which are autocorrelations summed over the factors' columns."""
        return _autocorrelation(self.first), _autocorrelation(self.second)

    def permuted(self, order: Tensor) -> Tensor:
        """Return T with the rows of G in other orders."""
        rows = self._rows()
        start = torch.arange(0, rows[..., 0].numel(), rows.shape[2], device=rows.device)
        flat, start = rows.flatten(0, 2), start.reshape(*rows.shape[:2], 1, 1)
        parts = []
        step = self._draws_per_pass()
        for i in range(0, order.shape[1], step):
            picked = flat.index_select(0, (order[:, i : i + step].mT + start).flatten())
            parts.append(self._squared(picked.reshape(*rows.shape[:3], -1, rows.shape[-1])))
        return torch.cat(parts, dim=-1)

    def multiplied(self, weight: Tensor) -> Tensor:
        """Return w' (K * L) w / length, summing (w' (f * g))^2 over columns f of F and g of G."""
        table = torch.zeros((), device=weight.device)
        for column in self.first[:, :, None].unbind(-2):
            products = column[..., None, :] * self.second[:, None]
            pairs, a, b, n_blocks, rank, _ = products.shape
            by_block = products.movedim(3, 0).flatten(1, 4) @ weight.mT
            sums = by_block.square_().reshape(n_blocks, pairs, a, b, rank, -1).sum(-2)
            table = table + sums.movedim(0, 3)
        return table / self.length

    def _rows(self) -> Tensor:
        """Return the rows of G of all series, shape (pairs, n_blocks, length, b * rank)."""
        return self.second.permute(0, 2, 4, 1, 3).flatten(-2).contiguous()

    def _draws_per_pass(self) -> int:
        pairs, a, n_blocks, rank, length = self.first.shape
        b, rank_second = self.second.shape[1], self.second.shape[3]
        return max(1, _PASS // (pairs * n_blocks * max(length, a * rank) * b * rank_second))

    def _squared(self, rows: Tensor) -> Tensor:
        """Return ||F' G||^2 / length for every draw, shape (pairs, a, b, n_blocks, draws), float32.

        Parameters
        ----------
        rows : Tensor, shape (pairs, n_blocks, length, draws, b * rank), float32
            The rows of G in the order of each draw.
        """
        pairs, a, n_blocks, rank, _ = self.first.shape
        left = self.first.transpose(1, 2).flatten(2, 3)
        product = (left @ rows.flatten(-2)).square_()
        product = product.reshape(pairs, n_blocks, a, rank, rows.shape[3], self.second.shape[1], -1)
        return product.sum((3, 6)).permute(0, 2, 4, 1, 3) / self.length


def _principal(factors: Tensor) -> Tensor:
    """Rotate factors of shape (..., rank, length) to their principal axes, the largest first."""
    eigenvalues, vectors = torch.linalg.eigh((factors @ factors.mT).double())
    kept = eigenvalues.cumsum(-1) > 0.5 * TOLERANCE * factors.shape[-1]
    axes = (vectors * kept[..., None, :]).flip(-1)[..., : max(1, int(kept.sum(-1).max()))]
    rotated: Tensor = axes.mT.to(factors.dtype) @ factors
    return rotated


def _autocorrelation(factors: Tensor) -> Tensor:
    length = factors.shape[-1]
    # Appended zeros keep the circular transform from joining the block's end to its beginning.
    power = torch.fft.rfft(factors, n=2 * length).abs().square_().sum(-2)
    sums: Tensor = torch.fft.irfft(power, n=2 * length)[..., :length]
    return sums


def _trace_and_square(factors: Tensor) -> tuple[Tensor, Tensor]:
    diagonal = factors.square().sum(-2)
    square = (factors @ factors.mT).square().sum((-2, -1))
    return diagonal.sum(-1), square - diagonal.square().sum(-1)
