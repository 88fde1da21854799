"""`benchmark twins` counts drawn arrows where the truth is known."""

import numpy as np
import pandas as pd
import pytest

from causal_ivae.__main__ import main
from causal_ivae.errors import SettingsError
from causal_ivae.validation.suites.twins import KnownArrows


@pytest.fixture
def tables(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    for subject in range(2):
        rng = np.random.default_rng(subject)
        values = rng.laplace(size=(200, 5)) + 0.5 * rng.laplace(size=(200, 1))
        name = f"sub-{subject:02}_task-rest_timeseries"
        frame = pd.DataFrame(values + 100, columns=[f"r{i}" for i in range(5)])
        frame.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
        (folder / f"{name}.json").write_text('{"RepetitionTime": 2.0}')
    return folder


def test_the_command_counts_arrows_in_the_users_tables(tables, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["benchmark", "twins", str(out), "--data", str(tables), "--quick", "--nprocs", "1"]
    assert main([*command, "--regions", "4", "--networks", "1"]) == 0
    rows = pd.read_csv(out / "benchmark_twins.tsv", sep="\t", na_values=["n/a"])
    assert rows["error"].isna().all()
    assert len(rows) == 2 * 4
    assert (rows["planted"] == np.where(rows["strength"] > 0, 2, 0)).all()
    assert (rows["pairs"] == 6).all()
    assert (rows["drawn"] <= rows["claimed"]).all()
    assert (rows["drawn_right"] <= rows["planted"]).all()
    summary = pd.read_csv(out / "benchmark_twins_summary.tsv", sep="\t", na_values=["n/a"])
    assert set(summary["guard"]) == {"none", "share"}
    assert summary.loc[summary["strength"] == 0, "recall"].isna().all()
    assert (out / "benchmark_twins.png").is_file()
    assert "common sources: false networks" in capsys.readouterr().out


def test_false_and_right_arrows_are_told_apart():
    suite = KnownArrows(guards=("share",))
    row = {"base": "twins", "guard": "share", "pairs": 10, "claimed": 4, "claimed_right": 2}
    rows = pd.DataFrame(
        [
            {**row, "strength": 0.6, "planted": 3, "drawn": 2, "drawn_right": 2},
            {**row, "strength": 0.6, "planted": 3, "drawn": 1, "drawn_right": 0},
        ]
    )
    found = suite.tables(rows)["summary"].set_index("guard")
    assert found.loc["share", "precision"] == pytest.approx(2 / 3)
    assert found.loc["share", "recall"] == pytest.approx(2 / 6)
    assert found.loc["share", "false_per_pair"] == pytest.approx(1 / 14)
    assert found.loc["share", "false_networks"] == 0.5
    assert found.loc["none", "false_networks"] == 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"guards": ["strict"]}, "No guard 'strict'; there are share and network"),
        ({"regions": 9}, "'regions' is 9, and the tables have 5"),
    ],
)
def test_what_cannot_be_asked(tables, options, words):
    with pytest.raises(SettingsError, match=words):
        KnownArrows.asked({"data": tables, **options}, quick=True, say=print)
