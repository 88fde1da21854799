"""Resample blocks of volumes to see how stable the decisions of structural flows are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from causal_ivae.discovery.probability import Evidence, vuong_number
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.seeding import generator

RESAMPLES = 500
"""Resamples where settings name no number."""
_AT_ONCE = 200_000
"""The number of pairs times resamples that are held at once."""


@dataclass(frozen=True)
class BlockSums:
    """Hold the evidence of every block, which sums to that of the whole series.

    Attributes
    ----------
    gain : ndarray, shape (pairs, n_blocks), float64
        Log-likelihood under x -> y minus that under y -> x (nats).
    sizes : ndarray, shape (n_blocks,), int64
        Number of volumes of every block.
    tested : ndarray, shape (n_tested,), int64
        Blocks in the order of the tests, which leave out short ones.
    residual, residual_sd : ndarray, shape (pairs, 2, n_tested), float64
        HSIC of the two disturbances minus its null mean, and its null standard deviation.
    dependence, dependence_sd : ndarray, shape (pairs, n_tested), float64
        The same for the two regions.
    """

    gain: NDArray[np.float64]
    sizes: NDArray[np.int64]
    tested: NDArray[np.int64]
    residual: NDArray[np.float64]
    residual_sd: NDArray[np.float64]
    dependence: NDArray[np.float64]
    dependence_sd: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        gain: NDArray[np.float64],
        sizes: NDArray[np.int64],
        tested: NDArray[np.int64],
        residual: IndependenceTable,
        dependence: IndependenceTable,
    ) -> "BlockSums":
        """Make the sums from tests of shapes (pairs, 2, 1) and (pairs, 1, 1)."""
        return cls(
            gain,
            sizes,
            tested,
            residual.block_excess[:, :, 0],
            residual.block_null_sd[:, :, 0],
            dependence.block_excess[:, 0, 0],
            dependence.block_null_sd[:, 0, 0],
        )


def resampled_evidence(
    sums: BlockSums, evidence: Evidence, resamples: int, seed: int
) -> Iterator[tuple[slice, Evidence]]:
    """Yield the evidence of some pairs at a time for every resample of blocks.

    Parameters
    ----------
    evidence : Evidence
        Evidence of the whole series.
    seed : int
        Seed of the resamples, which all pairs share.

    Yields
    ------
    slice, Evidence
        Some pairs and their evidence, with as many rows per pair as there are resamples.

    Notes
    -----
    Nothing is fitted again, and the mechanism and the tests for measurement noise stay the same:
    the resamples show how the evidence varies over segments and stretches, not how fits vary.  The
    p-value of dependence is a normal approximation, since a resample has no draws from the null.
    """
    n_pairs, n_blocks = sums.gain.shape
    rng = generator(seed, "resampled evidence")
    weight = rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), resamples)
    volumes = (weight @ sums.sizes).astype(np.float64)
    of_tests = weight[:, sums.tested].astype(np.float64)
    step = max(1, _AT_ONCE // resamples)
    for start in range(0, n_pairs, step):
        some = slice(start, min(start + step, n_pairs))
        yield some, _evidence(sums, evidence, some, weight, of_tests, volumes)


def _evidence(
    sums: BlockSums,
    evidence: Evidence,
    some: slice,
    weight: NDArray[np.int64],
    of_tests: NDArray[np.float64],
    volumes: NDArray[np.float64],
) -> Evidence:
    n_blocks = len(sums.sizes)
    gain = sums.gain[some]
    total = gain @ weight.T
    mean = total / n_blocks
    variance = (np.square(gain) @ weight.T - n_blocks * np.square(mean)) / max(n_blocks - 1, 1)
    error = np.sqrt(np.maximum(variance, 0.0) / n_blocks)

    def summed(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum values over the weighted blocks, shape (some pairs, ..., resamples)."""
        return np.asarray(values[some] @ weights.T)

    residual = summed(sums.residual, of_tests) / volumes
    # A block that is drawn twice stands for two blocks, whose errors are independent.
    residual_sd = np.sqrt(summed(np.square(sums.residual_sd), of_tests)) / volumes
    dependence = summed(sums.dependence, of_tests)
    spread = np.sqrt(summed(np.square(sums.dependence_sd), of_tests))
    number = np.divide(dependence, spread, out=np.zeros_like(dependence), where=spread > 0)
    rows = gain.shape[0] * len(weight)
    return Evidence(
        mechanism=np.repeat(evidence.mechanism[some], len(weight)),
        shortfall=np.repeat(evidence.shortfall[some], len(weight)),
        gain=(total / volumes).ravel(),
        statistic=vuong_number(mean, error, n_blocks).ravel(),
        residual=residual.swapaxes(1, 2).reshape(rows, 2),
        residual_sd=residual_sd.swapaxes(1, 2).reshape(rows, 2),
        dependence=(dependence / volumes).ravel(),
        dependence_p=norm.sf(number).ravel(),
        lagged_noise=np.repeat(evidence.lagged_noise[some], len(weight), axis=0),
        modulated_noise=np.repeat(evidence.modulated_noise[some], len(weight), axis=0),
    )
