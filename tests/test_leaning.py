"""Pairs without an arrow: the likelier direction, its probability, and why there is no arrow."""

import io

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.digraphs import undecided_text
from causal_ivae.drawing.arrows import STYLES, drawn_edges
from causal_ivae.group import align, combine_subjects
from causal_ivae.outcomes import CONNECTED, WHY, arrow_columns, leaning_columns, leaning_of
from causal_ivae.reporting.graph_files import graph_files
from causal_ivae.reporting.table_rows import edge_rows
from causal_ivae.settings import GroupSettings

FORWARD = np.array([0.9, 0.7, 0.35, 0.55, 0.2, np.nan])
ROWS = [
    ("a", "b", "x->y", 0.9, ""),
    ("a", "c", "undecided", 0.8, "twins"),
    ("b", "c", "undecided", 0.7, "direction"),
    ("a", "d", "undecided", 0.4, "data"),
    ("b", "d", "none", 0.1, "independent"),
    ("c", "d", "undecided", np.nan, "same"),
]


@pytest.fixture
def edges():
    table = pd.DataFrame(ROWS, columns=["x", "y", "decision", "probability_adjacent", "why"])
    ends = arrow_columns(*(table[name].to_numpy() for name in ("decision", "x", "y")))
    numbers = {"score": 2 * FORWARD - 1, "p_value": np.nan, "q_value": np.nan, "confidence": 0.7}
    return table.assign(**ends, **numbers, **leaning_columns(FORWARD))


def test_the_likelier_direction_has_the_larger_probability(edges):
    assert edges["leaning"].tolist() == ["x->y", "x->y", "y->x", "x->y", "y->x", ""]
    np.testing.assert_allclose(edges["probability_leaning"][:5], [0.9, 0.7, 0.65, 0.55, 0.8])
    # Decided pairs, those without an edge and those that hardly lean are not drawn as leaning.
    assert leaning_of(edges).tolist() == ["", "x->y", "y->x", "", "", ""]


def test_leaning_pairs_are_drawn_with_a_light_open_head_towards_the_likelier_effect(edges):
    drawn = {edge.row: edge for edge in drawn_edges(edges, {})}
    assert (drawn[1].start, drawn[1].stop) == ("a", "c")
    assert (drawn[2].start, drawn[2].stop) == ("c", "b")
    for row in (1, 2):
        assert drawn[row].style is STYLES["leaning"]
        assert drawn[row].style.open
        assert len(drawn[row].heads) == 1
    assert drawn[0].style.arrow
    assert not drawn[0].style.open
    assert drawn[3].heads == ()
    assert 4 not in drawn


def test_every_undecided_pair_is_told_why_in_words(edges):
    found = edge_rows(CausalGraph("network", tuple("abcd"), {"edges": edges}))
    rows = {(row.first, row.second): row for row in found}
    for x, y, _, _, why in ROWS:
        assert rows[x, y].why == WHY.get(why, "")
    assert rows["b", "c"].leaning == "c → b"
    assert rows["b", "c"].given_arrow == pytest.approx(0.65)


def test_files_of_other_programs_know_undecided_pairs_without_arrows_for_them(edges):
    graph = CausalGraph("network", tuple("abcd"), {"edges": edges})
    shown = graph.to_networkx(undecided=True)
    assert shown["a"]["c"]["decision"] == CONNECTED
    assert shown["a"]["c"]["why"] == "twins"
    assert shown["c"]["a"]["probability_if_arrow"] == pytest.approx(0.3)
    assert shown["c"]["b"]["probability_if_arrow"] == pytest.approx(0.65)
    assert "probability_if_arrow" not in shown["c"]["d"]
    plain = graph.graph
    plain.graph["undecided"] = undecided_text(edges)
    read = nx.read_graphml(io.BytesIO(graph_files(plain)["graphml"]))
    assert set(read.edges) == {("a", "b")}
    first = "a -- c: connected 0.80, if an arrow a -> c 0.70, not clearly more than what twins"
    assert read.graph["undecided"].startswith(first)
    assert "if an arrow c -> b 0.65" in read.graph["undecided"]


def test_a_group_has_the_mean_over_subjects(edges):
    one = edges[:5].assign(score_error=np.nan)
    # The second subject has the first pair the other way round, and leans less.
    other = one.assign(**leaning_columns(np.array([0.6, 0.5, 0.35, 0.55, 0.2])))
    other.loc[0, ["x", "y", "leaning"]] = ["b", "a", "y->x"]
    other.loc[0, ["decision", "score"]] = ["y->x", -0.8]
    group = combine_subjects(align({"1": one, "2": other}), GroupSettings())
    assert group["leaning"].tolist() == ["x->y", "x->y", "y->x", "x->y", "y->x"]
    np.testing.assert_allclose(group["probability_leaning"], [0.75, 0.6, 0.65, 0.55, 0.8])
    np.testing.assert_allclose(group["probability_adjacent"], [0.9, 0.8, 0.7, 0.4, 0.1])
