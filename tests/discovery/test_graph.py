"""Row = cause, column = effect, guarded on an asymmetric two-node graph."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from causal_ivae.derivatives.causal_graph import CausalGraph


@pytest.fixture
def hippocampus_drives_cortex():
    edges = pd.DataFrame(
        {
            "x": ["cortex", "cortex"],
            "y": ["hippocampus", "amygdala"],
            "decision": ["y->x", "undecided"],
            "cause": ["hippocampus", ""],
            "effect": ["cortex", ""],
            "score": [-0.8, 0.1],
            "p_value": [0.001, 0.4],
            "q_value": [0.002, 0.4],
            "confidence": [0.99, 0.6],
        }
    )
    names = ("cortex", "hippocampus", "amygdala")
    return CausalGraph("ivae", names, {"edges": edges})


def test_matrix_row_is_cause(hippocampus_drives_cortex):
    expected = [[0.0, -0.8, 0.1], [0.8, 0.0, 0.0], [-0.1, 0.0, 0.0]]
    np.testing.assert_allclose(hippocampus_drives_cortex.matrix, expected)


def test_adjacency_holds_decided_edges_only(hippocampus_drives_cortex):
    expected = np.zeros((3, 3), dtype=bool)
    expected[1, 0] = True
    np.testing.assert_array_equal(hippocampus_drives_cortex.adjacency, expected)


def test_graph_points_from_cause_to_effect(hippocampus_drives_cortex):
    graph = hippocampus_drives_cortex.graph
    assert isinstance(graph, nx.DiGraph)
    assert list(graph.edges) == [("hippocampus", "cortex")]
    assert list(graph.nodes) == ["cortex", "hippocampus", "amygdala"]
    assert graph.edges["hippocampus", "cortex"]["score"] == pytest.approx(0.8)
    assert graph.edges["hippocampus", "cortex"]["q_value"] == pytest.approx(0.002)
    order = ["cortex", "hippocampus", "amygdala"]
    np.testing.assert_array_equal(
        nx.to_numpy_array(graph, nodelist=order, weight=None) > 0,
        hippocampus_drives_cortex.adjacency,
    )
