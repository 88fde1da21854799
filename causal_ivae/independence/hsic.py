"""Test independence within groups by the Hilbert-Schmidt criterion (HSIC), for many pairs at once.

The criterion is that of Gretton et al. 2005, "Measuring statistical dependence with
Hilbert-Schmidt norms".  The Gram matrices K_b and L_b of the two series are centred within every
block b of n_b volumes, and the statistic is the sum over blocks

    T = sum_b (1 / n_b) trace(K_b H L_b H),

that is n_b times the biased HSIC of the block.  T is small for two series that are independent
given the block, even if the scales of both change from block to block.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaincc
from torch import Tensor

from causal_ivae.independence.blocks import Blocks, make_blocks
from causal_ivae.independence.distance_factors import CELLS, DISTANCE_ROWS, RANK, DistanceFactors
from causal_ivae.independence.kernel import MEDIAN_ROWS, Kernel, centred_gram
from causal_ivae.independence.lowrank import LOW_RANK_ROWS, GramFactors, max_rank
from causal_ivae.independence.nulls import BlockNull, GramMatrices, block_null, draw
from causal_ivae.independence.tested_series import standardised
from causal_ivae.seeding import generator
from causal_ivae.settings import Null

_COPIES = 6
"""A test holds this many Gram matrices of each series at once, intermediate results included."""

_MATRICES_ON_CPU, _FACTORS_ON_CPU = 2**22, 2**24
"""A chunk on a CPU holds at most this many numbers.

Gram matrices are slower once they exceed the CPU's caches, and they fragment the heap.  Factors
are small, so that smaller chunks of them would cost more in overhead than they save.
"""


@dataclass(frozen=True)
class IndependenceTest:
    """Hold the outcome of one test of independence.

    Attributes
    ----------
    statistic : float
        The statistic T, summed over groups.
    p_value : float
        Share of null draws that are at least as large as T, counting T itself as one draw; for
        the gamma null, the upper tail probability.
    null : str
        Name of the null distribution.
    null_mean : float
        Mean of T under the null.
    draws : int
        Number of draws from the null; 0 for the gamma null.
    """

    statistic: float
    p_value: float
    null: str
    null_mean: float
    draws: int


@dataclass(frozen=True)
class IndependenceTable:
    """Hold the HSIC tests of every first against every second series of each pair.

    Attributes
    ----------
    statistic, null_mean, p_value : ndarray, shape (pairs, first, second), float64
    block_excess : ndarray, shape (pairs, first, second, n_blocks), float64
        Each block's part of T, minus the mean of that part under the null.
    block_null_sd : ndarray, shape (pairs, first, second, n_blocks), float64
        Standard deviation of each block's part of T under the null.
    """

    statistic: NDArray[np.float64]
    null_mean: NDArray[np.float64]
    p_value: NDArray[np.float64]
    block_excess: NDArray[np.float64]
    block_null_sd: NDArray[np.float64]

    def of(self, pairs: NDArray[np.bool_]) -> "IndependenceTable":
        """Return the tests of the pairs that a mask of shape (pairs,) selects."""
        return IndependenceTable(*(array[pairs] for array in self._arrays()))

    def reshaped(self, pairs: int, first: int, second: int) -> "IndependenceTable":
        """Return the same tests in the same order, of so many pairs and series each."""
        shape = (pairs, first, second)
        return IndependenceTable(
            *(array.reshape(*shape, *array.shape[3:]) for array in self._arrays())
        )

    def averaged(self) -> "IndependenceTable":
        """Return the means over the second series, which estimate the same, (pairs, first, 1)."""
        return IndependenceTable(*(array.mean(axis=2, keepdims=True) for array in self._arrays()))

    @classmethod
    def joined(cls, tables: Sequence["IndependenceTable"]) -> "IndependenceTable":
        """Return the tests of several groups of pairs as one table."""
        arrays = zip(*(table._arrays() for table in tables), strict=True)
        return cls(*(np.concatenate(parts) for parts in arrays))

    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        return tuple(getattr(self, field.name) for field in fields(self))


def hsic_test(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    groups: NDArray[np.integer] | None = None,
    null: Null = "circular_shift",
    *,
    draws: int = 999,
    seed: int = 0,
    kernel: Kernel = "gaussian",
) -> IndependenceTest:
    """Test whether two series are independent, within each group if groups are given.

    Parameters
    ----------
    x, y : ndarray, shape (n_times,) or (n_times, n_features)
        In any unit; the Gaussian kernel's bandwidth is the median distance within each group.
    groups : ndarray of int, shape (n_times,), or None
        Independence is tested given the group.  Nulls that keep time structure need the rows of
        one group in order of time, and the rows should be contiguous.
    null : {"circular_shift", "permutation", "wild_bootstrap", "gamma"}
        "gamma" and "permutation" are valid for independent rows only; "circular_shift" and
        "wild_bootstrap" keep autocorrelation.
    draws : int
        Number of draws from the null; "gamma" uses none.
    seed : int
    kernel : {"gaussian", "distance"}
        "distance" makes it the test of `causal_ivae.independence.distance_covariance_test`.

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
    The statistic is the biased estimate of Gretton et al. 2005, equation 4, summed over groups;
    `causal_ivae.independence.nulls` describes the nulls.  In a group of more than 128 rows, the
    median distance is taken over 128 of them (`causal_ivae.independence.kernel`), and T comes from
    low-rank factors, which make it at most 1e-5 of the sum of the largest eigenvalues of both
    Gram matrices too small (`causal_ivae.independence.lowrank`).  The permutation null uses these
    factors from 32 rows on.
    """
    (first, second), labels = standardised({"x": x, "y": y}, groups)
    pair, blocks = (first[:, None], second[:, None]), make_blocks(labels)
    table = hsic_table(*pair, blocks, null=null, draws=draws, seed=seed, kernel=kernel)
    return single_test(table, null, draws)


def single_test(table: "IndependenceTable", null: Null, draws: int) -> IndependenceTest:
    """Return the only test of a table that holds one test."""
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
    kernel: Kernel = "gaussian",
) -> IndependenceTable:
    """Test every first series of every pair against every second series of that pair.

    Parameters
    ----------
    first : Tensor, shape (pairs, n_first, n_times, n_features), float32
        For instance the two regions of each pair.
    second : Tensor, shape (pairs, n_second, n_times, n_features), float32
        For instance the disturbances of all restarts.
    blocks : Blocks
        On the same device as the series.
    null, draws, seed
        As in `hsic_test`.  All tests share the null's random numbers, so that a p-value does not
        depend on which other tests are made.
    memory_gib : float
        Pairs, and the blocks of one pair, are processed in chunks of about this size (GiB).
        Results do not depend on it beyond rounding.
    kernel : {"gaussian", "distance"}
        The kernel of both series, as `causal_ivae.independence.kernel` defines it.
    """
    room = int(memory_gib * 2**30 / 4)
    if first.device.type == "cpu":
        features = max(first.shape[-1], second.shape[-1])
        matrices = any(_by_matrices(kernel, null, rows.shape[1], features) for rows in blocks.rows)
        room = min(room, _MATRICES_ON_CPU if matrices else _FACTORS_ON_CPU)
    tests = first.shape[1] * second.shape[1]
    floats = len(blocks.rows) * 2 * tests * draws
    for rows in blocks.rows:
        floats += len(rows) * _floats_per_block(kernel, null, first, second, rows.shape[1], draws)
    chunk = max(1, room // floats)
    # The result arrays are allocated first, since many small ones would fragment the heap.
    shape = len(first), first.shape[1], second.shape[1]
    n_blocks = sum(len(rows) for rows in blocks.rows)
    table = [np.empty(shape) for _ in range(3)] + [np.empty((*shape, n_blocks)) for _ in range(2)]
    with torch.inference_mode():
        for i in range(0, len(first), chunk):
            some = slice(i, i + chunk)
            part = _chunk_table(first[some], second[some], blocks, kernel, null, draws, seed, room)
            for whole, values in zip(table, part, strict=True):
                whole[some] = values
    return IndependenceTable(*table)


def _chunk_table(
    first: Tensor,
    second: Tensor,
    blocks: Blocks,
    kernel: Kernel,
    null: Null,
    draws: int,
    seed: int,
    room: int,
) -> tuple[NDArray[np.float64], ...]:
    parts: list[BlockNull] = []
    total = torch.zeros((), device=first.device)
    for index, rows in enumerate(blocks.rows):
        length = rows.shape[1]
        rng = generator(seed, null, length, index)
        # Only as many blocks are processed at once as fit into the given room.
        floats = len(first) * _floats_per_block(kernel, null, first, second, length, draws)
        step = max(1, room // (floats + _floats_drawn(null, length, draws)))
        for i in range(0, len(rows), step):
            some = rows[i : i + step]
            drawn = draw(null, rng, n_blocks=len(some), draws=draws, length=length)
            part = _block_null(
                first[:, :, some], second[:, :, some], kernel, null, drawn.to(some.device), room
            )
            total = total + part.values.sum(-2)
            parts.append(part)
    observed = torch.cat([part.observed for part in parts], dim=-1)
    mean = torch.cat([part.mean for part in parts], dim=-1)
    sd = torch.cat([part.sd for part in parts], dim=-1)
    statistic = observed.sum(-1)
    if null == "gamma":
        m, v = mean.sum(-1).cpu().numpy(), sd.square().sum(-1).cpu().numpy()
        # A series that is constant within every block has variance 0 and is independent of all.
        with np.errstate(invalid="ignore"):
            p_value = gammaincc(m**2 / v, statistic.clamp_min(0.0).cpu().numpy() * m / v)
        p_value = np.where(v > 0, p_value, 1.0)
    else:
        larger = (total >= statistic[..., None]).sum(-1)
        p_value = ((1.0 + larger.double()) / (1.0 + draws)).cpu().numpy()
        if null == "circular_shift":
            # One of all combinations of shifts is the series as they are.
            shifts = sum(len(rows) * np.log(rows.shape[1]) for rows in blocks.rows)
            p_value = np.maximum(p_value, np.exp(-shifts))
    return tuple(
        np.asarray(t.cpu().numpy() if isinstance(t, Tensor) else t, dtype=np.float64)
        for t in (statistic, mean.sum(-1), p_value, observed - mean, sd)
    )


def _block_null(
    first: Tensor, second: Tensor, kernel: Kernel, null: Null, drawn: Tensor, room: int
) -> BlockNull:
    """Return statistic and null of blocks of one length, from factors where these are faster.

    Parameters
    ----------
    first, second : Tensor, shape (pairs, a or b, n_blocks, length, n_features), float32
    drawn : Tensor
        From `causal_ivae.independence.nulls.draw`.
    """
    length, features = first.shape[3], max(first.shape[-1], second.shape[-1])
    if _by_matrices(kernel, null, length, features):
        matrices = GramMatrices(centred_gram(first, kernel), centred_gram(second, kernel))
        return block_null(matrices, null, drawn)
    if kernel == "distance":
        return block_null(DistanceFactors.of(first, second), null, drawn)
    factors = GramFactors.of(first, second, max_rank(null, length))
    result = block_null(factors if null == "gamma" else factors.compressed(), null, drawn)
    step = max(1, room // _exact_floats(null, first, second, length, drawn.shape[1]))
    # Series whose factors would need a higher rank than is allowed are tested exactly.
    for block in (~factors.reached).flatten(0, 2).any(0).nonzero()[:, 0].tolist():
        wrong = ~factors.reached[..., block]
        pairs = wrong.flatten(1).any(1).nonzero()[:, 0]
        for i in range(0, len(pairs), step):
            some = pairs[i : i + step]
            grams = (centred_gram(series[some, :, block, None]) for series in (first, second))
            exact = block_null(GramMatrices(*grams), null, drawn[block, None])
            result.put(exact, some, block, wrong[some])
    return result


def _by_matrices(kernel: Kernel, null: Null, length: int, features: int) -> bool:
    if kernel == "distance":
        return features > 1 or length < DISTANCE_ROWS.get(null, 500)
    return length < LOW_RANK_ROWS.get(null, MEDIAN_ROWS + 1)


def _floats_per_block(
    kernel: Kernel, null: Null, first: Tensor, second: Tensor, length: int, draws: int
) -> int:
    """Return how many numbers are held at once for one block of one pair."""
    features = max(first.shape[-1], second.shape[-1])
    if _by_matrices(kernel, null, length, features):
        return _exact_floats(null, first, second, length, draws)
    series, tests = first.shape[1] + second.shape[1], first.shape[1] * second.shape[1]
    rank = max_rank(null, length) if kernel == "gaussian" else RANK
    products = 0
    if null not in ("permutation", "gamma"):
        # The others hold the products of one column of a first series with all columns of a second.
        products = rank * (4 * length + 2 * draws)
    # Projections on cells are double precision numbers.
    columns = 4 * rank if kernel == "gaussian" else 2 * CELLS
    return series * columns * length + tests * (products + 2 * (length + draws))


def _exact_floats(null: Null, first: Tensor, second: Tensor, length: int, draws: int) -> int:
    """Return how many numbers are held at once for one block of one pair by Gram matrices."""
    series, tests = first.shape[1] + second.shape[1], first.shape[1] * second.shape[1]
    copies = _COPIES if null in ("circular_shift", "gamma") else 4 + first.shape[1]
    # The wild bootstrap holds the draws' multipliers times the product of two Gram matrices.
    without = ("circular_shift", "permutation", "gamma")
    products = 0 if null in without else 3 * draws * length
    return copies * series * length**2 + tests * (products + 2 * draws)


def _floats_drawn(null: Null, length: int, draws: int) -> int:
    """Return the memory that one block's random draws take, counted in float32 numbers."""
    return 0 if null in ("circular_shift", "gamma") else 6 * length * draws
