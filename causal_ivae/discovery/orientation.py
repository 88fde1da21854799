"""Decide the directions of a subject's pairs, with a confidence, from independence tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student_t

from causal_ivae.seeding import generator
from causal_ivae.settings import DecisionSettings

if TYPE_CHECKING:
    # Pages ask for the number of resamples, and need no torch for it.
    from causal_ivae.independence.hsic import IndependenceTable

VOTES = ("inconclusive", "x->y", "y->x", "none")

RESAMPLES = 2000
"""Resamples where settings name no number."""
_CHUNK_NUMBERS = 2**21
"""An array of resampled scores of a chunk of pairs has this many numbers, 16 MiB of float64."""


@dataclass(frozen=True)
class Orientation:
    """Hold the decisions on every pair.

    Attributes
    ----------
    decision : ndarray, shape (pairs,), int64
        Index into `causal_ivae.outcomes.DECISIONS`.
    score : ndarray, shape (pairs,), float64
        Direction score in [-1, 1]; positive favours x -> y.
    interval : ndarray, shape (pairs, 2), float64
        95 % interval of the score within [-1, 1]; NaN for a single block.
    error : ndarray, shape (pairs,), float64
        Standard error of the score; NaN for a single block.
    restart_score : ndarray, shape (pairs, restarts), float64
        Score of every restart.
    vote : ndarray, shape (pairs, restarts), int64
        Vote of every restart, an index into `VOTES`.
    p_value : ndarray, shape (pairs,), float64
        NaN for a method without a test that a pair has no direction.
    confidence : ndarray, shape (pairs,), float64
    shares : ndarray, shape (pairs, 4), float64
        Share of resamples that are undecided, or decide x -> y, y -> x or "none".  Structural flows
        resample blocks.  The score resamples blocks and restarts, and a resample is never
        undecided.  The rule "paper" counts restarts instead.
    probability : ndarray or None, shape (pairs, 4), float64
        Probabilities of `causal_ivae.discovery.probability.OUTCOMES`; None for a method without
        probabilities.
    interval_level : ndarray or None, shape (pairs,), float64
        Level of the widest interval of the score without 0, in [0, 1], see `orient`; None for a
        method with p-values.
    """

    decision: NDArray[np.int64]
    score: NDArray[np.float64]
    interval: NDArray[np.float64]
    error: NDArray[np.float64]
    restart_score: NDArray[np.float64]
    vote: NDArray[np.int64]
    p_value: NDArray[np.float64]
    confidence: NDArray[np.float64]
    shares: NDArray[np.float64]
    probability: NDArray[np.float64] | None = None
    interval_level: NDArray[np.float64] | None = None


def four_test_rule(p_value: NDArray[np.float64], alpha: float) -> NDArray[np.int64]:
    """Apply the four-test rule of Monti et al. 2019.

    Parameters
    ----------
    p_value : ndarray, shape (..., 2, 2), float64
        P-values of the tests of region (x, y) against disturbance (n1, n2).
    alpha : float
        Each test has the level alpha / 4.

    Returns
    -------
    ndarray, shape (...), int64
        Index into `VOTES`.  If exactly one test is not rejected, its region is the cause.  The vote
        is "none" if exactly two tests are not rejected and each region depends on a disturbance of
        its own.

    Notes
    -----
    The rule is that of Monti, Zhang, Hyvarinen 2019, "Causal discovery with general non-linear
    relationships using non-linear ICA", section 3.2, over both assignments of disturbances to
    regions.  Their rule has no outcome "none".
    """
    accepted = p_value > alpha / 4.0
    count = accepted.sum(axis=(-2, -1))
    per_region = accepted.sum(axis=-1)
    per_disturbance = accepted.sum(axis=-2)
    vote = np.zeros(p_value.shape[:-2], dtype=np.int64)
    vote[(count == 1) & (per_region[..., 0] == 1)] = 1
    vote[(count == 1) & (per_region[..., 1] == 1)] = 2
    one_each = (per_region == 1).all(axis=-1) & (per_disturbance == 1).all(axis=-1)
    vote[one_each] = 3
    return vote


def orient(
    dependence: IndependenceTable,
    tests: IndependenceTable,
    usable: NDArray[np.bool_],
    identified: NDArray[np.bool_],
    settings: DecisionSettings,
    seed: int,
) -> Orientation:
    """Decide the direction of every pair.

    Parameters
    ----------
    dependence : IndependenceTable, shape (pairs, 1, 1)
        Tests of x against y.
    tests : IndependenceTable, shape (pairs, 2, 2 * restarts)
        Tests of regions against the disturbances of every restart in turn.
    usable : ndarray, shape (pairs, restarts), bool
        True for restarts that did not diverge; the others are not used.
    identified : ndarray, shape (pairs,), bool
        False for pairs whose segments do not show that they identify the disturbances.  Without
        that a fit is one unmixing of many, and neither rule takes a direction from it.
    seed : int
        Seed of the resamples, which all pairs share.

    Notes
    -----
    Consider the statistic of x against the disturbance on which it depends least in restart r, and
    let a(r) be its excess over its null mean; b(r) is the same for y.  The cause is independent of
    its effect's own disturbance, so that a is small and b is large if x -> y.  The score is the
    mean over restarts of (b - a) / (|a| + |b|).  It is resampled over restarts and blocks together
    (the pigeonhole bootstrap of Owen 2007), since blocks share each fit.  The standard deviation of
    the resamples, times sqrt(G / (G - 1)) for G blocks, gives a t statistic with G - 1 degrees of
    freedom.  (Percentiles of the resamples would find directions in up to a third of the pairs
    without one if blocks are few.)  The interval level is the probability that |t| is smaller: that
    of the widest interval of the score that leaves out 0.  A direction needs one of at least
    1 - `settings.alpha`, a test that rejects the independence of x and y at that level, and
    disturbances that are identified.

    One minus that level is no p-value of the hypothesis that the pair has no direction.  The fits
    stay the same in all resamples, and a fit is not symmetric in x and y: of pairs with a common
    cause, a cycle or unequal noise, more than half have one above .95.
    """
    pairs, restarts = usable.shape
    blocks = tests.block_excess.shape[-1]
    vote = four_test_rule(
        tests.p_value.reshape(pairs, 2, restarts, 2).swapaxes(1, 2), settings.alpha
    )
    vote[~usable] = 0
    excess = tests.block_excess.reshape(pairs, 2, restarts, 2, blocks)
    least = excess.sum(axis=-1).argmin(axis=-1)
    own = np.take_along_axis(excess, least[..., None, None], axis=3)[..., 0, :]
    own = np.where(usable[:, None, :, None], own, 0.0)
    restart_score = _asymmetry(own.sum(axis=-1))
    restart_score[~usable] = np.nan
    score = np.nanmean(restart_score, axis=1)

    rng = generator(seed, "orientation resamples")
    resamples = settings.resamples or RESAMPLES
    restart_weight = rng.multinomial(restarts, np.full(restarts, 1 / restarts), resamples)
    block_weight = rng.multinomial(blocks, np.full(blocks, 1 / blocks), resamples)
    step = max(1, _CHUNK_NUMBERS // (2 * restarts * resamples))
    spread, shares = np.empty(pairs), np.empty((pairs, 4))
    for start in range(0, pairs, step):
        some = slice(start, start + step)
        resampled = _resampled(own[some], usable[some], restart_weight, block_weight)
        spread[some] = resampled.std(axis=1)
        shares[some] = _shares(
            dependence.block_excess[some, 0, 0],
            dependence.block_null_sd[some, 0, 0],
            resampled,
            block_weight,
            settings.alpha,
        )
    tail, interval, error = _student(score, spread, blocks)
    level, unknown = 1.0 - tail, np.full(pairs, np.nan)
    p_dependence = dependence.p_value[:, 0, 0]
    if settings.rule == "paper":
        share = (vote[..., None] == np.arange(4)).mean(axis=1)
        shares = share.copy()
        share[:, 0] = 0.0
        winner = share.argmax(axis=1)
        decision = np.where(share.max(axis=1) > 0.5, winner, 0)
        decision[~identified & (decision < 3)] = 0
        confidence = np.where(decision > 0, share.max(axis=1), 1.0 - share.max(axis=1))
        return Orientation(
            decision, score, interval, error, restart_score, vote, unknown, confidence, shares,
            interval_level=level,
        )  # fmt: skip
    decision = np.where(score > 0, 1, 2)
    decision[(tail > settings.alpha) | ~identified] = 0
    decision[p_dependence > settings.alpha] = 3
    # An undecided pair has the confidence of its more frequent direction.
    agreeing = np.column_stack([shares[:, 1:3].max(axis=1), shares[:, 1:]])
    confidence = np.take_along_axis(agreeing, decision[:, None], axis=1)[:, 0]
    return Orientation(
        decision, score, interval, error, restart_score, vote, unknown, confidence, shares,
        interval_level=level,
    )  # fmt: skip


def _shares(
    block_excess: NDArray[np.float64],
    block_null_sd: NDArray[np.float64],
    resampled: NDArray[np.float64],
    block_weight: NDArray[np.int64],
    alpha: float,
) -> NDArray[np.float64]:
    """Return the shares of resamples with each decision, shape (pairs, 4)."""
    excess = block_excess @ block_weight.T
    variance = block_null_sd**2 @ (block_weight**2).T
    # A resample has no draws from the null, so that its normal approximation is used.
    dependent = excess > norm.isf(alpha) * np.sqrt(variance)
    forward = (dependent * _forward(resampled)).mean(axis=1)
    backward = (dependent * _forward(-resampled)).mean(axis=1)
    none = (~dependent).mean(axis=1)
    return np.stack([np.zeros_like(none), forward, backward, none], axis=1)


def _student(
    score: NDArray[np.float64], spread: NDArray[np.float64], blocks: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return two-sided tails, 95 % intervals and standard errors from the resamples' spread."""
    if blocks < 2:
        unknown = np.full(len(score), np.nan)
        return np.ones_like(score), np.stack([unknown, unknown], axis=1), unknown
    spread = spread * np.sqrt(blocks / (blocks - 1.0))
    certain = (spread == 0) & (score != 0)
    statistic = np.divide(np.abs(score), spread, out=np.zeros_like(score), where=spread > 0)
    tail = np.where(certain, 0.0, 2.0 * student_t.sf(statistic, blocks - 1))
    half = student_t.isf(0.025, blocks - 1) * spread
    return tail, np.clip(np.stack([score - half, score + half], axis=1), -1.0, 1.0), spread


def _resampled(
    own: NDArray[np.float64],
    usable: NDArray[np.bool_],
    restart_weight: NDArray[np.int64],
    block_weight: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the score of every resample, shape (pairs, resamples); 0 without a usable restart."""
    per_restart = _asymmetry(np.einsum("parg,bg->parb", own, block_weight, optimize=True))
    total = np.einsum("br,prb->pb", restart_weight, per_restart, optimize=True)
    counted = usable.astype(np.int64) @ restart_weight.T
    return np.asarray(total / np.maximum(counted, 1))


def _forward(resampled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 for resamples that favour x -> y, and one half for those that favour neither."""
    # Resamples of diverged restarts alone, or of collapsed disturbances, are exactly 0.
    return np.heaviside(resampled, 0.5)


def _asymmetry(own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (b - a) / (|a| + |b|) for a and b along the second axis; 0 if both are 0."""
    difference = own[:, 1] - own[:, 0]
    size = np.abs(own).sum(axis=1)
    ratio = np.zeros_like(difference)
    np.divide(difference, size, out=ratio, where=size > 0)
    return ratio
