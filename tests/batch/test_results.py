"""Results of a run come back as objects, whatever its regions are called."""

import io

import numpy as np
import pandas as pd
import pytest
from tiny_study import NAMES, file_of, run_study, states, subject_table, tiny_pipeline, write_study

import causal_ivae
from causal_ivae.batch.overview import write_overview
from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.files import read_json
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.tables import TABLES
from causal_ivae.errors import InputError

# All of these are names of columns, most of them of columns of text.
ODD = ("x", "y", "name", "path", "cause", "verdict")


@pytest.fixture(scope="module")
def odd_output(tmp_path_factory):
    """A run of three subjects with regions called like columns."""
    source, out = tmp_path_factory.mktemp("odd"), tmp_path_factory.mktemp("odd_out")
    write_study(source)
    rng = np.random.default_rng(0)
    for path in source.glob("*.tsv"):
        series = subject_table(path.name[4:6])
        noise = rng.laplace(size=(len(series), len(ODD) - len(NAMES)))
        values = np.column_stack([series.to_numpy(), noise])
        pd.DataFrame(values, columns=list(ODD)).to_csv(path, sep="\t", index=False)
    pipeline = tiny_pipeline(unmixing__methods=["tcl"], group__pooled=True, unmixing__restarts=1)
    result = run_study(source, out, levels=("participant", "group"), pipeline=pipeline)
    assert set(states(result).values()) == {"done"}
    return out


def test_regions_called_like_columns_are_in_every_table_page_and_result(odd_output):
    assert write_overview(odd_output)
    results = causal_ivae.load_results(odd_output)
    assert list(results.subjects) == ["01", "02", "03"]
    for unit in (*results.subjects.values(), results.group, results.pooled):
        graph = unit.methods["tcl"]
        assert graph.names == ODD
        assert graph.adjacency.shape == graph.matrix.shape == (len(ODD), len(ODD))
        assert graph.tested.sum() == len(ODD) * (len(ODD) - 1)
        page = (odd_output / f"{unit.name}.html").read_text(encoding="utf-8")
        shown = page.replace(" → ", "<").replace("<td>", ">")
        missing = [name for name in ODD if f">{name}<" not in shown]
        assert not missing, unit.name
    series = results.subjects["01"].timeseries
    assert list(series.columns) == list(ODD)
    assert all(kind == np.float64 for kind in series.dtypes)
    assert results.group.timeseries is None
    shown = repr(results)
    assert "'01': <Unit 'sub-01': tcl>" in shown
    assert "\n" not in shown
    assert repr(results.pooled.methods["tcl"]).startswith(
        "<CausalGraph by tcl: 6 regions, 15 pairs"
    )


def test_results_are_those_of_the_files(odd_output):
    graph = causal_ivae.load_results(odd_output).subjects["01"].methods["tcl"]
    written = pd.read_csv(file_of(odd_output, "sub-01", "edges.tsv", "tcl"), sep="\t")
    np.testing.assert_array_equal(graph.edges["score"], written["score"])
    dense = file_of(odd_output, "sub-01", "relmat.dense.tsv", "tcl")
    np.testing.assert_array_equal(graph.matrix, pd.read_csv(dense, sep="\t", header=None))
    assert graph.tests is graph.tests  # read once
    assert graph.disturbances.shape[:2] == (len(graph.diagnostics), 2)
    assert graph.seconds > 0
    drawn = io.BytesIO()
    graph.plot().savefig(drawn, format="png")
    assert drawn.getvalue().startswith(b"\x89PNG")
    assert "tcl" in graph._repr_html_()


def test_every_file_of_a_declared_table_says_what_its_columns_are(odd_output):
    found = set()
    for path in odd_output.glob("**/*.tsv"):
        name = path.stem.rpartition("_")[2]
        if (
            "figures" in path.parts
            or "logs" in path.parts
            or name in ("timeseries", "relmat.dense")
        ):
            continue
        columns = path.read_text(encoding="utf-8").partition("\n")[0].split("\t")
        about = read_json(path.with_suffix(".json"))
        assert all(about[column]["Description"] for column in columns), path.name
        found.add(name)
    left = {table.name for table in TABLES if table.level != "run"} - found
    assert left == {
        "timeseries", "screen", "equations", "evidence", "model", "priorcheck", "network", "twins",
        "power", "inputs",
    }  # fmt: skip


def test_a_result_of_discover_can_be_written_and_loaded(odd_output, tmp_path):
    found = causal_ivae.load_results(odd_output).subjects["02"].methods["tcl"]
    made = CausalGraph("tcl", found.names, dict(found.tables), {"seed": 0}, 1.5)
    made.write(UnitPaths(tmp_path, "sub-09"))
    results = causal_ivae.load_results(tmp_path)
    assert (list(results.subjects), results.group, results.pooled) == (["09"], None, None)
    back = results.subjects["09"].methods["tcl"]
    assert (back.names, back.settings, back.seconds) == (found.names, {"seed": 0}, 1.5)
    pd.testing.assert_frame_equal(back.edges, found.edges)
    assert set(back.tables) == set(found.tables)
    assert list(back.graph.edges(data=True)) == list(found.graph.edges(data=True))


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no results"):
        causal_ivae.load_results(tmp_path)


def test_two_regions_that_are_one_series_are_said_on_every_page(tmp_path):
    source = write_study(tmp_path / "in")
    for path in source.glob("*.tsv"):
        series = subject_table(path.name[4:6])
        own = subject_table("another " + path.name[4:6])["A"]
        copied = 5.0 - 3.0 * series["A"] if path.name.startswith("sub-02") else own
        series.assign(D=copied).to_csv(path, sep="\t", index=False)
    out = tmp_path / "out"
    pipeline = tiny_pipeline(unmixing__methods=["structural", "tcl"], unmixing__restarts=1)
    result = run_study(source, out, levels=("participant", "group"), pipeline=pipeline)
    assert set(states(result).values()) == {"done"}
    assert write_overview(out)
    said = "A and D are the same series up to scale, r = -1.0000."
    results = causal_ivae.load_results(out)
    for method in ("structural", "tcl"):
        for unit in (results.subjects["02"], results.group):
            edges = unit.methods[method].edges.set_index(["x", "y"])
            assert edges.loc[("A", "D"), "decision"] == "undecided"
            assert np.isnan(edges.loc[("A", "D"), "score"])
            assert edges.drop(index=[("A", "D")])["score"].notna().all()
        assert "reason" not in results.subjects["01"].methods[method].edges
    assert said in (out / "sub-02.html").read_text(encoding="utf-8")
    assert f"In 1 of 3 subjects: {said}" in (out / "group.html").read_text(encoding="utf-8")
    assert said not in (out / "sub-01.html").read_text(encoding="utf-8")


def test_the_output_is_a_valid_bids_dataset(odd_output):
    """The official validator finds no error; what BIDS has no place for yet is ignored by name."""
    import json
    import subprocess
    import sys
    from pathlib import Path

    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("the package bids-validator-deno is not installed")
    done = subprocess.run(
        [validator, odd_output, "--format", "json"], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [issue for issue in issues if issue["severity"] == "error"]
    assert errors == []
    about = read_json(odd_output / "dataset_description.json")
    assert about["DatasetType"] == "derivative"
    assert Path(about["SourceDatasets"][0]["URL"].removeprefix("file://")).is_dir()
    assert about["GeneratedBy"][0]["CodeURL"].startswith("https://")
    for path in odd_output.rglob("*_edges.tsv"):
        assert all(cell for line in path.read_text().splitlines() for cell in line.split("\t"))
    (matrix,) = odd_output.glob("sub-01/func/*_meas-tcl_relmat.json")
    described = read_json(matrix)
    assert (described["Directed"], described["Weighted"], described["ValidDiagonal"]) == (
        True, True, False,
    )  # fmt: skip
    assert (matrix.parent / described["NodeFiles"][0]).is_file()


def test_every_subject_is_exported(odd_output, tmp_path, capsys):
    import networkx as nx

    from causal_ivae.cli import main

    arguments = ["export", str(odd_output), "--to", "graphml", "--folder", str(tmp_path)]
    assert main([*arguments, "--weights", "score"]) == 0
    files = [line for line in capsys.readouterr().out.splitlines() if line.endswith(".graphml")]
    assert len(files) == 5
    graph = nx.read_graphml(tmp_path / "sub-01_tcl.graphml")
    scores = causal_ivae.load_results(odd_output).subjects["01"].methods["tcl"].matrix
    for cause, effect, about in graph.edges(data=True):
        assert about["weight"] == pytest.approx(scores[ODD.index(cause), ODD.index(effect)])
    assert main([*arguments, "--method", "ivea"]) == 2
    assert "has no results of 'ivea'" in capsys.readouterr().err
