"""Cycles are found, and broken where the evidence is weakest."""

from itertools import pairwise

import pandas as pd
import pytest

from causal_ivae.derivatives.causal_graph import CausalGraph, Cycle
from causal_ivae.derivatives.files import read_json
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.discovery.cycles import find_cycles, without_cycles


def edges(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """Return decided edges (cause, effect, confidence), the second written backwards."""
    table = pd.DataFrame(rows, columns=["cause", "effect", "confidence"])
    table["x"], table["y"], table["decision"] = table["cause"], table["effect"], "x->y"
    if len(table) > 1:
        table.loc[1, ["x", "y", "decision"]] = table["effect"][1], table["cause"][1], "y->x"
    return table.assign(score=0.5)


def test_a_cycle_is_broken_at_its_least_confident_edge(tmp_path):
    given = edges(("a", "b", 0.9), ("b", "c", 0.6), ("c", "a", 0.8), ("c", "d", 0.5))
    (cycle,) = find_cycles(given)
    assert cycle == Cycle(("c", "a", "b"), "b", "c")
    broken = without_cycles(given, (cycle,))
    assert broken["decision"].tolist() == ["x->y", "undecided", "x->y", "x->y"]
    assert broken.loc[1, ["cause", "effect"]].tolist() == ["", ""]
    assert broken.drop(index=1).equals(given.drop(index=1))
    assert find_cycles(broken) == ()
    assert given["decision"][1] == "y->x"
    paths = UnitPaths(tmp_path, "sub-01")
    settings = {"decision": {"acyclic": True}}
    graph = CausalGraph("ivae", ("a", "b", "c", "d"), {"edges": broken}, settings, cycles=(cycle,))
    graph.write(paths)
    assert read_json(paths.file("edges.json", "ivae"))["Cycles"] == [
        {"Regions": ["c", "a", "b"], "Cause": "b", "Effect": "c", "Broken": True}
    ]
    assert CausalGraph.read(paths, "ivae").cycles == (cycle,)


def test_where_confidences_are_equal_the_smaller_score_goes():
    given = edges(("a", "b", 1.0), ("b", "c", 1.0), ("c", "a", 1.0))
    given["score"] = [-0.2, 0.7, 0.9]
    (cycle,) = find_cycles(given)
    assert (cycle.cause, cycle.effect) == ("a", "b")


@pytest.mark.parametrize(
    "given",
    [
        edges(("a", "b", 0.9), ("a", "c", 0.9), ("b", "c", 0.9)),
        edges(("a", "b", 0.9)).assign(decision="undecided", cause="", effect=""),
    ],
    ids=["two ways from a to c", "nothing decided"],
)
def test_without_a_cycle_nothing_changes(given):
    assert find_cycles(given) == ()
    assert without_cycles(given, ()).equals(given)


def test_many_cycles_are_found_in_one_go():
    # Every edge backwards but the chain's own: one cycle for each, and an acyclic rest.
    names = [f"r{i:02d}" for i in range(30)]
    chain = [(a, b, 0.9) for a, b in pairwise(names)]
    back = [(names[j], names[i], 0.5) for i in range(30) for j in range(i + 1, 30)]
    given = edges(*chain, *back)
    cycles = find_cycles(given)
    assert len(cycles) == len(back)
    assert find_cycles(without_cycles(given, cycles)) == ()


def with_both() -> pd.DataFrame:
    """Return the cycle a -> b -> c -> a in which b and c drive each other."""
    given = edges(("a", "b", 0.9), ("c", "a", 0.8), ("b", "c", 0.7))
    given.loc[2, ["decision", "cause", "effect"]] = ["both", "", ""]
    return given


def test_two_regions_that_drive_each_other_are_no_cycle_by_themselves():
    both = with_both()
    assert find_cycles(both[2:]) == ()
    (cycle,) = find_cycles(both)
    assert cycle == Cycle(("c", "a", "b"), "b", "c")
    assert find_cycles(both.assign(confidence=[0.6, 0.8, 0.9])) == (
        Cycle(("b", "c", "a"), "a", "b"),
    )


def test_an_acyclic_graph_has_no_regions_that_drive_each_other():
    broken = without_cycles(with_both(), ())
    assert broken["decision"].tolist() == ["x->y", "y->x", "undecided"]
