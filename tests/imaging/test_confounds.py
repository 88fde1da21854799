import json

import numpy as np
import pandas as pd
import pytest

from causal_ivae.errors import InputError, TooShortError
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.confounds import cosine_drifts, load_run_confounds, many_confounds
from causal_ivae.settings import DenoiseSettings

BASE = DenoiseSettings(min_volumes=40)


@pytest.fixture
def tree(tmp_path, make_fmriprep_tree):
    return make_fmriprep_tree(tmp_path, n_subjects=1, n_volumes=60, bad=(20, 23, 50))


def image(tree):
    return find_subjects(tree.root)[0].runs[0].path


def confounds_file(tree):
    (path,) = image(tree).parent.glob("*_desc-confounds_timeseries.tsv")
    return path


def edit(tree, change):
    path = confounds_file(tree)
    table = pd.read_csv(path, sep="\t", na_values=["n/a"])
    table = change(table)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def load(tree, n_volumes=60, **changes):
    return load_run_confounds(image(tree), n_volumes, 2.0, BASE.model_copy(update=changes))


def test_confounds_that_take_much_of_a_run_are_noted():
    (note,) = many_confounds(201, 1200, "run-1")
    assert "200 independent confounds were removed from 1200 volumes" in note
    assert many_confounds(101, 1200, "run-1") == ()


def test_the_default_strategy(tree):
    found = load(tree)
    assert found.design.shape == (60, 3 + 12 + 2)
    assert {"cosine00", "trans_x_derivative1", "white_matter"} <= set(found.names)
    assert "csf_derivative1" not in found.names
    np.testing.assert_array_equal(np.flatnonzero(~found.kept), tree.bad)
    assert np.isnan(found.framewise_displacement[0])
    np.testing.assert_array_equal(found.framewise_displacement[[20, 23, 50]], 1.5)


def test_every_setting_reaches_the_regression(tree):
    full = load(tree, strategy=("motion", "wm_csf", "global_signal"), motion="basic",
                wm_csf="derivatives", global_signal="derivatives")  # fmt: skip
    assert full.design.shape[1] == 6 + 4 + 2
    assert full.kept.all()
    none = load(tree, strategy=())
    assert none.design.shape == (60, 0)


def test_censoring_thresholds_are_ours(tree):
    assert load(tree, fd_threshold=2.0, std_dvars_threshold=5.0).kept.all()
    edit(tree, lambda t: t.assign(std_dvars=np.where(np.arange(60) == 40, 1.9, t["std_dvars"])))
    assert load(tree).kept[40]
    assert not load(tree, std_dvars_threshold=1.8).kept[40]
    # Two volumes between censored ones, 21 and 22, stay with scrub=2 and go with scrub=3.
    assert load(tree, scrub=2).kept[[21, 22]].all()
    assert not load(tree, scrub=3).kept[[21, 22]].any()


def test_start_of_the_run(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, n_volumes=60, bad=(), non_steady=2)
    np.testing.assert_array_equal(np.flatnonzero(~load(tree).kept), [0, 1])
    np.testing.assert_array_equal(np.flatnonzero(~load(tree, dummy_volumes=4).kept), range(4))
    # fMRIPrep's non-steady-state volumes are censored without 'scrub' and without confounds.
    assert not load(tree, strategy=()).kept[:2].any()


def test_first_row_of_derivatives_is_filled(tree):
    found = load(tree)
    column = found.names.index("trans_x_derivative1")
    assert found.design[0, column] == found.design[1, column]
    assert np.isfinite(found.design).all()


def test_missing_values_further_down_are_an_error(tree):
    edit(tree, lambda t: t.assign(trans_y=t["trans_y"].where(np.arange(60) != 10)))
    with pytest.raises(InputError, match=r"confounds.*'trans_y', row 11 is missing"):
        load(tree)


def test_missing_values_in_a_censored_volume_do_not_matter(tree):
    edit(tree, lambda t: t.assign(trans_y=t["trans_y"].where(np.arange(60) != 20)))
    assert np.isfinite(load(tree).design).all()


def test_everything_censored(tree):
    with pytest.raises(InputError, match=r"rest.*all volumes are censored of 60.*0\.01 mm"):
        load(tree, fd_threshold=0.01, std_dvars_threshold=0.01, dummy_volumes=1)
    with pytest.raises(TooShortError, match=r"57 volumes are kept of 60.*at least 58"):
        load(tree, min_volumes=58)
    with pytest.raises(TooShortError, match=r"57 volumes.*these are 114 s, and at least 115 s"):
        load(tree, min_time=115.0)
    assert load(tree, min_time=114.0).kept.sum() == 57


def test_lengths_must_agree(tree):
    with pytest.raises(InputError, match=r"has 60 rows but.*has 61 volumes"):
        load(tree, n_volumes=61)


def test_missing_files_and_columns_are_named(tree):
    edit(tree, lambda t: t.drop(columns=["rot_x"]))
    with pytest.raises(InputError, match=r"confounds_timeseries\.tsv' do not fit denoise.*rot_x"):
        load(tree)
    edit(tree, lambda t: t.drop(columns=["std_dvars"]))
    with pytest.raises(InputError, match=r"no column 'std_dvars'"):
        load(tree)
    confounds_file(tree).unlink()
    with pytest.raises(InputError, match=r"looked for 'sub-01_task-rest_desc-confounds_timeseries"):
        load(tree)


def test_old_file_names(tree):
    path = confounds_file(tree)
    path.rename(path.with_name("sub-01_task-rest_desc-confounds_regressors.tsv"))
    assert load(tree).kept.sum() == 57


def test_drifts_are_made_where_fmriprep_wrote_none(tree):
    edit(tree, lambda t: t.drop(columns=[c for c in t if c.startswith("cosine")]))
    found = load(tree, strategy=("high_pass",))
    # 60 volumes of 2 s last less than a period of 128 s; a full cosine fits none.
    assert found.design.shape == (60, 0)
    assert "no cosine columns" in found.notes[0]
    drifts = cosine_drifts(200, 2.0)
    assert drifts.shape == (200, 5)
    np.testing.assert_allclose(drifts.T @ drifts, 100 * np.eye(5), atol=1e-9)
    np.testing.assert_allclose(drifts.mean(axis=0), 0, atol=1e-12)


def test_component_confounds_need_their_description(tree):
    with pytest.raises(InputError, match=r"do not fit denoise.*compcor"):
        load(tree, strategy=("high_pass", "compcor"))
    with pytest.raises(InputError, match=r"do not fit denoise.*high_pass"):
        load(tree, strategy=("compcor",))
    table = pd.read_csv(confounds_file(tree), sep="\t", na_values=["n/a"])
    rng = np.random.default_rng(0)
    for k in range(4):
        table[f"a_comp_cor_{k:02d}"] = rng.normal(size=60)
    table.to_csv(confounds_file(tree), sep="\t", index=False, na_rep="n/a")
    described = {
        f"a_comp_cor_{k:02d}": {"Method": "aCompCor", "Mask": "combined", "Retained": True}
        for k in range(4)
    }
    confounds_file(tree).with_suffix(".json").write_text(json.dumps(described))
    found = load(tree, strategy=("high_pass", "compcor"), n_compcor=3)
    assert sum(n.startswith("a_comp_cor") for n in found.names) == 3


def test_nothing_left_at_all(tmp_path, make_fmriprep_tree):
    # nilearn warns and returns an empty mask here; the run must not go on with it.
    tree = make_fmriprep_tree(
        tmp_path, n_subjects=1, n_volumes=60, bad=tuple(range(1, 60)), non_steady=1
    )
    with pytest.raises(InputError, match=r"all volumes are censored of 60"):
        load(tree)


def test_values_that_only_the_first_volumes_lack_have_a_cure(tree):
    edit(tree, lambda table: table.assign(csf=table["csf"].where(table.index > 2)))
    with pytest.raises(InputError, match=r"'csf', row 1 is missing\..*denoise\.dummy_volumes: 3\."):
        load(tree)
    assert load(tree, dummy_volumes=3).kept.sum() == 60 - 3 - 3
    edit(tree, lambda table: table.assign(csf=table["csf"].where(table.index != 40)))
    with pytest.raises(InputError, match=r"row 1 is missing\. The run cannot be cleaned"):
        load(tree)
