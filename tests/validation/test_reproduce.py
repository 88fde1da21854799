"""The commands `reproduce` and `benchmark`."""

import json

import pandas as pd
import pytest

from causal_ivae.cli import main
from causal_ivae.validation.paper import experiments as paper_experiments


@pytest.fixture
def tiny(monkeypatch):
    scale = paper_experiments.Scale(
        data_sets=2, restarts=2, n_per_segment=20, effort=0.004, conditions=1
    )
    monkeypatch.setattr("causal_ivae.validation.paper.reproduce.QUICK", scale)


def test_reproduce_writes_figure_tables_and_settings(tmp_path, tiny, capsys):
    asked = ["reproduce", "figure1", str(tmp_path), "--quick", "--seed", "3"]
    assert main([*asked, "--restarts", "3"]) == 0
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == [
        f"figure1{end}" for end in (".json", ".png", ".svg", "_runs.tsv", "_summary.tsv")
    ]
    out, err = capsys.readouterr()
    assert [line.rpartition("/")[0] for line in out.splitlines()] == [str(tmp_path)] * 5
    assert "median MCC" in err
    runs = pd.read_csv(tmp_path / "figure1_runs.tsv", sep="\t")
    needed = {"method", "M", "L", "d", "n", "data_seed", "mcc_in", "mcc_out", "objective"}
    assert needed | {"seconds", "restart", "held_out"} <= set(runs)
    record = json.loads((tmp_path / "figure1.json").read_text())
    assert record["Seed"] == 3
    assert record["Quick"] is True
    assert record["Command"].startswith("causal-ivae reproduce figure1")
    assert record["Settings"]["recipes"]["iVAE (flow)"]["steps"] == 12
    assert record["Settings"]["scale"]["restarts"] == 3
    assert (runs.loc[runs["method"] == "iVAE", "restart"] == [0, 1, 2]).all()


def test_the_same_seed_gives_the_same_numbers(tmp_path, tiny):
    for folder, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        main(["reproduce", "figure1", str(tmp_path / folder), "--quick", "--seed", seed])
    tables = [
        pd.read_csv(tmp_path / folder / "figure1_runs.tsv", sep="\t").drop(
            columns=["seconds", "stack_seconds"]
        )
        for folder in "abc"
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0]["mcc_out"].equals(tables[2]["mcc_out"])


def test_wrong_usage_is_one_line(tmp_path, capsys):
    assert main(["reproduce", "figure9", str(tmp_path)]) == 2
    assert "figure9" in capsys.readouterr().err
    file = tmp_path / "file"
    file.write_text("")
    assert main(["reproduce", "figure1", str(file), "--quick"]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main(["benchmark", "nothing", str(tmp_path)]) == 2
    assert main(["reproduce", "figure4", str(tmp_path), "--restarts", "2"]) == 2
    assert "figure4 has none" in capsys.readouterr().err


def test_benchmark_prints_ratio_and_both_times(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("causal_ivae.validation.speed.stack._DATA_SETS", 1)
    monkeypatch.setattr("causal_ivae.validation.speed.stack._RESTARTS", 2)
    assert main(["benchmark", "stack", str(tmp_path), "--steps", "2", "--device", "cpu"]) == 0
    said = capsys.readouterr().err
    assert "one by one" in said
    assert "ratio" in said
    record = json.loads((tmp_path / "benchmark_stack.json").read_text())
    assert record["Fits"] == 2
    assert record["Ratio"] == pytest.approx(
        record["OneByOneSeconds"] / record["StackSeconds"][0], rel=0.05
    )
