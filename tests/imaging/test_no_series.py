"""What looks like region time series and is not is said, and never analysed."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.io

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.not_series import is_ramp
from causal_ivae.imaging.signals import load_subject
from causal_ivae.settings import Pipeline

PIPELINE = Pipeline().changed({"segments.window_seconds": 60, "segments.min_volumes": 10})
REGIONS = ("a", "b", "c")


def series(n_times=240, seed=0, regions=REGIONS):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(100, 5, size=(n_times, len(regions))), columns=list(regions))


def write(folder, name, table, **how):
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / name, sep="\t", index=False, na_rep="n/a", **how)
    return folder / name


def only(folder, pipeline=PIPELINE):
    (subject,) = find_subjects(folder)
    return load_subject(subject, pipeline)


@pytest.mark.parametrize("kind", ["zeros", "held", "missing", "padded"])
def test_scrubbed_volumes_are_gaps(tmp_path, kind):
    table = series()
    bad = np.r_[20:26, 90, 91, 150] if kind != "padded" else np.arange(180, 240)
    for row in bad:
        table.iloc[row] = {"zeros": 0.0, "padded": 0.0, "missing": np.nan}.get(
            kind, table.iloc[row - 1]
        )
    write(tmp_path, "sub-01_task-rest_timeseries.tsv", table)
    loaded = only(tmp_path)
    assert sorted(set(range(240)) - set(loaded.volumes.tolist())) == list(bad)
    assert any(f"{len(bad)} of 240 volumes hold no measurement" in n for n in loaded.notes)
    # What is left is cleaned as if the gaps had never been there.
    assert np.abs(loaded.values.mean(axis=0)).max() < 1e-5
    np.testing.assert_allclose(loaded.values.std(axis=0), 1.0, atol=1e-5)


def test_a_region_that_is_missing_throughout_was_not_covered(tmp_path):
    table = series()
    table["b"] = np.nan
    write(tmp_path, "sub-01_task-rest_timeseries.tsv", table)
    with pytest.raises(InputError, match=r"covers less than 50% of 'b' \(0%\)"):
        only(tmp_path)
    loaded = only(tmp_path, PIPELINE.changed({"denoise.missing_regions": "drop"}))
    assert loaded.coverage.tolist() == [1.0, 0.0, 1.0]


def test_a_run_that_is_too_short_is_left_out(tmp_path):
    write(tmp_path, "sub-01_task-rest_run-1_timeseries.tsv", series())
    write(tmp_path, "sub-01_task-rest_run-2_timeseries.tsv", series(12, seed=1))
    loaded = only(tmp_path)
    assert loaded.run_names == ("task-rest_run-1",)
    assert "12 volumes are kept of 12; at least 50 are needed" in loaded.excluded[0][1]


def test_the_concatenation_of_runs_is_left_out(tmp_path):
    one, two = series(seed=1), series(seed=2)
    write(tmp_path, "sub-01_task-rest_run-1_timeseries.tsv", one)
    write(tmp_path, "sub-01_task-rest_run-2_timeseries.tsv", two)
    write(tmp_path, "sub-01_task-rest_timeseries.tsv", pd.concat([one, two]))
    loaded = only(tmp_path)
    assert loaded.run_names == ("task-rest_run-1", "task-rest_run-2")
    assert "concatenation of runs" in loaded.excluded[0][1]


def test_the_same_volumes_in_two_runs_are_refused_by_name(tmp_path):
    one = series(seed=1)
    write(tmp_path, "sub-01_task-rest_run-1_timeseries.tsv", one)
    write(tmp_path, "sub-01_task-rest_run-2_timeseries.tsv", one.iloc[100:])
    with pytest.raises(InputError, match=r"run-1_time.*run-2_time.*share 140 volumes"):
        only(tmp_path)


def test_a_run_that_shares_a_part_of_another_is_no_concatenation(tmp_path):
    one, two = series(seed=1), series(300, seed=2)
    write(tmp_path, "sub-01_task-rest_run-1_timeseries.tsv", one)
    # Most of it is in no other file, so it may not be left out.
    write(tmp_path, "sub-01_task-rest_timeseries.tsv", pd.concat([one.iloc[:60], two]))
    with pytest.raises(InputError, match="share 60 volumes"):
        only(tmp_path)


@pytest.mark.parametrize("fisher", [False, True])
def test_correlations_are_no_series(tmp_path, fisher):
    matrix = np.corrcoef(series(200, regions=[f"r{i}" for i in range(30)]).T)
    if fisher:
        matrix = np.arctanh(np.where(np.eye(30) > 0, 0.0, matrix))
    scipy.io.savemat(tmp_path / "sub-01.mat", {"m": matrix})
    with pytest.raises(InputError, match=r"sub-01\.mat' is a square symmetric matrix \(30 x 30\)"):
        only(tmp_path)


def test_correlations_beside_a_run_are_left_out(tmp_path):
    table = series()
    scipy.io.savemat(tmp_path / "sub-01_run-2.mat", {"m": np.corrcoef(table.T)})
    np.save(tmp_path / "sub-01_run-1.npy", table.to_numpy())
    loaded = only(tmp_path)
    assert loaded.run_names == ("run-1",)
    assert "square symmetric" in loaded.excluded[0][1]


def test_the_correlations_that_dpabi_writes_beside_its_series_are_no_subjects(tmp_path):
    for kind in ("ROISignals", "ROICorrelation", "ROICorrelation_FisherZ"):
        scipy.io.savemat(tmp_path / f"{kind}_Sub_001.mat", {"m": series().to_numpy()})
    assert [s.label for s in find_subjects(tmp_path)] == ["ROISignalsSub001"]


def test_regions_and_volumes_are_not_guessed(tmp_path):
    values = np.random.default_rng(0).normal(size=(130, 110))
    np.save(tmp_path / "sub-01.npy", values)
    with pytest.raises(InputError, match=r"130 rows and 110 columns without names"):
        only(tmp_path)
    names = [f"r{i}" for i in range(110)]
    (tmp_path / "sub-01.json").write_text(json.dumps({"Regions": names}))
    assert only(tmp_path).values.shape == (130, 110)
    np.save(tmp_path / "sub-01.npy", values.T)
    (tmp_path / "sub-01.json").unlink()
    with pytest.raises(InputError, match=r"110 rows and 130 columns.*Transpose"):
        only(tmp_path)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("time", np.round(np.arange(240) * 0.735, 2)),
        ("", np.arange(240)),
        ("Unnamed: 0", np.arange(240)),
        ("volume", np.arange(240, 0, -1)),
    ],
)
def test_clocks_and_row_numbers_are_no_regions(tmp_path, name, column):
    table = series()
    table.insert(0, name, column)
    write(tmp_path, "sub-01_task-rest_timeseries.tsv", table)
    loaded = only(tmp_path)
    assert loaded.names == REGIONS
    assert any("rises evenly" in note for note in loaded.notes)


def test_a_drifting_region_is_no_clock():
    rng = np.random.default_rng(0)
    assert not is_ramp(np.arange(240) + rng.normal(0, 1.0, size=240))
    assert not is_ramp(np.zeros(240))


def test_names_after_a_hash(tmp_path):
    values = series().to_numpy()
    np.savetxt(tmp_path / "sub-01.csv", values, delimiter=",", header="ERC,CA1,SUB")
    assert only(tmp_path).names == ("ERC", "CA1", "SUB")
    rows = "\n".join("\t".join(f"{v:.6f}" for v in row) for row in values)
    (tmp_path / "sub-01.csv").unlink()
    (tmp_path / "sub-01.tsv").write_text(f"# made by hand\n#2001\t#2002\t#2101\n{rows}\n")
    assert only(tmp_path).names == ("2001", "2002", "2101")


@pytest.mark.parametrize("value", [0.1, 123.456, 1e9])
def test_a_constant_is_found_whatever_its_size(tmp_path, value):
    write(tmp_path, "sub-01_task-rest_timeseries.tsv", series().assign(b=value))
    with pytest.raises(InputError, match="'b' is constant"):
        only(tmp_path)


def test_two_people_do_not_become_one(tmp_path):
    write(tmp_path / "a", "sub-NDAR_INV1_task-rest_run-1_timeseries.tsv", series(seed=1))
    write(tmp_path / "a", "sub-NDAR_INV2_task-rest_run-2_timeseries.tsv", series(seed=2))
    with pytest.raises(InputError, match=r"'NDAR_INV1'.*'NDAR_INV2'.*both be subject 'NDAR'"):
        find_subjects(tmp_path / "a")
    write(tmp_path / "b", "sub-1-2_timeseries.tsv", series(seed=1))
    write(tmp_path / "b", "sub-12_timeseries.tsv", series(seed=2))
    with pytest.raises(InputError, match=r"'1-2'.*'12'.*both be subject '12'"):
        find_subjects(tmp_path / "b")
    for person in ("NDAR_INV1", "NDAR_INV2"):
        name = f"sub-{person}_task-rest_timeseries.tsv"
        write(tmp_path / "c" / f"sub-{person}" / "func", name, series())
    assert [s.label for s in find_subjects(tmp_path / "c")] == ["NDARINV1", "NDARINV2"]


def test_conditions_of_conn_are_conditions(tmp_path):
    for subject in (1, 2):
        for condition in (0, 1):
            name = f"ROI_Subject{subject:03d}_Condition{condition:03d}.mat"
            scipy.io.savemat(tmp_path / name, {"data": series(seed=condition).to_numpy()})
    with pytest.raises(SettingsError, match=r"'condition000', 'condition001'.*--task"):
        find_subjects(tmp_path)
    found = find_subjects(tmp_path, tasks=("condition001",))
    assert [s.label for s in found] == ["Subject001", "Subject002"]


def test_an_atlas_that_does_not_fit_is_said(tmp_path):
    from causal_ivae.imaging.atlas import load_atlas

    np.save(tmp_path / "sub-01.npy", series().to_numpy())
    (subject,) = find_subjects(tmp_path)
    with pytest.raises(InputError, match=r"3 columns without names, but the atlas has 94 regions"):
        load_subject(subject, PIPELINE, load_atlas("aal2"))
