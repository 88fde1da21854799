"""Decisions on pairs, and the arrows that a table of edges holds by them."""

import numpy as np
import pandas as pd
import pytest

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.outcomes import (
    CONNECTED,
    DECISIONS,
    TURNED,
    arrow_columns,
    arrows_of,
    count_arrows,
    is_decided,
    outcomes_of,
)

ROWS = [
    ("a", "b", "x->y", 0.9),
    ("a", "c", "both", 1.0),
    ("b", "c", "y->x", 0.8),
    ("a", "d", "undecided", 0.6),
    ("b", "d", "undecided", 0.4),
    ("c", "d", "none", 0.1),
]


@pytest.fixture
def edges():
    """Return the edges of four regions, one of each decision, two that are undecided."""
    table = pd.DataFrame(ROWS, columns=["x", "y", "decision", "probability_adjacent"])
    ends = arrow_columns(*(table[name].to_numpy() for name in ("decision", "x", "y")))
    score = [0.8, 0.1, -0.7, 0.2, 0.0, 0.0]
    known = {"score": score, "p_value": np.nan, "q_value": np.nan, "confidence": 0.9}
    return table.assign(**ends, **known)


def test_every_decision_can_be_turned_and_old_places_stay():
    assert DECISIONS[:4] == ("undecided", "x->y", "y->x", "none")
    assert {TURNED[TURNED[name]] for name in DECISIONS} == set(DECISIONS)
    assert TURNED["both"] == "both"


def test_both_is_two_arrows_and_has_neither_cause_nor_effect(edges):
    found = arrows_of(edges).itertuples(index=False, name=None)
    assert list(found) == [
        ("a", "b", 0, False), ("a", "c", 1, False), ("c", "a", 1, True), ("c", "b", 2, True),
    ]  # fmt: skip
    assert edges["cause"].tolist() == ["a", "", "c", "", "", ""]
    assert edges["effect"].tolist() == ["b", "", "b", "", "", ""]
    assert is_decided(edges).tolist() == [True, True, True, False, False, False]
    assert arrows_of(edges[2:])["row"].tolist() == [2]
    assert arrows_of(edges[3:]).empty
    assert [count_arrows(edges), count_arrows(edges[3:])] == [4, 0]


def test_an_undecided_pair_that_is_probably_connected_is_told_apart(edges):
    assert outcomes_of(edges)[3:].tolist() == [CONNECTED, "undecided", "none"]
    without = outcomes_of(edges.drop(columns="probability_adjacent"))
    assert without.tolist() == edges["decision"].tolist()


def test_graph_and_adjacency_have_both_arrows(edges):
    result = CausalGraph("ivae", tuple("abcd"), {"edges": edges})
    expected = np.zeros((4, 4), dtype=bool)
    expected[[0, 0, 2, 2], [1, 2, 0, 1]] = True
    assert (result.adjacency == expected).all()
    graph = result.graph
    assert set(graph.edges) == {("a", "b"), ("a", "c"), ("c", "a"), ("c", "b")}
    assert (graph["a"]["c"]["score"], graph["c"]["a"]["score"]) == (0.1, -0.1)
    assert graph["c"]["b"]["score"] == 0.7
    assert graph["c"]["a"]["probability_adjacent"] == 1.0
    assert "probability_both" not in graph["c"]["a"]
    shown = result.to_networkx(undecided=True)
    said = {ends: shown.edges[ends]["decision"] for ends in shown.edges}
    assert said[("a", "c")] == said[("c", "a")] == "both"
    assert said[("a", "b")] == "directed"
    assert said[("a", "d")] == said[("d", "a")] == CONNECTED
    assert said[("d", "b")] == "undecided"


def test_causal_learn_gets_a_line_with_two_heads(edges):
    graph = CausalGraph("ivae", tuple("abcd"), {"edges": edges}).to_causal_learn()
    nodes = {node.get_name(): node for node in graph.get_nodes()}
    both = graph.get_edge(nodes["a"], nodes["c"])
    assert (both.get_endpoint1().name, both.get_endpoint2().name) == ("ARROW", "ARROW")
    assert graph.is_directed_from_to(nodes["c"], nodes["b"])
    assert graph.get_num_edges() == 5


def test_notebooks_show_two_heads_and_what_is_connected(edges):
    html = CausalGraph("ivae", tuple("abcd"), {"edges": edges})._repr_html_()
    assert "<td>a ↔ c</td>" in html
    assert f"<td>a, d: {CONNECTED}</td>" in html
    assert "<td>b, d: undecided</td>" in html
    assert "4 directions" in html
    assert html.count('edge-1-head"') == html.count('edge-1-tail"') == 1
    assert "edge-0-tail" not in html
