"""A method that judges all regions at once goes all the way, with tables of its own alone."""

import importlib
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tiny_study import run_study, states, tiny_pipeline

from causal_ivae import discover, load_results
from causal_ivae.batch.overview import write_overview
from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.files import read_json
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.stored_tables import table_names
from causal_ivae.discovery.methods import METHODS, unregister
from causal_ivae.discovery.series_to_graph import expected_workload
from causal_ivae.reporting.group_page import group_page
from causal_ivae.reporting.html import subject_page
from causal_ivae.reporting.index_page import index_row
from causal_ivae.reporting.subject_summary import summarise_subject
from causal_ivae.settings import (
    DecisionSettings,
    IndependenceSettings,
    Pipeline,
    ScreenSettings,
    UnmixingSettings,
)

NAMES = ("A", "B", "C", "D", "E")


@pytest.fixture
def toy():
    """Register the method of ``tests/toy_network.py`` for one test."""
    yield importlib.import_module("toy_network")
    unregister("toynet")
    del sys.modules["toy_network"]
    assert "toynet" not in METHODS
    assert "partials" not in table_names(by_method=True)


def series(seed: int = 0, regions: int = 5) -> pd.DataFrame:
    """Return series in which A and B are close, C follows B, D weakly C, and E is by itself."""
    x = np.random.default_rng(seed).laplace(size=(240, 5))
    x[:, 1] += 2.0 * x[:, 0]
    x[:, 2] += 0.5 * x[:, 1]
    x[:, 3] += 0.15 * x[:, 2]
    return pd.DataFrame(x, columns=list(NAMES)).iloc[:, :regions]


def test_discover_wraps_what_it_finds(toy, tmp_path):
    said = []
    graph = discover(series(), 30, method="toynet", progress=lambda *told: said.append(told))
    assert said == [("partial correlations", 1.0)]
    assert set(graph.tables) == {"edges", "partials"}
    decisions = graph.edges.set_index(["x", "y"])["decision"]
    assert decisions["A", "B"] == "both"
    assert decisions["B", "C"] == "x->y"
    assert {("A", "B"), ("B", "A"), ("B", "C")} <= set(graph.graph.edges)
    assert graph.disturbances is None
    assert graph.tests is None
    assert graph.estimator == "toynet"
    graph.write(UnitPaths(tmp_path, "sub-01"))
    again = CausalGraph.read(UnitPaths(tmp_path, "sub-01"), "toynet")
    assert list(again.tables) == ["edges", "partials"]
    pd.testing.assert_frame_equal(again.edges, graph.edges, check_dtype=False)
    pd.testing.assert_frame_equal(again.tables["partials"], graph.tables["partials"])
    assert (again.adjacency == graph.adjacency).all()


def test_an_acyclic_graph_has_no_pair_with_both_arrows(toy):
    graph = discover(series(), 30, method="toynet", acyclic=True)
    assert "both" not in set(graph.edges["decision"])
    assert graph.cycles == ()


def test_it_can_leave_the_work_to_another_method_under_its_own_name(toy, tmp_path):
    options = {
        "unmixing": UnmixingSettings.model_validate({"restarts": 1, "ivae": {"steps": 5}}),
        "independence": IndependenceSettings(draws=99),
    }
    handed = discover(series(regions=2), 30, method="toynet", **options)
    own = discover(series(regions=2), 30, method="ivae", **options)
    assert (handed.method, handed.estimator, own.estimator) == ("toynet", "ivae", "ivae")
    pd.testing.assert_frame_equal(handed.edges, own.edges)
    assert (handed.disturbances == own.disturbances).all()
    handed.write(UnitPaths(tmp_path, "sub-01"))
    assert CausalGraph.read(UnitPaths(tmp_path, "sub-01"), "toynet").estimator == "ivae"


def test_its_graphs_go_stale_by_its_own_settings(toy):
    for change, stale in (
        ({"unmixing.toynet.least": 0.4}, {"toynet"}),
        ({"unmixing.restarts": 3}, {"ivae", "tcl"}),
        ({"independence.draws": 199}, {"network", "structural", "ivae", "tcl"}),
        ({"decision.acyclic": True}, {"network", "structural", "ivae", "tcl", "toynet"}),
    ):
        one, other = Pipeline(), Pipeline().changed(change)
        changed = {n for n, method in METHODS.items() if method.digest(one) != method.digest(other)}
        assert changed == stale


def test_it_forecasts_its_own_work(toy):
    load = expected_workload(
        series(), 30, method="toynet", unmixing=UnmixingSettings(),
        independence=IndependenceSettings(), screen=ScreenSettings(),
    )  # fmt: skip
    assert load.sentence() == "toynet: on cpu; about 512 MiB and 10 s"
    assert METHODS["toynet"].steps(UnmixingSettings(), 10) == 10


def test_a_methods_paragraph_tells_of_no_fits_and_tests(toy):
    method = METHODS["toynet"]
    assert method.calibration() is None
    assert method.decision_sentences(DecisionSettings(), " of it") == ["Their size of it decided."]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return where three subjects lie as tables, and where a run writes."""
    source = tmp_path_factory.mktemp("toynet") / "input"
    source.mkdir()
    for seed in (1, 2, 3):
        stem = source / f"sub-{seed:02d}_task-rest_timeseries"
        series(seed, regions=4).to_csv(stem.with_suffix(".tsv"), sep="\t", index=False)
        stem.with_suffix(".json").write_text('{"RepetitionTime": 2.0}', encoding="utf-8")
    return source, source.parent / "out"


def test_a_run_its_pages_the_group_and_the_comparison(toy, folders):
    source, out = folders
    pipeline = tiny_pipeline(
        unmixing__methods=["toynet", "tcl"], unmixing__restarts=1, group__pooled=True
    )
    options = {"pipeline": pipeline, "levels": ("participant", "group")}
    assert set(states(run_study(source, out, **options)).values()) == {"done"}
    written = {path.name for path in (out / "sub-01" / "func").iterdir()}
    made = {name for name in written if "toynet" in name}
    stem = "sub-01_task-rest_meas-toynet_"
    assert made == {
        f"{stem}{name}"
        for name in (
            "edges.tsv", "edges.json", "partials.tsv", "partials.json", "relmat.dense.tsv",
            "relmat.json",
        )
    }  # fmt: skip
    about = read_json(out / "sub-01" / "func" / f"{stem}edges.json")
    assert "NullCheck" not in about
    assert "Calibration" not in about
    assert "drives the other" in about["probability_both"]["Description"]
    results = load_results(out)
    for unit in (results.subjects["01"], results.group, results.pooled):
        graph = unit.methods["toynet"]
        assert (graph.tests, graph.restarts, graph.diagnostics, graph.stability) == (None,) * 4
    assert results.subjects["01"].methods["toynet"].tables["partials"]["partial"].notna().all()
    edges = results.group.methods["toynet"].edges.set_index(["x", "y"])
    assert edges.loc[("A", "B"), ["n_both", "n_x_to_y", "n_subjects"]].tolist() == [3, 0, 3]
    assert edges["p_dependence"].isna().all()
    assert write_overview(out)
    for name in ("sub-01", "group", "pooled", "compare", "index"):
        assert "Toy network" in (out / f"{name}.html").read_text(encoding="utf-8")
    assert set(states(run_study(source, out, **options)).values()) == {"up to date"}


def test_a_page_of_it_alone_tells_of_no_fits_and_no_tests(toy, folders):
    _, out = folders
    unit = load_results(out).subjects["01"]
    alone = replace(unit, methods={"toynet": unit.methods["toynet"]})
    row = index_row(summarise_subject(alone), "done", "", ["toynet"])
    assert (row.quality, row.directions) == ("usable", (len(alone.methods["toynet"].graph.edges),))
    html, drawings = subject_page(alone)
    unsaid = (
        "Are the fits usable",
        "Tests behind",
        "left no table",
        "Hilbert",
        "two regions,",
        "best objective",
        "p not available",
    )
    for words in unsaid:
        assert words not in html
    assert 'href="#fits"' not in html
    for sentence in ("Partial correlations of 6 pairs were computed.", "Their size decided."):
        assert sentence in html
    assert "A ↔ B" in html
    assert ("toynet", "graph") in drawings
    assert ("toynet", "training") not in drawings
    group = load_results(out).group
    rows = [{"label": label, "state": "done", "seconds": 1.0, "message": ""} for label in "123"]
    page, _ = group_page(replace(group, methods={"toynet": group.methods["toynet"]}), rows)
    assert '<th scope="row">Toy network<br>' in page
