"""A sidecar knows whether the files beside it are as they were written."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from opened_files import opened_files

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.vouching import FILES, damaged_files, lost_sidecar


@pytest.fixture
def sidecar(tmp_path):
    """A graph of two regions; return its sidecar."""
    paths = UnitPaths(tmp_path, "sub-01")
    edges = pd.DataFrame({"x": ["A"], "y": ["B"], "score": [0.5]})
    tables = {"edges": edges, "stability": edges}
    CausalGraph("tcl", ("A", "B"), tables, disturbances=np.zeros((1, 2, 5))).write(paths)
    return paths.file("edges.json", "tcl")


def about(sidecar):
    return json.loads(sidecar.read_text())


def beside(sidecar, suffix):
    return sidecar.with_name(sidecar.name.replace("edges.json", suffix))


def test_every_file_of_a_graph_is_listed_and_none_is_read_where_nothing_changed(sidecar):
    listed = about(sidecar)[FILES]
    there = {path.name for path in sidecar.parent.iterdir()} - {sidecar.name}
    assert set(listed) == there
    assert (
        listed["sub-01_meas-tcl_edges.tsv"]["Bytes"] == beside(sidecar, "edges.tsv").stat().st_size
    )
    content = about(sidecar)
    with opened_files() as opened:
        assert damaged_files(sidecar, content) == {}
    assert not opened


def test_a_file_that_was_cut_is_named_whatever_its_date(sidecar):
    # Such as a copy that stopped half way and has the date of the whole file.
    path = beside(sidecar, "edges.tsv")
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-2])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(damaged_files(sidecar, about(sidecar))) == [path.name]


@pytest.mark.parametrize("suffix", ["edges.tsv", "relmat.dense.tsv", "disturbances.npy"])
def test_a_file_that_was_cut_edited_or_removed_is_named(sidecar, suffix):
    path = beside(sidecar, suffix)
    whole = path.read_bytes()
    changed = {path.name: f"{suffix} was changed since it was written"}
    path.write_bytes(whole[:-2])
    assert damaged_files(sidecar, about(sidecar)) == changed
    # As many bytes as before, but others.
    path.write_bytes(whole[:-2] + b"7\n")
    assert damaged_files(sidecar, about(sidecar)) == changed
    path.unlink()
    assert damaged_files(sidecar, about(sidecar)) == {path.name: f"{suffix} is missing"}
    path.write_bytes(whole)
    assert damaged_files(sidecar, about(sidecar)) == {}


def test_a_copy_with_new_dates_is_as_good_as_the_original(sidecar):
    os.utime(sidecar, ns=(0, 0))
    assert damaged_files(sidecar, about(sidecar)) == {}


def test_a_name_that_leads_elsewhere_is_looked_for_beside_the_sidecar(sidecar):
    found = damaged_files(sidecar, {FILES: {"../../sub-02/x_edges.tsv": {"Bytes": 1}}})
    assert list(found.values()) == ["edges.tsv is missing"]


@pytest.mark.parametrize("listed", [None, [], "edges.tsv", {}])
def test_of_a_sidecar_that_lists_no_files_nothing_is_known(sidecar, listed):
    assert damaged_files(sidecar, {FILES: listed}) == {}


def test_what_became_of_a_sidecar_is_said_where_its_table_is_there(sidecar):
    sidecar.write_text("")
    assert lost_sidecar(sidecar) == "edges.json cannot be read"
    sidecar.unlink()
    assert lost_sidecar(sidecar) == "edges.json is missing"
    beside(sidecar, "edges.tsv").unlink()
    assert lost_sidecar(sidecar) == ""
