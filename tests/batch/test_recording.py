import dataclasses
from pathlib import Path

import numpy as np
import pytest

from causal_ivae.batch.recording import read_series, select_regions, write_series
from causal_ivae.derivatives.files import read_table
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.units import find_paths
from causal_ivae.errors import InputError
from causal_ivae.imaging.series import Cleaning, RegionSeries


def example(motion: bool = True) -> RegionSeries:
    rng = np.random.default_rng(1)
    volumes = np.r_[0:3, 5:10, 0:4, 6:8]
    values = rng.normal(size=(14, 3)).astype(np.float32)
    values[:, 2] = np.nan
    return RegionSeries(
        label="01",
        values=values,
        names=("1", "B c", "Ä"),
        tr=0.72,
        runs=np.r_[np.zeros(8, int), np.ones(6, int)],
        run_names=("run-01", "2"),
        volumes=volumes,
        n_volumes=(10, 9),
        segments=np.r_[0, 0, 0, 1, 1, -1, -1, 1, 2, 2, 2, 2, -1, -1],
        segment_names=("01", "1", "rest"),
        segment_kind="task blocks",
        framewise_displacement=np.r_[np.nan, np.linspace(0, 1, 18)] if motion else None,
        coverage=np.array([1.0, 0.75, 0.0]),
        entities=(("task", "rest"), ("atlas", "x")),
        sources=("a.nii.gz",),
        notes=("A note.",),
        simulated=True,
        cleaning=(Cleaning("run-01", 10, 8, 3, 4), Cleaning("2", 9, 6, 1, 4)),
        excluded=(("run-03", "Too short."),),
        scale=np.array([0.1, 2.5, np.nan]),
        percent=np.array([True, False, False]),
        scaled_apart=True,
    )


@pytest.mark.parametrize("motion", [True, False])
def test_series_come_back_from_files_as_they_were(tmp_path, motion):
    series = example(motion)
    paths = UnitPaths(tmp_path, "sub-01", series.entities)
    write_series(paths, series, {"Seed": 3})
    assert find_paths(tmp_path, "sub-01") == paths
    back = read_series(paths)
    for field in dataclasses.fields(RegionSeries):
        one, other = getattr(series, field.name), getattr(back, field.name)
        if field.name == "framewise_displacement" and one is not None:
            np.testing.assert_allclose(other, one, rtol=1e-8)
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(other, one, err_msg=field.name)
            assert other.dtype == one.dtype, field.name
        else:
            assert other == one, field.name


def test_outliers_have_a_row_per_volume_as_acquired(tmp_path):
    series = example()
    paths = UnitPaths(tmp_path, "sub-01", series.entities)
    write_series(paths, series, {})
    table = read_table(paths.file("outliers.tsv"))
    assert len(table) == 19
    assert list(table.index[table["kept"] == 0]) == [3, 4, 14, 15, 18]
    assert list(table["segment"][:10]) == ["01"] * 3 + ["", ""] + ["1", "1", "", "", "1"]
    assert list(table["run"]) == ["run-01"] * 10 + ["2"] * 9


def test_tables_that_disagree_are_refused(tmp_path):
    series = example()
    paths = UnitPaths(tmp_path, "sub-01", series.entities)
    write_series(paths, series, {})
    table = paths.file("timeseries.tsv")
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="--overwrite always"):
        read_series(paths)


def test_regions_are_selected_in_the_order_given():
    series = example()
    chosen = select_regions(series, ("B c", "1"))
    assert chosen.names == ("B c", "1")
    np.testing.assert_array_equal(chosen.values, series.values[:, [1, 0]])
    assert chosen.coverage.tolist() == [0.75, 1.0]


def test_nothing_recorded_is_none(tmp_path):
    assert find_paths(tmp_path, "sub-01") is None


def test_an_old_sidecar_does_not_vouch_for_half_written_series(tmp_path, monkeypatch):
    series = example()
    paths = UnitPaths(tmp_path, "sub-01", series.entities)
    write_series(paths, series, {})

    def stop(self, target):
        if target == paths.file("timeseries.tsv"):
            raise OSError("disk full")
        return replace_file(self, target)

    replace_file = Path.replace
    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(OSError, match="disk full"):
        write_series(paths, series, {})
    assert not paths.file("timeseries.json").exists()
    assert paths.file("timeseries.tsv").exists()
    assert find_paths(tmp_path, "sub-01") is None
