import sys

import h5py
import numpy as np
import pytest
import scipy.io

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.series_tables import read_table_run
from causal_ivae.imaging.signals import load_subject
from causal_ivae.settings import Pipeline, TableSettings

SETTINGS = TableSettings()
NAMES = ("a", "b", "c")


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(60, 3)) + 100


def cells(items):
    array = np.empty((1, len(items)), dtype=object)
    for i, item in enumerate(items):
        array[0, i] = item
    return array


def write_matlab73(path, variables):
    """Write what MATLAB's save(..., '-v7.3') does, as far as it is read here."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if isinstance(value, list):
                places = []
                for item in value:
                    place = f"#refs#/{name}{len(places)}"
                    write_matlab_item(file, place, item)
                    places.append(file[place].ref)
                made = file.create_dataset(
                    name, data=np.array([[p] for p in places], h5py.ref_dtype)
                )
                made.attrs["MATLAB_class"] = np.bytes_("cell")
            else:
                write_matlab_item(file, name, value)
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + b"\0" * 8)
        stream.write(b"\x00\x02IM")


def write_matlab_item(file, name, value):
    if isinstance(value, str):
        file[name] = np.array([[ord(c)] for c in value], dtype=np.uint16)
        file[name].attrs["MATLAB_class"] = np.bytes_("char")
    else:
        file[name] = np.asarray(value).T
        file[name].attrs["MATLAB_class"] = np.bytes_("double")


def test_hdf5_by_the_name_of_a_dataset(tmp_path, values):
    path = tmp_path / "sub-01.h5"
    with h5py.File(path, "w") as file:
        file["rest/tc"] = values
        file["rest/names"] = list(NAMES)
        file["task/tc"] = 2 * values
        file["task/names"] = ["d", "e", "f"]
        file["big"] = np.zeros((3, 3, 3))
    table = read_table_run(path, TableSettings(mat_key="/task/tc"))
    np.testing.assert_array_equal(table.values, 2 * values)
    assert table.names == ("d", "e", "f")
    with pytest.raises(InputError, match=r"one matrix.*'rest/tc' \(60, 3\) float64.*mat_key"):
        read_table_run(path, SETTINGS)
    with pytest.raises(SettingsError, match=r"no variable 'task/ct'.*Did you mean 'task/tc'"):
        read_table_run(path, TableSettings(mat_key="task/ct"))
    with pytest.raises(InputError, match=r"Variable 'big' .* shape \(3, 3, 3\)"):
        read_table_run(path, TableSettings(mat_key="big"))


def test_the_only_matrix_of_a_file_needs_no_name(tmp_path, values):
    path = tmp_path / "sub-01.hdf5"
    with h5py.File(path, "w") as file:
        file["series"] = values
        file["TR"] = 0.72
        file["weights"] = np.ones((60, 1))
    np.testing.assert_array_equal(read_table_run(path, SETTINGS).values, values)


def test_matlab_73(tmp_path, values):
    path = tmp_path / "sub-01.mat"
    write_matlab73(path, {"tc": values, "names": list(NAMES), "TR": [[0.72]]})
    table = read_table_run(path, SETTINGS)
    np.testing.assert_array_equal(table.values, values)
    assert table.names == NAMES


@pytest.mark.parametrize("version", ["7", "7.3"])
def test_conn_cells_are_regions_and_its_sessions_runs(tmp_path, values, version):
    path = tmp_path / "ROI_Subject001_Condition000.mat"
    rng = np.random.default_rng(1)
    data = [rng.normal(size=(60, 5)), *(values[:, [i]] for i in range(3))]
    names = ["White Matter", *NAMES]
    sessions = np.repeat([1.0, 2.0], 30)[:, None]
    if version == "7":
        content = {"data": cells(data), "names": cells(names), "data_sessions": sessions}
        scipy.io.savemat(path, content)
    else:
        write_matlab73(path, {"data": data, "names": names, "data_sessions": sessions})
    table = read_table_run(path, TableSettings(mat_key="data"))
    np.testing.assert_array_equal(table.values, values)
    assert table.names == NAMES
    assert table.runs == ("1",) * 30 + ("2",) * 30
    assert any("1 cell with several columns" in note for note in table.notes)
    subject = find_subjects(tmp_path)[0]
    pipeline = Pipeline().changed(
        {"segments.window_seconds": 30, "segments.min_volumes": 10} | {"denoise.min_volumes": 20}
    )
    series = load_subject(subject, pipeline)
    assert series.label == "Subject001"
    assert series.run_names == ("task-condition000_run-1", "task-condition000_run-2")
    assert series.n_volumes == (30, 30)


@pytest.mark.parametrize("version", ["7", "7.3"])
def test_volumes_without_weight_in_conns_condition_are_gaps(tmp_path, values, version):
    path = tmp_path / "ROI_Subject001_Condition001.mat"
    weights = np.concatenate([np.zeros(5), np.full(50, 0.8), np.zeros(5)])[:, None]
    cells_of = {
        "data": [values[:, [i]] for i in range(3)],
        "names": list(NAMES),
        "xyz": [np.ones((1, 3))] * 3,
        "conditionweights": [weights, np.ones((60, 1))],
    }
    sessions = {"data_sessions": np.ones((60, 1))}
    if version == "7":
        scipy.io.savemat(path, {name: cells(one) for name, one in cells_of.items()} | sessions)
    else:
        write_matlab73(path, cells_of | sessions)
    table = read_table_run(path, SETTINGS)
    assert table.names == NAMES
    gaps = np.isnan(table.values).all(axis=1)
    np.testing.assert_array_equal(gaps, weights[:, 0] == 0)
    np.testing.assert_array_equal(table.values[~gaps], values[~gaps])
    assert "10 volumes without weight in their condition are gaps." in table.notes


def test_cells_of_several_regions_are_runs(tmp_path, values):
    path = tmp_path / "sub-01.mat"
    scipy.io.savemat(path, {"tc": cells([values, values[:40] * 2])})
    table = read_table_run(path, SETTINGS)
    assert table.values.shape == (100, 3)
    assert table.runs == ("1",) * 60 + ("2",) * 40
    scipy.io.savemat(path, {"tc": cells([values, values[:, :2]])})
    with pytest.raises(InputError, match=r"'tc' \(1, 2\) object"):
        read_table_run(path, SETTINGS)


def test_fields_of_structures(tmp_path, values):
    path = tmp_path / "sub-01.mat"
    scipy.io.savemat(path, {"sub": {"rest": {"tc": values}, "task": {"tc": values + 1}}})
    table = read_table_run(path, TableSettings(mat_key="sub.task.tc"))
    np.testing.assert_array_equal(table.values, values + 1)
    with pytest.raises(SettingsError, match=r"Did you mean 'sub\.rest\.tc'"):
        read_table_run(path, TableSettings(mat_key="sub.rest.ts"))


@pytest.mark.parametrize("kind", ["npz", "mat", "h5"])
def test_runs_and_segments_stand_beside_the_matrix(tmp_path, values, kind):
    path = tmp_path / f"sub-01.{kind}"
    run, segment = np.repeat([1, 2, 3], 20), np.repeat(["rest", "task"], 30)
    if kind == "npz":
        np.savez(path, tc=values, run=run, segment=segment)
    elif kind == "mat":
        scipy.io.savemat(path, {"tc": values, "run": run, "segment": segment.astype(object)})
    else:
        with h5py.File(path, "w") as file:
            file["tc"], file["run"], file["segment"] = values, run, [str(s) for s in segment]
    table = read_table_run(path, SETTINGS)
    assert table.runs == ("1",) * 20 + ("2",) * 20 + ("3",) * 20
    assert table.labels == ("rest",) * 30 + ("task",) * 30


def test_links_out_of_the_file_are_not_followed(tmp_path, values):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["tc"] = values
    path = tmp_path / "sub-01.h5"
    with h5py.File(path, "w") as file:
        file["tc"] = h5py.ExternalLink("other.h5", "/tc")
    with pytest.raises(InputError, match="it holds nothing"):
        read_table_run(path, SETTINGS)


def test_damaged_files_and_a_missing_package(tmp_path, values, monkeypatch):
    path = tmp_path / "sub-01.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match=r"sub-01\.h5' cannot be read as HDF5"):
        read_table_run(path, SETTINGS)
    with h5py.File(path, "w") as file:
        file["tc"] = values
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(InputError, match=r"sub-01\.h5' cannot be read as HDF5"):
        read_table_run(path, SETTINGS)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(SettingsError, match=r"needs the package h5py: pip install h5py"):
        read_table_run(path, SETTINGS)


def test_numbers_in_other_files_are_not_read(tmp_path, values):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(values.astype("<f8").tobytes())
    path = tmp_path / "sub-01.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "tc", values.shape, "<f8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        )
    with pytest.raises(InputError, match=r"sub-01\.h5'.*'/tc' keeps its numbers in other files"):
        read_table_run(path, SETTINGS)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["tc"] = values
    layout = h5py.VirtualLayout(shape=values.shape, dtype="f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "tc", shape=values.shape)
    path.unlink()
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("tc", layout)
    with pytest.raises(InputError, match="keeps its numbers in other files"):
        read_table_run(path, SETTINGS)
