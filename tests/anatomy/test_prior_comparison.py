import json
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest

from causal_ivae.anatomy import Prior, compare_with_prior, load_prior
from causal_ivae.anatomy.verdicts import Projection
from causal_ivae.errors import InputError
from causal_ivae.settings import PriorSettings


def prior_of(*arrows, directed=True, names=()):
    projections = tuple(Projection(*arrow.split(">")) for arrow in arrows)
    named = dict.fromkeys([*names, *(n for p in projections for n in (p.cause, p.effect))])
    return Prior("test", tuple(named), projections, directed)


def table(names, *arrows):
    """Return the edge table of all pairs of `names`, with the edges of `arrows` decided."""
    found = {frozenset(arrow.split(">")): arrow.split(">") for arrow in arrows}
    rows = [(x, y, *found.get(frozenset((x, y)), ("", ""))) for x, y in combinations(names, 2)]
    return pd.DataFrame(rows, columns=["x", "y", "cause", "effect"])


def verdicts(comparison):
    return {
        f"{row.cause}>{row.effect}": (row.verdict, row.path)
        for row in comparison.check.itertuples()
    }


def test_direction_of_two_regions_matters():
    prior = prior_of("A>B")
    right = compare_with_prior(table("AB", "A>B"), prior)
    wrong = compare_with_prior(table("AB", "B>A"), prior)
    assert verdicts(right) == {"A>B": ("direct", "A > B")}
    assert verdicts(wrong) == {"B>A": ("not feasible", "")}
    assert right.summary["Direct"]["Share"] == 1
    assert wrong.summary["Direct"]["Share"] == 0


def test_an_undirected_prior_explains_both_directions():
    prior = prior_of("A>B", "B>A", directed=False, names="C")
    for arrow in ("A>B", "B>A"):
        comparison = compare_with_prior(table("ABC", arrow), prior)
        assert verdicts(comparison)[arrow][0] == "direct"
        assert comparison.summary["Orientation"] == {"Edges": 0, "Count": 0, "PValue": None}
        assert comparison.summary["Direct"]["ChanceShare"] == pytest.approx(1 / 3)


REGIONS = ["PRC", "PHC", "ERC", "SUB", "CA1", "CA3/DG"]


@pytest.mark.parametrize(
    ("arrow", "verdict", "path"),
    [
        ("PRC>ERC", "direct", "PRC > ERC"),
        ("PRC>CA1", "indirect", "PRC > ERC > CA1"),
        ("SUB>CA3/DG", "indirect", "SUB > ERC > CA3/DG"),
        ("CA1>CA3/DG", "indirect", "CA1 > ERC > CA3/DG"),
        ("CA3/DG>CA1", "direct", "CA3/DG > CA1"),
        ("CA3/DG>PRC", "indirect", "CA3/DG > CA1 > ERC > PRC"),
    ],
)
def test_hippocampal_circuit_explains_edges(arrow, verdict, path):
    prior = load_prior(PriorSettings(name="hippocampal_circuit"))
    assert verdicts(compare_with_prior(table(REGIONS, arrow), prior))[arrow] == (verdict, path)


def test_paths_stop_at_the_longest_allowed():
    prior = load_prior(PriorSettings(name="hippocampal_circuit"))
    edges = table(REGIONS, "CA3/DG>PRC", "CA1>CA3/DG")
    found = verdicts(compare_with_prior(edges, prior, max_path=2))
    assert found["CA3/DG>PRC"] == ("not feasible", "")
    assert found["CA1>CA3/DG"][0] == "indirect"


def test_paths_pass_through_regions_that_were_not_analysed():
    comparison = compare_with_prior(table("AC", "A>C"), prior_of("A>B", "B>C"))
    assert verdicts(comparison) == {"A>C": ("indirect", "A > B > C")}


def test_regions_the_prior_does_not_know_are_left_out_and_reported():
    comparison = compare_with_prior(table("ABXY", "A>B", "X>A", "X>Y"), prior_of("A>B"))
    assert verdicts(comparison)["X>A"] == ("", "")
    summary = comparison.summary
    assert summary["Unknown"] == ["X", "Y"]
    assert (summary["Edges"], summary["EdgesLeftOut"], summary["PairsTested"]) == (1, 2, 1)
    assert summary["Direct"]["Share"] == 1


def test_a_prior_of_one_hemisphere_is_silent_across_hemispheres():
    names = ["L_A", "L_B", "R_A", "R_B"]
    comparison = compare_with_prior(table(names, "L_A>L_B", "L_A>R_B", "L_A>R_A"), prior_of("A>B"))
    assert verdicts(comparison) == {
        "L_A>L_B": ("direct", "L_A > L_B"),
        "L_A>R_B": ("", ""),
        "L_A>R_A": ("", ""),
    }
    assert comparison.summary["PairsTested"] == 2
    assert comparison.summary["Unknown"] == []


def test_two_parts_of_one_region_are_left_out():
    prior = load_prior(PriorSettings(name="hippocampal_circuit"))
    comparison = compare_with_prior(table(["BA35", "BA36", "ERC"], "BA35>BA36", "BA36>ERC"), prior)
    assert verdicts(comparison) == {
        "BA35>BA36": ("", ""),
        "BA36>ERC": ("direct", "BA36 > ERC"),
    }


def brute_force(names, explained, arrows):
    """Return the numbers of explained arrows under all permutations of the labels."""
    counts = []
    for order in permutations(names):
        called = dict(zip(names, order, strict=True))
        counts.append(sum((called[x], called[y]) in explained for x, y in arrows))
    return np.array(counts)


@pytest.mark.parametrize("n_edges", [1, 2, 4])
def test_chance_matches_all_permutations_of_the_labels(n_edges):
    # Pairs with no, one and two projections.
    prior = prior_of("A>B", "B>A", "B>C", "C>D", names="ABCDE")
    direct = {(p.cause, p.effect) for p in prior.projections}
    feasible = direct | {("A", "C"), ("A", "D"), ("B", "D")}
    arrows = ["A>B", "B>C", "D>A", "C>E"][:n_edges]
    summary = compare_with_prior(table("ABCDE", *arrows), prior, draws=19999, seed=1).summary
    for what, explained in (("Direct", direct), ("Feasible", feasible)):
        counts = brute_force("ABCDE", explained, [arrow.split(">") for arrow in arrows])
        assert summary[what]["ChanceShare"] == pytest.approx(counts.mean() / n_edges)
        exact = (counts >= summary[what]["Count"]).mean()
        assert summary[what]["PValue"] == pytest.approx(exact, abs=0.012)


def hub_graph(rng, names, hub, spokes, more):
    """Return arrows from one region to some others, and some at random."""
    others = [name for name in names if name != hub]
    arrows = [f"{hub}>{other}" for other in rng.choice(others, spokes, replace=False)]
    while len(arrows) < spokes + more:
        x, y = rng.choice(others, 2, replace=False)
        if not {f"{x}>{y}", f"{y}>{x}"} & set(arrows):
            arrows.append(f"{x}>{y}")
    return arrows


def shares_below(summaries, level=0.05):
    return {
        what: np.mean([summary[what]["PValue"] <= level for summary in summaries if
                       summary[what]["PValue"] is not None])
        for what in ("Direct", "Orientation")
    }  # fmt: skip


def test_graphs_and_priors_with_hubs_meet_no_more_often_than_by_chance():
    # Graphs whose edges were exchangeable would get p <= .05 in .15 to .32 of these cases.
    rng = np.random.default_rng(0)
    names = [f"r{i}" for i in range(12)]
    summaries = []
    for run in range(250):
        first, second = rng.choice(names, 2)
        prior = prior_of(*hub_graph(rng, names, first, 9, 6), names=names)
        edges = table(names, *hub_graph(rng, names, second, 8, 4))
        summaries.append(compare_with_prior(edges, prior, draws=199, seed=run).summary)
    for what, share in shares_below(summaries).items():
        assert share <= 0.08, what


def test_short_arrows_do_not_follow_anatomy_because_projections_are_short():
    rng = np.random.default_rng(1)
    names = [f"r{i}" for i in range(14)]
    pairs = list(permutations(names, 2))
    apart, aware = [], []
    for run in range(120):
        places = {name: rng.uniform(0, 100, 3) for name in names}
        near = np.array([np.exp(-np.linalg.norm(places[x] - places[y]) / 15) for x, y in pairs])

        def arrows(count, near=near):
            chosen = rng.choice(len(pairs), count, replace=False, p=near / near.sum())
            found = {frozenset(pairs[k]): pairs[k] for k in chosen}
            return [">".join(pair) for pair in found.values()]

        prior, edges = prior_of(*arrows(40), names=names), table(names, *arrows(20))
        for into, where in ((apart, None), (aware, places)):
            comparison = compare_with_prior(edges, prior, draws=199, seed=run, coordinates=where)
            into.append(comparison.summary)
    assert shares_below(apart)["Direct"] > 0.5
    assert shares_below(aware)["Direct"] < 0.15
    chance = np.mean(
        [[s["Direct"]["ChanceShare"] for s in both] for both in (apart, aware)], axis=1
    )
    assert chance[1] > 1.5 * chance[0]


def test_a_graph_that_follows_anatomy_is_told_from_chance():
    names = [f"r{i}" for i in range(10)]
    arrows = [f"{a}>{b}" for a, b in combinations(names, 2)][::4]
    summary = compare_with_prior(table(names, *arrows), prior_of(*arrows, names=names)).summary
    assert summary["Direct"]["PValue"] == pytest.approx(1 / 10000)
    assert summary["Orientation"]["PValue"] == pytest.approx(1 / 10000)
    assert summary["Direct"]["ChanceShare"] == pytest.approx(len(arrows) / 45 / 2)


def test_orientation_counts_only_pairs_with_one_direction():
    prior = prior_of("A>B", "B>C", "C>B", "D>C")
    summary = compare_with_prior(table("ABCD", "A>B", "C>B", "C>D", "A>D"), prior).summary
    assert (summary["Orientation"]["Edges"], summary["Orientation"]["Count"]) == (2, 1)
    assert 0.3 < summary["Orientation"]["PValue"] <= 1


def test_without_edges_there_are_no_shares():
    comparison = compare_with_prior(table("AB"), prior_of("A>B"))
    assert comparison.check.empty
    assert list(comparison.check.columns) == ["cause", "effect", "verdict", "path"]
    empty = {"Count": 0, "Share": None, "ChanceShare": None, "PValue": None}
    assert comparison.summary["Direct"] == comparison.summary["Feasible"] == empty
    unknown = compare_with_prior(table("XY", "X>Y"), prior_of("A>B"))
    assert unknown.summary["Direct"] == empty
    assert unknown.summary["EdgesLeftOut"] == 1


def test_summary_is_json_and_the_seed_settles_it():
    edges, prior = table("ABCDE", "A>B", "D>C"), prior_of("A>B", "B>C", "C>D", names="E")
    first, again, other = (
        compare_with_prior(edges, prior, draws=199, seed=seed).summary for seed in (3, 3, 4)
    )
    assert json.loads(json.dumps(first, allow_nan=False)) == first == again
    assert first["Direct"]["PValue"] != other["Direct"]["PValue"]


def test_bad_edge_tables_are_named():
    with pytest.raises(InputError, match="lacks the column 'effect'"):
        compare_with_prior(table("AB").drop(columns="effect"), prior_of("A>B"))
    edges = table("AB", "A>B").assign(effect="C")
    with pytest.raises(InputError, match="'A' -> 'C' in the row of the pair 'A', 'B'"):
        compare_with_prior(edges, prior_of("A>B"))


def test_what_a_drawing_needs_is_in_the_summary():
    prior = load_prior(PriorSettings(name="hippocampal_circuit"))
    names = ("CA1", "L_ERC", "Amygdala", "PRC")
    summary = compare_with_prior(table(names), prior).summary
    assert summary["Projections"] == [
        ["CA1", "L_ERC"], ["L_ERC", "CA1"], ["L_ERC", "PRC"], ["PRC", "L_ERC"],
    ]  # fmt: skip
    # From top to bottom, without rows that are empty here.
    assert summary["Rows"] == [["PRC"], ["L_ERC"], ["CA1"]]


def test_regions_that_drive_each_other_count_as_two_arrows():
    names = "ABCD"
    edges = table(names, "A>B").assign(decision="undecided")
    edges.loc[edges["cause"] != "", "decision"] = "x->y"
    edges.loc[(edges["x"] == "C") & (edges["y"] == "D"), "decision"] = "both"
    prior = prior_of("A>B", "C>D", "B>C", names=names)
    comparison = compare_with_prior(edges, prior, max_path=2)
    assert verdicts(comparison) == {
        "A>B": ("direct", "A > B"), "C>D": ("direct", "C > D"), "D>C": ("not feasible", ""),
    }  # fmt: skip
    summary = comparison.summary
    assert (summary["Edges"], summary["Direct"]["Count"]) == (3, 2)
    # It makes no choice between the directions.
    assert (summary["Orientation"]["Edges"], summary["Orientation"]["Count"]) == (1, 1)
    # Of the twelve places of A > B, three lie along a projection.
    assert summary["Orientation"]["PValue"] == pytest.approx(3 / 12, abs=0.02)
    assert summary["Direct"]["ChanceShare"] == pytest.approx(3 / 12)
