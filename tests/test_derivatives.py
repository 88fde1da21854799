import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causal_ivae.derivatives import stored_tables
from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.files import (
    read_json,
    read_sidecar,
    read_table,
    write_bytes,
    write_json,
    write_table,
    write_text,
)
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.tables import DIAGNOSTICS, TABLES
from causal_ivae.derivatives.units import Unit, find_recording
from causal_ivae.errors import NoRoomError


def test_names_of_outputs(tmp_path):
    paths = UnitPaths(tmp_path, "sub-01", (("task", "rest"), ("atlas", "aal2")))
    assert (
        paths.file("edges.tsv", "ivae")
        == tmp_path / "sub-01/func/sub-01_task-rest_atlas-aal2_meas-ivae_edges.tsv"
    )
    assert paths.report == tmp_path / "sub-01.html"
    group = UnitPaths(tmp_path, "group")
    assert group.file("edges.json", "tcl") == tmp_path / "group/group_meas-tcl_edges.json"
    assert group.report == tmp_path / "group.html"


def test_tables_come_back_as_they_were(tmp_path):
    table = pd.DataFrame(
        {
            "x": ["1", "01", "n°3"],
            "y": ["2", "", "NA"],
            "cause": ["1.0", "2", "x"],
            "score": [0.123456789, np.nan, -3e-12],
            "n_subjects": [1, 2, 3],
        }
    )
    path = tmp_path / "deep" / "group_edges.tsv"
    write_table(path, table)
    assert "n/a" in path.read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(read_table(path), table, check_dtype=False)
    assert [type(x) for x in read_table(path)["x"]] == [str] * 3


def test_missing_text_is_empty(tmp_path):
    path = tmp_path / "sub-01_outliers.tsv"
    write_table(path, pd.DataFrame({"run": ["1", None], "kept": [1, np.nan]}))
    table = read_table(path)
    assert list(table["run"]) == ["1", ""]
    assert table["kept"].isna().tolist() == [False, True]


def test_only_declared_columns_are_text(tmp_path):
    path = tmp_path / "sub-01_timeseries.tsv"
    names = sorted({name for table in TABLES for name in table.columns})
    series = pd.DataFrame(np.arange(0.5, 2 * len(names)).reshape(2, -1), columns=names)
    write_table(path, series)
    pd.testing.assert_frame_equal(read_table(path), series)


def test_float32_series_survive_text_exactly(tmp_path):
    values = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    write_table(tmp_path / "t.tsv", pd.DataFrame(values, columns=["a", "b", "c"]))
    back = read_table(tmp_path / "t.tsv").to_numpy(dtype=np.float32)
    np.testing.assert_array_equal(back, values)


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let the system refuse what a file of this process would hold beyond `size` bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_disk_that_is_full_half_way_spoils_no_file(tmp_path):
    old, new = tmp_path / "old.bin", tmp_path / "new.bin"
    write_bytes(old, b"old")
    for path in (old, new):
        told = f"no room to write into '{tmp_path}' .*large.*free space"
        with files_end_at(100_000), pytest.raises(NoRoomError, match=told):
            write_bytes(path, bytes(300_000))
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


def test_a_new_file_takes_the_name_of_the_old_one_when_it_is_whole(tmp_path, monkeypatch):
    path, reader = tmp_path / "a.txt", tmp_path / "reader"
    write_text(path, "old")
    # A second name of the old file: who reads it already must not see it change.
    reader.hardlink_to(path)
    synced = []

    def spy(handle):
        assert path.read_text() == "old"
        synced.append((os.fstat(handle).st_ino, os.fstat(handle).st_size))

    monkeypatch.setattr("os.fsync", spy)
    write_text(path, "new text")
    assert (path.read_text(), reader.read_text()) == ("new text", "old")
    assert synced == [(path.stat().st_ino, len("new text"))]


def test_outputs_are_as_readable_as_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_json_refuses_what_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"p": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, "", "{", "[1]", "\xff"])
def test_damaged_sidecar_vouches_for_nothing(tmp_path, content):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    assert read_sidecar(path) == {}


def write_example(paths: UnitPaths) -> CausalGraph:
    edges = pd.DataFrame({"x": ["A"], "y": ["B"], "decision": ["x->y"], "cause": ["A"],
                          "effect": ["B"], "score": [0.7]})  # fmt: skip
    fits = pd.DataFrame({"x": ["01"], "reasons": ["1"], "condition": [np.inf], "kl_1": [np.nan]})
    graph = CausalGraph("ivae", ("A", "B"), {"edges": edges, "diagnostics": fits})
    graph.write(paths)
    return graph


def test_graph_is_written_with_causes_in_rows_and_read_back(tmp_path):
    paths = UnitPaths(tmp_path, "sub-01")
    matrix = write_example(paths).matrix
    dense = paths.file("relmat.dense.tsv", "ivae")
    assert dense.read_text() == "0\t0.7\n-0.7\t0\n"
    np.testing.assert_array_equal(np.genfromtxt(dense), matrix)
    assert "Row = cause" in read_json(paths.file("relmat.json", "ivae"))["Description"]
    unit = Unit.read(paths, ("ivae", "tcl"))
    assert list(unit.methods) == ["ivae"]
    record = unit.methods["ivae"]
    assert record.edges.loc[0, ["cause", "effect"]].tolist() == ["A", "B"]
    assert record.tests is None
    assert record.diagnostics.loc[0, ["x", "reasons"]].tolist() == ["01", "1"]
    assert np.isinf(record.diagnostics.loc[0, "condition"])
    assert np.isnan(record.diagnostics.loc[0, "kl_1"])
    assert record.sidecar["Method"] == "ivae"
    assert unit.timeseries is None


def test_every_table_has_a_sidecar_that_says_what_its_columns_are(tmp_path):
    paths = UnitPaths(tmp_path, "sub-01")
    graph = write_example(paths)
    described = read_json(paths.file("diagnostics.json", "ivae"))
    assert set(described) == set(graph.diagnostics.columns)
    assert described["kl_1"] == {"Description": DIAGNOSTICS.columns["kl_1"].meaning}
    edges = read_json(paths.file("edges.json", "ivae"))
    assert edges["Regions"] == ["A", "B"]
    assert "drives the other" in edges["cause"]["Description"]


def test_tables_of_an_earlier_analysis_do_not_stay(tmp_path):
    paths = UnitPaths(tmp_path, "sub-01")
    graph = write_example(paths)
    replace(graph, tables={"edges": graph.edges}).write(paths)
    assert not paths.file("diagnostics.tsv", "ivae").exists()
    assert not paths.file("diagnostics.json", "ivae").exists()


def test_old_sidecar_does_not_vouch_for_a_half_written_graph(tmp_path, monkeypatch):
    paths = UnitPaths(tmp_path, "sub-01")
    write_example(paths)
    real = stored_tables.write_table

    def fail_on_nodes(path, table, **options):
        if "nodeindices" in path.name:
            raise OSError("disk full")
        return real(path, table, **options)

    monkeypatch.setattr(stored_tables, "write_table", fail_on_nodes)
    with pytest.raises(OSError, match="disk full"):
        write_example(paths)
    assert not paths.file("edges.json", "ivae").exists()
    assert Unit.read(paths, ("ivae",)).methods == {}


def test_the_tables_that_were_read_last_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_tables, "_MOST_RECENT", 2)
    monkeypatch.setattr(stored_tables, "_RECENT", {})
    paths = UnitPaths(tmp_path, "sub-01")
    for method in ("ivae", "tcl", "network"):
        write_table(paths.file("edges.tsv", method), pd.DataFrame({"x": [method]}))

    def read(method):
        return stored_tables.StoredTables(paths, method)["edges"]

    first, second, third = map(read, ("ivae", "tcl", "network"))
    assert read("network") is third
    assert read("tcl") is second
    assert read("ivae") is not first


def test_the_latest_series_of_a_unit_are_found_whatever_they_are_called(tmp_path):
    for task, seconds in (("a", 2), ("b", 3), ("c", 1)):
        paths = UnitPaths(tmp_path, "sub-01", (("task", task),))
        sidecar = paths.file("timeseries.json")
        write_json(sidecar, {"Regions": ["A", "B"], "Entities": {"task": task}})
        os.utime(sidecar, (seconds, seconds))
    paths, about = find_recording(tmp_path, "sub-01")
    assert about["Entities"] == {"task": "b"}
    assert paths.entities == (("task", "b"),)
