"""A run is repeated from its own log, and the methods of a run are compared."""

import shutil

import pandas as pd
import pytest
from tiny_study import write_study, write_tiny_pipeline

from causal_ivae.cli import main
from causal_ivae.derivatives import load_results


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run one of two subjects, with a seed and segments of its own; return the folder."""
    folder = tmp_path_factory.mktemp("ran")
    write_study(folder / "input", ("01", "02"))
    write_tiny_pipeline(folder / "tiny.yaml")
    code = main(
        ["run", str(folder / "input"), str(folder / "out"), "participant", "--pipeline",
         str(folder / "tiny.yaml"), "--segments", "windows:80", "--seed", "7", "--device", "cpu",
         "--participant-label", "01"]
    )  # fmt: skip
    assert code == 0
    return folder


def logged(folder):
    [settings] = (folder / "out" / "logs").glob("*/pipeline.yaml")
    return settings


def results_of(output):
    return {
        path.name: path.read_bytes()
        for path in sorted(output.glob("sub-*/func/*.tsv"))
        if not path.name.endswith("_training.tsv")
    }


def repeat(folder, output, *options):
    code = main(
        ["run", str(folder / "input"), str(output), "participant", "--config-file",
         str(logged(folder)), "--device", "cpu", *options]
    )  # fmt: skip
    assert code == 0


def test_a_run_is_repeated_with_its_settings_seed_and_subjects(ran, tmp_path):
    repeat(ran, tmp_path / "again")
    first, again = results_of(ran / "out"), results_of(tmp_path / "again")
    assert len(first) >= 8
    assert again == first


def test_options_take_precedence_over_the_run_that_is_repeated(ran, tmp_path):
    repeat(ran, tmp_path / "other", "--seed", "8", "--method", "tcl")
    first, other = results_of(ran / "out"), results_of(tmp_path / "other")
    name = "sub-01_task-rest_meas-tcl_edges.tsv"
    assert other[name] != first[name]
    assert not any("meas-ivae" in name for name in other)


def test_two_sources_of_settings_are_refused(ran, capsys):
    code = main(
        ["run", str(ran / "input"), str(ran / "out2"), "participant", "--pipeline", "quick",
         "--config-file", str(logged(ran))]
    )  # fmt: skip
    assert code == 2
    assert "Both --pipeline and --config-file name settings" in capsys.readouterr().err


def with_decisions(output, method, decisions):
    """Write other decisions into the edges of a method; the pairs are A-B, A-C, B-C."""
    path = output / "sub-01" / "func" / f"sub-01_task-rest_meas-{method}_edges.tsv"
    edges = pd.read_csv(path, sep="\t", na_values=["n/a"])
    for row, decision in enumerate(decisions):
        x, y = edges.loc[row, ["x", "y"]]
        cause, effect = {"x->y": (x, y), "y->x": (y, x)}.get(decision, (None, None))
        edges.loc[row, "decision"] = decision
        edges["cause"] = edges["cause"].astype(object)
        edges["effect"] = edges["effect"].astype(object)
        edges.loc[row, ["cause", "effect"]] = [cause, effect]
    edges.to_csv(path, sep="\t", index=False, na_rep="n/a")


def test_methods_are_compared_pair_by_pair(ran, tmp_path, capsys):
    shutil.copytree(ran / "out", tmp_path / "out")
    with_decisions(tmp_path / "out", "ivae", ["x->y", "y->x", "x->y"])
    with_decisions(tmp_path / "out", "tcl", ["x->y", "x->y", "undecided"])
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "out")]) == 0
    header, row = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header == ["subject", "method", "other", "pairs", "both_decide", "same", "opposite"]
    assert row == ["sub-01", "ivae", "tcl", "3", "2", "1", "1"]
    assert set(load_results(tmp_path / "out").subjects) == {"01"}
    assert main(["compare", str(tmp_path / "out"), "--method", "tcl"]) == 2
    assert "no subject with two of these methods" in capsys.readouterr().err
