"""The command `benchmark null`, and the series that it draws."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_ivae.cli import main
from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.errors import InputError
from causal_ivae.validation.suites.null import ARROWS, FalsePositives
from causal_ivae.validation.suites.null_series import (
    LAYOUTS,
    WINDOWS,
    Row,
    draw_series,
    every_row,
)


def write_tables(folder, subjects=3, volumes=150):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for subject in range(subjects):
        values = np.cumsum(rng.normal(size=(volumes + subject, 3)), axis=0)
        stem = f"sub-{subject + 1}_task-rest_timeseries"
        table = pd.DataFrame(values, columns=list("abc"))
        table.to_csv(folder / f"{stem}.tsv", sep="\t", index=False)
        (folder / f"{stem}.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    return folder


def test_the_command_writes_every_cell_and_goes_on_with_other_data(tmp_path, capsys):
    data, out = write_tables(tmp_path / "tables"), tmp_path / "out"
    arguments = ["benchmark", "null", str(out), "--quick", "--nprocs", "1", "--pairs", "4"]
    assert main([*arguments, "--data", str(data)]) == 0
    printed = capsys.readouterr()
    assert "HSIC: share rejected" in printed.out
    table = read_table(out / "benchmark_null.tsv")
    assert {"different subjects, 5 windows of 30", "different subjects, 1 runs of 150"} < set(
        table["series"]
    )
    assert set(table["test"]) == {
        "HSIC",
        "distance covariance",
        "conditional",
        "partial correlation",
        ARROWS,
    }
    # Random walks: a null for independent rows takes them for dependent.
    hsic = table[(table["test"] == "HSIC") & (table["null"] == "gamma")].set_index("series")
    assert hsic.loc["different subjects, 1 runs of 150", "rejected"] >= 3
    record = read_json(out / "benchmark_null.json")
    assert record["Settings"]["pairs"] == 4
    assert record["Failed"] == 0
    assert main([*arguments, "--nulls", "gamma"]) == 0
    own = ~table["series"].str.contains("data|subjects")
    simulated = int((own & table["null"].isin(["gamma", "normal"])).sum())
    arrows = table[table["test"] == ARROWS].set_index("null")
    assert set(arrows.index) == {"the series themselves", "their twins", "moved in time"}
    assert (arrows["pairs"] == 3).all()
    # Networks are simulated where no data are given.
    assert f"{simulated} of {simulated + 3} cases are there already" in capsys.readouterr().err


def test_what_cannot_be_measured_is_named(tmp_path, capsys):
    assert main(["benchmark", "null", str(tmp_path / "out"), "--nulls", "gama"]) == 2
    assert "gamma" in capsys.readouterr().err
    data = write_tables(tmp_path / "tables", subjects=2)
    assert main(["benchmark", "null", str(tmp_path / "out"), "--data", str(data)]) == 2
    assert "has 2 subjects" in capsys.readouterr().err


@pytest.mark.parametrize("layout", LAYOUTS)
def test_autoregressive_series_have_their_coefficient(layout):
    series = draw_series(Row("pairs", layout, 0.8), 30, 0, None)
    assert series.values.shape == (3, 30, layout.blocks * layout.length)
    follows = series.blocks[1:] == series.blocks[:-1]
    lagged = (series.values[..., 1:] * series.values[..., :-1])[..., follows].mean()
    assert lagged == pytest.approx(0.8, abs=0.05)
    assert abs((series.values[0] * series.values[1]).mean()) < 0.05
    # Runs start afresh, windows do not.
    across = (series.values[..., 1:] * series.values[..., :-1])[..., ~follows].mean()
    assert (abs(across) < 0.4) == layout.apart


def test_a_scale_that_is_shared_correlates_squares_over_blocks_only():
    series = draw_series(Row("shared variance", WINDOWS, 0.3), 40, 0, None)
    x, y, _ = np.square(series.values)
    assert np.corrcoef(x.ravel(), y.ravel())[0, 1] > 0.1
    blocks = x.reshape(40, WINDOWS.blocks, -1), y.reshape(40, WINDOWS.blocks, -1)
    x, y = (b / b.mean(-1, keepdims=True) for b in blocks)
    assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 0.03


def test_randomised_phases_keep_the_spectrum_only(tmp_path):
    data = write_tables(tmp_path / "tables", volumes=150)
    kinds = {row.source: row for row in every_row(data, quick=True) if row.layout.apart}
    found = draw_series(kinds["phase-randomised data"], 5, 0, data)
    again = draw_series(kinds["phase-randomised data"], 5, 0, data)
    np.testing.assert_array_equal(found.values, again.values)
    smooth = (found.values[..., 1:] * found.values[..., :-1]).mean()
    assert smooth > 0.8
    with pytest.raises(InputError, match="three or more"):
        list(every_row(write_tables(tmp_path / "few", subjects=1), quick=True))


def test_the_summary_says_which_defaults_hold():
    table = pd.DataFrame(
        {
            "series": ["s", "s"],
            "test": ["HSIC", "HSIC"],
            "null": ["circular_shift", "gamma"],
            "default": [True, False],
            "pairs": [400, 400],
            "rejected": [20, 300],
        }
    )
    suite = FalsePositives()
    summary = suite.tables(table)["summary"]
    assert summary["within"].tolist() == [True, False]
    assert summary.loc[0, "low"] < 0.05 < summary.loc[0, "high"]
    assert "between 0.03 and 0.07 in 1 of 1 cells" in list(suite.blocks({"summary": summary}))[-1]
    assert suite.draw(table, {"summary": summary}).axes
    # Where no default was asked for, the shares are printed nevertheless.
    (block,) = suite.blocks({"summary": summary[~summary["default"]]})
    assert "gamma" in block


def test_arrows_are_claimed_in_networks_and_not_where_nothing_is_shared():
    suite = FalsePositives(networks=2)
    rows = [row for case in suite.cases() if case.test == ARROWS for row in suite.work(case)]
    claimed = {row["null"]: row["rejected"] / row["pairs"] for row in rows}
    assert claimed["the series themselves"] > 0.2
    assert claimed["their twins"] < claimed["the series themselves"]
    assert claimed["moved in time"] < 0.05
