import json

import numpy as np
import pandas as pd
import pytest
import scipy.io

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.series_tables import read_table_run
from causal_ivae.settings import TableSettings

SETTINGS = TableSettings()


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(40, 3)) + 100


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def text_table(values, header="a\tb\tc"):
    rows = ["\t".join(repr(float(v)) for v in row) for row in values]
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize("kind", ["tsv", "csv", "npy", "npz", "mat"])
def test_every_format_gives_the_same_numbers(tmp_path, values, kind):
    path = tmp_path / f"sub-01_timeseries.{kind}"
    if kind in ("tsv", "csv"):
        sep = "\t" if kind == "tsv" else ","
        pd.DataFrame(values, columns=["a", "b", "c"]).to_csv(path, sep=sep, index=False)
    elif kind == "npy":
        np.save(path, values)
    elif kind == "npz":
        np.savez(path, series=values, names=np.array(["a", "b", "c"]))
    else:
        names = np.array(["a", "b", "c"], dtype=object)
        scipy.io.savemat(path, {"series": values, "names": names, "TR": 0.72})
    if kind == "npy":
        write(tmp_path / "sub-01_timeseries.json", json.dumps({"Regions": ["a", "b", "c"]}))
    table = read_table_run(path, SETTINGS)
    np.testing.assert_allclose(table.values, values, rtol=1e-14)
    assert table.names == ("a", "b", "c")


def test_names_of_arrays_without_names(tmp_path, values):
    path = tmp_path / "sub-01.npy"
    np.save(path, values)
    assert read_table_run(path, SETTINGS).names == ("region_01", "region_02", "region_03")
    named = read_table_run(path, SETTINGS, unnamed=("x", "y", "z"))
    assert named.names == ("x", "y", "z")
    assert any("atlas" in note for note in named.notes)
    with pytest.raises(InputError, match=r"3 columns without names, but the atlas has 2 regions"):
        read_table_run(path, SETTINGS, unnamed=("x", "y"))
    write(tmp_path / "sub-01_nodeindices.tsv", "index\tname\n1\tp\n2\tq\n3\tr\n")
    assert read_table_run(path, SETTINGS, unnamed=("x", "y", "z")).names == ("p", "q", "r")


def test_repetition_time(tmp_path, values):
    path = write(tmp_path / "sub-01_task-rest_timeseries.tsv", text_table(values))
    assumed = read_table_run(path, TableSettings(tr=1.5))
    assert assumed.tr == 1.5
    assert "it is 1.5 s by the settings (tables.tr)" in assumed.notes[0]
    write(tmp_path / "task-rest_timeseries.json", json.dumps({"RepetitionTime": 0.8}))
    inherited = read_table_run(path, SETTINGS)
    assert (inherited.tr, inherited.notes) == (0.8, ())
    write(path.with_suffix(".json"), json.dumps({"RepetitionTime": 0.72, "Simulated": True}))
    own = read_table_run(path, SETTINGS)
    assert own.tr == 0.72
    assert own.simulated
    write(path.with_suffix(".json"), json.dumps({"RepetitionTime": 2000}))
    with pytest.raises(InputError, match=r"RepetitionTime in '.*json' is 2000.*in s"):
        read_table_run(path, SETTINGS)


def test_run_and_segment_columns_are_not_regions(tmp_path, values):
    frame = pd.DataFrame(values, columns=["a", "b", "c"])
    frame["run"] = [1] * 20 + [2] * 20
    frame["segment"] = (["face"] * 10 + ["house"] * 5 + [""] * 5) * 2
    path = tmp_path / "sub-01.tsv"
    frame.to_csv(path, sep="\t", index=False)
    table = read_table_run(path, SETTINGS)
    assert table.names == ("a", "b", "c")
    assert table.runs == ("1",) * 20 + ("2",) * 20
    assert table.labels[8:16] == ("face", "face", *("house",) * 5, "")


def test_chosen_regions_excuse_the_others(tmp_path, values):
    frame = pd.DataFrame(values, columns=["a", "b", "c"])
    frame["subject"] = "S1"
    frame["empty"] = np.nan
    path = tmp_path / "sub-01.tsv"
    frame.to_csv(path, sep="\t", index=False)
    table = read_table_run(path, SETTINGS, regions=("c", "a"))
    assert table.names == ("c", "a")
    np.testing.assert_allclose(table.values, values[:, [2, 0]], rtol=1e-14)
    with pytest.raises(SettingsError, match=r"No region 'B'.*Allowed|Did you mean"):
        read_table_run(path, SETTINGS, regions=("a", "B"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.tsv", "", "is empty"),
        ("head.tsv", "a\tb\n", "has a header but no rows"),
        ("bare.tsv", "1.5\t2\n3\t4\n", "cannot be told apart"),
        ("comma.tsv", "a,b\n1,2\n", "has one column.*separated by tabs"),
        ("twice.tsv", "a\ta\n" + "1\t2\n3\t5\n" * 20, "several columns 'a'"),
        ("index.tsv", "\ta\tb\n" + "0\t1\t2\n1\t3\t5\n" * 20, "column 1 has no name"),
        ("shift.tsv", "a\tb\n" + "0\t1\t2\n1\t3\t5\n" * 20, "2 names in its header but 3 values"),
        ("long.tsv", "a\tb\n" + "1\t2\n3\t5\n" * 20 + "1\t2\t3\n", "not a table.*line 42"),
        ("short.tsv", "a\tb\n" + "1\t2\n3\t5\n" * 20 + "1\n", "'b', row 41 is missing"),
        ("text.tsv", "a\tb\n" + "1\t2\n3\t5\n" * 20 + "1\tx\n", r"'b', row 41 \(line 42\): 'x' is"),
        ("decimal.tsv", "a\tb\n" + "1,5\t2.5\n1.5\t2\n" * 20,
         "'a', row 1 .*with a decimal point"),
        ("nan.tsv", "a\tb\n1\t2\n" + "1\tn/a\n3\t5\n" * 20,
         r"'b', row 2 is missing \(NaN\).*20 such"),
        ("inf.csv", "a,b\n1,2\n-inf,3\n" + "1,2\n3,5\n" * 20, "'a', row 2 is infinite"),
        ("flat.csv", "a,b\n" + "1,2\n1,5\n" * 20, "'a' is constant"),
        ("bool.csv", "a,b\n" + "True,2\nFalse,5\n" * 20, "'a', row 1.*'True' is not a number"),
    ],
)  # fmt: skip
def test_bad_tables_get_one_clear_line(tmp_path, name, text, message):
    path = write(tmp_path / name, text)
    with pytest.raises(InputError, match=message) as caught:
        read_table_run(path, SETTINGS)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_encodings_and_a_byte_order_mark(tmp_path, values):
    path = tmp_path / "sub-01.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + text_table(values).encode())
    assert read_table_run(path, SETTINGS).names == ("a", "b", "c")
    path.write_bytes(text_table(values, "a\tb\tH\xf6").encode("latin-1"))
    with pytest.raises(InputError, match=r"sub-01\.tsv' is not UTF-8"):
        read_table_run(path, SETTINGS)


def test_wide_arrays_are_not_taken_for_tall_ones(tmp_path, values):
    path = tmp_path / "wide.npy"
    np.save(path, values.T)
    with pytest.raises(InputError, match=r"3 rows and 40 columns.*Transpose"):
        read_table_run(path, SETTINGS)
    rng = np.random.default_rng(1)
    np.save(path, rng.normal(size=(30, 40)))
    assert len(read_table_run(path, SETTINGS, unnamed=[f"r{i}" for i in range(40)]).names) == 40


def test_archives_with_several_matrices(tmp_path, values):
    path = tmp_path / "s.mat"
    scipy.io.savemat(path, {"rest": values, "task": values * 2, "subject": "S1"})
    with pytest.raises(InputError, match=r"one matrix.*'rest' \(40, 3\).*tables\.mat_key"):
        read_table_run(path, SETTINGS)
    chosen = read_table_run(path, TableSettings(mat_key="task"))
    np.testing.assert_array_equal(chosen.values, values * 2)
    with pytest.raises(SettingsError, match=r"no variable 'rset'.*Did you mean 'rest'"):
        read_table_run(path, TableSettings(mat_key="rset"))
    with pytest.raises(InputError, match=r"'subject'.*a matrix of numbers"):
        read_table_run(path, TableSettings(mat_key="subject"))


def test_unreadable_arrays(tmp_path):
    for name in ("x.npy", "x.npz", "x.mat"):
        (tmp_path / name).write_bytes(b"not an array at all" * 20)
        with pytest.raises(InputError, match=name):
            read_table_run(tmp_path / name, SETTINGS)
    np.save(tmp_path / "o.npy", np.array([{"a": 1}, None]), allow_pickle=True)
    with pytest.raises(InputError, match=r"o\.npy"):
        read_table_run(tmp_path / "o.npy", SETTINGS)
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x00" * 384
    (tmp_path / "v73.mat").write_bytes(header + b"\x89HDF\r\n\x1a\n" + b"\x00" * 100)
    with pytest.raises(InputError, match=r"v73\.mat' cannot be read as HDF5"):
        read_table_run(tmp_path / "v73.mat", SETTINGS)


def test_the_orientation_of_an_array_may_be_said(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 30))
    path = tmp_path / "sub-01.npy"
    np.save(path, values)
    with pytest.raises(InputError, match=r"cannot be told apart.*tables\.rows"):
        read_table_run(path, TableSettings())
    np.testing.assert_array_equal(
        read_table_run(path, TableSettings(rows="volumes")).values, values
    )
    turned = read_table_run(path, TableSettings(rows="regions"))
    np.testing.assert_array_equal(turned.values, values.T)
    assert len(turned.names) == 40
