"""Simulate pairs and networks of regions with a known causal graph."""

from dataclasses import dataclass
from typing import Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from causal_ivae.haemodynamic_response import double_gamma
from causal_ivae.seeding import generator
from causal_ivae.simulate.sources import segment_sources

_WORST_CONDITION = 4.0
"""The matrices of a cyclic pair have at most this condition number, so that regions differ."""


@dataclass(frozen=True)
class SimulatedSeries:
    """Hold simulated series with the graph and the disturbances that made them.

    Attributes
    ----------
    values : ndarray, shape (n_times, n_regions), float64, z-scored
    segments : ndarray, shape (n_times,), int64
    disturbances : ndarray, shape (n_times, n_regions), float64
    adjacency : ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect.
    """

    values: NDArray[np.float64]
    segments: NDArray[np.int64]
    disturbances: NDArray[np.float64]
    adjacency: NDArray[np.bool_]


def simulate_pair(
    direction: Literal["x->y", "y->x", "none", "common cause", "cyclic"] = "x->y",
    *,
    n_segments: int = 20,
    n_per_segment: int = 200,
    layers: int = 3,
    prior: Literal["laplace", "gaussian"] = "laplace",
    mean_range: tuple[float, float] = (0.0, 0.0),
    autocorrelation: float = 0.0,
    seed: int = 0,
) -> SimulatedSeries:
    """Simulate one pair of regions by a nonlinear structural equation model.

    Parameters
    ----------
    direction : {"x->y", "y->x", "none", "common cause", "cyclic"}
        x is column 0, y is column 1.  "common cause" and "cyclic" break the method's assumptions:
        in the first, an unobserved disturbance drives both regions and neither drives the other;
        in the second, each region drives the other.
    n_segments, n_per_segment : int
    layers : int
        Number of weight matrices of the mixing network; 1 gives a linear equation.
    prior, mean_range, autocorrelation
        As in `causal_ivae.simulate.sources.segment_sources`.
    seed : int

    Returns
    -------
    SimulatedSeries

    Notes
    -----
    The equations x = f1(n1), y = f2(x, n2) are a network of lower triangular weight matrices with
    leaky ReLU (slope 0.2) between them, as in Monti, Zhang, Hyvarinen 2019, section 4.  "cyclic"
    has full matrices with condition numbers of at most 4, so that the two regions stay distinct.
    """
    rng = generator(seed, "simulate_pair", direction)
    size = 3 if direction == "common cause" else 2
    sources, segments = segment_sources(
        n_segments,
        n_per_segment,
        size,
        prior=prior,
        mean_range=mean_range,
        autocorrelation=autocorrelation,
        rng=rng,
    )
    sources = sources / sources.std(axis=0)
    edges = {"none": [], "common cause": [(2, 0), (2, 1)], "cyclic": [(0, 1), (1, 0)]}.get(
        direction, [(0, 1)]
    )
    values = _mixed(sources, edges, layers, rng)
    values, sources = values[:, :2], sources[:, :2]
    adjacency = np.zeros((2, 2), dtype=bool)
    adjacency[0, 1] = direction in ("x->y", "y->x", "cyclic")
    adjacency[1, 0] = direction == "cyclic"
    if direction == "y->x":
        values, sources, adjacency = values[:, ::-1], sources[:, ::-1], adjacency.T
    return SimulatedSeries(_zscored(values), segments, sources, adjacency)


def simulate_noisy_pair(
    *,
    n_segments: int = 20,
    n_per_segment: int = 200,
    noise: tuple[float, float] | None = None,
    autocorrelation: float = 0.0,
    seed: int = 0,
) -> SimulatedSeries:
    """Simulate two regions that measure one signal, each with its own white noise, and no edge.

    Parameters
    ----------
    n_segments, n_per_segment : int
    noise : (float, float), optional
        Standard deviation of each region's noise relative to the signal's; by default drawn
        uniformly from (0.2, 1.5).
    autocorrelation : float
        Autocorrelation of the signal, as in `causal_ivae.simulate.sources.segment_sources`.
    seed : int

    Returns
    -------
    SimulatedSeries
        Both columns of ``disturbances`` hold the signal.
    """
    rng = generator(seed, "simulate_noisy_pair")
    signal, segments = segment_sources(
        n_segments, n_per_segment, 1, autocorrelation=autocorrelation, rng=rng
    )
    signal = signal / signal.std()
    levels = rng.uniform(0.2, 1.5, 2) if noise is None else np.array(noise)
    values = signal + levels * rng.normal(size=(len(signal), 2))
    return SimulatedSeries(
        _zscored(values), segments, np.repeat(signal, 2, axis=1), np.zeros((2, 2), dtype=bool)
    )


def simulate_network(
    adjacency: NDArray[np.bool_],
    *,
    n_segments: int = 20,
    n_per_segment: int = 200,
    layers: int = 3,
    prior: Literal["laplace", "gaussian"] = "laplace",
    mean_range: tuple[float, float] = (0.0, 0.0),
    autocorrelation: float = 0.0,
    seed: int = 0,
) -> SimulatedSeries:
    """Simulate a network of regions by nonlinear structural equations, one for each region.

    Parameters
    ----------
    adjacency : ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect; must be acyclic.
    n_segments, n_per_segment, layers, prior, mean_range, autocorrelation, seed
        As in `simulate_pair`.

    Returns
    -------
    SimulatedSeries

    Raises
    ------
    ValueError
        If the graph has a cycle.

    Notes
    -----
    Every region is x_j = f_j(its causes, n_j), where f_j is a network as in `simulate_pair`.  A
    region therefore depends on its other ancestors only through its causes.  Every x_j is z-scored
    before it enters the equations of its effects.
    """
    rng = generator(seed, "simulate_network")
    adjacency = np.asarray(adjacency, dtype=bool)
    sources, segments = segment_sources(
        n_segments,
        n_per_segment,
        len(adjacency),
        prior=prior,
        mean_range=mean_range,
        autocorrelation=autocorrelation,
        rng=rng,
    )
    sources = sources / sources.std(axis=0)
    values = np.empty_like(sources)
    for j in _causes_first(adjacency):
        causes = np.flatnonzero(adjacency[:, j])
        inputs = np.column_stack([values[:, causes], sources[:, j]])
        edges = [(i, len(causes)) for i in range(len(causes))]
        values[:, j] = _zscored(_mixed(inputs, edges, layers, rng))[:, -1]
    return SimulatedSeries(values, segments, sources, adjacency)


def random_graph(n_regions: int, density: float = 0.5, *, seed: int = 0) -> NDArray[np.bool_]:
    """Draw an acyclic graph with a random order of regions and equally likely edges along it.

    Parameters
    ----------
    n_regions : int
    density : float
        Probability of every edge that the order allows, in [0, 1].
    seed : int

    Returns
    -------
    ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect.
    """
    rng = generator(seed, "random_graph")
    edges = np.triu(rng.random((n_regions, n_regions)) < density, 1)
    order = rng.permutation(n_regions)
    return edges[np.ix_(order, order)]


def simulate_bold(
    adjacency: NDArray[np.bool_],
    *,
    n_times: int = 1200,
    tr: float = 0.72,
    window_seconds: float = 60.0,
    strength: float = 0.6,
    noise: float = 0.2,
    seed: int = 0,
    subject: str = "",
) -> SimulatedSeries:
    """Simulate BOLD-like series of an acyclic network.

    Parameters
    ----------
    adjacency : ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect; must be acyclic.
    n_times : int
    tr : float
        Repetition time (s).
    window_seconds : float
        Length of the windows between which the disturbances' variances change (s).
    strength : float
        Weight of every edge, in standard deviations of the cause.
    noise : float
        Standard deviation of the measurement noise relative to that of the signal.
    seed : int
    subject : str
        Name of the subject; each subject gets its own random numbers.

    Returns
    -------
    SimulatedSeries
        Each window is a segment.

    Raises
    ------
    ValueError
        If the graph has a cycle.

    Notes
    -----
    Neural activity is x_j = n_j + sum over causes i of strength * (x_i + 0.5 abs(x_i)), with AR(1)
    disturbances.  BOLD is this activity convolved with the double-gamma haemodynamic response
    (Friston et al. 1998), plus white noise.
    """
    rng = generator(seed, "simulate_bold", subject)
    n_regions = len(adjacency)
    window = max(2, round(window_seconds / tr))
    n_segments = -(-n_times // window)
    sources, segments = segment_sources(n_segments, window, n_regions, autocorrelation=0.3, rng=rng)
    sources, segments = sources[:n_times] / sources.std(axis=0), segments[:n_times]
    activity = sources.copy()
    for j in _causes_first(np.asarray(adjacency, dtype=bool)):
        causes = activity[:, adjacency[:, j]] / activity[:, adjacency[:, j]].std(axis=0)
        activity[:, j] += strength * (causes + 0.5 * np.abs(causes)).sum(axis=1)
    response = double_gamma(tr)
    bold = lfilter(response / response.sum(), [1.0], _zscored(activity), axis=0)
    bold = _zscored(bold) + noise * rng.normal(size=bold.shape)
    return SimulatedSeries(_zscored(bold), segments, sources, np.asarray(adjacency, dtype=bool))


def _mixed(
    sources: NDArray[np.float64],
    edges: list[tuple[int, int]],
    layers: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Mix columns by a network in which each column drives itself and, along edges, others."""
    values, size = sources, sources.shape[1]
    cyclic = any((effect, cause) in edges for cause, effect in edges)
    for layer in range(layers):
        weight = _matrix(rng, size, edges)
        while cyclic and np.linalg.cond(weight) > _WORST_CONDITION:
            weight = _matrix(rng, size, edges)
        values = values @ weight.T
        if layer < layers - 1:
            values = values + rng.uniform(-0.5, 0.5, size) * values.std(axis=0)
            values = np.where(values > 0, values, 0.2 * values)
    return values


def _causes_first(adjacency: NDArray[np.bool_]) -> list[int]:
    """Return the regions in an order in which causes come before their effects."""
    graph = nx.from_numpy_array(adjacency, create_using=nx.DiGraph)
    try:
        return list(nx.lexicographical_topological_sort(graph))
    except nx.NetworkXUnfeasible:
        raise ValueError("The adjacency has a cycle; give an acyclic graph.") from None


def _matrix(
    rng: np.random.Generator, size: int, edges: list[tuple[int, int]]
) -> NDArray[np.float64]:
    weight = np.diag(_weights(rng, size))
    for cause, effect in edges:
        weight[effect, cause] = _weights(rng, 1)[0]
    return weight


def _weights(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return np.asarray(rng.uniform(0.5, 1.0, count) * rng.choice([-1.0, 1.0], count))


def _zscored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0))
