import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.series import Cleaning
from causal_ivae.imaging.signals import (
    load_subject,
    missing_regions,
)
from causal_ivae.settings import Pipeline

PIPELINE = Pipeline()


def table(folder, name, n_times=120, columns=("a", "b", "c"), seed=0, **extra):
    folder.mkdir(exist_ok=True, parents=True)
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n_times, len(columns))), columns=list(columns))
    frame += 0.05 * np.arange(n_times)[:, None] + 10
    for key, value in extra.items():
        frame[key] = value
    frame.to_csv(folder / name, sep="\t", index=False)
    return frame


def test_planted_series_are_recovered_from_images(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=2)
    atlas = load_atlas(tree.atlas)
    subjects = find_subjects(tree.root, atlas=atlas)
    assert [subject.label for subject in subjects] == ["01", "02"]
    for subject in subjects:
        series = load_subject(subject, PIPELINE, atlas)
        planted = tree.planted[subject.label, "task-rest"]
        kept = np.setdiff1d(np.arange(120), tree.bad)
        np.testing.assert_array_equal(series.volumes, kept)
        assert series.names == tree.names
        for column in range(4):
            correlation = np.corrcoef(series.values[:, column], planted[kept, column])[0, 1]
            assert correlation > 0.9
        np.testing.assert_allclose(series.values.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(series.values.std(axis=0), 1, atol=1e-5)
        np.testing.assert_array_equal(series.coverage, 1)
        assert series.framewise_displacement.shape == (120,)
        assert dict(series.entities)["atlas"] == "tiny"
        assert len(series.segment_names) == 4
        # Censoring breaks stretches: lags never cross a gap.
        assert len(np.unique(series.stretches)) > 4


def test_without_confound_regression_they_are_not(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1)
    raw = PIPELINE.changed({"denoise.strategy": ["scrub"]})
    series = load_subject(find_subjects(tree.root)[0], raw, load_atlas(tree.atlas))
    planted = tree.planted["01", "task-rest"][series.volumes]
    correlations = [np.corrcoef(series.values[:, c], planted[:, c])[0, 1] for c in range(4)]
    assert min(correlations) < 0.8


def test_what_censored_volumes_hold_changes_nothing(tmp_path, make_fmriprep_tree):
    import nibabel as nib

    tree = make_fmriprep_tree(tmp_path, n_subjects=1)
    subject, atlas = find_subjects(tree.root)[0], load_atlas(tree.atlas)
    before = load_subject(subject, PIPELINE, atlas)
    image = nib.load(subject.runs[0].path)
    data = np.asarray(image.dataobj).copy()
    data[..., list(tree.bad)] *= -3
    nib.save(nib.Nifti1Image(data, image.affine, image.header), subject.runs[0].path)
    np.testing.assert_array_equal(load_subject(subject, PIPELINE, atlas).values, before.values)


def test_runs_are_cleaned_apart_and_never_glued(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, sessions=("1", "2"), n_runs=2, bad=(3,))
    series = load_subject(find_subjects(tree.root)[0], PIPELINE, load_atlas(tree.atlas))
    assert series.run_names == tuple(f"ses-{s}_task-rest_run-{r}" for s in (1, 2) for r in (1, 2))
    assert series.n_volumes == (120,) * 4
    assert series.entities == (
        ("task", "rest"), ("space", "MNI152NLin2009cAsym"), ("atlas", "tiny"),
    )  # fmt: skip
    for run in range(4):
        here = series.values[series.runs == run]
        np.testing.assert_allclose(here.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(series.values.std(axis=0), 1, atol=1e-5)
    # Images have a baseline.
    assert series.percent.all()
    by_session = PIPELINE.changed({"segments.by": "runs"})
    again = load_subject(find_subjects(tree.root)[0], by_session, load_atlas(tree.atlas))
    np.testing.assert_array_equal(again.segments, series.runs)


def test_runs_that_keep_too_little_are_left_out_with_the_reason(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, n_runs=3)
    (path,) = tree.root.glob("sub-01/func/*run-2_desc-confounds_timeseries.tsv")
    confounds = pd.read_csv(path, sep="\t", na_values=["n/a"])
    confounds.loc[10:, "framewise_displacement"] = 2.0
    confounds.to_csv(path, sep="\t", index=False, na_rep="n/a")
    subject, atlas = find_subjects(tree.root)[0], load_atlas(tree.atlas)
    series = load_subject(subject, PIPELINE, atlas)
    assert series.run_names == ("task-rest_run-1", "task-rest_run-3")
    assert [run for run, _ in series.excluded] == ["task-rest_run-2"]
    assert "10 volumes are kept of 120" in series.excluded[0][1]
    assert any("Run 'task-rest_run-2' was left out" in note for note in series.notes)
    # Three cosines, 12 of motion, white matter and CSF, all independent.
    assert series.cleaning == tuple(
        Cleaning(f"task-rest_run-{run}", 120, 117, 17, 99) for run in (1, 3)
    )
    long = PIPELINE.changed({"denoise.min_time": 235.0})
    with pytest.raises(InputError, match=r"No run of subject '01' can be analysed.*234 s.*234 s"):
        load_subject(subject, long, atlas)


def test_tables_say_what_was_removed(tmp_path):
    table(tmp_path, "sub-01.tsv")
    series = load_subject(find_subjects(tmp_path)[0], PIPELINE.changed({"tables.detrend_order": 2}))
    assert series.cleaning == (Cleaning("run-1", 120, 120, 2, 117),)


def test_regions_are_chosen_and_ordered(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1)
    subject, atlas = find_subjects(tree.root)[0], load_atlas(tree.atlas)
    every = load_subject(subject, PIPELINE, atlas)
    some = load_subject(subject, PIPELINE.changed({"regions": ["PHC", "CA1"]}), atlas)
    assert some.names == ("PHC", "CA1")
    np.testing.assert_allclose(some.values, every.values[:, [3, 0]], atol=1e-6)
    with pytest.raises(SettingsError, match=r"No region 'PHG' in atlas 'tiny'.*'PHC'"):
        load_subject(subject, PIPELINE.changed({"regions": ["PHG", "CA1"]}), atlas)


def test_regions_without_coverage_fail_or_are_dropped_everywhere(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(
        tmp_path, n_subjects=2, uncovered=("ERC",), uncovered_subjects=("02",)
    )
    first, second = find_subjects(tree.root)
    atlas = load_atlas(tree.atlas)
    load_subject(first, PIPELINE, atlas)
    with pytest.raises(InputError, match=r"Subject '02' covers less than 50% of 'ERC' \(0%\)"):
        load_subject(second, PIPELINE, atlas)
    without = PIPELINE.changed({"regions": ["CA1", "SUB", "PHC"]})
    assert load_subject(second, without, atlas).names == ("CA1", "SUB", "PHC")
    drop = PIPELINE.changed({"denoise.missing_regions": "drop"})
    loaded = [load_subject(s, drop, atlas) for s in (first, second)]
    lacking = {name for s in loaded for name in missing_regions(s, 0.5)}
    assert lacking == {"ERC"}
    assert np.isnan(loaded[1].values[:, 2]).all()
    assert "ERC" in loaded[1].notes[-1]


def test_images_that_cannot_be_analysed(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1)
    subject, atlas = find_subjects(tree.root)[0], load_atlas(tree.atlas)
    with pytest.raises(SettingsError, match="Images need an atlas"):
        load_subject(subject, PIPELINE)
    strict = PIPELINE.changed({"denoise.fd_threshold": 1e-6, "denoise.std_dvars_threshold": 1e-6})
    with pytest.raises(InputError, match=r"1 volumes are kept of 120.*at least 50"):
        load_subject(subject, strict, atlas)
    greedy = PIPELINE.changed({"denoise.min_volumes": 10, "denoise.std_dvars_threshold": 0.85})
    with pytest.raises(InputError, match=r"sub-01_task-rest.*kept"):
        load_subject(subject, greedy, atlas)


def test_links_to_images_are_followed(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1)
    view = tmp_path / "view"
    for path in tree.root.rglob("*"):
        if path.is_file():
            link = view / path.relative_to(tree.root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(path, link.parent))
    atlas = load_atlas(tree.atlas)
    through = load_subject(find_subjects(view)[0], PIPELINE, atlas)
    direct = load_subject(find_subjects(tree.root)[0], PIPELINE, atlas)
    np.testing.assert_array_equal(through.values, direct.values)


def runs_of(folder, factors, baseline, gains=(1.0, 1.0, 1.0), standardise=False):
    """Write runs whose signals have these standard deviations around a baseline."""
    folder.mkdir(exist_ok=True, parents=True)
    rng = np.random.default_rng(7)
    for run, (factor, gain) in enumerate(zip(factors, gains, strict=True)):
        values = rng.normal(size=(200, 3)) * np.asarray(factor) * gain
        if standardise:
            values = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
        frame = pd.DataFrame(values + baseline * gain, columns=["a", "b", "c"])
        frame.to_csv(folder / f"sub-01_run-{run + 1}_timeseries.tsv", sep="\t", index=False)
    (folder / "timeseries.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    return find_subjects(folder)[0]


FACTORS = ((1.0, 2.0, 1.0), (2.0, 1.0, 1.0), (4.0, 1.0, 1.0))


def test_differences_of_scale_between_runs_are_kept(tmp_path):
    by_runs = PIPELINE.changed({"segments.by": "runs"})
    plain = load_subject(runs_of(tmp_path / "plain", FACTORS, 100.0), by_runs)
    spreads = np.array([plain.values[plain.runs == run].std(axis=0) for run in range(3)])
    np.testing.assert_allclose(spreads / spreads[2], np.array(FACTORS) / FACTORS[2], rtol=0.2)
    np.testing.assert_allclose(plain.in_units().std(axis=0), [2.6, 1.4, 1.0], rtol=0.1)
    assert (plain.notes, plain.percent.tolist()) == ((), [True] * 3)
    # What the scanner multiplied a run by is no part of percent signal change.
    scaled = load_subject(runs_of(tmp_path / "gain", FACTORS, 100.0, (1.0, 30.0, 0.2)), by_runs)
    np.testing.assert_allclose(scaled.in_units(), plain.in_units(), atol=1e-4)


def test_runs_without_a_baseline_are_used_as_segments_with_a_caution(tmp_path):
    subject = runs_of(tmp_path, FACTORS, np.array([0.0, 0.0, 100.0]))
    series = load_subject(subject, PIPELINE.changed({"segments.by": "runs"}))
    assert series.percent.tolist() == [False, False, True]
    assert "Segments are runs, but a, b have no baseline" in series.notes[-1]
    assert load_subject(subject, PIPELINE).notes == ()
    (tmp_path / "timeseries.json").write_text('{"RepetitionTime": 2.0, "Simulated": true}')
    again = find_subjects(tmp_path)[0]
    assert load_subject(again, PIPELINE.changed({"segments.by": "runs"})).notes == ()


def test_runs_that_were_z_scored_are_no_segments_but_windows_of_them_are(tmp_path):
    subject = runs_of(tmp_path, FACTORS, 0.0, standardise=True)
    with pytest.raises(InputError, match=r"same standard deviation in every run.*windows"):
        load_subject(subject, PIPELINE.changed({"segments.by": "runs"}))
    series = load_subject(subject, PIPELINE)
    assert series.scaled_apart
    assert "only windows of one run can be compared" in series.notes[-1]
    # One run alone shows it too, which matters where subjects are pooled.
    for path in sorted(tmp_path.glob("*run-[23]*.tsv")):
        path.unlink()
    alone = load_subject(find_subjects(tmp_path)[0], PIPELINE)
    assert alone.scaled_apart
    assert alone.notes == ()


def test_series_that_this_program_wrote_go_back_to_their_unit(tmp_path):
    table(tmp_path, "sub-01_timeseries.tsv")
    before = load_subject(find_subjects(tmp_path)[0], PIPELINE).in_units()
    scales = {"RepetitionTime": 2.0, "RegionScale": {"a": 3.0, "b": 0.5}}
    (tmp_path / "sub-01_timeseries.json").write_text(json.dumps(scales))
    again = load_subject(find_subjects(tmp_path)[0], PIPELINE)
    # In percent of a baseline that is multiplied too, nothing changes.
    np.testing.assert_allclose(again.in_units(), before, rtol=1e-5)
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(120, 3)), columns=["a", "b", "c"])
    frame.to_csv(tmp_path / "sub-01_timeseries.tsv", sep="\t", index=False)
    scaled = load_subject(find_subjects(tmp_path)[0], PIPELINE)
    np.testing.assert_allclose(scaled.scale, frame.std(ddof=0) * [3.0, 0.5, 1.0], rtol=0.05)


def test_tables_are_detrended_per_run(tmp_path):
    frame = table(tmp_path, "sub-01_run-1_timeseries.tsv", seed=1)
    table(tmp_path, "sub-01_run-2_timeseries.tsv", n_times=90, seed=2)
    (tmp_path / "timeseries.json").write_text(json.dumps({"RepetitionTime": 1.5}))
    series = load_subject(find_subjects(tmp_path)[0], PIPELINE)
    assert (series.tr, series.n_volumes, series.notes) == (1.5, (120, 90), ())
    time = np.arange(120)
    expected = frame["b"] - np.polyval(np.polyfit(time, frame["b"], 1), time)
    np.testing.assert_allclose(
        series.in_units()[:120, 1], 100 * expected / frame["b"].mean(), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(series.values.std(axis=0), 1, atol=1e-5)
    assert series.values.dtype == np.float32
    assert [Path(s).name for s in series.sources] == [
        "sub-01_run-1_timeseries.tsv", "sub-01_run-2_timeseries.tsv",
    ]  # fmt: skip


def test_an_assumed_repetition_time_is_said_once_per_file(tmp_path):
    table(tmp_path, "sub-01.tsv")
    (note,) = load_subject(find_subjects(tmp_path)[0], PIPELINE).notes
    assert "2 s is assumed" in note


def test_a_column_of_runs_splits_a_table(tmp_path):
    table(tmp_path, "sub-01.tsv", n_times=180, run=[1] * 60 + [2] * 60 + [10] * 60)
    series = load_subject(find_subjects(tmp_path)[0], PIPELINE.changed({"segments.by": "runs"}))
    assert series.run_names == ("run-1", "run-2", "run-10")
    assert series.names == ("a", "b", "c")
    np.testing.assert_array_equal(series.volumes[[59, 60]], [59, 0])
    table(tmp_path, "sub-01.tsv", n_times=90, run=[1] * 30 + [2] * 30 + [1] * 30)
    with pytest.raises(InputError, match=r"column 'run' returns to '1' in row 61"):
        load_subject(find_subjects(tmp_path)[0], PIPELINE)


def test_a_column_of_segments_is_u_for_tasks(tmp_path):
    blocks = (["x"] * 20 + ["y"] * 20 + ["z"] * 20) * 2
    table(tmp_path, "sub-01.tsv", segment=blocks)
    by_task = load_subject(find_subjects(tmp_path)[0], PIPELINE.changed({"segments.by": "task"}))
    assert by_task.segment_names == ("x", "y", "z")
    np.testing.assert_array_equal(by_task.segments[:60], np.repeat([0, 1, 2], 20))
    by_window = load_subject(find_subjects(tmp_path)[0], PIPELINE)
    assert any("'segment'" in note for note in by_window.notes)


def test_runs_with_other_regions_or_times_are_not_joined(tmp_path):
    table(tmp_path, "sub-01_run-1_timeseries.tsv")
    table(tmp_path, "sub-01_run-2_timeseries.tsv", columns=("a", "b", "d"), seed=1)
    with pytest.raises(InputError, match=r"run-1_time.*run-2_time.*different regions \('c' is in"):
        load_subject(find_subjects(tmp_path)[0], PIPELINE)
    two = PIPELINE.changed({"regions": ["a", "b"]})
    assert load_subject(find_subjects(tmp_path)[0], two).names == ("a", "b")
    (tmp_path / "sub-01_run-2_timeseries.json").write_text('{"RepetitionTime": 1.0}')
    with pytest.raises(InputError, match=r"repetition times.*are 2 s and 1 s"):
        load_subject(find_subjects(tmp_path)[0], two)


def test_a_column_that_is_only_drift(tmp_path):
    middle = np.r_[np.arange(60), np.arange(60)[::-1]] * 2.0
    table(tmp_path, "sub-01.tsv", time=np.arange(120) * 2.0 + 1e-9 * middle)
    series = load_subject(find_subjects(tmp_path)[0], PIPELINE)
    assert "time" not in series.names
    assert any("'time'" in note and "rises evenly" in note for note in series.notes)
    table(tmp_path, "sub-01.tsv", drift=np.linspace(0.0, 1.0, 120) ** 2)
    bent = PIPELINE.changed({"tables.detrend_order": 2})
    with pytest.raises(InputError, match=r"sub-01\.tsv': nothing is left of 'drift'"):
        load_subject(find_subjects(tmp_path)[0], bent)


def test_arrays_without_names_take_the_atlas_names(tmp_path):
    np.save(tmp_path / "sub-01.npy", np.random.default_rng(0).normal(size=(300, 94)))
    subject = find_subjects(tmp_path)[0]
    pipeline = PIPELINE.changed({"regions": ["Hippocampus_L", "Precuneus_L"]})
    series = load_subject(subject, pipeline, load_atlas("aal2"))
    assert series.names == ("Hippocampus_L", "Precuneus_L")
    assert load_subject(subject, PIPELINE).names[0] == "region_01"


def test_pooled_subjects_need_no_segments_of_their_own(tmp_path):
    table(tmp_path, "sub-01.tsv", n_times=40)
    pooled = PIPELINE.changed({"segments.by": "subjects", "denoise.min_volumes": 40})
    series = load_subject(find_subjects(tmp_path)[0], pooled)
    assert series.segment_names == ("sub-01",)


def test_adding_a_region_changes_no_other(tmp_path):
    table(tmp_path / "two", "sub-01.tsv", columns=("a", "b"), seed=3)
    frame = pd.read_csv(tmp_path / "two" / "sub-01.tsv", sep="\t")
    (tmp_path / "three").mkdir()
    frame.assign(c=np.random.default_rng(4).normal(size=len(frame))).to_csv(
        tmp_path / "three" / "sub-01.tsv", sep="\t", index=False
    )
    two, three = (load_subject(find_subjects(tmp_path / f)[0], PIPELINE) for f in ("two", "three"))
    np.testing.assert_allclose(three.values[:, :2], two.values, atol=1e-6)


def test_events_beside_images_make_task_segments(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, tasks=("faces",), bad=())
    subject, atlas = find_subjects(tree.root)[0], load_atlas(tree.atlas)
    task = PIPELINE.changed({"segments.by": "task"})
    with pytest.raises(InputError, match=r"looked for 'sub-01_task-faces_events\.tsv'"):
        load_subject(subject, task, atlas)
    rows = [f"{60 * k}\t50\t{'face' if k % 2 else 'house'}" for k in range(4)]
    events = subject.runs[0].path.parent / "sub-01_task-faces_events.tsv"
    events.write_text("\n".join(["onset\tduration\ttrial_type", *rows]) + "\n")
    series = load_subject(find_subjects(tree.root)[0], task, atlas)
    assert series.segment_names == ("house", "rest", "face")
    np.testing.assert_array_equal(np.bincount(series.segments), [50, 20, 50])
