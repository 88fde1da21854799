"""Null distributions of HSIC for blocks of one length.

- circular shift: the second series of each block is rotated in time by a random offset, all
  offsets equally likely, zero among them.  Keeps each series' autocorrelation; exact for series
  that are stationary on the circle.  All offsets cost one Fourier transform: with
  c_d(i) = K[i, i+d] the circulant diagonals, T(s) = sum_d sum_i c_d(i) c'_d(i+s) is a sum of
  circular cross-correlations.
- permutation: rows of each block in random order; for independent rows.
- wild bootstrap: Chwialkowski, Sejdinovic, Gretton 2014, equation 8 with an autoregressive
  multiplier; keeps autocorrelation.
- gamma: moments of Gretton et al. 2007, "A kernel statistical test of independence"; for
  independent rows.
"""

import math
from dataclasses import dataclass

import torch
from scipy.signal import lfilter
from torch import Tensor

from causal_ivae.config import Null
from causal_ivae.seeding import generator

WILD_BOOTSTRAP_LENGTH = 20.0
"""Correlation length of the wild bootstrap's multipliers, volumes (the authors' choice)."""


@dataclass(frozen=True)
class BlockNull:
    """Statistic of each block and its null.

    Attributes
    ----------
    observed, mean, sd : Tensor, shape (pairs, first, second, n_blocks)
    totals : Tensor, shape (pairs, first, second, draws)
        Null draws of the sum over these blocks; no draws for gamma.
    """

    observed: Tensor
    mean: Tensor
    sd: Tensor
    totals: Tensor

    @classmethod
    def from_shifts(cls, table: Tensor, draws: int, seed: int, index: int) -> "BlockNull":
        """Draw from a table of all shifts, shape (pairs, first, second, n_blocks, length)."""
        n_blocks, length = table.shape[-2:]
        rng = generator(seed, "circular_shift", length, index)
        shifts = torch.as_tensor(rng.integers(0, length, size=(n_blocks, draws)))
        shifts = shifts.to(table.device).expand(*table.shape[:-1], draws)
        return cls(
            observed=table[..., 0],
            mean=table.mean(-1),
            sd=table.std(-1, correction=0),
            totals=table.gather(-1, shifts).sum(-2),
        )


def shift_spectra(gram: Tensor) -> Tensor:
    """Transform the circulant diagonals of centred Gram matrices.

    Parameters
    ----------
    gram : Tensor, shape (..., length, length), float32, symmetric

    Returns
    -------
    Tensor, shape (..., length // 2 + 1, length // 2 + 1), complex64
        Diagonal d of 0 to length // 2, frequency f; weighted so that a product of two spectra
        counts the diagonals beyond length // 2, which symmetry makes equal.
    """
    length = gram.shape[-1]
    half = length // 2 + 1
    rows = torch.arange(length, device=gram.device)
    columns = (rows[None, :] + torch.arange(half, device=gram.device)[:, None]) % length
    diagonals = gram[..., rows.expand_as(columns), columns]
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
        From `shift_spectra`.
    length : int
        Volumes per block; the spectra alone do not tell odd from even.

    Returns
    -------
    Tensor, shape (pairs, a, b, n_blocks, length), float32
    """
    cross = torch.einsum("pagdf,pbgdf->pabgf", first.conj(), second)
    table: Tensor = torch.fft.irfft(cross, n=length, dim=-1) / length
    return table


def draw_null(
    first: Tensor, second: Tensor, *, null: Null, draws: int, seed: int, index: int
) -> BlockNull:
    """Return the statistic and the permutation, wild bootstrap or gamma null.

    Parameters
    ----------
    first, second : Tensor, shape (pairs, a or b, n_blocks, length, length), float32
        Centred Gram matrices.
    null : {"permutation", "wild_bootstrap", "gamma"}
    draws, seed : int
    index : int
        Which of the lengths this is; enters the seed.
    """
    length = first.shape[-1]
    observed = torch.einsum("pagij,pbgij->pabg", first, second) / length
    if null == "gamma":
        mean, variance = _gamma_moments(first, second)
        return BlockNull(observed, mean, variance.sqrt(), observed.new_zeros(()))
    n_blocks = first.shape[2]
    rng = generator(seed, null, length, index)
    if null == "permutation":
        order = rng.random((n_blocks, draws, length)).argsort(axis=-1)
        values = _permuted(first, second, torch.as_tensor(order, device=first.device))
    else:
        white = rng.standard_normal((n_blocks, draws, length))
        decay = math.exp(-1.0 / WILD_BOOTSTRAP_LENGTH)
        white[..., 1:] *= math.sqrt(1.0 - decay**2)
        multipliers = lfilter([1.0], [1.0, -decay], white, axis=-1)
        weight = torch.as_tensor(multipliers, dtype=torch.float32, device=first.device)
        values = _multiplied(first, second, weight)
    values = values / length
    return BlockNull(observed, values.mean(-1), values.std(-1, correction=0), values.sum(-2))


def _permuted(first: Tensor, second: Tensor, order: Tensor) -> Tensor:
    """Sum of products with the second permuted, shape (pairs, a, b, n_blocks, draws)."""
    n_blocks, draws, _ = order.shape
    block = torch.arange(n_blocks, device=order.device)[:, None, None, None]
    step = max(1, int(2**26 / max(1, second.numel())))
    parts = []
    for start in range(0, draws, step):
        rows = order[:, start : start + step]
        shuffled = second[:, :, block, rows[..., :, None], rows[..., None, :]]
        parts.append(torch.einsum("pagij,pbgcij->pabgc", first, shuffled))
    return torch.cat(parts, dim=-1)


def _multiplied(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Quadratic form of the multipliers, shape (pairs, a, b, n_blocks, draws)."""
    product = first[:, :, None] * second[:, None]
    return ((weight @ product) * weight).sum(-1)


def _gamma_moments(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    m = first.shape[-1]

    def trace_and_square(gram: Tensor) -> tuple[Tensor, Tensor]:
        diagonal = gram.diagonal(dim1=-2, dim2=-1)
        off = gram.square().sum((-2, -1)) - diagonal.square().sum(-1)
        return diagonal.sum(-1), off / (m * (m - 1))

    trace_first, square_first = trace_and_square(first)
    trace_second, square_second = trace_and_square(second)
    # The exact mean over all permutations of centred matrices; Gretton et al. 2007 give its
    # large-sample form.
    mean = trace_first[:, :, None] * trace_second[:, None] / (m * (m - 1))
    factor = 2.0 * m * (m - 4) * (m - 5) / ((m - 1) * (m - 2) * (m - 3))
    return mean, factor * square_first[:, :, None] * square_second[:, None]
