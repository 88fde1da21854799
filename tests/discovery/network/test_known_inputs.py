"""Inputs that are known: no arrow leads into them, and what they reach is told apart."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal_ivae import discover
from causal_ivae.discovery.network.known_inputs import known_input
from causal_ivae.errors import SettingsError
from causal_ivae.settings import UnmixingSettings
from causal_ivae.simulate.bold_networks import BoldDesign, TaskInput, simulate_bold_network

CHAIN = np.zeros((5, 5), dtype=bool)
CHAIN[[0, 1, 3], [1, 2, 4]] = True
DESIGN = BoldDesign(
    CHAIN,
    n_subjects=10,
    n_times=250,
    tr=1.5,
    slow=0.0,
    noise=0.02,
    delay_sd=0.3,
    inputs=(TaskInput((0,), 0.6, 16.0, 16.0),),
)
NO_TWINS = UnmixingSettings(network={"twins": 0})
RHYME = "CAUSAL_IVAE_RHYME"


def studied(design, seed=0, **options):
    network = simulate_bold_network(design, seed=seed)
    series, whose = network.stacked
    task = network.inputs.reshape(len(series), -1)
    # The input stands between the regions, so that it is second in some pairs and first in others.
    values = np.column_stack([series[:, :2], task, series[:, 2:]])
    names = ["a", "b", "task", "c", "d", "e"]
    return discover(
        values,
        whose,
        names,
        method="network",
        exogenous=["task"],
        tr=design.tr,
        unmixing=NO_TWINS,
        **options,
    )


@pytest.fixture(scope="module")
def result():
    return studied(DESIGN)


def test_the_region_that_the_input_drives_is_found_and_no_arrow_leads_into_it(result):
    edges = result.edges.set_index(["x", "y"])
    assert len(edges) == 15
    assert edges.loc[("a", "task"), "decision"] == "y->x"
    assert edges.loc[("a", "task"), ["cause", "effect"]].tolist() == ["task", "a"]
    assert not result.adjacency[:, 2].any()
    assert (edges.loc[[("a", "task"), ("b", "task")], "probability_forward"] == 0).all()
    assert (edges.loc[[("task", "c"), ("task", "d")], "probability_backward"] == 0).all()
    assert result.edges["x"].tolist()[:5] == ["a"] * 5


def test_regions_that_it_reaches_through_others_have_no_arrow_but_words(result):
    edges = result.edges.set_index(["x", "y"])
    table = result.tables["inputs"].set_index("region")
    assert abs(table.loc["b", "total_t"]) >= 4
    assert edges.loc[("b", "task"), "why"] in ("through", "reached")
    assert edges.loc[("b", "task"), "decision"] in ("none", "undecided")
    for region in ("d", "e"):
        assert abs(table.loc[region, "total_t"]) < 4
        assert edges.loc[("task", region), "decision"] in ("none", "undecided")
        assert edges.loc[("task", region), "why"] in ("independent", "data")
    assert table["total"].abs().idxmax() == "a"


def test_an_input_that_is_convolved_already_is_not_convolved_again(result):
    assert result.sidecar["Inputs"] == {"task": {"Convolved": True}}
    network = simulate_bold_network(DESIGN, seed=0)
    values, _ = network.stacked
    one = np.zeros(len(values), dtype=np.int64)
    boxcar = network.inputs.reshape(-1)
    first = known_input(boxcar, values, one, 1.5)
    again = known_input(first.regressors[:, 0], values, one, 1.5)
    assert first.convolved
    assert not again.convolved
    np.testing.assert_allclose(again.regressors[:, 0], first.regressors[:, 0], atol=1e-9)


def test_an_input_that_drives_nothing_reaches_nothing():
    silent = replace(DESIGN, inputs=(TaskInput((0,), 0.0, 16.0, 16.0),))
    found = studied(silent, seed=1)
    assert not found.adjacency[2].any()
    assert (found.tables["inputs"]["total_t"].abs() < 4).all()


def test_methods_of_pairs_leave_inputs_out_and_unknown_ones_are_refused():
    network = simulate_bold_network(replace(DESIGN, n_subjects=4, n_times=120), seed=2)
    series, whose = network.stacked
    values = np.column_stack([network.inputs.reshape(-1), series[:, :2]])
    options = {"method": "tcl", "exogenous": ["task"], "restarts": 1}
    unmixing = UnmixingSettings(tcl={"steps": 5})
    found = discover(values, whose, ["task", "a", "b"], unmixing=unmixing, **options)
    assert found.edges[["x", "y"]].to_numpy().tolist() == [["a", "b"]]
    with pytest.raises(SettingsError, match="Unknown input 'tsk'"):
        discover(values, whose, ["task", "a", "b"], exogenous=["tsk"])
    with pytest.raises(SettingsError, match="leaves 1 of 3"):
        discover(values, whose, ["task", "a", "b"], exogenous=["task", "a"])


@pytest.mark.skipif(RHYME not in os.environ, reason=f"set {RHYME} to the folder of rhyme tables")
def test_a_real_task_drives_an_occipital_region():
    tables = [pd.read_csv(path, sep="\t") for path in sorted(Path(os.environ[RHYME]).glob("sub*"))]
    assert len(tables) == 9
    times = np.arange(len(tables[0])) - len(tables[0]) / 2
    values = []
    for table in tables:
        x = table.to_numpy(dtype=float)
        x = x - x.mean(axis=0)
        values.append(x - np.outer(times, times @ x / (times @ times)))
    found = discover(
        values,
        [np.full(len(one), number) for number, one in enumerate(values)],
        list(tables[0].columns),
        method="network",
        exogenous=["I"],
    )
    assert not found.adjacency[:, list(found.names).index("I")].any()
    assert {"LOCC", "ROCC"} & {effect for cause, effect in found.graph.edges if cause == "I"}
