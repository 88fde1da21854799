"""Find the best acyclic orientation of a skeleton, and what every arrow gains over its reverse."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from causal_ivae.discovery.exact_search import MAX_REGIONS, best_graphs
from causal_ivae.discovery.network.climb import Climb
from causal_ivae.discovery.network.entropy import (
    GAUSSIAN_ENTROPY,
    GAUSSIAN_LOG_COSH,
    LOG_COSH,
    ODD,
    log_cosh,
    negentropy,
)
from causal_ivae.discovery.network.units import Units

_MOST_CAUSES = 7
"""Of the neighbours of a region those with the largest covariances may be its causes."""
_LEAST_SCALE = 0.05
_SWEEPS = 60
_STANDS_STILL = 1e-5


@dataclass(frozen=True)
class LocalScores:
    """Hold the log-likelihood of every region given every set of its possible causes.

    Attributes
    ----------
    candidates : list of ndarray of int64, length n_regions
        Possible causes of every region; bit k of a set says whether candidate k is in it.
    score : list of ndarray, each of shape (n_sets,), float64
        Nats per volume.
    by_unit : list of ndarray, each of shape (n_units, n_sets), float64
        The score as a weighted mean over units, to first order.
    """

    candidates: list[NDArray[np.int64]]
    score: list[NDArray[np.float64]]
    by_unit: list[NDArray[np.float64]]

    def sets(self, region: int, graphs: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the number of the set of causes of a region in every graph (graphs, n, n)."""
        candidates = self.candidates[region]
        return np.asarray(graphs[:, candidates, region] @ (1 << np.arange(len(candidates))))

    def totals(self, graphs: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the total score of graphs (graphs, n_regions, n_regions)."""
        found = [own[self.sets(i, graphs)] for i, own in enumerate(self.score)]
        return np.asarray(np.sum(found, axis=0))

    def units_of(self, graphs: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the score of graphs in every unit, shape (graphs, n_units)."""
        found = [own[:, self.sets(i, graphs)].T for i, own in enumerate(self.by_unit)]
        return np.asarray(np.sum(found, axis=0))


def local_scores(units: Units, adjacent: NDArray[np.bool_], *, scales: bool) -> LocalScores:
    """Score every region given every set of its neighbours.

    Parameters
    ----------
    adjacent : ndarray, shape (n_regions, n_regions), bool
        Symmetric.
    scales : bool
        True if the scale of a disturbance may grow with the causes of its region.

    Notes
    -----
    The regression is by least squares over all units.  The variance of the residual is
    proportional to 1 + sum c_k x_k^2 with c >= 0, by weighted least squares of its squares, and to
    a factor of every unit.  The entropy is approximated as in
    `causal_ivae.discovery.network.linear.objective`.
    """
    weight = units.weights
    covariance = np.tensordot(weight, units.products(), axes=1)
    candidates, scores, by_unit = [], [], []
    filled = np.arange(units.values.shape[1]) < units.counts[:, None]
    for i in range(len(adjacent)):
        near = np.flatnonzero(adjacent[i])
        near = np.sort(near[np.argsort(-np.abs(covariance[i, near]), kind="stable")][:_MOST_CAUSES])
        chosen = (np.arange(1 << len(near))[:, None] >> np.arange(len(near)) & 1).astype(bool)
        coefficients = _regressions(covariance, i, near, chosen)
        known = units.values[..., near] @ coefficients.T.astype(np.float32)
        residual = units.values[..., i, None] - known
        scale = np.zeros((len(weight), len(chosen)))
        if scales and len(near):
            variance = _variances(residual[filled], units.values[filled][:, near], chosen)
            residual[filled] /= np.sqrt(variance)
            logarithm = np.zeros_like(residual)
            logarithm[filled] = np.float32(0.5) * np.log(variance)
            scale = units.mean(logarithm)
        sd = np.sqrt(units.mean(np.square(residual))) + 1e-9
        z: NDArray[np.float32] = np.divide(residual, sd[:, None], dtype=np.float32)
        even = units.mean(log_cosh(z)[0])
        odd = units.mean(z * np.exp(np.float32(-0.5) * np.square(z)))
        a, b = weight @ even, weight @ odd
        size = scale + np.log(sd)
        candidates.append(near)
        scores.append(-weight @ size - GAUSSIAN_ENTROPY + negentropy(a, b))
        slope = 2.0 * LOG_COSH * (a - GAUSSIAN_LOG_COSH) * (even - a) + 2.0 * ODD * b * (odd - b)
        by_unit.append(slope - size - GAUSSIAN_ENTROPY + negentropy(a, b))
    return LocalScores(candidates, scores, by_unit)


def _regressions(
    covariance: NDArray[np.float64], region: int, near: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the coefficients of a region on every set of neighbours, shape (n_sets, n_near)."""
    both = chosen[:, :, None] & chosen[:, None, :]
    matrix = np.where(both, covariance[np.ix_(near, near)], 0.0)
    matrix[:, np.arange(len(near)), np.arange(len(near))] += np.where(chosen, 1e-6, 1.0)
    target = np.where(chosen, covariance[near, region], 0.0)
    return np.asarray(np.linalg.solve(matrix, target[..., None])[..., 0])


def _variances(
    residual: NDArray[np.float32], causes: NDArray[np.float32], chosen: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the variance of the residual of every set (n_rows, n_sets), with mean one."""
    target = np.square(residual)
    target /= target.mean(axis=0)
    terms = np.column_stack([np.ones(len(causes), dtype=np.float32), np.square(causes)])
    free = np.column_stack([np.ones(len(chosen), dtype=bool), chosen])
    size = terms.shape[1]
    products = (terms[:, :, None] * terms[:, None, :]).reshape(len(terms), -1)
    weight = np.ones_like(target)
    variance = weight
    for _ in range(2):
        matrix = (weight.T @ products).reshape(-1, size, size).astype(np.float64)
        vector = ((weight * target).T @ terms).astype(np.float64)
        solution = _non_negative(matrix, vector, free).T.astype(np.float32)
        variance = np.maximum(terms @ solution, np.float32(_LEAST_SCALE))
        weight = np.float32(1.0) / np.square(variance)
    return np.asarray(variance / variance.mean(axis=0))


def _non_negative(
    matrix: NDArray[np.float64], vector: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Solve many small non-negative least-squares problems by coordinate descent.

    Parameters
    ----------
    matrix : ndarray, shape (n, p, p), float64
    vector : ndarray, shape (n, p), float64
    free : ndarray, shape (n, p), bool
        The other coefficients are zero.
    """
    solution = np.zeros_like(vector)
    diagonal = np.einsum("npp->np", matrix)
    for _ in range(_SWEEPS):
        before = solution.copy()
        for k in range(vector.shape[1]):
            slope = vector[:, k] - (matrix[:, k] * solution).sum(axis=1)
            moved = np.maximum(solution[:, k] + slope / diagonal[:, k], 0.0)
            solution[:, k] = np.where(free[:, k], moved, 0.0)
        if np.abs(solution - before).max() < _STANDS_STILL:
            break
    return solution


@dataclass(frozen=True)
class ArrowGains:
    """Hold what the best acyclic graph says of the pairs of a skeleton.

    Attributes
    ----------
    graph : ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect.
    total : float
        Its score (nats per volume).
    gain : ndarray, shape (n_pairs,), float64
        Score of the best graph with x -> y less that of the best with y -> x.
    t : ndarray, shape (n_pairs,), float64
        The gain over its standard error over units.
    by_unit : ndarray, shape (n_units, n_pairs), float64
        The gain as a weighted mean over units, to first order.
    """

    graph: NDArray[np.bool_]
    total: float
    gain: NDArray[np.float64]
    t: NDArray[np.float64]
    by_unit: NDArray[np.float64]


def arrow_gains(
    units: Units,
    scores: LocalScores,
    pairs: NDArray[np.int64],
    strength: NDArray[np.float64],
    rng: np.random.Generator,
) -> ArrowGains:
    """Find the best acyclic graph, and the best ones that have an arrow either way.

    Parameters
    ----------
    pairs : ndarray, shape (n_pairs, 2), int64
        The skeleton, x < y.
    strength : ndarray, shape (n_pairs,), float64
        First guess of the directions; positive favours x -> y.

    Notes
    -----
    Up to 12 connected regions are searched exactly (Silander and Myllymaki 2006), larger networks
    by turning single arrows from several starts.
    """
    graphs = _best_graphs(scores, pairs, strength, rng, alternatives=True)
    n, value = len(pairs), scores.totals(graphs)
    gain = value[1 : n + 1] - value[n + 1 :]
    of_units = scores.units_of(graphs)
    by_unit = (of_units[1 : n + 1] - of_units[n + 1 :]).T
    error = units.error(by_unit)
    return ArrowGains(graphs[0], float(value[0]), gain, gain / (error + 1e-6), by_unit)


def best_total(
    scores: LocalScores,
    pairs: NDArray[np.int64],
    strength: NDArray[np.float64],
    rng: np.random.Generator,
) -> float:
    """Return the score of the best acyclic graph alone (nats per volume).

    Parameters
    ----------
    scores, pairs, strength, rng
        As in `arrow_gains`.
    """
    return float(scores.totals(_best_graphs(scores, pairs, strength, rng, alternatives=False))[0])


def _best_graphs(
    scores: LocalScores,
    pairs: NDArray[np.int64],
    strength: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    alternatives: bool,
) -> NDArray[np.bool_]:
    """Return the best graph, then the best with x -> y and with y -> x of every pair."""
    n, regions = len(pairs), len(scores.candidates)
    graphs = np.zeros((2 * n * alternatives + 1, regions, regions), dtype=bool)
    for part in _components(pairs, regions):
        inside = np.flatnonzero(np.isin(pairs[:, 0], part))
        if not len(inside):
            continue
        search = _exact if len(part) <= MAX_REGIONS else _climbed
        found = search(scores, pairs[inside], strength[inside], part, rng, alternatives)
        graphs[np.ix_(np.arange(len(graphs)), part, part)] = found[0][None]
        if alternatives:
            with_arrow = np.concatenate([1 + inside, 1 + n + inside])
            graphs[np.ix_(with_arrow, part, part)] = found[1:]
    return graphs


def _components(pairs: NDArray[np.int64], regions: int) -> list[NDArray[np.int64]]:
    """Return the regions of every connected part of the skeleton."""
    links = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(regions, regions))
    count, label = connected_components(links, directed=False)
    return [np.flatnonzero(label == part) for part in range(count)]


def _exact(
    scores: LocalScores,
    pairs: NDArray[np.int64],
    strength: NDArray[np.float64],  # noqa: ARG001
    part: NDArray[np.int64],
    rng: np.random.Generator,  # noqa: ARG001
    alternatives: bool,
) -> NDArray[np.bool_]:
    """Search all acyclic graphs of a part, shape (n_graphs, n_part, n_part)."""
    region, causes, score = [], [], []
    for i, r in enumerate(part):
        candidates = scores.candidates[r]
        number = np.arange(len(scores.score[r]))
        chosen = np.zeros((len(number), len(part)), dtype=bool)
        chosen[:, np.searchsorted(part, candidates)] = (
            number[:, None] >> np.arange(len(candidates)) & 1
        ).astype(bool)
        region.append(np.full(len(number), i))
        causes.append(chosen)
        score.append(scores.score[r])
    effect, sets = np.concatenate(region), np.concatenate(causes)
    own = np.concatenate(score)[:, None]
    if not alternatives:
        return best_graphs(effect, sets, own)
    table = np.repeat(own, 1 + 2 * len(pairs), axis=1)
    x, y = np.searchsorted(part, pairs).T
    reverse = sets[:, y] & (effect[:, None] == x)
    straight = sets[:, x] & (effect[:, None] == y)
    table[:, 1:][np.column_stack([reverse, straight])] = -np.inf
    return best_graphs(effect, sets, table)


def _climbed(
    scores: LocalScores,
    pairs: NDArray[np.int64],
    strength: NDArray[np.float64],
    part: NDArray[np.int64],
    rng: np.random.Generator,
    alternatives: bool,
) -> NDArray[np.bool_]:
    """Turn single arrows of a part while the score rises, shape (n_graphs, n_part, n_part)."""
    search = Climb(scores.candidates, scores.score, pairs, part)
    guesses = np.vstack([strength, rng.standard_normal((7, len(pairs)))])
    starts = np.stack([search.oriented(search.order_of(guess)) for guess in guesses])
    found = search.climb(starts, np.zeros((len(starts), len(pairs)), dtype=bool))
    best: NDArray[np.bool_] = found[search.totals(found).argmax()]
    if not alternatives:
        return best[None]
    order = search.order_in(best)
    turned = np.stack([search.oriented(search.with_turned(order, pair)) for pair in search.ends])
    turned = search.climb(turned, np.eye(len(pairs), dtype=bool))
    forward = best[search.ends[:, 0], search.ends[:, 1]][:, None, None]
    # A graph that keeps an arrow can be better than the first one found.
    return np.concatenate(
        [best[None], np.where(forward, best, turned), np.where(forward, turned, best)]
    )
