"""Low-rank factors of the Gram matrices of long blocks, and HSIC from them.

The Gaussian Gram matrix K of a long block has few eigenvalues that are not negligible.  Incomplete
Cholesky decomposition with pivoting (Bach and Jordan 2002, "Kernel independent component
analysis") finds K = F F' + R with R positive semidefinite, one column at a time and without ever
forming K.  With factors F of H K H and G of H L H,

    trace(K H L H) = ||F' G||^2,

which takes length x rank^2 steps where Gram matrices take length^2.

The trace of what is left out, centring included, is at most `TOLERANCE` x length, so that of a
block

    0 <= T - ||F' G||^2 / length <= `TOLERANCE` x (largest eigenvalue of H K H + that of H L H).

That bound is for series whose left-out part lies where the other series has its largest
eigenvalue.  The mean of T over all permutations, and so what T is compared with, is low by at most
2 x `TOLERANCE` x length / (length - 1).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from causal_ivae.config import Null
from causal_ivae.independence.kernel import MEDIAN_ROWS, squared_bandwidth

TOLERANCE = 1e-5
"""Trace that factors may leave out, relative to the length (the trace of K)."""

LOW_RANK_ROWS: dict[Null, int] = {
    "circular_shift": MEDIAN_ROWS + 1,
    "permutation": 32,
    "wild_bootstrap": MEDIAN_ROWS + 1,
    "gamma": MEDIAN_ROWS + 1,
}
"""Rows of a block from which factors are faster than Gram matrices.

Measured on one core: for one test the two break even at 350 to 700 rows, for the 32 tests of a pair
with 8 restarts at 150 to 250; by permutation below 30.
"""

# Rank, relative to the root of the length, up to which they are.
_RANK: dict[Null, float] = {
    "circular_shift": 1.5,
    "permutation": 4.0,
    "wild_bootstrap": 1.5,
    "gamma": 4.0,
}

# Numbers that the draws of one pass may hold; more than a cache holds is not faster.
_PASS = 2**22


def max_rank(null: Null, length: int) -> int:
    """Return the rank beyond which Gram matrices are faster."""
    return int(_RANK[null] * math.sqrt(length))


def cholesky(series: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Decompose the Gaussian Gram matrix of every block, incompletely.

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
    rate = -0.5 / squared_bandwidth(series).reshape(-1, 1, 1)
    features = series.reshape(-1, length, n_features).mT.contiguous()
    factors = features.new_empty(len(features), rank, length)
    residual = features.new_ones(len(features), 1, length)
    for column in range(rank):
        wanting = residual.sum(-1, keepdim=True) > allowed
        if not wanting.any():
            factors = factors[:, :column]
            break
        largest, pivot = residual.max(-1, keepdim=True)
        distance = features - features.gather(-1, pivot.expand(-1, n_features, 1))
        kernel = distance.square_().sum(1, keepdim=True).mul_(rate).exp_()
        known, new = factors[:, :column], factors[:, column, None]
        weight = known.gather(-1, pivot.expand(-1, column, 1)).mT
        torch.baddbmm(kernel, weight, known, alpha=-1.0, out=new)
        new *= torch.where(wanting, largest, torch.inf).rsqrt_()
        residual.addcmul_(new, new, value=-1.0)
    reached = residual.sum(-1) <= allowed
    shape = series.shape[:-2]
    return factors.reshape(*shape, -1, length), reached.reshape(shape)


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
        factors, reached = cholesky(series, rank)
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
        return self._squared(self._rows()[..., None, :])[..., 0]

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
