"""The command `benchmark pairs`, and what its shares are."""

import numpy as np
import pandas as pd
import pytest

from causal_ivae.cli import main
from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.derivatives.tables import PROBABILITY_COLUMNS
from causal_ivae.discovery.methods import METHODS, PairMethod
from causal_ivae.errors import SettingsError
from causal_ivae.validation.suites.ours import by_rule, judge_pairs, quick_settings
from causal_ivae.validation.suites.pairs import Pairs, PairsCase, simulate
from causal_ivae.validation.suites.pairs_summary import calibrate, draw_pairs, summarise
from causal_ivae.validation.suites.rivals import RIVALS, Rival

QUICK = ["--quick", "--nprocs", "1", "--layers", "1", "--pairs", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    methods = ["--methods", "ivae", "tcl", "hs-tanh", "coin"]
    generators = ["--generators", "network", "sigmoid"]
    assert main(["benchmark", "pairs", str(folder), *QUICK, *methods, *generators]) == 0
    return folder


def test_every_case_is_in_the_table(folder):
    table = read_table(folder / "benchmark_pairs.tsv")
    assert table["error"].isna().all()
    cells = pd.crosstab([table["generator"], table["kind"]], table["method"])
    assert set(cells.index) == {
        ("network", "directed"), ("network", "cyclic"), ("network", "independent"),
        ("sigmoid", "directed"), ("sigmoid", "independent"),
    }  # fmt: skip
    assert set(cells.columns) == {"ivae", "ivae (rule)", "tcl", "hs-tanh", "coin"}
    assert (cells == 2).all().all()
    assert set(table.loc[table["kind"] == "directed", "truth"]) <= {"x->y", "y->x"}
    one = table[(table["kind"] == "directed") & (table["generator"] == "network")]
    assert one.groupby("pair")["truth"].nunique().max() == 1
    assert table["confidence"].isna().equals(table["method"].isin(["hs-tanh", "coin"]))
    # Only ours are asked again, with another seed.
    assert table["reseeded"].isna().equals(table["method"].isin(["hs-tanh", "coin"]))
    summary = read_table(folder / "benchmark_pairs_summary.tsv").set_index("method")
    assert summary.loc["tcl", "changed"].notna().all()
    assert summary.loc["coin", "changed"].isna().all()


def test_record_figure_and_printed_table(folder, capsys):
    record = read_json(folder / "benchmark_pairs.json")
    assert record["Seed"] == 0
    assert record["Settings"]["cells"]["layers"] == [1]
    assert record["Failed"] == 0
    assert record["Command"].startswith("causal-ivae benchmark pairs")
    assert {"torch", "lingam"} <= set(record["Software"])
    assert (folder / "benchmark_pairs.png").read_bytes().startswith(b"\x89PNG")
    # Nothing is computed again, and the table goes to standard output.
    before = (folder / "benchmark_pairs.tsv").read_bytes()
    methods = ["--methods", "ivae", "tcl", "hs-tanh", "coin"]
    generators = ["--generators", "network", "sigmoid"]
    assert main(["benchmark", "pairs", str(folder), *QUICK, *methods, *generators]) == 0
    out, err = capsys.readouterr()
    assert "20 of 20 cases are there already." in err
    assert "share correct (abstention wrong)" in out
    assert (folder / "benchmark_pairs.tsv").read_bytes() == before


def test_pairs_are_the_same_for_all_methods_and_their_directions_vary():
    def draw(method, number, kind="directed"):
        return simulate(PairsCase("network", kind, 2, 4, method, 0, 1), number, 32, 0)

    truths = set()
    for number in range(8):
        truth, pair = draw("tcl", number)
        np.testing.assert_array_equal(pair.values, draw("anm", number)[1].values)
        assert pair.adjacency[(0, 1) if truth == "x->y" else (1, 0)]
        truths.add(truth)
    assert truths == {"x->y", "y->x"}
    assert draw("tcl", 0, "cyclic")[1].adjacency.sum() == 2
    assert draw("tcl", 0, "independent")[1].adjacency.sum() == 0


def test_a_pair_does_not_depend_on_the_pairs_beside_it():
    rng = np.random.default_rng(0)
    series = rng.laplace(size=(3, 120, 2))
    segments = np.repeat(np.arange(4), 30)

    def judged(places):
        return judge_pairs(
            series[places], segments, method="tcl", keys=tuple(f"pair {k}" for k in places),
            seed=0, unmixing=quick_settings(),
        )  # fmt: skip

    columns = ["decision", "score", "confidence", "p_value"]
    whole, alone = judged([0, 1, 2]), judged([2])
    pd.testing.assert_frame_equal(
        whole.loc[[2], columns].reset_index(drop=True), alone[columns], rtol=1e-4
    )


def test_the_rule_decides_by_a_majority_of_restarts():
    votes = np.array(
        [
            ["x->y", "x->y", "inconclusive"],
            ["x->y", "y->x", "none"],
            ["inconclusive", "inconclusive", "inconclusive"],
            ["none", "none", "none"],
        ],
        dtype=object,
    )
    found = by_rule(votes)
    assert list(found["decision"]) == ["x->y", "undecided", "undecided", "none"]
    np.testing.assert_allclose(found["confidence"], [2 / 3, 2 / 3, 1.0, 1.0])


def rows(kind, method, outcomes):
    """One row per (truth, decision, score, confidence)."""
    names = ("truth", "decision", "score", "confidence")
    cell = {
        "generator": "network", "kind": kind, "layers": 2, "segments": 8,
        "method": method,
    }  # fmt: skip
    found = [{**cell, **dict(zip(names, outcome, strict=True))} for outcome in outcomes]
    # Another seed leaves what it decides first undecided.
    return [
        {**row, "reseeded": row["decision"] if place else "undecided"}
        for place, row in enumerate(found)
    ]


def test_shares_count_abstention_as_wrong_and_claims_on_pairs_without_direction():
    table = pd.DataFrame(
        rows(
            "directed",
            "a",
            [
                ("x->y", "x->y", 0.5, 0.95),
                ("y->x", "x->y", 0.2, 0.95),
                ("y->x", "undecided", -0.2, 0.6),
                ("y->x", "none", 0.0, 0.9),
            ],
        )
        + rows("cyclic", "a", [("cyclic", "x->y", 0.1, 0.9), ("cyclic", "undecided", 0.1, 0.5)])
        + rows("independent", "a", [("none", "none", 0.1, 0.9), ("none", "undecided", 0.1, 0.6)])
    )
    summary = summarise(table).set_index("kind")
    directed = summary.loc["directed"]
    assert directed["correct"] == 0.25
    assert directed["decided"] == 0.5
    assert directed["right_of_decided"] == 0.5
    assert directed["sign_right"] == 2.5 / 4
    assert directed["changed"] == 0.25
    assert directed["correct_low"] < 0.25 < directed["correct_high"]
    assert summary.loc["cyclic", "decided"] == 0.5
    assert summary.loc["independent", "correct"] == 1.0
    (errors,) = calibrate(table).to_dict("records")
    # Three directions are claimed, with .95, .95 and .9, and one of them is right.
    assert errors["directions"] == 3
    assert errors["ece_directions"] == pytest.approx(2.8 / 3 - 1 / 3)
    assert errors["ece_outcomes"] is None
    tables = {"summary": summary.reset_index(), "calibration": calibrate(table)}
    text = "\n".join(Pairs().blocks(tables))
    assert "Expected calibration errors" in text
    assert "network, cyclic, 8 segments: a direction claimed (wrong) of 2 pairs" in text
    assert len(draw_pairs(table, summary.reset_index()).axes) == 6


def test_the_largest_probability_is_set_against_the_truth():
    outcomes = [("x->y", "x->y", 0.5, 0.9), ("y->x", "undecided", -0.2, 0.5)]
    table = pd.DataFrame(
        rows("directed", "a", outcomes)
        + rows("cyclic", "a", [("cyclic", "undecided", 0.1, 0.5)])
        + rows("independent", "a", [("none", "none", 0.1, 0.9)])
    )
    table[list(PROBABILITY_COLUMNS)] = [
        [0.1, 0.9, 0.0, 0.0],
        [0.3, 0.5, 0.2, 0.0],
        [0.9, 0.1, 0.0, 0.0],
        [0.1, 0.0, 0.0, 0.9],
    ]
    (errors,) = calibrate(table).to_dict("records")
    # Three times .9 and right; once .5 and wrong.
    assert errors["ece_outcomes"] == pytest.approx((3 * 0.1 + 0.5) / 4)


def test_a_failing_method_is_told_and_the_others_are_there(tmp_path, monkeypatch, capsys):
    def fails(x, u):
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setitem(RIVALS, "coin", Rival("coin", "", fails))
    arguments = ["--methods", "coin", "hs-tanh", "--kinds", "directed"]
    assert main(["benchmark", "pairs", str(tmp_path), *QUICK, *arguments]) == 0
    assert "LinAlgError: singular" in capsys.readouterr().out
    summary = read_table(tmp_path / "benchmark_pairs_summary.tsv")
    assert list(summary["method"]) == ["hs-tanh"]


def test_all_of_our_methods_are_compared():
    assert {n for n, m in METHODS.items() if isinstance(m, PairMethod)} <= set(Pairs().methods)


@pytest.mark.parametrize("what", ["kind", "generator"])
def test_unknown_names_are_told_with_the_nearest(what):
    with pytest.raises(SettingsError, match=f"Unknown {what} 'networc'"):
        Pairs(**{f"{what}s": ("networc",)})


def test_usage(tmp_path, capsys):
    assert main(["benchmark", "pairs", str(tmp_path), "--segments", "2"]) == 2
    assert "at least three are needed" in capsys.readouterr().err
    assert main(["benchmark", "pairs", "--help"]) == 0
    assert "--generators" in capsys.readouterr().out
