"""The best acyclic graph is the best of all of them."""

from itertools import product

import networkx as nx
import numpy as np

from causal_ivae.discovery import exact_search
from causal_ivae.discovery.exact_search import best_graphs, candidate_causes


def acyclic_graphs(n: int) -> list[np.ndarray]:
    places = np.argwhere(~np.eye(n, dtype=bool))
    graphs = []
    for chosen in product((False, True), repeat=len(places)):
        graph = np.zeros((n, n), dtype=bool)
        graph[tuple(places[list(chosen)].T)] = True
        if nx.is_directed_acyclic_graph(nx.from_numpy_array(graph, create_using=nx.DiGraph)):
            graphs.append(graph)
    return graphs


def total(graph, region, causes, score):
    rows = [
        np.flatnonzero((region == j) & (causes == graph[:, j]).all(axis=1))[0]
        for j in range(len(graph))
    ]
    return score[rows].sum(axis=0)


def test_no_acyclic_graph_scores_higher(monkeypatch):
    region, causes = candidate_causes(~np.eye(4, dtype=bool))
    score = np.random.default_rng(0).normal(size=(len(region), 25))
    graphs = acyclic_graphs(4)
    assert len(graphs) == 543
    totals = np.array([total(graph, region, causes, score) for graph in graphs])
    found = best_graphs(region, causes, score)
    np.testing.assert_array_equal(found, np.array(graphs)[totals.argmax(axis=0)])
    monkeypatch.setattr(exact_search, "_CHUNK_NUMBERS", 4 << 4)
    np.testing.assert_array_equal(best_graphs(region, causes, score), found)


def test_candidates_are_all_allowed_sets_of_causes():
    allowed = np.array([[1, 1, 1], [0, 1, 1], [0, 1, 0]], dtype=bool)
    region, causes = candidate_causes(allowed)
    sets = [(int(j), np.flatnonzero(row).tolist()) for j, row in zip(region, causes, strict=True)]
    assert sets == [
        (0, []), (1, []), (1, [0]), (1, [2]), (1, [0, 2]), (2, []), (2, [0]), (2, [1]), (2, [0, 1]),
    ]  # fmt: skip
    region, causes = candidate_causes(allowed, max_causes=1)
    assert len(region) == 7
    assert causes.sum(axis=1).max() == 1
