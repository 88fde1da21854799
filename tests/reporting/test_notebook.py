import sys

import networkx as nx
import pandas as pd
import pytest
from fake_records import HOSTILE, method_record
from page_parser import Page

from causal_ivae.errors import SettingsError

NAMES = ("CA1", HOSTILE, "SUB", "ERC")


@pytest.fixture
def result():
    return method_record(NAMES, prior=False)


def test_plot_draws_an_arrow_for_every_decided_edge(result):
    parts = result.plot().parts
    heads = [part for part in parts if hasattr(part, "path") and str(part.name).endswith("-head")]
    assert len(heads) == (result.edges["cause"] != "").sum() > 0
    assert {"CA1", "SUB", "ERC"} <= {part.text for part in parts if hasattr(part, "text")}


def test_a_notebook_shows_the_picture(result):
    shown = result.plot()._repr_svg_()
    assert shown.lstrip().startswith("<?xml")
    assert "</svg>" in shown
    assert "CA1" in shown


def test_frame_is_the_edges_by_pair_and_no_view_of_them(result):
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame)
    row = result.edges.iloc[0]
    assert frame.loc[(row["x"], row["y"]), "score"] == row["score"]
    frame["score"] = 0.0
    assert (result.edges["score"] != 0).any()


def test_networkx_graph_has_the_undecided_pairs_on_request(result):
    decided = result.to_networkx()
    assert isinstance(decided, nx.DiGraph)
    assert set(decided.nodes) == set(NAMES)
    assert set(decided.edges) == set(result.graph.edges)
    both = result.to_networkx(undecided=True)
    n_open = (result.edges["decision"] == "undecided").sum()
    assert n_open > 0
    assert both.number_of_edges() == decided.number_of_edges() + 2 * n_open


def test_causal_learn_is_named_where_it_is_missing(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "causallearn.graph.Edge", None)
    with pytest.raises(SettingsError, match="pip install causal-learn"):
        result.to_causal_learn()


def test_causal_learn_reads_directions_and_open_pairs(result):
    graph = result.to_causal_learn()
    assert tuple(graph.get_node_names()) == NAMES
    found = {}
    for edge in graph.get_graph_edges():
        ends = edge.get_node1().get_name(), edge.get_node2().get_name()
        found[ends] = edge.get_endpoint1().name, edge.get_endpoint2().name
    expected = {}
    for row in result.edges.to_dict("records"):
        if row["cause"]:
            expected[row["cause"], row["effect"]] = ("TAIL", "ARROW")
        elif row["decision"] == "undecided":
            expected[row["x"], row["y"]] = ("TAIL", "TAIL")
    assert {"ARROW", "TAIL"} == {ends[1] for ends in expected.values()}
    assert found == expected


def test_a_notebook_shows_drawing_and_table_and_escapes_names(result):
    html = result._repr_html_()
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert [tag for tag, _ in page.tags].count("tr") == 1 + len(result.edges)
    assert "svg" in {tag for tag, _ in page.tags}
