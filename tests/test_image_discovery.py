"""Images, maskers, CIFTI files and paths given to the library in Python."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiLabelsMasker

from causal_ivae import discover, discover_images, load_series
from causal_ivae.discovery.input_series import checked
from causal_ivae.errors import InputError, SettingsError
from tests.imaging.layout_files import N_TIMES, NAMES, dlabel, dtseries, ptseries, series
from tests.imaging.layouts import LAYOUTS


@pytest.fixture
def image():
    """Three regions with planted series, and motion that is in all of them."""
    motion = np.cumsum(np.random.default_rng(3).normal(size=N_TIMES))
    data = np.zeros((6, 6, 6, N_TIMES), np.float32)
    labels = np.zeros((6, 6, 6), np.int16)
    for region, column in enumerate(series(1).T):
        labels[2 * region : 2 * region + 2] = region + 1
        data[2 * region : 2 * region + 2] = column + motion
    made = nib.Nifti1Image(data, np.eye(4))
    made.header.set_zooms((1, 1, 1, 2.0))
    return made, nib.Nifti1Image(labels, np.eye(4)), motion


@pytest.fixture
def given(monkeypatch):
    """Take what `discover` is given, without estimating anything."""
    taken = {}

    def take(values, segments, **options):
        taken.update(values=values, segments=segments, options=options)
        return "graph"

    monkeypatch.setattr("causal_ivae.image_discovery.discover", take)
    return taken


def agrees(table, expected, rows=slice(None)):
    ramp = np.column_stack([np.ones(N_TIMES), np.arange(N_TIMES)])[rows]
    left = expected[rows] - ramp @ np.linalg.lstsq(ramp, expected[rows])[0]
    got = table.to_numpy()[rows]
    return min(np.corrcoef(a, b)[0, 1] for a, b in zip(left.T, got.T, strict=True))


def test_images_with_confounds_and_an_atlas(tmp_path, image, given):
    run, labels, motion = image
    labels.to_filename(tmp_path / "atlas.nii.gz")
    pd.DataFrame({"index": [1, 2, 3], "name": NAMES}).to_csv(
        tmp_path / "atlas.tsv", sep="\t", index=False
    )
    mask = np.setdiff1d(np.arange(N_TIMES), [50, 51])
    confounds = pd.DataFrame({"trans_x": motion, "trans_x_derivative1": np.gradient(motion)})
    confounds.iloc[0, 1] = np.nan
    found = discover_images(
        run, confounds, tmp_path / "atlas.nii.gz", sample_masks=[mask], method="tcl"
    )
    assert found == "graph"
    (table,) = given["values"]
    assert list(table) == list(NAMES)
    assert given["segments"] == 30
    assert given["options"] == {"method": "tcl"}
    assert table.iloc[[50, 51]].isna().all(axis=None)
    assert agrees(table, series(1), mask) > 0.98
    discover_images([run], None, tmp_path / "atlas.nii.gz")
    assert agrees(given["values"][0], series(1)) < 0.9


def test_what_nilearn_fetches_and_fits(tmp_path, image, given):
    run, labels, motion = image
    labels.to_filename(tmp_path / "maps.nii.gz")
    run.to_filename(tmp_path / "run.nii.gz")
    bunch = {"func": [str(tmp_path / "run.nii.gz")], "confounds": [motion[:, None]]}
    atlas = {"maps": str(tmp_path / "maps.nii.gz"), "labels": ["Background", *NAMES]}
    discover_images(bunch, atlas=atlas)
    by_atlas = given["values"][0]
    assert list(by_atlas) == list(NAMES)
    masker = NiftiLabelsMasker(str(tmp_path / "maps.nii.gz"), standardize=None).fit()
    discover_images(bunch, atlas=masker)
    np.testing.assert_allclose(given["values"][0], by_atlas, rtol=1e-4)


def test_cifti_images(tmp_path, given):
    dtseries(tmp_path / "a.dtseries.nii", series(1))
    discover_images(tmp_path / "a.dtseries.nii", atlas=dlabel(tmp_path / "x.dlabel.nii"))
    assert agrees(given["values"][0], series(1)) > 0.999
    ptseries(tmp_path / "a.ptseries.nii", series(1))
    parcels = nib.load(tmp_path / "a.ptseries.nii")
    values, labels, _, names = checked([parcels, parcels], 30, None, None)
    assert names == NAMES
    assert values.shape == (2 * N_TIMES, 3)
    assert len(set(labels.tolist())) >= 8


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("bold.nii.gz", r"'values' is a path \('bold\.nii\.gz'\).*load_series.*discover_images"),
        (
            nib.Nifti1Image(np.zeros((3, 3, 3, 9)), np.eye(4)),
            r"image of shape \(3, 3, 3, 9\).*disc",
        ),
        ({"func": [], "confounds": []}, r"entries func, confounds.*discover_images"),
    ],
)
def test_what_is_no_region_series_is_said(values, message):
    with pytest.raises(InputError, match=message):
        discover(values, 30)


def test_one_volume_is_no_series(tmp_path):
    one = nib.Nifti1Image(np.zeros((3, 3, 3)), np.eye(4))
    with pytest.raises(InputError, match=r"shape \(3, 3, 3\); a series of volumes.*one volume"):
        discover_images(one, atlas="aal2")
    with pytest.raises(InputError, match=r"There is no file 'nowhere\.nii'"):
        discover_images("nowhere.nii", atlas="aal2")


def test_series_of_one_subject(tmp_path):
    made = LAYOUTS["xcpd_interpolated"](tmp_path)
    with pytest.raises(SettingsError, match=r"2 subjects \(01, 02\); name one with subject="):
        load_series(tmp_path / "in", atlas=made.atlas)
    loaded = load_series(tmp_path / "in", subject="02", atlas=made.atlas)
    assert loaded.label == "02"
    assert loaded.names == NAMES
    np.testing.assert_array_equal(loaded.volumes, made.volumes)
    values, *_ = checked(loaded.values, loaded.segments, loaded.unbroken, loaded.names)
    assert values.shape == loaded.values.shape
