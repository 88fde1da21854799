"""The command `benchmark many`, and what its scores are of."""

import numpy as np
import pytest

from causal_ivae.cli import main
from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.validation.suites import many
from causal_ivae.validation.suites.many import ESTIMATORS, ManyCase, Networks


@pytest.fixture
def run(tmp_path):
    def command(*arguments):
        out = tmp_path / "out"
        given = ["benchmark", "many", str(out), "--quick", "--nprocs", "1", *arguments]
        return main(given), out

    return command


def test_every_method_is_scored_against_the_true_graph(run, capsys):
    code, out = run("--graphs", "1")
    assert code == 0
    table = read_table(out / "benchmark_many.tsv")
    names = {
        "pairwise", "pairwise (sign)", "whole-set", "whole-set (best)", "direct-lingam", "pc",
        "random",
    }  # fmt: skip
    assert set(table["method"]) == names
    assert table["error"].isna().all()
    assert table["f1"].dropna().between(0, 1).all()
    assert table["true_edges"].nunique() == 1
    chance = table[table["method"] == "random"]
    assert (chance["edges"] == chance["true_edges"]).all()
    printed = capsys.readouterr().out
    assert "F1 of directed edges" in printed
    assert "Graphs: 1 of 1 layers" in printed
    record = read_json(out / "benchmark_many.json")
    assert record["Seed"] == 0
    assert (out / "benchmark_many.png").stat().st_size > 1000


def test_finished_networks_are_not_estimated_again(run, monkeypatch):
    methods = ("--methods", "pc", "random")
    first = read_table(run(*methods)[1] / "benchmark_many.tsv")

    def never(*_):
        raise AssertionError("estimated again")

    monkeypatch.setattr(many, "ESTIMATORS", dict.fromkeys(ESTIMATORS, never))
    code, out = run(*methods)
    assert code == 0
    assert read_table(out / "benchmark_many.tsv").equals(first)


def test_known_graphs_score_as_they_should(monkeypatch):
    def truth(series, *_):
        return {"truth": series.adjacency, "turned": series.adjacency.T}

    monkeypatch.setattr(many, "ESTIMATORS", {"truth": truth})
    right, turned = Networks(**Networks.small()).work(ManyCase(1, 6, 0, "truth"))
    assert right["f1"] == right["orientation_accuracy"] == 1.0
    assert right["hamming"] == 0
    assert turned["f1"] == turned["orientation_accuracy"] == 0.0
    assert turned["skeleton_f1"] == 1.0


def test_an_edge_without_direction_counts_as_both():
    rng = np.random.default_rng(0)
    series = many.simulate_network(np.eye(2, k=1, dtype=bool), n_per_segment=100, layers=1)
    (found,) = ESTIMATORS["pc"](series, Networks(), "pair").values()
    assert found.tolist() == [[False, True], [True, False]]
    collider = rng.normal(size=(2000, 3))
    collider[:, 2] += collider[:, 0] + collider[:, 1]
    series = many.SimulatedSeries(collider, *[np.zeros(2000)] * 3)
    (found,) = ESTIMATORS["pc"](series, Networks(), "v").values()
    assert np.argwhere(found).tolist() == [[0, 2], [1, 2]]


def test_the_summary_averages_over_graphs(run):
    _, out = run("--methods", "random", "--graphs", "4")
    table = read_table(out / "benchmark_many.tsv")
    (row,) = Networks().tables(table)["summary"].to_dict("records")
    assert row["graphs"] == 4
    assert row["f1"] == pytest.approx(table["f1"].mean())
    assert row["low"] < row["f1"] < row["high"]


def test_unknown_methods_are_named(run, capsys):
    code, _ = run("--methods", "wholeset")
    assert code == 2
    assert "Did you mean 'whole-set'" in capsys.readouterr().err
