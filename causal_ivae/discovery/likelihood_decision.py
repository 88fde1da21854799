"""Decide by likelihood for each pair between one direction, the other and no edge."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from causal_ivae.discovery.exact_search import best_graphs

_UNDECIDED, _FORWARD, _BACKWARD, _NONE = range(4)
"""Places in `DECISIONS`."""


@dataclass(frozen=True)
class Weighed:
    """Hold the comparison of three hypotheses for every pair: x -> y, y -> x and no edge.

    Attributes
    ----------
    decision : ndarray, shape (pairs,), int64
        Index into `causal_ivae.outcomes.DECISIONS`.
    p_value : ndarray, shape (pairs,), float64
        For a direction, the larger p-value of its two comparisons; for a pair without an edge, the
        p-value of the better direction against none.
    share : ndarray, shape (pairs, 3), float64
        Share of resampled graphs with each hypothesis.
    log_likelihood : ndarray, shape (pairs, 3), float64
        Log-likelihood of the best graph under each hypothesis (nats).
    """

    decision: NDArray[np.int64]
    p_value: NDArray[np.float64]
    share: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]


def weigh(
    region: NDArray[np.int64],
    causes: NDArray[np.bool_],
    evidence: NDArray[np.float64],
    pairs: NDArray[np.int64],
    resampled: NDArray[np.bool_],
    alpha: float,
) -> Weighed:
    """Compare, for every pair, the best graphs with x -> y, with y -> x and with neither.

    Parameters
    ----------
    region : ndarray, shape (equations,), int64
    causes : ndarray, shape (equations, n_regions), bool
    evidence : ndarray, shape (equations, n_segments), float64
        Held-out log-likelihood of every segment (nats).
    pairs : ndarray, shape (pairs, 2), int64
        Regions x and y of every pair.
    resampled : ndarray, shape (resamples, n_regions, n_regions), bool
        Best graphs of resampled segments.
    alpha : float
        Level of the tests.

    Notes
    -----
    The test is that of Vuong 1989, "Likelihood ratio tests for model selection and non-nested
    hypotheses", with segments as the units: a paired two-sided t test of the difference in
    log-likelihood.  A pair is undecided if its edge in the best graph is not significant.
    """
    x, y = pairs.T
    has_x = (region == y[:, None]) & causes[:, x].T
    has_y = (region == x[:, None]) & causes[:, y].T
    lacks_x = (region == y[:, None]) & ~causes[:, x].T
    lacks_y = (region == x[:, None]) & ~causes[:, y].T
    # x -> y only requires x among the causes of y, since an acyclic graph then lacks y -> x.
    excluded = np.stack([lacks_x, lacks_y, has_x | has_y], axis=1)
    scores = np.where(excluded.reshape(-1, len(region)).T, -np.inf, evidence.sum(axis=1)[:, None])
    graphs = best_graphs(region, causes, scores)
    by_segment = _by_segment(region, causes, evidence, graphs).reshape(len(pairs), 3, -1)
    total = by_segment.sum(axis=2)
    best = total.argmax(axis=1)
    others = np.array([[1, 2], [0, 2], [0, 1]])[best]
    rows = np.arange(len(pairs))
    against = _p_better(by_segment[rows, best][:, None] - by_segment[rows[:, None], others])
    direction = np.where(total[:, 0] >= total[:, 1], 0, 1)
    none = _p_better(by_segment[rows, direction] - by_segment[:, 2])
    p_value = np.where(best == 2, none, against.max(axis=1))
    decision = np.array([_FORWARD, _BACKWARD, _NONE])[best]
    decision[(best < 2) & (p_value > alpha)] = _UNDECIDED
    forward = resampled[:, x, y].mean(axis=0)
    backward = resampled[:, y, x].mean(axis=0)
    share = np.stack([forward, backward, 1.0 - forward - backward], axis=1)
    return Weighed(decision, p_value, share, total)


def _by_segment(
    region: NDArray[np.int64],
    causes: NDArray[np.bool_],
    evidence: NDArray[np.float64],
    graphs: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the log-likelihood of graphs by segment, shape (graphs, n_segments)."""
    n = causes.shape[1]
    power = 1 << np.arange(n)
    code = (region << n) + causes @ power
    order = np.argsort(code)
    wanted = (np.arange(n) << n) + power @ graphs
    return np.asarray(evidence[order[np.searchsorted(code[order], wanted)]].sum(axis=1))


def _p_better(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return two-sided p-values of positive means over segments (last axis), and 1 for others."""
    n = difference.shape[-1]
    mean = difference.mean(axis=-1)
    error = difference.std(axis=-1, ddof=1) / np.sqrt(n)
    statistic = np.divide(mean, error, out=np.zeros_like(mean), where=error > 0)
    return np.where(mean > 0, 2.0 * student_t.sf(statistic, n - 1), 1.0)
