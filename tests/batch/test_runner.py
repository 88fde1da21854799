import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape
from tiny_study import (
    NAMES,
    file_of,
    run_study,
    snapshot,
    states,
    subject_table,
    tiny_pipeline,
    write_study,
)

from causal_ivae import discovery
from causal_ivae.batch import loading, participant
from causal_ivae.derivatives.files import read_table
from causal_ivae.discovery.cycles import find_cycles
from causal_ivae.errors import SettingsError
from causal_ivae.reporting import html


def test_everything_is_written_and_nothing_is_half_written(study):
    folder, result = study
    assert states(result) == dict.fromkeys(("sub-01", "sub-02", "sub-03", "group"), "done")
    assert result.exit_code == 0
    out = folder / "out"
    assert not list(out.rglob("*.partial"))
    description = json.loads((out / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "causal-ivae"
    for label in ("01", "02", "03"):
        assert (out / f"sub-{label}.html").stat().st_size > 1000
        for method in ("ivae", "tcl"):
            for suffix in ("edges.tsv", "edges.json", "tests.tsv", "restarts.tsv", "training.tsv",
                           "diagnostics.tsv", "diagnostics.json",
                           "disturbances.npy", "disturbances.json"):  # fmt: skip
                assert file_of(out, f"sub-{label}", suffix, method).is_file()
    checks = [
        json.loads(file_of(out, "sub-01", "edges.json", method).read_text())["NullCheck"]
        for method in ("ivae", "tcl")
    ]
    assert checks[0] == checks[1]
    assert checks[0]["SurrogatePairs"] == 200
    for method in ("ivae", "tcl"):
        group = read_table(file_of(out, "group", "edges.tsv", method))
        assert (group["n_subjects"] == 3).all()
        assert len(group) == 3
    assert "sub-02" in (out / "group.html").read_text()
    assert "imulated" in (out / "group.html").read_text()


@pytest.mark.parametrize("method", ["ivae", "tcl"])
def test_every_column_of_the_diagnostics_is_described(study, method):
    folder, _ = study
    out = folder / "out"
    table = read_table(file_of(out, "sub-01", "diagnostics.tsv", method))
    edges = read_table(file_of(out, "sub-01", "edges.tsv", method))
    about = json.loads(file_of(out, "sub-01", "diagnostics.json", method).read_text())
    assert list(about) == list(table.columns)
    assert all(len(entry["Description"]) > 10 for entry in about.values())
    assert table[["x", "y"]].equals(edges[["x", "y"]])
    assert table["kl_1"].isna().all() == (method == "tcl")
    page = (out / "sub-01.html").read_text()
    assert all(str(escape(sentence)) in page for sentence in table["reasons"])
    assert "_diagnostics.tsv" not in str(list((out / "group").iterdir()))


def test_status_has_a_row_per_subject_with_time_and_memory(study):
    _, result = study
    table = read_table(result.folder / "status.tsv")
    assert list(table["subject"]) == [o.unit for o in result.outcomes]
    assert set(table["subject"]) == {"sub-01", "sub-02", "sub-03", "group"}
    assert (table["seconds"] > 0).all()
    assert table["peak_memory_mib"].between(50, 20_000).all()
    assert (table["crash_file"] == "").all()


def test_matrix_has_causes_in_rows(study):
    folder, _ = study
    out = folder / "out"
    edges = read_table(file_of(out, "sub-01", "edges.tsv", "ivae"))
    matrix = np.genfromtxt(file_of(out, "sub-01", "relmat.dense.tsv", "ivae"))
    nodes = list(read_table(file_of(out, "sub-01", "nodeindices.tsv"))["name"])
    assert nodes == list(NAMES)
    for edge in edges.itertuples():
        i, j = nodes.index(edge.x), nodes.index(edge.y)
        assert matrix[i, j] == pytest.approx(edge.score)
        assert matrix[j, i] == pytest.approx(-edge.score)
    text = json.loads(file_of(out, "sub-01", "relmat.json", "ivae").read_text())["Description"]
    assert "Row = cause, column = effect" in text


def test_sidecar_says_what_the_graph_was_made_from(study):
    folder, _ = study
    about = json.loads(file_of(folder / "out", "sub-02", "edges.json", "tcl").read_text())
    assert about["Method"] == "tcl"
    assert about["Seed"] == 0
    assert about["Simulated"] is True
    assert about["Cycles"] == []
    assert about["Settings"]["unmixing"]["restarts"] == 2
    assert {"causal-ivae", "torch", "numpy", "python"} <= set(about["Versions"])
    assert set(about["InputFingerprints"]) == {
        "sub-02_task-rest_timeseries.tsv",
        "sub-02_task-rest_timeseries.json",
    }


def test_cycles_are_in_the_sidecars(tmp_path, monkeypatch):
    def circular(*args, **options):
        graph = discover(*args, **options)
        edges = graph.edges.assign(
            decision=["x->y", "y->x", "x->y"],
            cause=["A", "C", "B"],
            effect=["B", "A", "C"],
            confidence=[0.9, 0.8, 0.7],
        )
        return replace(graph, tables={**graph.tables, "edges": edges}, cycles=find_cycles(edges))

    discover = discovery.discover
    monkeypatch.setattr(discovery, "discover", circular)
    source = write_study(tmp_path / "input", ("01",))
    run_study(source, tmp_path / "out", pipeline=tiny_pipeline(unmixing__methods=["tcl"]))
    about = json.loads(file_of(tmp_path / "out", "sub-01", "edges.json", "tcl").read_text())
    cycle = {"Regions": ["C", "A", "B"], "Cause": "B", "Effect": "C", "Broken": False}
    assert about["Cycles"] == [cycle]
    page = (tmp_path / "out" / "sub-01.html").read_text(encoding="utf-8")
    assert "close 1 cycle (C &gt; A &gt; B &gt; C)" in page


def test_second_run_does_nothing(finished, no_cluster):
    source, out = finished
    before = snapshot(out)
    result = run_study(source, out, levels=("participant", "group"), nprocs=2)
    assert set(states(result).values()) == {"up to date"}
    assert snapshot(out) == before


def test_subject_alone_gives_the_same_numbers(finished, tmp_path):
    source, out = finished
    alone = tmp_path / "alone"
    result = run_study(source, alone, labels=("02",))
    assert states(result) == {"sub-02": "done"}
    for method in ("ivae", "tcl"):
        for suffix in ("edges.tsv", "tests.tsv", "training.tsv", "diagnostics.tsv"):
            one, other = (file_of(o, "sub-02", suffix, method) for o in (alone, out))
            assert one.read_bytes() == other.read_bytes()


def test_changed_input_makes_only_its_subject_stale(finished):
    source, out = finished
    before = snapshot(out)
    table = source / "sub-03_task-rest_timeseries.tsv"
    subject_table("other").to_csv(table, sep="\t", index=False)
    assert set(states(run_study(source, out, labels=("01", "02"))).values()) == {"up to date"}
    assert states(run_study(source, out, labels=("03",))) == {"sub-03": "done"}
    after = snapshot(out)
    changed = {name for name in before if after[name] != before[name]}
    assert changed
    assert all("sub-03" in name for name in changed)


def test_list_of_methods_makes_no_other_method_stale(finished, no_cluster):
    source, out = finished
    pipeline = tiny_pipeline(unmixing__methods=["tcl"])
    before = snapshot(out)
    result = run_study(source, out, pipeline=pipeline, nprocs=2)
    assert set(states(result).values()) == {"up to date"}
    assert snapshot(out) == before


def test_settings_of_one_method_make_only_that_method_stale(finished):
    source, out = finished
    before = snapshot(out)
    pipeline = tiny_pipeline(unmixing__ivae__steps=21)
    result = run_study(source, out, pipeline=pipeline, labels=("01",))
    assert states(result) == {"sub-01": "done"}
    changed = {name for name, content in snapshot(out).items() if content != before[name]}
    assert any("meas-ivae" in name for name in changed)
    assert not any("meas-tcl" in name or "timeseries" in name for name in changed)


def test_other_seed_makes_everything_stale(finished):
    source, out = finished
    assert states(run_study(source, out, labels=("01",), seed=1)) == {"sub-01": "done"}
    about = json.loads(file_of(out, "sub-01", "edges.json", "ivae").read_text())
    assert about["Seed"] == 1


def test_overwrite_never_keeps_stale_results_and_says_so(finished):
    source, out = finished
    edges = file_of(out, "sub-01", "edges.tsv", "ivae")
    before = edges.read_bytes()
    pipeline = tiny_pipeline(unmixing__ivae__steps=21)
    result = run_study(source, out, pipeline=pipeline, labels=("01",), overwrite="never")
    assert edges.read_bytes() == before
    assert result.outcomes[0].state == "up to date"
    assert "kept, though made with other settings" in result.outcomes[0].message


def test_overwrite_always_does_it_again(finished):
    source, out = finished
    edges = file_of(out, "sub-01", "edges.tsv", "ivae")
    before, modified = edges.read_bytes(), edges.stat().st_mtime_ns
    result = run_study(source, out, labels=("01",), overwrite="always")
    assert states(result) == {"sub-01": "done"}
    assert edges.stat().st_mtime_ns > modified
    assert edges.read_bytes() == before


def test_new_prior_is_compared_without_a_new_fit(finished, tmp_path):
    source, out = finished
    prior = tmp_path / "prior.tsv"
    prior.write_text("cause\teffect\nA\tB\nB\tC\n")
    edges = file_of(out, "sub-01", "edges.tsv", "ivae")
    modified = edges.stat().st_mtime_ns
    pipeline = tiny_pipeline(prior__name=str(prior))
    result = run_study(source, out, pipeline=pipeline, labels=("01",))
    assert states(result) == {"sub-01": "done"}
    assert edges.stat().st_mtime_ns == modified
    check = read_table(file_of(out, "sub-01", "priorcheck.tsv", "ivae"))
    decided = read_table(edges)
    assert list(check["cause"]) == list(decided["cause"][decided["cause"] != ""])
    about = json.loads(file_of(out, "sub-01", "edges.json", "ivae").read_text())
    assert about["Prior"]["Name"] == "prior"
    assert about["Settings"]["prior"]["name"] == str(prior)
    prior.write_text("cause\teffect\nA\tB\n")
    assert states(run_study(source, out, pipeline=pipeline, labels=("01",))) == {"sub-01": "done"}


def test_interrupted_rewrite_is_not_taken_for_whole(finished, monkeypatch):
    source, out = finished
    sidecar = file_of(out, "sub-01", "edges.json", "ivae")

    def stop(self, target):
        if target == sidecar:
            raise KeyboardInterrupt
        return replace_file(self, target)

    replace_file = Path.replace
    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        run_study(source, out, labels=("01",), overwrite="always")
    monkeypatch.undo()
    status = max((out / "logs").glob("*/status.tsv"), key=lambda p: p.stat().st_mtime_ns)
    assert list(read_table(status)["state"]) == ["not run"]
    assert not sidecar.exists()
    assert states(run_study(source, out, labels=("01",))) == {"sub-01": "done"}
    assert sidecar.is_file()


def test_one_bad_subject_leaves_the_others_and_the_group(finished):
    source, out = finished
    table = subject_table("03")
    table.loc[5, "B"] = np.nan
    table.to_csv(source / "sub-03_task-rest_timeseries.tsv", sep="\t", index=False)
    result = run_study(source, out, levels=("participant", "group"), overwrite="stale", nprocs=2)
    assert states(result) == {
        "sub-01": "up to date", "sub-02": "up to date", "sub-03": "failed", "group": "done",
    }  # fmt: skip
    assert result.exit_code == 1
    row = read_table(result.folder / "status.tsv").set_index("subject").loc["sub-03"]
    assert "sub-03_task-rest_timeseries.tsv" in row["message"]
    assert "'B'" in row["message"]
    crash = (out / row["crash_file"]).read_text()
    assert "Traceback" in crash
    assert "torch" in crash
    group = read_table(file_of(out, "group", "edges.tsv", "ivae"))
    assert (group["n_subjects"] == 2).all()
    assert "without sub-03" in result.outcomes[-1].message


def test_only_bad_input_is_exit_code_2(tmp_path):
    source = write_study(tmp_path / "input", ("01",))
    table = subject_table("01").assign(B=1.0)
    table.to_csv(source / "sub-01_task-rest_timeseries.tsv", sep="\t", index=False)
    result = run_study(source, tmp_path / "out")
    assert states(result) == {"sub-01": "failed"}
    assert result.exit_code == 2
    assert not list((tmp_path / "out" / "sub-01").rglob("*_timeseries*"))


def test_group_of_nobody_is_not_run(tmp_path):
    source = write_study(tmp_path / "input", ("01",))
    table = subject_table("01").assign(B=1.0)
    table.to_csv(source / "sub-01_task-rest_timeseries.tsv", sep="\t", index=False)
    result = run_study(source, tmp_path / "out", levels=("participant", "group"))
    assert states(result) == {"sub-01": "failed", "group": "not run"}
    assert result.exit_code == 2


def test_input_that_became_unreadable_costs_one_subject(finished, monkeypatch):
    source, out = finished
    real = loading.fingerprints

    def refuse(paths, root):
        if any("sub-02" in path.name for path in paths):
            raise PermissionError(13, "Permission denied")
        return real(paths, root)

    monkeypatch.setattr(loading, "fingerprints", refuse)
    result = run_study(source, out, labels=("02",))
    assert states(result) == {"sub-02": "failed"}
    assert "Permission denied" in result.failed[0].message


def kill_second(piece, stage):
    if piece.unit == "sub-02":
        os.kill(os.getpid(), signal.SIGKILL)
    return _estimate(piece, stage)


_estimate = participant.estimate


def test_killed_worker_costs_one_subject(finished, monkeypatch):
    source, out = finished
    monkeypatch.setattr(participant, "estimate", kill_second)
    result = run_study(source, out, seed=5, labels=("01", "02"), nprocs=2)
    assert states(result) == {"sub-01": "done", "sub-02": "failed"}
    failed = result.failed[0]
    assert "killed" in failed.message
    assert (out / failed.crash).is_file()
    assert result.exit_code == 1


def test_report_failure_keeps_the_data(tmp_path, monkeypatch):
    source = write_study(tmp_path / "input", ("01",))

    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(html, "subject_page", fail)
    result = run_study(source, tmp_path / "out")
    assert result.exit_code == 1
    assert "report failed: RuntimeError: no ink" in result.failed[0].message
    assert file_of(tmp_path / "out", "sub-01", "edges.json", "tcl").is_file()
    monkeypatch.undo()
    again = run_study(source, tmp_path / "out")
    assert states(again) == {"sub-01": "done"}
    assert (tmp_path / "out" / "sub-01.html").is_file()


def test_failed_method_leaves_the_other_and_a_page(tmp_path, monkeypatch):
    source = write_study(tmp_path / "input", ("01",))
    real = discovery.discover

    def fail_ivae(*args, method, **kwargs):
        if method == "ivae":
            raise RuntimeError("diverged")
        return real(*args, method=method, **kwargs)

    monkeypatch.setattr(discovery, "discover", fail_ivae)
    result = run_study(source, tmp_path / "out")
    assert result.failed[0].message == "ivae: RuntimeError: diverged"
    assert file_of(tmp_path / "out", "sub-01", "edges.json", "tcl").is_file()
    assert not file_of(tmp_path / "out", "sub-01", "edges.json", "ivae").exists()
    assert "TCL" in (tmp_path / "out" / "sub-01.html").read_text()


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("input", "input/out", "inside the input"),
        ("input", "input", "is the input folder"),
        ("out/input", "out", "is inside the output folder"),
        ("input", "file.txt", "is a file"),
        ("input", "full", "not made by causal-ivae"),
    ],
)
def test_output_folder_is_checked_before_anything_is_written(tmp_path, source, output, message):
    write_study(tmp_path / source, ("01",))
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SettingsError, match=message):
        run_study(tmp_path / source, tmp_path / output)
    assert sorted(tmp_path.rglob("*")) == before


def test_stop_on_first_crash_says_what_was_not_run(tmp_path):
    source = write_study(tmp_path / "input", ("01", "02", "03"))
    subject_table("01").assign(B=1.0).to_csv(
        source / "sub-01_task-rest_timeseries.tsv", sep="\t", index=False
    )
    result = run_study(source, tmp_path / "out", nprocs=1, stop_on_first_crash=True)
    assert states(result)["sub-01"] == "failed"
    assert "not run" in states(result).values()
    table = read_table(result.folder / "status.tsv")
    assert set(table["subject"]) == {"sub-01", "sub-02", "sub-03"}
    assert pd.isna(table["message"]).sum() == 0
