"""Simulated BOLD networks have the graph, the sizes and the scales that their design says."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from causal_ivae.simulate.bold_networks import (
    GRAPH_KINDS,
    BoldDesign,
    draw_bold_design,
    random_feedback_graph,
    simulate_bold_network,
)

CHAIN = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)
STUDY = BoldDesign(CHAIN, n_subjects=6, n_times=100, tr=1.5, noise=0.02)


def test_series_have_the_sizes_and_scales_of_the_design():
    network = simulate_bold_network(STUDY, seed=1)
    assert network.values.shape == (6, 100, 3)
    np.testing.assert_allclose(network.values.std(axis=(0, 1)), 1.0, atol=0.15)
    # Subjects differ in scale, for one scale holds for all of them.
    assert network.values.std(axis=1).std() > 0.01
    values, whose = network.stacked
    np.testing.assert_array_equal(values[whose == 2], network.values[2])


def test_the_seed_decides():
    first, again, other = (simulate_bold_network(STUDY, seed=seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.5


def test_adjacent_regions_are_connected_given_the_others_and_confounded_ones_are_not_adjacent():
    design = replace(STUDY, n_subjects=20, n_times=200, hidden=((0, 2),))
    assert design.confounded.sum() == 2
    assert design.confounded[0, 2]
    plain = simulate_bold_network(replace(design, hidden=()), seed=3)
    shared = simulate_bold_network(design, seed=3)
    for network, least, most in ((plain, 0.0, 0.08), (shared, 0.12, 1.0)):
        precision = np.linalg.inv(np.corrcoef(network.stacked[0], rowvar=False))
        partial = -precision / np.sqrt(np.outer(np.diag(precision), np.diag(precision)))
        assert partial[0, 1] > 0.05
        assert least <= abs(partial[0, 2]) <= most


@pytest.mark.parametrize("kind", GRAPH_KINDS)
def test_graphs_have_the_structure_of_their_kind(kind):
    for seed in range(5):
        graph = random_feedback_graph(6, kind, np.random.default_rng(seed))
        directed = nx.from_numpy_array(graph, create_using=nx.DiGraph)
        assert nx.is_directed_acyclic_graph(directed) == (kind not in ("ring", "two-cycle"))
        assert (graph & graph.T).any() == (kind == "two-cycle")
        assert not np.diag(graph).any()
        assert graph.sum() >= 4


def test_drawn_designs_stay_in_their_ranges():
    designs = [draw_bold_design(seed) for seed in range(60)]
    assert {len(design.adjacency) for design in designs} == set(range(4, 11))
    assert all(100 <= design.n_times <= 1200 and 0.7 <= design.tr <= 3 for design in designs)
    assert all(design.n_times * design.n_subjects <= 18_000 for design in designs)
    assert {design.kind for design in designs} == set(GRAPH_KINDS)
    assert any(design.hidden for design in designs)


def test_no_subject_has_weights_that_let_activity_grow_without_end():
    # The weights of one subject differ so much from the mean that feedback would explode.
    seed = 910008
    design = replace(draw_bold_design(seed, most_volumes=5000), n_times=300)
    network = simulate_bold_network(design, seed=seed)
    spread = network.values.std(axis=1)
    assert spread.max() < 10 * np.median(spread)
