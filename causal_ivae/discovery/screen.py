"""Screen pairs by a cheap test, so that only connected ones are unmixed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.skeleton import Skeleton
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.independence.partial import partial_correlations
from causal_ivae.settings import Screening, ScreenSettings


@dataclass(frozen=True)
class Screen:
    """Hold the result of the screen for every pair.

    Attributes
    ----------
    by : {"none", "dependence", "partial_correlation", "skeleton"}
        The kind of screen.
    statistic : ndarray, shape (pairs,), float64
        HSIC minus its null mean, or the partial correlation; NaN if nothing was tested.
    p_value : ndarray, shape (pairs,), float64
    kept : ndarray, shape (pairs,), bool
        True for pairs that are unmixed.
    given, colliders : tuple of tuple of int, length pairs
        For a skeleton, the regions on which the statistic is conditional, and those that both
        regions of a separated pair drive; otherwise empty.
    """

    by: Screening
    statistic: NDArray[np.float64]
    p_value: NDArray[np.float64]
    kept: NDArray[np.bool_]
    given: tuple[tuple[int, ...], ...] = ()
    colliders: tuple[tuple[int, ...], ...] = ()

    def connected(self, alpha: float) -> float:
        """Estimate which share of the kept pairs is connected, in (0, 1]; 1 without a screen.

        Of the pairs that are not connected, a test at level `alpha` keeps that share.
        """
        if self.by == "none":
            return 1.0
        kept = float(self.kept.mean())
        share = (kept - alpha) / ((1.0 - alpha) * kept)
        return max(share, 1.0 / len(self.kept))


def screen_pairs(
    values: NDArray[np.floating],
    blocks: NDArray[np.int64],
    pairs: NDArray[np.int64],
    settings: ScreenSettings,
    dependence: Callable[[], IndependenceTable],
    skeleton: Callable[[], Skeleton] | None = None,
) -> Screen:
    """Screen pairs according to the settings.

    Parameters
    ----------
    values, blocks, pairs
        As in `causal_ivae.independence.partial.partial_correlations`.
    dependence : callable
        Function that returns the tests of the two regions of every pair, shape (pairs, 1, 1); it is
        called only if they are needed.
    skeleton : callable
        Function that returns the skeleton of all regions; it is called only if it is needed.

    Raises
    ------
    InputError
        If the effective number of volumes is too small for partial correlations.

    Notes
    -----
    iVAE and TCL first test dependence by the rule "score".  A screen by dependence with the same
    alpha therefore changes none of their decisions.
    """
    if settings.by == "partial_correlation":
        found = partial_correlations(values, blocks, pairs)
        kept = _least(found.p_value, settings.alpha)
        return Screen("partial_correlation", found.value, found.p_value, kept)
    if settings.by == "none":
        missing = np.full(len(pairs), np.nan)
        return Screen("none", missing, missing, np.ones(len(pairs), dtype=bool))
    if settings.by == "skeleton" and skeleton is not None:
        return _by_skeleton(skeleton(), pairs)
    tests = dependence()
    excess = (tests.statistic - tests.null_mean)[:, 0, 0]
    p_value = tests.p_value[:, 0, 0]
    return Screen("dependence", excess, p_value, _least(p_value, settings.alpha))


def _by_skeleton(skeleton: Skeleton, pairs: NDArray[np.int64]) -> Screen:
    p_value = skeleton.p_value[tuple(pairs.T)]
    likeliest = np.arange(len(pairs)) == p_value.argmin()
    return Screen(
        "skeleton",
        skeleton.statistic[tuple(pairs.T)],
        p_value,
        skeleton.adjacent[tuple(pairs.T)] | likeliest,
        given=tuple(skeleton.given[min(i, j), max(i, j)] for i, j in pairs.tolist()),
        colliders=tuple(skeleton.colliders(i, j) for i, j in pairs.tolist()),
    )


def _least(p_value: NDArray[np.float64], alpha: float) -> NDArray[np.bool_]:
    """Return which pairs to keep, at least one, so that there is something to unmix."""
    return np.asarray((p_value <= alpha) | (np.arange(len(p_value)) == p_value.argmin()))
