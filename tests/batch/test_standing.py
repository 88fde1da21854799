"""Whether one result is current, decided from what its sidecar says."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_study import tiny_pipeline

from causal_ivae.batch.analysis import Analysis
from causal_ivae.batch.standing import Standing, judge
from causal_ivae.derivatives.vouching import FILES
from causal_ivae.provenance import package_version

INPUTS = {"table.tsv": "sha256:1"}
ABOUT = {
    "SettingsHash": "h",
    "Seed": 0,
    "Versions": {"causal-ivae": package_version()},
    "InputFingerprints": INPUTS,
    "Regions": ["A", "B", "C"],
    FILES: {},
}
ANALYSIS = Analysis(
    source=Path("in"), output=Path("out"), levels=("participant",), pipeline=tiny_pipeline()
)


def test_the_same_again_is_current_and_series_have_no_regions_to_ask_for():
    assert judge(ANALYSIS, ABOUT, "h", INPUTS, {}, ("A", "B", "C")).current
    assert judge(ANALYSIS, ABOUT, "h", INPUTS, {}).current


@pytest.mark.parametrize("regions", [("A", "B"), ("A", "C", "B"), ("A", "B", "C", "D")])
def test_a_graph_of_other_regions_is_made_again(regions):
    assert judge(ANALYSIS, ABOUT, "h", INPUTS, {}, regions) == Standing(stale=True)
    never = replace(ANALYSIS, overwrite="never")
    assert judge(never, ABOUT, "h", INPUTS, {}, regions) == Standing(kept=True)


@pytest.mark.parametrize(
    "change",
    [
        {"SettingsHash": "other"},
        {"Seed": 1},
        {"Versions": {"causal-ivae": "0"}},
        {"InputFingerprints": {"table.tsv": "sha256:2"}},
    ],
)
def test_what_was_made_otherwise_is_made_again(change):
    regions = ("A", "B", "C")
    assert judge(ANALYSIS, ABOUT | change, "h", INPUTS, {}, regions) == Standing(stale=True)


def test_damage_is_said_and_mended_even_where_nothing_is_overwritten():
    never = replace(ANALYSIS, overwrite="never")
    damage = {"sub-01_edges.tsv": "edges.tsv is missing"}
    found = judge(never, ABOUT, "h", INPUTS, damage, ("A", "B", "C"))
    assert found == Standing(stale=True, reason="edges.tsv is missing")
