"""Compute the null distributions of HSIC for blocks of one length.

- circular shift: rotates the second series of each block in time by a random offset; all offsets,
  zero included, are equally likely.  It keeps the autocorrelation of both series.  One Fourier
  transform gives T for all offsets: with the circulant diagonals c_d(i) = K[i, i+d],
  T(s) = sum_d sum_i c_d(i) c'_d(i+s) is a sum of circular cross-correlations.
  A rotated series is rougher than the original where its end meets its beginning: in blocks of 83
  volumes of AR(1) processes with coefficient 0.95, T is 7 % too small on average.  The draws are
  therefore shifted to the mean that T has for independent stationary series (`stationary_mean`).
- permutation: puts the rows of the second series of each block in random order; valid for
  independent rows.
- wild bootstrap: Chwialkowski, Sejdinovic, Gretton 2014, equation 8, with an autoregressive
  multiplier; it keeps autocorrelation.
- gamma: a gamma distribution with the moments of Gretton et al. 2007, "A kernel statistical test
  of independence"; valid for independent rows.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy.signal import lfilter
from torch import Tensor
from torch.nn.functional import pad

from causal_ivae.settings import Null

WILD_BOOTSTRAP_LENGTH = 20.0
"""The wild bootstrap's multipliers have this correlation length (volumes; the authors' choice)."""


class Kernels(Protocol):
    """Give what the nulls need of the centred Gram matrices K and L of two sets of series.

    The first set has a series per pair, the second b, all in blocks of one length.
    """

    @property
    def length(self) -> int:
        """Return the number of volumes per block."""

    def statistic(self) -> Tensor:
        """Return T, shape (pairs, a, b, n_blocks)."""

    def trace_and_square(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the trace and the sum of squares off the diagonal, of K and of L.

        Each has the shape (pairs, a or b, n_blocks).
        """

    def shifts(self) -> Tensor:
        """Return T for every circular shift of the second series.

        The shape is (pairs, a, b, n_blocks, length).
        """

    def lag_sums(self) -> tuple[Tensor, Tensor]:
        """Return for every lag d the sum over i of K[i, i + d], and that of L[i, i + d].

        Each has the shape (pairs, a or b, n_blocks, length).
        """

    def permuted(self, order: Tensor) -> Tensor:
        """Return T with the second's rows in other orders, (pairs, a, b, n_blocks, draws).

        Parameters
        ----------
        order : Tensor, shape (n_blocks, draws, length), int64
        """

    def multiplied(self, weight: Tensor) -> Tensor:
        """Return w' (K * L) w / length, shape (pairs, a, b, n_blocks, draws).

        Parameters
        ----------
        weight : Tensor, shape (n_blocks, draws, length), float32
        """


@dataclass(frozen=True)
class BlockNull:
    """Hold the statistic of each block and its null distribution.

    Attributes
    ----------
    observed : Tensor, shape (pairs, first, second, n_blocks)
        Each block's part of T.
    mean, sd : Tensor, shape (pairs, first, second, n_blocks)
        Mean and standard deviation of that part under the null.
    values : Tensor, shape (pairs, first, second, n_blocks, draws)
        Draws from the null; none for the gamma null.
    """

    observed: Tensor
    mean: Tensor
    sd: Tensor
    values: Tensor

    def put(self, other: "BlockNull", pairs: Tensor, block: int, tests: Tensor) -> None:
        """Replace the results of some tests of one block by those of another null.

        Parameters
        ----------
        other : BlockNull
            The results of `pairs` for this block alone.
        pairs : Tensor, shape (pairs of other,), int64
        tests : Tensor, shape (pairs of other, first, second), bool
            True for the tests to replace.
        """
        for name in ("observed", "mean", "sd", "values"):
            mine, theirs = getattr(self, name), getattr(other, name)[:, :, :, 0]
            mask = tests.reshape(*tests.shape, *[1] * (theirs.dim() - 3))
            mine[pairs, :, :, block] = torch.where(mask, theirs, mine[pairs, :, :, block])


@dataclass(frozen=True)
class GramMatrices:
    """Compute what `Kernels` promises from whole Gram matrices.

    Attributes
    ----------
    first, second : Tensor, shape (pairs, a or b, n_blocks, length, length), float32
        Results of `causal_ivae.independence.kernel.centred_gram`.
    """

    first: Tensor
    second: Tensor

    @property
    def length(self) -> int:
        """Return the number of volumes per block."""
        return self.first.shape[-1]

    def statistic(self) -> Tensor:
        """Return T, the sum of the products of both matrices' entries over the length."""
        return torch.einsum("pagij,pbgij->pabg", self.first, self.second) / self.length

    def trace_and_square(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the traces and the sums of squares off the diagonal."""
        return _trace_and_square(self.first), _trace_and_square(self.second)

    def shifts(self) -> Tensor:
        """Return T for every circular shift of the second series."""
        return shift_table(shift_spectra(self.first), shift_spectra(self.second), self.length)

    def lag_sums(self) -> tuple[Tensor, Tensor]:
        """Sum the diagonals of both matrices."""
        return _diagonal_sums(self.first), _diagonal_sums(self.second)

    def permuted(self, order: Tensor) -> Tensor:
        """Return T with the rows and columns of the second matrix reordered."""
        n_blocks, draws, length = order.shape
        block = torch.arange(n_blocks, device=order.device)[:, None, None, None]
        step = max(1, int(2**26 / max(1, self.second.numel())))
        parts = []
        for start in range(0, draws, step):
            rows = order[:, start : start + step]
            shuffled = self.second[:, :, block, rows[..., :, None], rows[..., None, :]]
            parts.append(torch.einsum("pagij,pbgcij->pabgc", self.first, shuffled))
        return torch.cat(parts, dim=-1) / length

    def multiplied(self, weight: Tensor) -> Tensor:
        """Return w' (K * L) w / length for every draw of multipliers w."""
        product = self.first[:, :, None] * self.second[:, None]
        return ((weight @ product) * weight).sum(-1) / weight.shape[-1]


def _trace_and_square(gram: Tensor) -> tuple[Tensor, Tensor]:
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    return diagonal.sum(-1), gram.square().sum((-2, -1)) - diagonal.square().sum(-1)


def _diagonal_sums(gram: Tensor) -> Tensor:
    length = gram.shape[-1]
    wide = pad(gram, (0, length))
    steps = wide.stride()
    # Entry (d, i) of this view is the matrix's (i, i + d), zero beyond its border.
    diagonals = wide.as_strided(gram.shape, (*steps[:-2], 1, 2 * length + 1))
    return diagonals.sum(-1)


def shift_spectra(gram: Tensor) -> Tensor:
    """Return the Fourier transforms of the circulant diagonals of centred Gram matrices.

    Parameters
    ----------
    gram : Tensor, shape (..., length, length), float32, symmetric

    Returns
    -------
    Tensor, shape (..., length // 2 + 1, length // 2 + 1), complex64
        Entry (d, f) is frequency f of diagonal d, for d from 0 to length // 2.  Weights count the
        diagonals beyond length // 2 too, which are equal to those before it by symmetry.
    """
    length = gram.shape[-1]
    half = length // 2 + 1
    wide = torch.cat([gram, gram[..., :half]], dim=-1)
    steps = wide.stride()
    # Entry (d, i) of this view is the matrix's (i, i + d), columns counted on the circle.
    diagonals = wide.as_strided(
        (*gram.shape[:-2], half, length), (*steps[:-2], 1, wide.shape[-1] + 1)
    )
    weight = torch.full((half, 1), math.sqrt(2.0), device=gram.device)
    weight[0] = 1.0
    if length % 2 == 0:
        weight[-1] = 1.0
    spectra: Tensor = torch.fft.rfft(diagonals * weight, dim=-1)
    return spectra


def shift_table(first: Tensor, second: Tensor, length: int) -> Tensor:
    """Return T of every pair of series for every circular shift of the second.

    Parameters
    ----------
    first : Tensor, shape (pairs, a, n_blocks, diagonals, frequencies), complex64
    second : Tensor, shape (pairs, b, n_blocks, diagonals, frequencies), complex64
        Results of `shift_spectra`.
    length : int
        Volumes per block; the spectra alone do not tell whether it is odd or even.

    Returns
    -------
    Tensor, shape (pairs, a, b, n_blocks, length), float32
    """
    cross = torch.einsum("pagdf,pbgdf->pabgf", first.conj(), second)
    table: Tensor = torch.fft.irfft(cross, n=length, dim=-1) / length
    return table


def stationary_mean(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean that T has if the two series are independent and stationary.

    Parameters
    ----------
    first : Tensor, shape (pairs, a, n_blocks, length), float32
    second : Tensor, shape (pairs, b, n_blocks, length), float32
        Sums along the diagonals of the centred Gram matrices, from `Kernels.lag_sums`.

    Returns
    -------
    Tensor, shape (pairs, a, b, n_blocks), float32

    Notes
    -----
    At lag d the kernel of a stationary series has the same mean l(d) everywhere in the block, so
    that E T = (1 / length) sum_ij K_ij l(|i - j|).  The mean of the d-th diagonal estimates l(d).
    With AR(1) processes the result was within 1 % of the mean of T in blocks of 20 to 200 volumes,
    but 3 to 4 % too small in blocks of 20 and 30 at a coefficient of 0.9, where the test rejected
    in 5 to 6 % at level 0.05.
    """
    length = first.shape[-1]
    lags = torch.arange(length, 0, -1, device=first.device)
    # Every lag but zero lies on both sides of the main diagonal.
    weight = (2.0 - lags.eq(length).float()) / (lags * length)
    # A matrix product would be shorter, but its rounding depends on the number of pairs.
    return ((first * weight)[:, :, None] * second[:, None]).sum(-1)


def draw(null: Null, rng: np.random.Generator, *, n_blocks: int, draws: int, length: int) -> Tensor:
    """Draw the random numbers that a null needs, which all series share.

    Returns
    -------
    Tensor
        Circular shift: offsets, shape (n_blocks, draws), int64.  Permutation: orders, shape
        (n_blocks, draws, length), int64.  Wild bootstrap: multipliers, shape (n_blocks, draws,
        length), float32.  Gamma: empty.  The numbers are drawn block by block, so that blocks may
        be drawn in several calls.
    """
    if null == "gamma":
        return torch.zeros(n_blocks, 0)
    if null == "circular_shift":
        return torch.as_tensor(rng.integers(0, length, size=(n_blocks, draws)))
    if null == "permutation":
        return torch.as_tensor(rng.random((n_blocks, draws, length)).argsort(axis=-1))
    white = rng.standard_normal((n_blocks, draws, length))
    decay = math.exp(-1.0 / WILD_BOOTSTRAP_LENGTH)
    white[..., 1:] *= math.sqrt(1.0 - decay**2)
    return torch.as_tensor(lfilter([1.0], [1.0, -decay], white, axis=-1), dtype=torch.float32)


def block_null(kernels: Kernels, null: Null, drawn: Tensor) -> BlockNull:
    """Compute the statistic of every block and its null distribution.

    Parameters
    ----------
    null : {"circular_shift", "permutation", "wild_bootstrap", "gamma"}
    drawn : Tensor
        Random numbers from `draw`, on the device of `kernels`.
    """
    if null == "circular_shift":
        table = kernels.shifts()
        mean = stationary_mean(*kernels.lag_sums())
        values = table.gather(-1, drawn.expand(*table.shape[:-1], -1))
        values += (mean - table.mean(-1))[..., None]
        return BlockNull(table[..., 0], mean, table.std(-1, correction=0), values)
    observed = kernels.statistic()
    if null == "gamma":
        mean, variance = _gamma_moments(kernels)
        return BlockNull(observed, mean, variance.sqrt(), observed.new_zeros(*observed.shape, 0))
    values = kernels.permuted(drawn) if null == "permutation" else kernels.multiplied(drawn)
    return BlockNull(observed, values.mean(-1), values.std(-1, correction=0), values)


def _gamma_moments(kernels: Kernels) -> tuple[Tensor, Tensor]:
    """Return mean and variance of T over permutations, shape (pairs, a, b, n_blocks)."""
    m = kernels.length
    (trace_first, square_first), (trace_second, square_second) = kernels.trace_and_square()
    square_first, square_second = (s / (m * (m - 1)) for s in (square_first, square_second))
    # This mean over all permutations of centred matrices is exact; Gretton et al. 2007 give the
    # form for large samples.
    mean = trace_first[:, :, None] * trace_second[:, None] / (m * (m - 1))
    factor = 2.0 * m * (m - 4) * (m - 5) / ((m - 1) * (m - 2) * (m - 3))
    return mean, factor * square_first[:, :, None] * square_second[:, None]
