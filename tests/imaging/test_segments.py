from dataclasses import replace

import numpy as np
import pytest

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.segments import (
    _check_within,
    _read_blocks,
    assign_segments,
    pool_subjects,
)
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.settings import SegmentSettings


def series(
    n_volumes=(100, 70), *, censored=(), names=("run-1", "run-2"), tr=2.0, label="01", **more
):
    volumes = [np.setdiff1d(np.arange(n), censored) for n in n_volumes]
    runs = np.repeat(np.arange(len(n_volumes)), [len(v) for v in volumes])
    rng = np.random.default_rng(list(label.encode()))
    return RegionSeries(
        label=label,
        values=rng.normal(size=(len(runs), 2)).astype(np.float32),
        names=("a", "b"),
        tr=tr,
        runs=runs,
        run_names=tuple(names),
        volumes=np.concatenate(volumes),
        n_volumes=tuple(n_volumes),
        segments=np.zeros(len(runs), dtype=np.int64),
        segment_names=("all",),
        segment_kind="none",
        framewise_displacement=None,
        coverage=np.ones(2),
        **more,
    )


def segmented(given, events=None, labels=None, **settings):
    return assign_segments(given, SegmentSettings(**settings), events, labels)


def test_windows_never_span_runs():
    found = segmented(series(), window_seconds=60, min_volumes=10)
    # 100 volumes: three windows of 30, and 10 that join the third; 70: two and 10 that join.
    np.testing.assert_array_equal(np.bincount(found.segments), [30, 30, 40, 30, 40])
    for segment in range(5):
        assert len(set(found.runs[found.segments == segment])) == 1
    assert found.segment_names[3] == "run-2_window-1"
    assert found.segment_kind == "windows of 60 s"


def test_a_long_remainder_is_a_window_of_its_own():
    found = segmented(series((105,), names=("run-1",)), window_seconds=60, min_volumes=8)
    np.testing.assert_array_equal(np.bincount(found.segments), [30, 30, 30, 15])


def test_censoring_moves_no_border_and_thin_windows_are_left_out():
    gaps = (*range(32, 54), 95)
    found = segmented(series((120,), censored=gaps, names=("run-1",)), min_volumes=10)
    assert found.segment_names == ("run-1_window-1", "run-1_window-3", "run-1_window-4")
    np.testing.assert_array_equal(np.unique(found.volumes[found.segments == 1]), range(60, 90))
    assert (found.segments == -1).sum() == 8
    assert "1 of 4 segments" in found.notes[-1]


def test_too_few_segments_say_how_many():
    with pytest.raises(InputError, match=r"'01' has 2 segments \(runs\); at least 3"):
        segmented(series(), by="runs")
    with pytest.raises(InputError, match=r"has 1 segments \(windows of 150 s\).*shorter windows"):
        segmented(series((100,), names=("run-1",)), window_seconds=150)
    with pytest.raises(SettingsError, match=r"20 s are 10 volumes of 2 s.*at least 40 s"):
        segmented(series(), window_seconds=20)


def test_runs_and_sessions():
    names = ("ses-1_run-1", "ses-1_run-2", "ses-2_run-1", "ses-3_run-1")
    given = series((40, 30, 40, 30), names=names)
    runs = segmented(given, by="runs")
    assert runs.segment_names == names
    np.testing.assert_array_equal(runs.segments, runs.runs)
    sessions = segmented(given, by="sessions")
    assert sessions.segment_names == ("ses-1", "ses-2", "ses-3")
    np.testing.assert_array_equal(np.bincount(sessions.segments), [70, 40, 30])
    with pytest.raises(InputError, match=r"Run 'run-1' of subject '01' names no session"):
        segmented(series(), by="sessions")


def events_file(tmp_path, rows, header="onset\tduration\ttrial_type"):
    path = tmp_path / "events.tsv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_blocks_of_a_condition_share_a_segment(tmp_path):
    rows = ["0\t40\tface", "60\t40\thouse", "120\t30\tface", "50\t0\tpress", "55\tn/a\tpress"]
    path = events_file(tmp_path, rows)
    found = segmented(series(), events=[path, path], by="task", min_volumes=10)
    assert set(found.segment_names) == {"face", "house", "rest"}
    face = found.segments == found.segment_names.index("face")
    # Midpoints of volumes, 1 s, 3 s, ...: 20 and 15; the second run ends after 10 of those 15.
    assert face.sum() == 35 + 30
    np.testing.assert_array_equal(found.volumes[face & (found.runs == 1)][:3], [0, 1, 2])
    assert found.segment_kind == "task blocks"


def test_events_that_cannot_be_used(tmp_path):
    path = events_file(tmp_path, ["0\t40\tface"])
    with pytest.raises(InputError, match=r"run 'run-2'.*looked for 'sub-01_run-2_events\.tsv'"):
        segmented(series(), events=[path, None], by="task")
    overlap = events_file(tmp_path, ["0\t40\tface", "30\t40\thouse"])
    with pytest.raises(InputError, match=r"'house' and 'face' overlap at 31 s"):
        segmented(series(), events=[overlap] * 2, by="task")
    instants = events_file(tmp_path, ["0\t0\tface", "30\t0\thouse"])
    with pytest.raises(InputError, match=r"no event with a duration"):
        segmented(series(), events=[instants] * 2, by="task")
    columns = events_file(tmp_path, ["0\t40"], header="onset\tduration")
    with pytest.raises(InputError, match=r"no column 'trial_type'"):
        segmented(series(), events=[columns] * 2, by="task")
    text = events_file(tmp_path, ["zero\t40\tface"])
    with pytest.raises(InputError, match=r"events\.tsv', row 1"):
        segmented(series(), events=[text] * 2, by="task")


def test_labels_of_a_table_stand_for_events():
    labels = ["a"] * 60 + ["b"] * 50 + [""] * 30 + ["c"] * 30
    found = segmented(series(), labels=labels, by="task")
    np.testing.assert_array_equal(found.segments, [0] * 60 + [1] * 50 + [-1] * 30 + [2] * 30)
    assert found.segment_names == ("a", "b", "c")


def test_subjects_are_pooled_as_segments():
    subjects = [segmented(series(label=label), by="subjects", window_seconds=60) for label in "ABC"]
    pooled = pool_subjects(subjects)
    assert pooled.segment_names == ("sub-A", "sub-B", "sub-C")
    np.testing.assert_array_equal(np.bincount(pooled.segments), [170] * 3)
    assert pooled.run_names[2] == "sub-B_run-1"
    np.testing.assert_array_equal(np.unique(pooled.runs), range(6))
    assert len(pooled.n_volumes) == 6
    # Subjects' runs do not join: one stretch of volumes per run.
    assert len(np.unique(pooled.stretches)) == 6
    with pytest.raises(InputError, match=r"2 subjects give 2 segments"):
        pool_subjects(subjects[:2])


def test_pooled_subjects_keep_the_differences_of_their_scales():
    scales = {"A": (1.0, 10.0), "B": (2.0, 10.0), "C": (4.0, 30.0)}
    subjects = [
        series(label=label, scale=np.array(scale), percent=np.ones(2, dtype=bool))
        for label, scale in scales.items()
    ]
    pooled = pool_subjects(subjects)
    np.testing.assert_allclose(pooled.values.std(axis=0), 1, atol=1e-5)
    expected = np.concatenate([s.values * scales[s.label] for s in subjects])
    np.testing.assert_allclose(pooled.in_units(), expected, rtol=1e-5)
    assert not pooled.notes
    # A scale of the files' own is used, and said.
    given = [replace(s, percent=np.array([True, False])) for s in subjects]
    (note,) = pool_subjects(given).notes
    assert "Segments are subjects, but b have no baseline" in note
    with pytest.raises(InputError, match=r"'A' and 'B'.*only one of them has a baseline of 'b'"):
        pool_subjects([subjects[0], *given[1:]])


def test_subjects_that_were_each_divided_by_their_own_spread_are_not_pooled():
    three = [series(label=label) for label in "ABC"]
    with pytest.raises(InputError, match=r"Subject 'B' was divided by its own.*windows"):
        pool_subjects([three[0], replace(three[1], scaled_apart=True), three[2]])
    alike = [replace(s, values=(s.values / s.values.std(axis=0))) for s in three]
    with pytest.raises(InputError, match="Every subject was divided by its own"):
        pool_subjects(alike)


def test_subjects_that_differ_are_not_pooled():
    three = [series(label=label) for label in "AB"] + [series(label="C", tr=1.0)]
    with pytest.raises(InputError, match=r"'A' and 'C'.*2 s and 1 s"):
        pool_subjects(three)


def test_spaces_around_a_trial_type_make_no_other_segment(tmp_path):
    rows = "".join(f"{40 * i}\t40\t{'ABC'[i % 3]}{' ' * (i % 2)}\n" for i in range(6))
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\ttrial_type\n" + rows)
    assert {block[2] for block in _read_blocks(path)} == {"A", "B", "C"}


@pytest.mark.parametrize(
    ("unit", "remedy"), [(1000.0, "these look like milliseconds"), (1.0, "check that the file")]
)
def test_blocks_beyond_the_run_are_said_with_its_length(tmp_path, unit, remedy):
    late = 0.0 if unit > 1 else 6000.0
    blocks = [(late + unit * 60.0 * i, unit * 60.0, "ABC"[i % 3]) for i in range(10)]
    with pytest.raises(InputError, match=rf"begin outside the run, which lasts 600 s.*{remedy}"):
        _check_within(tmp_path / "events.tsv", blocks, 600.0)
