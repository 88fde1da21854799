"""The simulators do what their docstrings say."""

import networkx as nx
import numpy as np
import pytest

from causal_ivae.independence import hsic_test
from causal_ivae.simulate.known_graphs import (
    random_graph,
    simulate_bold,
    simulate_network,
    simulate_noisy_pair,
    simulate_pair,
)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("direction", ["x->y", "y->x", "none", "cyclic"])
def test_only_the_effect_depends_on_both_disturbances(direction, layers):
    pair = simulate_pair(direction, layers=layers, n_segments=10, n_per_segment=60, seed=4)
    p_value = np.array(
        [
            [hsic_test(x, n, pair.segments, "permutation").p_value for n in pair.disturbances.T]
            for x in pair.values.T
        ]
    )
    dependent = p_value < 0.005
    expected = np.eye(2, dtype=bool) | pair.adjacency.T  # row: region, column: disturbance
    np.testing.assert_array_equal(dependent, expected)


def test_series_are_standardised_and_seeded():
    pair = simulate_pair(seed=2)
    np.testing.assert_allclose(pair.values.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(pair.values.std(axis=0), 1.0)
    np.testing.assert_array_equal(pair.values, simulate_pair(seed=2).values)
    assert not np.array_equal(pair.values, simulate_pair(seed=3).values)
    assert pair.values.shape == (4000, 2)
    assert len(np.unique(pair.segments)) == 20


def test_a_noisy_pair_is_one_signal_with_noise_of_its_own_in_each_region():
    pair = simulate_noisy_pair(noise=(0.5, 1.5), autocorrelation=0.8, seed=3)
    assert not pair.adjacency.any()
    signal = pair.disturbances[:, 0]
    np.testing.assert_array_equal(signal, pair.disturbances[:, 1])
    np.testing.assert_allclose(pair.values.std(axis=0), 1.0)
    shared = np.corrcoef(np.column_stack([signal, pair.values]).T)[0, 1:]
    np.testing.assert_allclose(shared, [1 / np.hypot(1, 0.5), 1 / np.hypot(1, 1.5)], atol=0.03)
    left = pair.values - signal[:, None] * (signal @ pair.values) / (signal @ signal)
    assert abs(np.corrcoef(left.T)[0, 1]) < 0.05
    lagged = [np.corrcoef(x[:-1], x[1:])[0, 1] for x in (signal, *left.T)]
    assert lagged[0] > 0.6
    assert np.abs(lagged[1:]).max() < 0.05


def test_noise_of_noisy_pairs_is_drawn_and_seeded():
    pairs = [simulate_noisy_pair(n_segments=5, seed=k) for k in range(30)]
    shared = np.array(
        [np.corrcoef(pair.values[:, 0], pair.disturbances[:, 0])[0, 1] for pair in pairs]
    )
    level = np.sqrt(1 / shared**2 - 1)
    assert level.min() > 0.1
    assert level.max() < 1.7
    assert np.ptp(level) > 0.8
    again = simulate_noisy_pair(n_segments=5, seed=7)
    np.testing.assert_array_equal(again.values, pairs[7].values)


def test_bold_is_smooth_and_carries_the_graph():
    adjacency = np.zeros((4, 4), dtype=bool)
    adjacency[0, 1] = adjacency[1, 2] = True
    bold = simulate_bold(adjacency, n_times=3000, seed=1)
    lagged = [np.corrcoef(x[:-1], x[1:])[0, 1] for x in bold.values.T]
    assert min(lagged) > 0.7
    correlation = np.abs(np.corrcoef(bold.values.T))
    assert correlation[0, 1] > 0.3
    assert correlation[1, 2] > 0.3
    assert correlation[3, :3].max() < 0.15
    other = simulate_bold(adjacency, n_times=3000, seed=1, subject="02")
    assert not np.array_equal(bold.values, other.values)


@pytest.mark.parametrize("simulate", [simulate_bold, simulate_network])
def test_a_cycle_is_refused(simulate):
    with pytest.raises(ValueError, match="cycle"):
        simulate(np.array([[False, True], [True, False]]))


def test_a_region_depends_on_the_disturbances_of_its_ancestors():
    chain_and_one = np.zeros((4, 4), dtype=bool)
    chain_and_one[2, 0] = chain_and_one[0, 1] = True
    network = simulate_network(chain_and_one, layers=2, n_segments=10, n_per_segment=60, seed=1)
    np.testing.assert_allclose(network.values.std(axis=0), 1.0)
    p_value = np.array(
        [
            [hsic_test(x, n, network.segments, "permutation").p_value for x in network.values.T]
            for n in network.disturbances.T
        ]
    )
    expected = np.eye(4, dtype=bool) | chain_and_one
    expected[2, 1] = True
    np.testing.assert_array_equal(p_value < 0.005, expected)  # row: disturbance, column: region


def test_an_indirect_cause_reaches_a_region_through_its_causes_alone():
    chain = np.eye(3, k=1, dtype=bool)
    network = simulate_network(chain, layers=1, n_segments=10, n_per_segment=300, seed=2)
    fit = np.linalg.lstsq(network.values[:, 1:2], network.values[:, 2], rcond=None)[0]
    left = network.values[:, 2] - network.values[:, 1] * fit
    assert np.abs(np.corrcoef(network.values[:, 0], network.values[:, 2]))[0, 1] > 0.2
    assert np.abs(np.corrcoef(network.values[:, 0], left))[0, 1] < 0.05


def test_random_graphs_are_acyclic_and_as_dense_as_asked():
    graphs = np.array([random_graph(6, 0.5, seed=k) for k in range(200)])
    assert all(
        nx.is_directed_acyclic_graph(nx.from_numpy_array(graph, create_using=nx.DiGraph))
        for graph in graphs
    )
    assert 7.0 < graphs.sum(axis=(1, 2)).mean() < 8.0
    # Every place of the matrix is used: the order of the regions says nothing.
    assert (graphs.mean(axis=0) + np.eye(6) > 0.1).all()
    np.testing.assert_array_equal(random_graph(6, 0.5, seed=3), graphs[3])
