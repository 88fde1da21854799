"""The command `benchmark netsim` on simulations of the same shape."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal_ivae.cli import main
from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.errors import InputError
from causal_ivae.validation.suites.netsim import Netsim, read_network

# Edges into node 0 and out of it, so that the number of a node says nothing.
EDGES = ((1, 0), (2, 0), (0, 3))


def write_sim(path, subjects=4, volumes=150, both=False):
    rng = np.random.default_rng(0)
    ts = rng.laplace(size=(subjects, volumes, 4))
    net = np.zeros((subjects, 4, 4))
    net[:, range(4), range(4)] = -1
    for cause, effect in EDGES:
        ts[:, :, effect] += 0.6 * ts[:, :, cause]
        net[:, cause, effect] = 0.4
    if both:
        net[:, 1, 2] = net[:, 2, 1] = 0.4
        net[0, 3, 1] = 0.4
    np.savez(path, ts=ts, net=net)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "netsim"
    folder.mkdir()
    write_sim(folder / "simA.npz")
    write_sim(folder / "simB.npz", both=True)
    return folder


def run(tmp_path, data, *arguments):
    out = tmp_path / "out"
    code = main(["benchmark", "netsim", str(out), "--data", str(data), "--nprocs", "1", *arguments])
    return code, out


def test_known_edges_are_right_by_every_unit(tmp_path, data, capsys):
    code, out = run(tmp_path, data, "--methods", "hs-tanh", "coin")
    assert code == 0
    table = read_table(out / "benchmark_netsim.tsv")
    pooled = table[table["unit"] == "pooled windows"]
    own = pooled[(pooled["sim"] == "simB") & (pooled["method"] == "coin")]
    # Pairs that drive each other, and edges of some subjects only, are left out.
    assert set(zip(own["cause"], own["effect"], strict=True)) == set(EDGES)
    single = table[(table["unit"] == "subject") & (table["method"] == "coin")]
    assert len(single) == 4 * 3 + 4 * 3 + 1
    # The true cause stands first for some edges and second for others.
    assert set(table["truth"]) == {"x->y", "y->x"}
    summary = read_table(out / "benchmark_netsim_summary.tsv")
    assert set(summary["sim"]) == {"simA", "simB", "all"}
    right = summary[summary["method"] == "hs-tanh"]
    assert (right["right"] > 0.9).all()
    assert (right["low"] <= right["right"]).all()
    record = read_json(out / "benchmark_netsim.json")
    assert record["Settings"]["sims"] == ["simA", "simB"]
    text = capsys.readouterr().out
    assert "pooled windows: share of edges right" in text
    assert "Edges: simA 3, simB 3, all 6" in text
    assert (out / "benchmark_netsim.png").read_bytes().startswith(b"\x89PNG")


def test_our_methods_and_a_changed_file(tmp_path, data, capsys):
    arguments = ["--quick", "--sims", "simA", "--methods", "tcl"]
    code, out = run(tmp_path, data, *arguments)
    assert code == 0
    table = read_table(out / "benchmark_netsim.tsv")
    assert set(table["unit"]) == {"pooled windows", "subject"}
    assert table["confidence"].notna().all()
    assert set(table.loc[table["unit"] == "subject", "subject"]) == {0, 1, 2}
    assert run(tmp_path, data, *arguments)[0] == 0
    assert "cases are there already" in capsys.readouterr().err
    write_sim(data / "simA.npz", volumes=160)
    assert run(tmp_path, data, *arguments)[0] == 0
    assert "cases are there already" not in capsys.readouterr().err


def test_the_structural_method_is_told_that_there_is_an_arrow(tmp_path, data):
    arguments = ["--quick", "--sims", "simA", "--units", "pooled windows", "--methods"]
    code, out = run(tmp_path, data, *arguments, "structural")
    assert code == 0
    # Told of one of two directions, the likelier has at least every other chance.
    assert (read_table(out / "benchmark_netsim.tsv")["confidence"] >= 0.5).all()
    settings = read_json(out / "benchmark_netsim.json")["Settings"]["methods"]["structural"]
    assert settings["decision"]["assume_arrow"] is True


def test_subjects_are_the_unit_of_their_interval():
    table = pd.DataFrame(
        {
            "sim": "sim",
            "unit": "subject",
            "method": "m",
            "subject": [0, 0, 1, 1, 2, 2],
            "truth": "x->y",
            "decision": ["x->y", "undecided"] * 3,
            "right": [True, True, True, False, False, False],
        }
    )
    tables = Netsim().tables(table)
    (row,) = tables["summary"].to_dict("records")
    assert row["right"] == 0.5
    # Shares 1, 1/2, 0: t interval with two degrees of freedom.
    assert row["high"] - row["right"] == pytest.approx(4.303 * 0.5 / np.sqrt(3), rel=1e-3)
    assert row["decided"] == 0.5
    assert row["right_of_decided"] == 1.0
    assert len(Netsim().draw(table, tables).axes) == 1


def test_usage(tmp_path, data, capsys):
    assert main(["benchmark", "netsim", str(tmp_path / "out")]) == 2
    assert "--data" in capsys.readouterr().err
    assert run(tmp_path, tmp_path)[0] == 2
    assert "holds no .npz file" in capsys.readouterr().err
    assert run(tmp_path, data, "--sims", "simC")[0] == 2
    assert "No simulation 'simC'" in capsys.readouterr().err
    assert run(tmp_path, data, "--units", "subjct")[0] == 2
    assert "Did you mean 'subject'?" in capsys.readouterr().err
    np.savez(data / "simA.npz", ts=np.zeros((2, 50, 4)), net=np.zeros((3, 4, 4)))
    assert run(tmp_path, data)[0] == 2
    assert "series of shape (2, 50, 4)" in capsys.readouterr().err
    np.savez(data / "simA.npz", other=np.zeros(3))
    with pytest.raises(InputError, match="not a simulated network"):
        read_network(data / "simA.npz")


def test_the_tanh_measure_scores_what_it_does_elsewhere(tmp_path):
    """Shares over subjects of sims 1 to 4 and 22, as computed by another program."""
    folder = os.environ.get("CAUSAL_IVAE_NETSIM")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CAUSAL_IVAE_NETSIM does not name the folder of NetSim's .npz files")
    sims = ("sim01", "sim02", "sim03", "sim04", "sim22")
    arguments = ["--methods", "hs-tanh", "patel-tau", "--units", "subject", "--sims", *sims]
    code, out = run(tmp_path, folder, *arguments)
    assert code == 0
    summary = read_table(out / "benchmark_netsim_summary.tsv").set_index(["method", "sim"])
    tanh = [summary.loc[("hs-tanh", sim), "right"] for sim in sims]
    np.testing.assert_allclose(tanh, [0.74, 0.73, 0.67, 0.66, 0.30], atol=0.01)
    assert summary.loc[("patel-tau", "sim22"), "right"] == pytest.approx(0.66, abs=0.03)
