"""Find the pairs that no set of other regions separates, the skeleton of the PC algorithm."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from causal_ivae.errors import SettingsError
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.conditional import conditional_table
from causal_ivae.independence.partial import partial_correlations
from causal_ivae.settings import IndependenceSettings, ScreenSettings

Given = tuple[int, ...]
ConditionalTest = Callable[
    [NDArray[np.int64], Given], tuple[NDArray[np.float64], NDArray[np.float64]]
]
"""A test takes pairs (tests, 2) and regions to condition on, and gives statistics and p-values."""


@dataclass(frozen=True)
class Skeleton:
    """Hold the result of the PC algorithm for every pair.

    Attributes
    ----------
    adjacent : ndarray, shape (n_regions, n_regions), bool
        Symmetric matrix, true for adjacent pairs.
    statistic, p_value : ndarray, shape (n_regions, n_regions), float64
        Result of the test with the largest p-value; symmetric, NaN on the diagonal.
    given : dict of (int, int) to tuple of int
        Regions on which that test was conditional, by pair (smaller, larger).  They separate the
        pair if it is not adjacent.
    """

    adjacent: NDArray[np.bool_]
    statistic: NDArray[np.float64]
    p_value: NDArray[np.float64]
    given: dict[tuple[int, int], Given]

    def colliders(self, i: int, j: int) -> tuple[int, ...]:
        """Return the regions that both i and j drive according to the skeleton.

        Notes
        -----
        In an unshielded triple i - k - j, k is a collider if it is not in the set that separates i
        and j (Spirtes, Glymour, Scheines 2000, "Causation, prediction, and search").
        """
        if self.adjacent[i, j]:
            return ()
        separating = self.given[min(i, j), max(i, j)]
        both = np.flatnonzero(self.adjacent[i] & self.adjacent[j])
        return tuple(k for k in both.tolist() if k not in separating)


@dataclass
class _Tester:
    """Answer causal-learn test by test, but compute all tests with equal conditions at once."""

    test: ConditionalTest
    n_regions: int
    alpha: float
    method: str = "causal-ivae"
    answers: dict[tuple[int, int, Given], tuple[float, float]] = field(default_factory=dict)
    largest: dict[tuple[int, int], tuple[float, float, Given]] = field(default_factory=dict)

    def __call__(self, x: int, y: int, given: Iterable[int]) -> float:
        i, j = sorted((int(x), int(y)))
        known = tuple(sorted(int(k) for k in given))
        if (i, j, known) not in self.answers:
            self._answer(i, j, known)
        statistic, p_value = self.answers[i, j, known]
        if p_value > self.largest.get((i, j), (-1.0,))[0]:
            self.largest[i, j] = (p_value, statistic, known)
        return p_value

    def _answer(self, i: int, j: int, known: Given) -> None:
        pairs = [
            (a, b)
            for a, b in np.stack(np.triu_indices(self.n_regions, 1), axis=1).tolist()
            if a not in known and b not in known and not self._separated(a, b, len(known))
        ]
        if (i, j) not in pairs:
            pairs.append((i, j))
        statistics, p_values = self.test(np.array(pairs, dtype=np.int64), known)
        for (a, b), statistic, p_value in zip(pairs, statistics, p_values, strict=True):
            self.answers[a, b, known] = float(statistic), float(p_value)

    def _separated(self, a: int, b: int, level: int) -> bool:
        p_value, _, known = self.largest.get((a, b), (-1.0, 0.0, ()))
        return p_value > self.alpha and len(known) < level


def find_skeleton(
    n_regions: int, test: ConditionalTest, *, alpha: float, max_given: int | None = None
) -> Skeleton:
    """Remove the edge of every pair that is independent given some of its neighbours.

    Parameters
    ----------
    test : callable
        A test as `kernel_test` or `correlation_test` return it.
    alpha : float
        A pair with a larger p-value is separated.
    max_given : int, optional
        Largest number of regions to condition on; any number by default.

    Raises
    ------
    SettingsError
        If the causal-learn package is not installed.

    Notes
    -----
    This is the order-independent PC algorithm (Colombo and Maathuis 2014) of causal-learn (Zheng et
    al. 2024).
    """
    # The import is slow and needed only here.
    try:
        from causallearn.utils.PCUtils.SkeletonDiscovery import skeleton_discovery
    except ModuleNotFoundError as error:
        raise SettingsError(
            "The screen 'skeleton' needs the package causal-learn: pip install causal-learn."
        ) from error

    tester = _Tester(test, n_regions, alpha)
    found = skeleton_discovery(
        np.empty((0, n_regions)), alpha, tester, stable=True, show_progress=False, max_k=max_given
    )
    statistic, p_value = np.full((2, n_regions, n_regions), np.nan)
    for (i, j), (largest, of_largest, _) in tester.largest.items():
        statistic[[i, j], [j, i]], p_value[[i, j], [j, i]] = of_largest, largest
    return Skeleton(
        adjacent=np.asarray(found.G.graph) != 0,
        statistic=statistic,
        p_value=p_value,
        given={pair: known for pair, (_, _, known) in tester.largest.items()},
    )


def skeleton_of(
    values: NDArray[np.floating],
    blocks: NDArray[np.int64],
    screen: ScreenSettings,
    independence: IndependenceSettings,
    *,
    seed: int,
    device: torch.device,
    memory_gib: float,
) -> Skeleton:
    """Find the skeleton according to the settings.

    Parameters
    ----------
    values, blocks, seed, device, memory_gib
        As in `kernel_test`.
    """
    test = (
        correlation_test(values, blocks)
        if screen.test == "partial_correlation"
        else kernel_test(
            values, blocks, independence, seed=seed, device=device, memory_gib=memory_gib
        )
    )
    return find_skeleton(values.shape[1], test, alpha=screen.alpha, max_given=screen.max_given)


def kernel_test(
    values: NDArray[np.floating],
    blocks: NDArray[np.int64],
    settings: IndependenceSettings,
    *,
    seed: int,
    device: torch.device,
    memory_gib: float,
) -> ConditionalTest:
    """Return the kernel test of conditional independence within blocks.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), z-scored
    blocks : ndarray, shape (n_times,), int64

    Notes
    -----
    `causal_ivae.independence.conditional` describes the test.  The statistic is returned minus its
    null mean.
    """
    series = torch.as_tensor(np.asarray(values, dtype=np.float32), device=device).T[..., None]
    stretches = make_blocks(blocks, device)

    def test(
        pairs: NDArray[np.int64], given: Given
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        known = series[list(given)].squeeze(-1).T if given else series.new_zeros(len(values), 0)
        table = conditional_table(
            series[pairs[:, 0]],
            series[pairs[:, 1]],
            known.expand(len(pairs), *known.shape),
            stretches,
            null=settings.null,
            draws=settings.draws,
            seed=seed,
            memory_gib=memory_gib,
        )
        return (table.statistic - table.null_mean)[:, 0, 0], table.p_value[:, 0, 0]

    return test


def correlation_test(values: NDArray[np.floating], blocks: NDArray[np.int64]) -> ConditionalTest:
    """Return the test of partial correlation with degrees of freedom reduced for autocorrelation.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    blocks : ndarray, shape (n_times,), int64

    Notes
    -----
    `causal_ivae.independence.partial.partial_correlations` describes the test.
    """

    def test(
        pairs: NDArray[np.int64], given: Given
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        found = partial_correlations(values, blocks, pairs, given)
        return found.value, found.p_value

    return test
