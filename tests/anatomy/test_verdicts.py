import pytest

from causal_ivae.anatomy.verdicts import Match, Prior, Projection, match_regions, same_hemisphere

ONE_SIDE = Prior(
    name="one side",
    names=("ERC", "CA3DG", "CA1"),
    projections=(
        Projection("ERC", "CA3DG", citations=("a", "b")),
        Projection("CA3DG", "CA1", citations=("b", "c")),
    ),
    directed=True,
    aliases=(("Entorhinal", "ERC"), ("CA3/DG", "CA3DG")),
)
BOTH_SIDES = Prior(
    name="both sides",
    names=("Hippocampus_L", "Hippocampus_R", "Vermis"),
    projections=(Projection("Hippocampus_L", "Hippocampus_R"),),
    directed=False,
)


@pytest.mark.parametrize(
    ("name", "region", "side"),
    [
        ("ERC", "ERC", None),
        ("erc", "ERC", None),
        ("entorhinal", "ERC", None),
        ("ca3/dg", "CA3DG", None),
        ("L_ERC", "ERC", "left"),
        ("erc.R", "ERC", "right"),
        ("Right-Entorhinal", "ERC", "right"),
        ("lh.CA3/DG", "CA3DG", "left"),
        ("CA1 left", "CA1", "left"),
    ],
)
def test_names_meet_the_priors_own(name, region, side):
    assert match_regions([name], ONE_SIDE) == {name: Match(region, side)}


@pytest.mark.parametrize("name", ["CA2", "ERC2", "LERC", "L_", "entorhinal area", "CA"])
def test_other_names_are_not_guessed(name):
    assert match_regions([name], ONE_SIDE) == {}


def test_a_capital_letter_is_a_side_where_its_counterpart_is_there():
    assert match_regions(["LERC", "RERC", "RCA1"], ONE_SIDE) == {
        "LERC": Match("ERC", "left"),
        "RERC": Match("ERC", "right"),
    }


def test_a_side_within_a_name_is_read():
    prior = Prior("cortex", ("ctx-precuneus",), (), directed=True)
    assert match_regions(["ctx-lh-precuneus"], prior) == {
        "ctx-lh-precuneus": Match("ctx-precuneus", "left")
    }


def test_a_prior_with_hemispheres_keeps_them_apart():
    matches = match_regions(["hippocampus_l", "R_Hippocampus", "Hippocampus", "Vermis"], BOTH_SIDES)
    assert matches == {
        "hippocampus_l": Match("Hippocampus_L", None),
        "R_Hippocampus": Match("Hippocampus_R", None),
        "Vermis": Match("Vermis", None),
    }


def test_a_region_never_matches_the_other_hemisphere():
    left_only = Prior("left only", ("Hippocampus_L", "V1"), (), directed=True)
    assert match_regions(["Hippocampus_R"], left_only) == {}
    assert match_regions(["Hippocampus"], left_only) == {
        "Hippocampus": Match("Hippocampus_L", None)
    }


def test_names_that_differ_in_case_only_are_ambiguous():
    prior = Prior("case", ("Th", "TH"), (), directed=True)
    assert match_regions(["TH", "th"], prior) == {"TH": Match("TH", None)}


def test_opposite_hemispheres_are_told_apart():
    assert same_hemisphere(Match("ERC", "left"), Match("CA1", None))
    assert not same_hemisphere(Match("ERC", "left"), Match("CA1", "right"))


def test_graph_points_from_cause_to_effect_and_citations_follow_a_path():
    assert list(ONE_SIDE.graph.edges) == [("ERC", "CA3DG"), ("CA3DG", "CA1")]
    assert ONE_SIDE.cited(["ERC", "CA3DG", "CA1"]) == ("a", "b", "c")
