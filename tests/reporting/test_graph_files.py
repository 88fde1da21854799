import io
import json
from dataclasses import replace

import networkx as nx
import pandas as pd
import pydot
import pytest
from fake_records import SIX, group_record, method_record, subject_record

from causal_ivae.reporting.graph_files import graph_files, unit_files
from causal_ivae.reporting.verdict import verdict_of

ODD = ("<b>&", 'say "A" now', "höhe:1", "17", "a, b", "x" * 200)


def read_back(files, names):
    dot = nx.nx_pydot.from_pydot(pydot.graph_from_dot_data(files["dot"].decode())[0])
    plain = {node: (node[1:-1] if node[0] == '"' else node).replace('\\"', '"') for node in dot}
    edges = pd.read_csv(io.BytesIO(files["tsv"]), sep="\t", dtype={"source": str, "target": str})
    listed = nx.from_pandas_edgelist(edges, edge_attr=True, create_using=nx.DiGraph)
    listed.add_nodes_from(names)
    return {
        "graphml": nx.read_graphml(io.BytesIO(files["graphml"])),
        "dot": nx.DiGraph(nx.relabel_nodes(dot, plain)),
        "json": nx.node_link_graph(json.loads(files["json"]), edges="edges"),
        "tsv": listed,
    }


# pydot itself calls pyparsing by its old names.
@pytest.mark.filterwarnings("ignore:.*deprecated - use")
@pytest.mark.parametrize("names", [SIX, ODD])
def test_every_file_is_the_same_graph_once_networkx_has_read_it(names):
    method = method_record(names)
    graph = method.graph
    decided = method.edges[method.edges["cause"] != ""]
    assert set(graph.edges) == set(zip(decided["cause"], decided["effect"], strict=True))
    assert graph.number_of_edges() > 2
    for kind, read in read_back(graph_files(graph), names).items():
        assert set(read) == set(names), kind
        assert set(read.edges) == set(graph.edges), kind
        for cause, effect, about in graph.edges(data=True):
            confidence = str(read[cause][effect]["confidence"]).strip('"')
            assert float(confidence) == pytest.approx(about["confidence"]), kind


def test_a_score_is_positive_where_it_favours_its_edge_and_the_prior_is_with_it():
    method = method_record(SIX)
    graph = method.graph
    turned = method.edges[method.edges["decision"] == "y->x"].iloc[0]
    assert turned["score"] < 0
    assert graph[turned["y"]][turned["x"]]["score"] == pytest.approx(-turned["score"])
    judged = method.prior_check.iloc[1]
    about = graph[judged["cause"]][judged["effect"]]
    assert (about["prior"], about["prior_path"]) == (judged["verdict"], judged["path"])


def test_a_graph_without_edges_keeps_its_regions():
    graph = method_record(SIX, decided=False, prior=False).graph
    graph.remove_edges_from(list(graph.edges))
    files = graph_files(graph)
    assert set(nx.read_graphml(io.BytesIO(files["graphml"]))) == set(SIX)
    assert files["tsv"].startswith(b"source\ttarget\t")


def test_columns_of_the_table_have_one_order_whatever_the_program():
    files = graph_files(method_record(SIX).graph)
    header = files["tsv"].decode().splitlines()[0].split("\t")
    numbers = ["score", "p_value", "q_value", "confidence", "interval_level"]
    assert header == ["source", "target", *numbers, "quality", "prior", "prior_path"]


@pytest.mark.filterwarnings("ignore:.*deprecated - use")
def test_quality_goes_with_every_arrow_and_every_graph():
    record = subject_record(SIX, ("ivae",))
    method = record.methods["ivae"]
    verdict = verdict_of(record, "ivae")
    files = {kind: text for (_, kind), text in unit_files(record).items()}
    found = read_back({kind.partition(".")[2]: text for kind, text in files.items()}, SIX)
    words = set()
    for cause, effect in method.graph.edges:
        pair = method.diagnostics["x"].isin([cause, effect])
        row = method.diagnostics[pair & method.diagnostics["y"].isin([cause, effect])]
        for kind, read in found.items():
            word = read[cause][effect]["quality"].strip('"')
            assert word == row["verdict"].item(), kind
            words.add(word)
    assert len(words) > 1
    assert found["graphml"].graph["quality"] == found["json"].graph["quality"] == verdict.word
    assert found["json"].graph["reasons"] == verdict.sentence
    assert f'quality="{verdict.word}"' in files["graph.dot"].decode()


def test_an_arrow_of_a_group_says_how_many_usable_fits_it_rests_on():
    record = group_record(SIX, ("ivae",))
    method = record.methods["ivae"]
    edges = method.edges.assign(n_usable=5, usable_decision="undecided")
    quality = {f"sub-{i:02d}": "usable" if i < 5 else "doubtful" for i in range(7)}
    method = replace(
        method,
        tables={**method.tables, "edges": edges},
        sidecar={**method.sidecar, "Subjects": list(quality), "Quality": quality},
    )
    files = unit_files(replace(record, methods={"ivae": method}))
    linked = json.loads(files["ivae", "graph.json"])
    assert linked["graph"]["quality"] == "5 of 7 subjects usable"
    for edge in linked["edges"]:
        assert (edge["n_usable"], edge["n_subjects"]) == (5, 7)
        assert edge["usable_decision"] == "undecided"
