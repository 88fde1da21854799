"""The command `reproduce figure4`: six regions from a folder, against anatomy and chance."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from causal_ivae.anatomy import load_prior
from causal_ivae.cli import main
from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.settings import PriorSettings, UnmixingSettings
from causal_ivae.validation.paper.figure4.drawing import draw_circuit
from causal_ivae.validation.paper.figure4.experiment import (
    ORDER,
    Circuit,
    _against_prior,
    _fit,
    _with_verdicts,
)
from causal_ivae.validation.paper.figure4.recordings import REGIONS, load_recordings

ROWS = (
    "BG",
    "CA1",
    "CA2",
    "DG",
    "CA3",
    "HEAD",
    "TAIL",
    "MISC",
    "SUB",
    "ERC",
    "BA35",
    "BA36",
    "PHC",
)


def write_subfields(folder, n_subjects=6, n_times=90):
    """Write the layout of the hippocampal set; HEAD is missing as it is there."""
    for subject in range(1, n_subjects + 1):
        rng = np.random.default_rng(subject)
        values = rng.laplace(size=(len(ROWS), n_times))
        values[ROWS.index("HEAD")] = np.nan
        path = folder / "functional" / f"S{subject}" / "res_tcourse_L.txt"
        path.parent.mkdir(parents=True)
        lines = [f"{len(ROWS)} {n_times}"]
        for place, (name, row) in enumerate(zip(ROWS, values, strict=True)):
            lines.append(f"hipp_sf_{place:04d}_{name} " + " ".join(f"{v:.6f}" for v in row))
        path.write_text("\n".join(lines) + "\n")
    return folder


def test_regions_are_means_of_their_parts_and_subjects_are_in_order(tmp_path):
    found = load_recordings(write_subfields(tmp_path, n_subjects=11))
    assert found.labels == tuple(f"S{k}" for k in range(1, 12))
    raw = np.random.default_rng(10).laplace(size=(len(ROWS), 90))
    ca3dg = raw[[ROWS.index(name) for name in ("CA2", "CA3", "DG")]].mean(axis=0)
    expected = ca3dg - ca3dg.mean()
    column = found.values[9][:, list(REGIONS).index("CA3DG")]
    np.testing.assert_allclose(column, expected, atol=1e-5)
    values, segments, blocks = found.pooled([2, 9])
    assert values.shape == (180, 6)
    assert segments.tolist() == blocks.tolist() == [0] * 90 + [1] * 90
    # Subjects keep their scales, from which directions are inferred where they are the segments.
    spreads = [found.values[i].std(axis=0) for i in (2, 9)]
    np.testing.assert_allclose(
        values[:90].std(axis=0) / values[90:].std(axis=0), spreads[0] / spreads[1]
    )


def test_tables_with_the_regions_of_the_figure_are_read_too(tmp_path):
    for subject in range(6):
        values = np.random.default_rng(subject).laplace(size=(60, 6))
        table = pd.DataFrame(values, columns=["CA1", "SUB", "ERC", "PHC", "PRC", "CA3DG"])
        table.to_csv(tmp_path / f"sub-{subject}_timeseries.tsv", sep="\t", index=False)
    found = load_recordings(tmp_path)
    assert found.labels == tuple("012345")
    first = pd.read_csv(tmp_path / "sub-0_timeseries.tsv", sep="\t")["CA1"]
    column = found.values[0][:, list(REGIONS).index("CA1")]
    assert np.corrcoef(column, first)[0, 1] > 0.95


def test_all_methods_are_set_against_chance_and_halves(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("causal_ivae.validation.suites.ours._QUICK_STEPS", 3)
    data, out = write_subfields(tmp_path / "data"), tmp_path / "out"
    arguments = ["reproduce", "figure4", str(out), "--data", str(data), "--quick"]
    assert main([*arguments, "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    assert [line.rpartition("/")[2] for line in printed.out.splitlines()] == [
        "figure4_edges.tsv", "figure4_halves.tsv", "figure4_chance.tsv", "figure4_stability.tsv",
        "figure4.png", "figure4.svg", "figure4.json",
    ]  # fmt: skip
    assert "random graphs of the same size" in printed.err
    edges = read_table(out / "figure4_edges.tsv")
    pairs = list(combinations(REGIONS, 2))
    for method in ("ivae", "tcl", "network", "structural"):
        own = edges[edges["method"] == method]
        assert list(zip(own["x"], own["y"], strict=True)) == pairs
    halves = read_table(out / "figure4_halves.tsv")
    assert len(halves) == 4 * 2 * 15
    assert set(edges["half_votes"].astype(float)) <= {0.0, 0.5, 1.0}
    assert read_table(out / "figure4_chance.tsv")["method"].tolist() == [
        "ivae",
        "tcl",
        "network",
        "structural",
    ]
    record = read_json(out / "figure4.json")
    assert record["Subjects"] == [f"S{k}" for k in range(1, 7)]
    assert (out / "figure4.png").read_bytes().startswith(b"\x89PNG")


def test_columns_in_another_order_give_the_same_pairs(tmp_path, monkeypatch):
    recordings = load_recordings(write_subfields(tmp_path))
    order, given = list(REGIONS), []

    def first_region_drives(values, segments, names, **_):
        given.append(tuple(names))
        rows = []
        for x, y in combinations(names, 2):
            forward = order.index(x) < order.index(y)
            cause, effect = (x, y) if forward else (y, x)
            sign = 1 if forward else -1
            rows.append((x, y, "x->y" if forward else "y->x", cause, effect, 0.5 * sign, 0.9, 0.01))
        columns = ["x", "y", "decision", "cause", "effect", "score", "confidence", "p_value"]
        return SimpleNamespace(edges=pd.DataFrame(rows, columns=columns))

    monkeypatch.setattr(
        "causal_ivae.validation.paper.figure4.experiment.discover", first_region_drives
    )
    for key in ("one half", "other half", "all"):
        found = _fit(recordings, [0, 1, 2], "tcl", key, 0, "cpu", UnmixingSettings())
        assert list(zip(found["x"], found["y"], strict=True)) == list(combinations(REGIONS, 2))
        assert (found["decision"] == "x->y").all()
        assert (found["score"] == 0.5).all()
        assert (found["cause"] == found["x"]).all()
    assert len(set(given)) == 3


def edges_of(*arrows):
    found = {frozenset(arrow): arrow for arrow in arrows}
    rows = [(x, y, *found.get(frozenset((x, y)), ("", ""))) for x, y in combinations(REGIONS, 2)]
    table = pd.DataFrame(rows, columns=["x", "y", "cause", "effect"])
    chosen = [table["cause"] == "", table["cause"] == table["x"]]
    decision = np.select(chosen, ["undecided", "x->y"], "y->x")
    return table.assign(decision=decision, confidence=0.9)


def test_the_circuit_itself_is_better_than_chance_and_its_reverse_is_not():
    prior = load_prior(PriorSettings(name="hippocampal_circuit"))
    circuit = [("ERC", "CA3DG"), ("CA3DG", "CA1"), ("CA1", "SUB"), ("ERC", "SUB"), ("PRC", "ERC")]
    _, right = _against_prior(edges_of(*circuit), prior, 0)
    assert right["direct"] == right["feasible"] == 5
    assert right["direct_permuted_p"] < 0.05
    assert right["direct_random_p"] < 0.05
    # 13 of 30 directed edges are projections, whatever labels are permuted.
    assert right["direct_permuted"] == pytest.approx(5 * 13 / 30)
    assert right["direct_random"] == pytest.approx(5 * 13 / 30)
    check, wrong = _against_prior(
        edges_of(*[(b, a) for a, b in circuit[1:4]], ("CA3DG", "PHC")), prior, 0
    )
    assert wrong["direct"] == 1  # SUB -> ERC is one
    assert wrong["direct_permuted_p"] > 0.3
    assert check.set_index(["cause", "effect"]).loc[("CA3DG", "PHC"), "verdict"] == "not feasible"


def test_colours_and_lines_say_what_anatomy_says():
    prior = load_prior(PriorSettings(name="hippocampal_circuit"))
    edges = edges_of(("ERC", "CA1"), ("CA3DG", "PHC"))
    check, chance = _against_prior(edges, prior, 0)
    judged = _with_verdicts(edges, check)
    nothing = edges_of().assign(verdict="")
    _, none = _against_prior(nothing, prior, 0)
    others = [method for method in ORDER if method != "ivae"]
    edges = pd.concat(
        [judged.assign(method="ivae"), *(nothing.assign(method=other) for other in others)]
    )
    counts = [{"method": "ivae", **chance}, *({"method": other, **none} for other in others)]
    circuit = Circuit(edges, pd.DataFrame(), pd.DataFrame(counts), pd.DataFrame())
    _, svg = draw_circuit(circuit, prior)
    assert "direct projection in the prior" in svg
    assert "not feasible under the prior" in svg
    assert "indirect: by a path" not in svg
    assert svg.count("no pair decided") == len(others)


def test_usage(tmp_path, capsys):
    assert main(["reproduce", "figure4", str(tmp_path / "out")]) == 2
    assert "--data" in capsys.readouterr().err
    assert main(["reproduce", "figure1", str(tmp_path / "out"), "--data", str(tmp_path)]) == 2
    assert "figure1 simulates its data" in capsys.readouterr().err
    few = write_subfields(tmp_path / "few", n_subjects=2)
    assert main(["reproduce", "figure4", str(tmp_path / "out"), "--data", str(few)]) == 2
    assert "has 2 subjects; at least 6" in capsys.readouterr().err
    broken = few / "functional" / "S1" / "res_tcourse_L.txt"
    broken.write_text(broken.read_text().replace("_ERC ", "_XYZ "))
    assert main(["reproduce", "figure4", str(tmp_path / "out"), "--data", str(few)]) == 2
    assert "lacks 'ERC'" in capsys.readouterr().err
