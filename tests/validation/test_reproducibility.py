"""The command `benchmark reproducibility`: what is there comes back, what is not does not."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from causal_ivae.cli import main
from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.validation.suites.agreement import Graphs, agreement, curve, permutations_of
from causal_ivae.validation.suites.study import Study, load_study, pooled

REGIONS = ("CA1", "SUB", "ERC", "PHC")
NAMES = tuple(f"{name}_{side}" for side in "LR" for name in REGIONS)
# Each drives the next; the order of the columns is another one, the same on both sides.
CHAIN = (3, 1, 0, 2, 7, 5, 4, 6)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six subjects with the same linear non-Gaussian chain."""
    folder = tmp_path_factory.mktemp("tables")
    for subject in range(6):
        rng = np.random.default_rng(subject)
        values = rng.laplace(size=(260, 8))
        for cause, effect in pairwise(CHAIN):
            values[:, effect] += 0.9 * values[:, cause]
        stem = folder / f"sub-{subject + 1:02d}_task-rest_timeseries"
        table = pd.DataFrame(values, columns=list(NAMES))
        table.to_csv(f"{stem}.tsv", sep="\t", index=False)
        stem.with_name(f"{stem.name}.json").write_text(json.dumps({"RepetitionTime": 1.0}))
    return folder


def run(out, data, *arguments):
    return main(
        ["benchmark", "reproducibility", str(out), "--data", str(data), "--nprocs", "1", *arguments]
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory, data):
    out = tmp_path_factory.mktemp("reproducibility")
    assert run(out, data, "--methods", "hs-tanh", "coin", "--splits", "2") == 0
    return out


def test_a_method_that_works_agrees_with_itself_and_a_coin_does_not(found):
    summary = read_table(found / "benchmark_reproducibility_summary.tsv")
    assert set(summary["comparison"]) == {"subjects", "volumes", "hemispheres"}
    pairs = dict(zip(summary["comparison"], summary["pairs"], strict=True))
    assert pairs == {"subjects": 28, "volumes": 28, "hemispheres": 6}
    by = summary[summary["series"] == "data"].set_index(["method", "comparison"])
    assert by.loc[("hs-tanh", "subjects"), "agree"] > 0.7
    assert by.loc[("hs-tanh", "subjects"), "p"] < 0.1
    assert 0.2 < by.loc[("coin", "subjects"), "agree"] < 0.8
    np.testing.assert_allclose(summary["expected"], 0.5, atol=0.1)
    assert (summary["abstained"] == 0.0).all()


def test_twins_have_the_covariance_and_no_direction_that_comes_back(found):
    summary = read_table(found / "benchmark_reproducibility_summary.tsv")
    both = summary[(summary["method"] == "hs-tanh") & (summary["comparison"] == "subjects")]
    by = both.set_index("series")
    assert set(by.index) == {"data", "twins"}
    assert by.loc["data", "agree"] > by.loc["twins", "agree"] + 0.15


def test_the_network_method_judges_a_part_at_once_beside_twins(tmp_path, data):
    arguments = ["--methods", "network", "--comparisons", "volumes", "--segments", "windows:40"]
    regions = ["--regions", "CA1_L", "SUB_L", "ERC_L", "PHC_L"]
    assert run(tmp_path, data, *arguments, *regions) == 0
    table = read_table(tmp_path / "benchmark_reproducibility.tsv")
    assert len(table) == 2 * 2 * 6
    drawn = table[table["decision"].isin(["x->y", "y->x"])]
    assert set(drawn["series"]) == {"data"}
    cause = np.where(drawn["decision"] == "x->y", drawn["x"], drawn["y"])
    effect = np.where(drawn["decision"] == "x->y", drawn["y"], drawn["x"])
    chain = [f"{REGIONS[k]}_L" for k in CHAIN[:4]]
    # In both halves, whatever the order of the columns.
    assert sorted(zip(cause, effect, strict=True)) == sorted([*pairwise(chain)] * 2)


def test_parts_splits_and_curves_are_written(found):
    table = read_table(found / "benchmark_reproducibility.tsv")
    counts = table.groupby(["comparison", "part", "split"]).size()
    assert set(counts.loc["subjects"].index) == {
        (part, split) for part in ("one half", "other half") for split in (0, 1)
    }
    assert set(table.loc[table["comparison"] == "hemispheres", "x"]) <= set(REGIONS)
    curves = read_table(found / "benchmark_reproducibility_curves.tsv")
    wanted = {"method": "hs-tanh", "comparison": "subjects", "series": "data"}
    own = curves[(curves[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    assert own["abstained"].is_monotonic_increasing
    assert own["abstained"].iloc[-1] > 0.8
    assert own["agree"].iloc[-1] >= own["agree"].iloc[0]
    assert (found / "benchmark_reproducibility.png").read_bytes().startswith(b"\x89PNG")
    record = read_json(found / "benchmark_reproducibility.json")
    assert record["Settings"]["regions"] == list(NAMES)
    assert record["Settings"]["subjects"] == [f"{k:02d}" for k in range(1, 7)]


def test_our_methods_abstain_and_it_is_told(tmp_path, data, capsys):
    arguments = ["--quick", "--methods", "tcl", "--comparisons", "volumes"]
    regions = ["--regions", "CA1_L", "SUB_L", "ERC_L"]
    assert run(tmp_path, data, *arguments, *regions, "--segments", "windows:40") == 0
    assert "volumes: do the two parts agree?" in capsys.readouterr().out
    table = read_table(tmp_path / "benchmark_reproducibility.tsv")
    assert len(table) == 12
    assert table["confidence"].notna().all()
    summary = read_table(tmp_path / "benchmark_reproducibility_summary.tsv").set_index("series")
    own = table[table["series"] == "data"]
    decided = own["decision"].isin(["x->y", "y->x"]).to_numpy().reshape(2, 3)
    assert summary.loc["data", "abstained"] == pytest.approx(1 - decided.all(axis=0).mean())


def test_parts_share_nothing_and_keep_segments(data):
    subjects = load_study(Study(data, "", None, 65.0))

    def part(comparison, name, split=0):
        return pooled(subjects, comparison, name, split, seed=0)

    one, other = part("subjects", "one half"), part("subjects", "other half")
    assert len(one[0]) == len(other[0]) == 3 * 260
    rows = {row.tobytes() for row in one[0]}
    assert not any(row.tobytes() in rows for row in other[0])
    assert not np.array_equal(one[0], part("subjects", "one half", 1)[0])
    assert len(np.unique(one[1])) == 3 * 4
    first, second = part("volumes", "first half"), part("volumes", "second half")
    assert len(first[0]) == len(second[0]) == 6 * 130
    np.testing.assert_allclose(first[0][:130].mean(axis=0), 0.0, atol=1e-6)
    spreads = [subject.in_units()[:130].std(axis=0) for subject in subjects[:2]]
    np.testing.assert_allclose(first[0][:130].std(axis=0), spreads[0], rtol=1e-5)
    np.testing.assert_allclose(first[0][130:260].std(axis=0), spreads[1], rtol=1e-5)
    for values, segments, blocks in (one, first):
        assert len(values) == len(segments) == len(blocks)
        # A stretch lies in one segment.
        assert len(np.unique(np.stack([segments, blocks]), axis=1).T) == len(np.unique(blocks))


def graph(*edges, regions=5):
    matrix = np.zeros((1, regions, regions), dtype=np.int8)
    for cause, effect in edges:
        matrix[0, cause, effect], matrix[0, effect, cause] = 1, -1
    return matrix


def test_agreement_counts_edges_with_a_direction_in_both():
    one = graph((0, 1), (1, 2), (3, 4))
    other = graph((0, 1), (2, 1), (0, 4))
    found = agreement(one, other, permutations_of(5, 200, 0))
    assert found.edges == 2
    assert found.share == 0.5
    assert found.p_value > 0.2
    none = agreement(one, graph((0, 3)), permutations_of(5, 200, 0))
    assert (none.edges, none.share, none.p_value) == (0.0, None, None)


def test_permuted_regions_know_that_edges_share_regions():
    # Region 0 drives all: six edges agree, but one region alone makes them do so.
    hub = graph(*((0, k) for k in range(1, 7)), regions=7)
    found = agreement(hub, hub, permutations_of(7, 4000, 0))
    assert found.share == 1.0
    # One permutation in seven keeps the hub where it is; no two others share an edge but one.
    assert 0.1 < found.p_value < 0.65
    order = graph(*((i, j) for i in range(7) for j in range(i + 1, 7)), regions=7)
    assert agreement(order, order, permutations_of(7, 4000, 0)).p_value < 0.01
    assert agreement(order, order, permutations_of(7, 4000, 0)).expected == pytest.approx(
        0.5, abs=0.02
    )


def test_a_curve_keeps_what_is_sure_in_both():
    one, other = graph((0, 1), (1, 2)), graph((0, 1), (2, 1))
    sure = np.abs(one) * np.array([[[0.9 if {0, 1} == {i, j} else 0.6 for j in range(5)]
                                    for i in range(5)]])  # fmt: skip
    graphs = [Graphs(m, sure.astype(float), m != 0) for m in (one, other)]
    levels = curve(*graphs, permutations_of(5, 50, 0))
    assert levels[-1][1].edges < levels[0][1].edges
    assert levels[-1][1].share == 1.0


def test_usage(tmp_path, data, capsys):
    out = tmp_path / "out"
    assert main(["benchmark", "reproducibility", str(out)]) == 2
    assert "--data" in capsys.readouterr().err
    assert run(out, data, "--segments", "runs") == 2
    assert "Invalid value 'runs' for --segments" in capsys.readouterr().err
    assert run(out, data, "--comparisons", "halves") == 2
    assert "Unknown comparison 'halves'" in capsys.readouterr().err
    left = ["--regions", "CA1_L", "SUB_L"]
    assert run(out, data, "--methods", "coin", "--comparisons", "hemispheres", *left) == 2
    assert "have a counterpart" in capsys.readouterr().err
    assert run(out, tmp_path / "nothing", "--methods", "coin") == 2
