"""A run with known inputs from events: tables, files of graphs, pages, and what is refused."""

import json

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from tiny_study import run_study, states, tiny_pipeline

from causal_ivae import load_results
from causal_ivae.batch.state import whole_methods
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.simulate.bold_networks import BoldDesign, TaskInput, simulate_bold_network

NAMES = ["a", "b", "c"]
TR = 1.5


def write_study(source, n_subjects):
    graph = np.zeros((3, 3), dtype=bool)
    graph[0, 1] = True
    task = TaskInput((0,), 0.8, 15.0, 15.0)
    design = BoldDesign(
        graph, n_subjects=n_subjects, n_times=400, tr=TR, noise=0.01, inputs=(task,)
    )
    network = simulate_bold_network(design, seed=3)
    source.mkdir()
    for number, (values, on) in enumerate(zip(network.values, network.inputs[..., 0], strict=True)):
        stem = source / f"sub-{number + 1:02d}_task-tones_timeseries"
        table = pd.DataFrame(100.0 + values, columns=NAMES)
        table.to_csv(stem.with_suffix(".tsv"), sep="\t", index=False)
        about = {"RepetitionTime": TR, "Simulated": True}
        stem.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")
        starts = np.flatnonzero(np.diff(on, prepend=0.0) > 0)
        stops = np.append(np.flatnonzero(np.diff(on) < 0) + 1, len(on))
        events = pd.DataFrame(
            {
                "onset": TR * starts,
                "duration": [TR * (stops[stops > start][0] - start) for start in starts],
                "trial_type": "tone",
            }
        )
        place = source / f"sub-{number + 1:02d}_task-tones_events.tsv"
        events.to_csv(place, sep="\t", index=False)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    write_study(folder / "input", 2)
    pipeline = tiny_pipeline(
        unmixing__methods=["network", "tcl"], unmixing__network__twins=0, exogenous=["tone"]
    )
    levels = ("participant", "group")
    result = run_study(folder / "input", folder / "out", levels=levels, pipeline=pipeline)
    done = {unit for unit, state in states(result).items() if state == "done"}
    assert done == {"sub-01", "sub-02", "group"}, "two subjects are too few to be pooled"
    return folder / "out"


def test_the_task_drives_its_region_in_every_subject(output):
    for subject in load_results(output).subjects.values():
        graph = subject.methods["network"]
        assert graph.names == (*NAMES, "tone")
        assert ("tone", "a") in graph.graph.edges
        assert not graph.adjacency[:, 3].any()
        assert graph.inputs == ("tone",)
        assert set(graph.tables["inputs"]["region"]) == set(NAMES)


def test_its_node_has_a_shape_of_its_own_and_the_page_tells_what_it_reaches(output):
    read = nx.read_graphml(next(output.rglob("sub-01*_graph.graphml")))
    assert read.nodes["tone"] == {"kind": "input"}
    assert read.nodes["a"] == {}
    dot = next(output.rglob("sub-01*_graph.dot")).read_text(encoding="utf-8")
    assert '"tone" [kind=input, shape=box];' in dot
    page = (output / "sub-01.html").read_text(encoding="utf-8")
    assert "the known input tone (as it was given) drives a directly" in page
    assert "No arrow can lead into it" in page
    assert "convolved with a haemodynamic response: tone" in page


def test_every_method_of_the_group_has_the_input_as_a_node(output):
    assert whole_methods(UnitPaths(output, "group")) == ("network", "tcl")
    group = load_results(output).group
    for graph in group.methods.values():
        assert graph.names == (*NAMES, "tone")
        assert graph.inputs == ("tone",)
    page = (output / "group.html").read_text(encoding="utf-8")
    assert "damaged" not in page
    assert "SIMULATED DATA:" in page


def test_an_unknown_trial_type_fails_with_the_nearest_name(tmp_path):
    write_study(tmp_path / "input", 1)
    pipeline = tiny_pipeline(
        unmixing__methods=["network"], unmixing__network__twins=0, exogenous=["tnoe"]
    )
    result = run_study(tmp_path / "input", tmp_path / "out", pipeline=pipeline)
    message = next(iter(result.outcomes)).message
    assert "neither a column nor a trial_type" in message
    assert "'tone'" in message
