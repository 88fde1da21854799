"""A run by the network method: tables, pages, group, pooled subjects, and work handed over."""

import json

import numpy as np
import pandas as pd
import pytest
from tiny_study import run_study, states, tiny_pipeline

from causal_ivae import load_results
from causal_ivae.simulate.bold_networks import BoldDesign, simulate_bold_network

NAMES = ["a", "b", "c", "d"]
CHAIN = np.zeros((4, 4), dtype=bool)
CHAIN[[0, 1, 3], [1, 2, 2]] = True


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    source = folder / "input"
    source.mkdir()
    design = BoldDesign(CHAIN, n_subjects=4, n_times=300, tr=1.5, noise=0.01, delay_sd=0.2)
    # Percent signal change around a baseline, which keeps the scales of subjects.
    values = 100.0 + simulate_bold_network(design, seed=1).values
    for number, series in enumerate(values):
        stem = source / f"sub-{number + 1:02d}_task-rest_timeseries"
        pd.DataFrame(series, columns=NAMES).to_csv(stem.with_suffix(".tsv"), sep="\t", index=False)
        about = {"RepetitionTime": 1.5, "Simulated": True}
        stem.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")
    pipeline = tiny_pipeline(
        unmixing__methods=["network"],
        unmixing__network__twins=3,
        power__plants=4,
        decision__decoy_share=0.2,
    )
    options = {"pipeline": pipeline, "levels": ("participant", "group")}
    result = run_study(source, folder / "out", **options)
    assert set(states(result).values()) == {"done"}
    again = run_study(source, folder / "out", **options)
    assert set(states(again).values()) == {"up to date"}
    return folder / "out"


def test_the_tables_come_back(output):
    results = load_results(output)
    found = results.subjects["01"].methods["network"]
    assert list(found.tables["twins"].columns) == ["probability", "claims", "claims_per_twin"]
    assert {"why", "probability_both", "probability_adjacent"} <= set(found.edges.columns)
    assert found.sidecar["Twins"] == 3
    assert found.sidecar["Calibration"]["Bins"]
    near = found.edges["probability_adjacent"] > 0.5
    pairs = set(zip(found.edges["x"][near], found.edges["y"][near], strict=True))
    assert {("a", "b"), ("b", "c")} <= pairs


def test_pages_and_tables_say_what_the_data_could_decide(output):
    found = load_results(output).subjects["01"].methods["network"]
    power = found.tables["power"]
    assert power["series"].tolist() == ["twins"] * 3 + ["shifted"] * 3
    assert (power["planted"] == 4 / 2).all()
    assert (power["wrong"] <= power["drawn"]).all()
    assert power["right_sign"].between(0, 1).all()
    assert found.sidecar["Power"]["RepetitionTime"] == 1.5
    page = (output / "sub-01.html").read_text(encoding="utf-8")
    assert "an arrow of strength .3 / .6 / .9" in page
    assert 'id="fig-power-0"' in page
    assert str(found.sidecar["Power"]["Seed"]) in page
    pooled = load_results(output).pooled.methods["network"]
    assert pooled.sidecar["Power"]["Volumes"] == 1200


def test_pages_say_what_twins_claim(output):
    page = (output / "sub-01.html").read_text(encoding="utf-8")
    assert "passed a probability of 0.7" in page
    assert "gave" in page
    assert "each (3 twins)" in page
    assert "linear equations with feedback" in page
    assert "Elias" in page
    group = (output / "group.html").read_text(encoding="utf-8")
    assert "in one graph of all subjects" in group
    assert "all subjects in one graph" in group
    assert "Stay without any one subject" in group
    assert group.index("fig-main") < group.index("fig-graph-0")


def test_all_subjects_pooled_find_the_chain(output):
    pooled = load_results(output).pooled.methods["network"]
    true = {("a", "b"), ("b", "c"), ("d", "c")}
    assert set(pooled.graph.edges) <= true
    assert len(pooled.graph.edges) >= 2


def test_the_group_tests_connected_pairs_only(output):
    edges = load_results(output).group.methods["network"].edges.set_index(["x", "y"])
    assert edges.loc[("a", "d"), "decision"] == "none"
    assert np.isnan(edges.loc[("a", "d"), "q_value"])
    assert edges.loc[("a", "b"), "q_value"] <= 1.0


def test_subjects_that_have_no_common_scale_are_not_pooled(output, tmp_path):
    source = tmp_path / "input"
    source.mkdir()
    for path in (output.parent / "input").glob("*.tsv"):
        series = pd.read_csv(path, sep="\t")
        ((series - series.mean()) / series.std(ddof=0)).to_csv(
            source / path.name, sep="\t", index=False
        )
        about = path.with_suffix(".json")
        (source / about.name).write_bytes(about.read_bytes())
    pipeline = tiny_pipeline(
        unmixing__methods=["network"], unmixing__network__twins=0, power__plants=0
    )
    levels = ("participant", "group")
    result = run_study(source, tmp_path / "out", pipeline=pipeline, levels=levels)
    assert (states(result)["pooled"], states(result)["group"]) == ("not run", "done")
    assert not result.failed
    (said,) = [o.message for o in result.outcomes if o.unit == "pooled"]
    assert "divided by its own standard deviation" in said
    group = (tmp_path / "out" / "group.html").read_text(encoding="utf-8")
    assert "in one graph of all subjects" not in group
