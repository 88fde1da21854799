"""`benchmark networks` scores our claims and published methods' on the same networks."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from causal_ivae.__main__ import main
from causal_ivae.errors import InputError
from causal_ivae.simulate.bold_networks import (
    BoldDesign,
    draw_bold_design,
    simulate_bold_network,
)
from causal_ivae.validation.suites.bold_networks import BoldNetworks
from causal_ivae.validation.suites.network_files import read_network
from causal_ivae.validation.suites.network_rivals import NETWORK_RIVALS, claims_of

CHAIN = np.zeros((4, 4), dtype=bool)
CHAIN[[0, 1, 2], [1, 2, 3]] = True


@pytest.fixture(scope="module")
def series():
    design = BoldDesign(CHAIN, n_subjects=10, n_times=200, noise=0.01, delay_sd=0.2)
    return simulate_bold_network(design, seed=4).values


@pytest.fixture
def folder(tmp_path, series):
    np.savez(tmp_path / "chain.npz", ts=series, net=np.repeat(CHAIN[None], 10, axis=0))
    tables = tmp_path / "tables" / "one"
    tables.mkdir(parents=True)
    for k, subject in enumerate(series):
        np.savetxt(tables / f"sub{k}.tsv", subject, delimiter="\t")
    np.savetxt(tables / "truth.tsv", CHAIN.astype(int), delimiter="\t")
    return tmp_path


def test_networks_are_read_from_arrays_and_from_tables(folder, series):
    for path in (folder / "chain.npz", folder / "tables" / "one"):
        found, truth = read_network(path)
        np.testing.assert_allclose(found, series, rtol=1e-12)
        np.testing.assert_array_equal(truth, CHAIN)
    np.savez(folder / "chain.npz", ts=series)
    with pytest.raises(InputError, match=r"chain.npz' is not a simulated network"):
        read_network(folder / "chain.npz")


def test_the_benchmark_scores_every_method(folder, capsys):
    arguments = ["benchmark", "networks", str(folder / "out"), "--data", str(folder), "--own", "0",
                 "--subjects", "1", "10", "--networks", "chain", "--nprocs", "1", "--methods",
                 "network", "network-no-twins", "partial-tanh", "pc"]  # fmt: skip
    assert main(arguments) == 0
    out = folder / "out"
    summary = pd.read_csv(out / "benchmark_networks_summary.tsv", sep="\t").set_index("method")
    # One subject alone is judged by windows.
    alone, summary = (rows for _, rows in summary.groupby("subjects"))
    assert list(alone.index) == list(summary.index)
    assert list(summary.index) == ["network", "network-no-twins", "partial-tanh", "pc"]
    assert (summary["true"] == 3).all()
    assert summary.loc["network-no-twins", "right"] >= 2
    assert summary.loc["network", "precision"] == 1.0
    assert summary.loc["partial-tanh", "adjacency_recall"] == 1.0
    rows = pd.read_csv(out / "benchmark_networks.tsv", sep="\t")
    assert len(rows) == 4 * 12 * (1 + 3)
    assert rows.loc[rows["method"] == "pc", "probability"].isna().all()
    assert "precision" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["partial-tanh", "partial-tanh-floor", "pc", "ges", "pcmci-plus", "boss", "grasp"]
)
def test_published_methods_claim_the_skeleton_of_a_chain(name, series):
    if NETWORK_RIVALS[name].package:
        pytest.importorskip(NETWORK_RIVALS[name].package)
    claimed = claims_of(name, series)
    assert (claimed.adjacent == claimed.adjacent.T).all()
    assert not (claimed.arrows & ~claimed.adjacent).any()
    assert claimed.adjacent[[0, 1, 2], [1, 2, 3]].sum() >= 2
    assert NETWORK_RIVALS[name].citation


def test_arrows_between_regions_with_a_hidden_common_cause_are_counted():
    suite = BoldNetworks(own=2, subjects=(50,), methods=("partial-tanh",), seed=17)
    rows = pd.concat([suite.work(case) for case in suite.cases()], ignore_index=True)
    designs = [draw_bold_design(suite._seed(number)) for number in range(2)]
    pairs = [
        (number, *sorted(pair))
        for number, design in enumerate(designs)
        for driven in design.hidden
        for pair in combinations(driven, 2)
        if not (design.adjacency | design.adjacency.T)[pair]
    ]
    shared = rows[rows["common_cause"] & (rows["cause"] < rows["effect"])]
    number = shared["network"].str.removeprefix("own ").astype(int)
    assert set(zip(number, shared["cause"], shared["effect"], strict=True)) == set(pairs)
    assert pairs
    table = suite.tables(rows.assign(joined=True, skeleton=True))["common_cause"]
    assert table["pairs"].sum() == len(set(pairs))
    assert (table["arrow"] == 1.0).all()
