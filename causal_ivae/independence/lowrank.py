"""Low-rank factors of the Gram matrices of long blocks, and HSIC from them.

The Gaussian Gram matrix K of a long block has few eigenvalues that are not negligible.  So it is
K = F F' + R with few columns in F and with R positive semidefinite, and F is found without ever
forming K: the kernel is projected on its values at an even grid over the block's range (one
feature only; Williams and Seeger 2001, "Using the Nyström method to speed up kernel machines"),
and what that leaves out is decomposed by incomplete Cholesky with pivoting (Bach and Jordan 2002,
"Kernel independent component analysis").  With factors F of H K H and G of H L H,

    trace(K H L H) = ||F' G||^2,

which takes length x rank^2 steps where Gram matrices take length^2.

The trace of what is left out, centring included, is at most `TOLERANCE` x length, so that of a
block

    0 <= T - ||F' G||^2 / length <= `TOLERANCE` x (largest eigenvalue of H K H + that of H L H).

That bound is for series whose left-out part lies where the other series has its largest
eigenvalue.  The mean of T over all permutations, and so what T is compared with, is low by at most
2 x `TOLERANCE` x length / (length - 1).

Random Fourier features (Rahimi and Recht 2007) were measured and left out: with 1,000 columns T is
off by 2 to 7 % at 1,000 and 5,000 rows, where these factors of 18 to 21 columns are off by 1e-5
and take a sixtieth of the time or less.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from causal_ivae.independence.kernel import MEDIAN_ROWS, squared_bandwidth
from causal_ivae.settings import Null

TOLERANCE = 1e-5
"""Trace that factors may leave out, relative to the length (the trace of K)."""

LOW_RANK_ROWS: dict[Null, int] = {
    "circular_shift": MEDIAN_ROWS + 1,
    "permutation": 32,
    "wild_bootstrap": MEDIAN_ROWS + 1,
    "gamma": MEDIAN_ROWS + 1,
}
"""Rows of a block from which factors are faster than Gram matrices.

Measured on one core, series of one feature: for one test and for the 32 tests of a pair with 8
restarts the two break even at 80 to 130 rows; by permutation below 30.
"""

# Rank, relative to the root of the length, up to which they are.
_RANK: dict[Null, float] = {
    "circular_shift": 2.0,
    "permutation": 4.0,
    "wild_bootstrap": 2.0,
    "gamma": 4.0,
}

# Numbers that the draws of one pass may hold; more than a cache holds is not faster.
_PASS = 2**22

_SPACING = 0.58
"""Of the grid, in bandwidths: the projection leaves out less than the tolerance of any law."""
_GRID = 32
"""Points of a grid at most."""


def max_rank(null: Null, length: int) -> int:
    """Return the rank beyond which Gram matrices are faster."""
    return int(_RANK[null] * math.sqrt(length))


def decompose(series: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Factor the Gaussian Gram matrix of every block, but for a remainder.

    Parameters
    ----------
    series : Tensor, shape (..., length, n_features), float32
    rank : int
        At which to give up.

    Returns
    -------
    factors : Tensor, shape (..., up to rank, length), float32
        F'; zero beyond a block's own rank, so that a block does not depend on those beside it.
    reached : Tensor, shape (...,), bool
        Whether F leaves out a trace of at most half of `TOLERANCE` x length.

    Notes
    -----
    Bach and Jordan 2002, section 4: the pivot is the row with the largest residual.
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
    """Project the kernel of one feature on its values at an even grid, and return the columns.

    Parameters
    ----------
    features : Tensor, shape (blocks, 1, length), float32
    bandwidth : Tensor, shape (blocks, 1, 1), float32
        Squared.
    factors : Tensor, shape (blocks, rank, length), float32
        Gets the first columns; those beyond a block's own grid are zero.

    Notes
    -----
    A grid reaches one point beyond the range.  Where that takes too many, as it does with
    outliers, it lies about the median.
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
    """Return the inverse of the Cholesky factor of the kernel at the points of a grid.

    The first rows are those of a smaller grid.
    """
    points = _SPACING * np.arange(_GRID)
    kernel = np.exp(-0.5 * (points[:, None] - points) ** 2)
    inverse: NDArray[np.float32] = np.linalg.inv(np.linalg.cholesky(kernel)).astype(np.float32)
    return inverse


@dataclass(frozen=True)
class GramFactors:
    """Two sets of series in blocks of one length, by the factors of their Gram matrices.

    Attributes
    ----------
    first, second : Tensor, shape (pairs, a or b, n_blocks, rank, length), float32
        F' and G'; zero where `TOLERANCE` was not reached.
    reached : Tensor, shape (pairs, a, b, n_blocks), bool
        Where it was.

    Notes
    -----
    See `causal_ivae.independence.nulls.Kernels` for what the methods return.
    """

    first: Tensor
    second: Tensor
    reached: Tensor

    @classmethod
    def of(cls, first: Tensor, second: Tensor, rank: int) -> "GramFactors":
        """Decompose all series at once.

        Parameters
        ----------
        first, second : Tensor, shape (pairs, a or b, n_blocks, length, n_features), float32
        rank : int
            At which to give up on a series.
        """
        # A feature of zeros adds nothing to a distance.
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
        """Return the principal axes of the factors, without the least of them.

        The rank of an incomplete decomposition is above the least possible, and a draw from the
        null takes time with the product of two ranks.  The axes that are left out hold a trace
        of at most half of `TOLERANCE` x length.
        """
        return GramFactors(_principal(self.first), _principal(self.second), self.reached)

    @property
    def length(self) -> int:
        """Return the volumes per block."""
        return self.first.shape[-1]

    def statistic(self) -> Tensor:
        """Return the squared norm of F' G."""
        rows = self.second.permute(0, 2, 4, 1, 3).flatten(-2)
        return self._squared(rows[..., None, :])[..., 0]

    def trace_and_square(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return them from the rows of the factors and from F' F."""
        return _trace_and_square(self.first), _trace_and_square(self.second)

    def shifts(self) -> Tensor:
        """Sum the squared circular cross-correlations of all columns of F with all of G."""
        first, second = torch.fft.rfft(self.first).conj(), torch.fft.rfft(self.second)[:, None]
        table = torch.zeros((), device=first.device)
        for column in first[:, :, None].unbind(-2):
            correlation = torch.fft.irfft(column[..., None, :] * second, n=self.length)
            table = table + correlation.square_().sum(-2)
        return table / self.length

    def lag_sums(self) -> tuple[Tensor, Tensor]:
        """Sum the autocorrelations of all columns of F, and of G."""
        return _autocorrelation(self.first), _autocorrelation(self.second)

    def permuted(self, order: Tensor) -> Tensor:
        """Return the squared norm of F' G with the rows of G in another order."""
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
        """Sum the squared products of w with those of all columns of F with all of G."""
        table = torch.zeros((), device=weight.device)
        for column in self.first[:, :, None].unbind(-2):
            products = column[..., None, :] * self.second[:, None]
            pairs, a, b, n_blocks, rank, _ = products.shape
            by_block = products.movedim(3, 0).flatten(1, 4) @ weight.mT
            sums = by_block.square_().reshape(n_blocks, pairs, a, b, rank, -1).sum(-2)
            table = table + sums.movedim(0, 3)
        return table / self.length

    def _rows(self) -> Tensor:
        """Return the second's factors by row, shape (pairs, n_blocks, length, b * rank)."""
        return self.second.permute(0, 2, 4, 1, 3).flatten(-2).contiguous()

    def _draws_per_pass(self) -> int:
        pairs, a, n_blocks, rank, length = self.first.shape
        b, rank_second = self.second.shape[1], self.second.shape[3]
        return max(1, _PASS // (pairs * n_blocks * max(length, a * rank) * b * rank_second))

    def _squared(self, rows: Tensor) -> Tensor:
        """Return ||F' G||^2 / length of every draw of the second's rows.

        Parameters
        ----------
        rows : Tensor, shape (pairs, n_blocks, length, draws, b * rank), float32

        Returns
        -------
        Tensor, shape (pairs, a, b, n_blocks, draws), float32
        """
        pairs, a, n_blocks, rank, _ = self.first.shape
        left = self.first.transpose(1, 2).flatten(2, 3)
        product = (left @ rows.flatten(-2)).square_()
        product = product.reshape(pairs, n_blocks, a, rank, rows.shape[3], self.second.shape[1], -1)
        return product.sum((3, 6)).permute(0, 2, 4, 1, 3) / self.length


def _principal(factors: Tensor) -> Tensor:
    """Rotate factors, shape (..., rank, length), to orthogonal ones, the largest first."""
    eigenvalues, vectors = torch.linalg.eigh((factors @ factors.mT).double())
    kept = eigenvalues.cumsum(-1) > 0.5 * TOLERANCE * factors.shape[-1]
    axes = (vectors * kept[..., None, :]).flip(-1)[..., : max(1, int(kept.sum(-1).max()))]
    rotated: Tensor = axes.mT.to(factors.dtype) @ factors
    return rotated


def _autocorrelation(factors: Tensor) -> Tensor:
    length = factors.shape[-1]
    # With as many zeros appended, no product reaches round the circle.
    power = torch.fft.rfft(factors, n=2 * length).abs().square_().sum(-2)
    sums: Tensor = torch.fft.irfft(power, n=2 * length)[..., :length]
    return sums


def _trace_and_square(factors: Tensor) -> tuple[Tensor, Tensor]:
    diagonal = factors.square().sum(-2)
    square = (factors @ factors.mT).square().sum((-2, -1))
    return diagonal.sum(-1), square - diagonal.square().sum(-1)
