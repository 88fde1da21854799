"""Hilbert-Schmidt independence criterion, conditional on groups, for very many pairs at once.

Gretton et al. 2005, "Measuring statistical dependence with Hilbert-Schmidt norms".  Within every
block of volumes the Gram matrices are centred; the statistic is the sum over blocks of length L

    T = sum_b (1 / L_b) trace(K_b H L_b H),

that is L_b times the biased HSIC of the block.  Two series that are independent given the block
have a T that is small, whatever their scales do from block to block.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import gamma
from torch import Tensor

from causal_ivae.config import Null
from causal_ivae.errors import InputError
from causal_ivae.independence.blocks import Blocks, make_blocks
from causal_ivae.independence.nulls import BlockNull, draw_null, shift_spectra, shift_table

# Gram matrices of each series that are alive at once, their intermediates included.
_COPIES = 6


@dataclass(frozen=True)
class IndependenceTest:
    """Outcome of one HSIC test.

    Attributes
    ----------
    statistic : float
        T, summed over groups.
    p_value : float
        Share of null draws at least as large (the observed one counted in), or the upper tail of
        the gamma approximation.
    null : str
    null_mean : float
        Mean of T under the null.
    draws : int
        Null draws; 0 for gamma.
    """

    statistic: float
    p_value: float
    null: str
    null_mean: float
    draws: int


@dataclass(frozen=True)
class IndependenceTable:
    """HSIC tests of every first against every second series, pair by pair.

    Attributes
    ----------
    statistic, null_mean, p_value : ndarray, shape (pairs, first, second), float64
    block_excess : ndarray, shape (pairs, first, second, n_blocks), float64
        Each block's share of T less its null mean.
    block_null_sd : ndarray, shape (pairs, first, second, n_blocks), float64
        Null standard deviation of each block's share of T.
    """

    statistic: NDArray[np.float64]
    null_mean: NDArray[np.float64]
    p_value: NDArray[np.float64]
    block_excess: NDArray[np.float64]
    block_null_sd: NDArray[np.float64]

    def of(self, pairs: NDArray[np.bool_]) -> "IndependenceTable":
        """Return the tests of some pairs."""
        return IndependenceTable(
            self.statistic[pairs],
            self.null_mean[pairs],
            self.p_value[pairs],
            self.block_excess[pairs],
            self.block_null_sd[pairs],
        )


def hsic_test(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    groups: NDArray[np.integer] | None = None,
    null: Null = "circular_shift",
    *,
    draws: int = 999,
    seed: int = 0,
) -> IndependenceTest:
    """Test whether two series are independent, within groups if groups are given.

    Parameters
    ----------
    x, y : ndarray, shape (n_times,) or (n_times, n_features)
        Of any unit; the Gaussian kernel's bandwidth is the median distance within each group.
    groups : ndarray of int, shape (n_times,), or None
        Independence is tested given the group.  Rows of one group must be in order of time for
        the nulls that keep time structure, and should be contiguous.
    null : {"circular_shift", "permutation", "wild_bootstrap", "gamma"}
        "gamma" and "permutation" hold for independent rows only; "circular_shift" and
        "wild_bootstrap" keep autocorrelation.
    draws : int
        Draws from the null; not used by "gamma".
    seed : int

    Returns
    -------
    IndependenceTest

    Raises
    ------
    InputError
        If the lengths differ, a value is not finite, a series is constant, or no group has at
        least 8 rows.

    Notes
    -----
    HSIC: Gretton et al. 2005, equation 4 (biased estimate), summed over groups.  Nulls: see
    `causal_ivae.independence.nulls`.
    """
    columns = []
    for name, series in (("x", x), ("y", y)):
        array = np.asarray(series, dtype=np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise InputError(f"'{name}' has shape {array.shape}; give (n_times,) or 2-D values.")
        if not np.isfinite(array).all():
            raise InputError(f"'{name}' holds values that are not finite; remove those rows.")
        if (array.std(axis=0) == 0).any():
            raise InputError(f"'{name}' is constant; independence of a constant is undefined.")
        columns.append((array - array.mean(axis=0)) / array.std(axis=0))
    if len(columns[0]) != len(columns[1]):
        raise InputError(
            f"'x' has {len(columns[0])} rows and 'y' has {len(columns[1])}; they must be equal."
        )
    labels = np.zeros(len(columns[0]), dtype=np.int64) if groups is None else np.asarray(groups)
    if labels.shape != (len(columns[0]),):
        raise InputError(
            f"'groups' has shape {labels.shape}; expected ({len(columns[0])},), one per row."
        )
    first, second = (torch.as_tensor(c, dtype=torch.float32)[None, None] for c in columns)
    table = hsic_table(first, second, make_blocks(labels), null=null, draws=draws, seed=seed)
    return IndependenceTest(
        statistic=float(table.statistic[0, 0, 0]),
        p_value=float(table.p_value[0, 0, 0]),
        null=null,
        null_mean=float(table.null_mean[0, 0, 0]),
        draws=0 if null == "gamma" else draws,
    )


def hsic_table(
    first: Tensor,
    second: Tensor,
    blocks: Blocks,
    *,
    null: Null,
    draws: int,
    seed: int,
    memory_gib: float = 1.0,
) -> IndependenceTable:
    """Test every first against every second series of every pair.

    Parameters
    ----------
    first : Tensor, shape (pairs, n_first, n_times, n_features), float32
        Such as the two regions of each pair.
    second : Tensor, shape (pairs, n_second, n_times, n_features), float32
        Such as the disturbances of all restarts.
    blocks : Blocks
        On the same device.
    null, draws, seed
        As in `hsic_test`.  All tests share the null's random numbers, so a test's p-value does
        not depend on which other tests are made.
    memory_gib : float
        Pairs are taken in chunks that need about this much, and the blocks of one pair too
        with the null "circular_shift".  Changes no number beyond rounding.

    Returns
    -------
    IndependenceTable
    """
    floats = _floats_per_pair(first.shape[1], second.shape[1], blocks, null, draws)
    room = int(memory_gib * 2**30 / 4)
    chunk = max(1, room // floats)
    parts = [
        _chunk_table(first[i : i + chunk], second[i : i + chunk], blocks, null, draws, seed, room)
        for i in range(0, len(first), chunk)
    ]
    return IndependenceTable(
        *(np.concatenate([part[k] for part in parts]) for k in range(5)),
    )


def _floats_per_pair(n_first: int, n_second: int, blocks: Blocks, null: Null, draws: int) -> int:
    """Numbers held at once for one pair: Gram matrices, and draws where blocks are short."""
    copies = _COPIES if null in ("circular_shift", "gamma") else 4 + n_first
    grams = sum(rows.shape[0] * rows.shape[1] ** 2 for rows in blocks.rows)
    drawn = 0
    if null == "wild_bootstrap":
        # Multipliers times the product of two Gram matrices, before and after the second factor.
        drawn = 3 * max(rows.numel() for rows in blocks.rows)
    elif null != "gamma":
        drawn = 2 * max(rows.shape[0] for rows in blocks.rows)
    totals = 0 if null == "gamma" else 2 * len(blocks.rows)
    return copies * (n_first + n_second) * grams + n_first * n_second * draws * (drawn + totals)


def _chunk_table(
    first: Tensor,
    second: Tensor,
    blocks: Blocks,
    null: Null,
    draws: int,
    seed: int,
    room: int,
) -> tuple[NDArray[np.float64], ...]:
    per_length: list[BlockNull] = []
    for index, rows in enumerate(blocks.rows):
        if null == "circular_shift":
            table = _all_shifts(first, second, rows, room)
            per_length.append(BlockNull.from_shifts(table, draws, seed, index))
        else:
            gram_first = centred_gram(first[:, :, rows])
            gram_second = centred_gram(second[:, :, rows])
            per_length.append(
                draw_null(gram_first, gram_second, null=null, draws=draws, seed=seed, index=index)
            )
    observed = torch.cat([b.observed for b in per_length], dim=-1)
    mean = torch.cat([b.mean for b in per_length], dim=-1)
    sd = torch.cat([b.sd for b in per_length], dim=-1)
    statistic = observed.sum(-1)
    if null == "gamma":
        m, v = mean.sum(-1).cpu().numpy(), sd.square().sum(-1).cpu().numpy()
        # A series that is constant within every block is independent of all.
        with np.errstate(invalid="ignore"):
            p_value = gamma.sf(statistic.cpu().numpy(), m**2 / v, scale=v / m)
        p_value = np.where(v > 0, p_value, 1.0)
    else:
        total = torch.stack([b.totals for b in per_length]).sum(0)
        larger = (total >= statistic[..., None]).sum(-1)
        p_value = ((1.0 + larger.double()) / (1.0 + draws)).cpu().numpy()
    return tuple(
        np.asarray(t.cpu().numpy() if isinstance(t, Tensor) else t, dtype=np.float64)
        for t in (statistic, mean.sum(-1), p_value, observed - mean, sd)
    )


def _all_shifts(first: Tensor, second: Tensor, rows: Tensor, room: int) -> Tensor:
    """Return `shift_table` of blocks of one length, a few blocks at a time if they are long."""
    length = rows.shape[1]
    per_block = _COPIES * len(first) * (first.shape[1] + second.shape[1]) * length**2
    step = max(1, room // per_block)
    tables = []
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        spectra = [shift_spectra(centred_gram(series[:, :, some])) for series in (first, second)]
        tables.append(shift_table(spectra[0], spectra[1], length))
    return torch.cat(tables, dim=-2)


def centred_gram(series: Tensor) -> Tensor:
    """Centre the Gaussian Gram matrix of every block.

    Parameters
    ----------
    series : Tensor, shape (..., length, n_features), float32

    Returns
    -------
    Tensor, shape (..., length, length), float32
        H K H with the median distance of the block as bandwidth.
    """
    length = series.shape[-2]
    squared = torch.zeros(*series.shape[:-1], length, device=series.device)
    for feature in series.unbind(-1):
        squared += (feature[..., :, None] - feature[..., None, :]).square()
    above = torch.triu_indices(length, length, 1, device=series.device)
    median = squared[..., above[0], above[1]].median(-1).values
    # A block in which most values coincide has a median distance of zero.
    scale = torch.where(median > 0, median, squared.mean((-2, -1)).clamp_min(1e-30))
    gram = torch.exp(-0.5 * squared / scale[..., None, None])
    gram -= gram.mean(-1, keepdim=True)
    gram -= gram.mean(-2, keepdim=True)
    return gram
