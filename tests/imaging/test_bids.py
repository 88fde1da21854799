import json
from pathlib import Path

import numpy as np
import pytest

from causal_ivae.errors import InputError, NothingMatchedError, SettingsError
from causal_ivae.given_files import require_file
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.file_names import (
    find_sidecar,
    parse_entities,
    run_entities,
    short_names,
    spaces_fit,
)
from causal_ivae.imaging.filters import load_bids_filter

IMAGE = "_desc-preproc_bold.nii.gz"


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def in_space(space):
    return Parcellation("a", "labels", ("x", "y"), space, Path("a.tsv"))


def labels(subjects):
    return [s.label for s in subjects]


def test_entities_of_file_names():
    name = "sub-01_ses-a_task-rest_run-02_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz"
    assert parse_entities(name) == {
        "sub": "01", "ses": "a", "task": "rest", "run": "02",
        "space": "MNI152NLin2009cAsym", "res": "2", "desc": "preproc",
    }  # fmt: skip
    assert parse_entities("my_table.v2.tsv") == {}


def test_images_with_and_without_sessions(tmp_path):
    touch(
        tmp_path,
        f"sub-02/func/sub-02_task-rest_run-10_space-A{IMAGE}",
        f"sub-02/func/sub-02_task-rest_run-2_space-A{IMAGE}",
        f"sub-10/ses-1/func/sub-10_ses-1_task-rest_space-A{IMAGE}",
        f"sub-10/ses-2/func/sub-10_ses-2_task-rest_space-A{IMAGE}",
        "sub-02/func/sub-02_task-rest_run-2_desc-confounds_timeseries.tsv",
        "sub-02.html",
    )
    two, ten = find_subjects(tmp_path)
    assert (two.label, two.kind, ten.label) == ("02", "images", "10")
    assert [r.name for r in two.runs] == ["task-rest_run-2", "task-rest_run-10"]
    assert [r.name for r in ten.runs] == ["ses-1_task-rest", "ses-2_task-rest"]


def test_tables_by_name_folder_and_stem(tmp_path):
    named = touch(
        tmp_path / "named",
        "sub-01_task-rest_timeseries.tsv",
        "sub-02/ses-1/sub-02_ses-1_task-rest_timeseries.tsv",
        "sub-03/rest.csv",
        "participants.tsv",
        "group_means.csv",
        "sub-01_task-rest_events.tsv",
        "sub-01_task-rest_desc-confounds_timeseries.tsv",
        "sub-01_task-rest_meas-ivae_edges.tsv",
        ".sub-04.tsv",
    )
    found = find_subjects(named)
    assert labels(found) == ["01", "02", "03"]
    assert {s.kind for s in found} == {"tables"}
    assert found[0].runs[0].events == named / "sub-01_task-rest_events.tsv"
    assert found[1].runs[0].events is None
    plain = touch(tmp_path / "plain", "S10.npy", "S9.npy", "my_subject.npy", "notes.txt")
    assert labels(find_subjects(plain)) == ["S9", "S10", "mysubject"]


def test_a_single_file(tmp_path):
    touch(tmp_path, "sub-07_task-rest_bold.tsv", "sub-08.tsv", "x.docx")
    (subject,) = find_subjects(tmp_path / "sub-07_task-rest_bold.tsv")
    assert (subject.label, len(subject.runs)) == ("07", 1)
    with pytest.raises(InputError, match=r"x\.docx.*neither a table"):
        find_subjects(tmp_path / "x.docx")


def test_unusual_suffixes_count_only_where_nothing_better_is_there(tmp_path):
    odd = touch(tmp_path / "odd", "sub-01_roi.tsv", "sub-02_roi.tsv")
    assert labels(find_subjects(odd)) == ["01", "02"]
    both = touch(tmp_path / "both", "sub-01_roi.tsv", "sub-02_timeseries.tsv")
    assert labels(find_subjects(both)) == ["02"]


def test_links_are_followed_once(tmp_path):
    touch(tmp_path / "data", "sub-01/a/sub-01_timeseries.tsv")
    (tmp_path / "data" / "sub-01" / "a" / "up").symlink_to(tmp_path / "data" / "sub-01")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sub-01").symlink_to(tmp_path / "data" / "sub-01")
    (subject,) = find_subjects(tmp_path / "in")
    assert len(subject.runs) == 1


def test_participants_with_and_without_prefix(tmp_path):
    touch(tmp_path, "sub-01.tsv", "sub-02.tsv", "sub-03.tsv")
    assert labels(find_subjects(tmp_path, labels=("sub-03", "01"))) == ["01", "03"]
    with pytest.raises(NothingMatchedError, match=r"participant '9'.*there: '01', '02', '03'"):
        find_subjects(tmp_path, labels=("9",))


def test_what_was_looked_for_is_said(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.*does not exist"):
        find_subjects(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"neither fMRIPrep images.*It is empty"):
        find_subjects(tmp_path)
    touch(tmp_path, "readme.md")
    with pytest.raises(InputError, match=r"It holds 'readme\.md'"):
        find_subjects(tmp_path)
    touch(tmp_path, "sub-01/func/sub-01_task-rest_bold.nii.gz")
    with pytest.raises(InputError, match=r"not preprocessed.*fMRIPrep derivatives folder"):
        find_subjects(tmp_path)
    touch(tmp_path, f"derivatives/fmriprep/sub-01/func/sub-01_task-rest{IMAGE}")
    with pytest.raises(InputError, match=r"Perhaps '.*derivatives/fmriprep'"):
        find_subjects(tmp_path)
    (subject,) = find_subjects(tmp_path / "derivatives/fmriprep/sub-01/func")
    assert (subject.label, subject.kind) == ("01", "images")


def test_two_files_for_one_run_are_named(tmp_path):
    stems = touch(tmp_path / "a", "a-b.npy", "ab.npy")
    with pytest.raises(InputError, match=r"a-b\.npy.*ab\.npy"):
        find_subjects(stems)
    formats = touch(tmp_path / "b", "sub-01_timeseries.tsv", "sub-01_timeseries.csv")
    with pytest.raises(InputError, match=r"timeseries\.csv.*timeseries\.tsv"):
        find_subjects(formats)
    versions = touch(
        tmp_path / "c", "sub-01_atlas-a_timeseries.tsv", "sub-01_atlas-b_timeseries.tsv"
    )
    with pytest.raises(SettingsError, match=r"several atlases: 'a', 'b'.*--atlas"):
        find_subjects(versions)
    (subject,) = find_subjects(versions, atlas_name="A")
    assert subject.runs[0].entity("atlas") == "a"
    (subject,) = find_subjects(versions, bids_filter={"bold": {"atlas": "b"}})
    assert subject.runs[0].entity("atlas") == "b"


def test_several_tasks_and_sessions(tmp_path):
    touch(
        tmp_path,
        *(f"sub-01/ses-{s}/func/sub-01_ses-{s}_task-{t}_space-A{IMAGE}"
          for s in "12" for t in ("rest", "nback")),
    )  # fmt: skip
    with pytest.raises(SettingsError, match=r"several tasks: 'nback', 'rest'.*--task"):
        find_subjects(tmp_path)
    (subject,) = find_subjects(tmp_path, tasks=("rest",), sessions=("ses-2",))
    assert [r.name for r in subject.runs] == ["ses-2_task-rest"]
    with pytest.raises(NothingMatchedError, match=r"task-'flanker'.*'nback', 'rest'"):
        find_subjects(tmp_path, tasks=("flanker",))


def test_several_spaces(tmp_path):
    spaces = ("MNI152NLin6Asym_res-1", "MNI152NLin6Asym_res-2", "MNI152NLin2009cAsym", "T1w")
    touch(tmp_path, *(f"sub-01/func/sub-01_task-rest_space-{s}{IMAGE}" for s in spaces))
    touch(tmp_path, f"sub-01/func/sub-01_task-rest{IMAGE}")
    with pytest.raises(SettingsError, match=r"several spaces.*native.*--space"):
        find_subjects(tmp_path)
    (subject,) = find_subjects(tmp_path, atlas=in_space("MNI152NLin2009cAsym"))
    assert subject.runs[0].entity("space") == "MNI152NLin2009cAsym"
    with pytest.raises(SettingsError, match=r"several spaces"):
        find_subjects(tmp_path, atlas=in_space("MNI"))
    with pytest.raises(SettingsError, match=r"differ in 'res'"):
        find_subjects(tmp_path, space="MNI152NLin6Asym")
    (subject,) = find_subjects(tmp_path, space="MNI152NLin6Asym:res-2")
    assert subject.runs[0].entity("res") == "2"
    (subject,) = find_subjects(tmp_path, bids_filter={"bold": {"space": None}})
    assert subject.runs[0].entity("space") is None


def test_spaces_that_fit():
    assert spaces_fit("MNI152NLin6Asym", "MNI")
    assert spaces_fit("T1w", "T1w")
    assert not spaces_fit("MNI152NLin6Asym", "MNI152NLin2009cAsym")
    assert not spaces_fit("T1w", "MNI")
    assert not spaces_fit(None, "MNI")


def test_bids_filters(tmp_path):
    touch(tmp_path, *(f"sub-01/func/sub-01_task-rest_run-0{r}_space-A{IMAGE}" for r in (1, 2, 3)))
    path = tmp_path / "filter.json"
    path.write_text(json.dumps({"t1w": {}, "bold": {"datatype": "func", "run": [1, "3"]}}))
    (subject,) = find_subjects(tmp_path, bids_filter=load_bids_filter(path))
    assert [r.name for r in subject.runs] == ["task-rest_run-01", "task-rest_run-03"]
    with pytest.raises(SettingsError, match=r"'tsk'.*Did you mean 'task'"):
        find_subjects(tmp_path, bids_filter={"bold": {"tsk": "1"}})
    with pytest.raises(SettingsError, match=r"Unknown query 'blod'.*'bold'"):
        find_subjects(tmp_path, bids_filter={"blod": {}})
    path.write_text("{")
    with pytest.raises(InputError, match=r"filter\.json.*cannot be read"):
        load_bids_filter(path)


def test_sidecars_are_inherited_from_above(tmp_path):
    touch(
        tmp_path,
        "task-rest_events.tsv",
        "task-nback_events.tsv",
        "sub-01/func/sub-01_task-rest_run-2_events.tsv",
        "sub-01/func/sub-01_task-rest_run-2_timeseries.tsv",
    )
    func = tmp_path / "sub-01" / "func"
    run = [func / f"sub-01_task-rest_run-{r}_timeseries.tsv" for r in (1, 2)]
    assert find_sidecar(run[1], "events", ".tsv", tmp_path).parent == func
    assert find_sidecar(run[0], "events", ".tsv", tmp_path) == tmp_path / "task-rest_events.tsv"
    assert find_sidecar(run[0], "events", ".tsv", func) is None


def test_adding_a_subject_changes_no_other(tmp_path):
    touch(tmp_path, "sub-01.tsv", "sub-02.tsv")
    before = find_subjects(tmp_path)
    touch(tmp_path, "sub-015.tsv")
    assert set(before) < set(find_subjects(tmp_path))


def test_natural_order_of_many(tmp_path):
    numbers = np.random.default_rng(0).permutation(12) + 1
    touch(tmp_path, *(f"sub-{n}.tsv" for n in numbers))
    assert labels(find_subjects(tmp_path)) == [str(n) for n in range(1, 13)]


def test_labels_come_from_the_input_not_from_above_it(tmp_path):
    inside = touch(tmp_path / "sub-x" / "study", "S1.tsv", "S2.tsv")
    assert labels(find_subjects(inside)) == ["S1", "S2"]
    deep = touch(tmp_path / "data", "sub-07/ses-1/rest.tsv")
    assert labels(find_subjects(deep / "sub-07" / "ses-1" / "rest.tsv")) == ["07"]


def test_a_participant_without_the_chosen_task_is_named(tmp_path):
    touch(
        tmp_path, *(f"sub-0{s}_task-{t}_timeseries.tsv" for s, t in ((1, "a"), (1, "b"), (2, "a")))
    )
    assert labels(find_subjects(tmp_path, tasks=("b",))) == ["01"]
    with pytest.raises(NothingMatchedError, match=r"Participant '02' has no run with the task"):
        find_subjects(tmp_path, tasks=("b",), labels=("01", "02"))


def test_links_to_nothing_are_found_and_said_when_read(tmp_path):
    (tmp_path / "sub-01.tsv").symlink_to(tmp_path / "annex" / "content")
    (subject,) = find_subjects(tmp_path)
    with pytest.raises(InputError, match=r"sub-01\.tsv' is a link to content.*datalad get"):
        require_file(subject.runs[0].path)


def test_words_beside_entities_are_no_sidecars(tmp_path):
    touch(tmp_path, "S1.tsv", "other_S1.json", "sub-01_bold.tsv", "sub-01_old_bold.json")
    assert find_sidecar(tmp_path / "S1.tsv", "S1", ".json", tmp_path) is None
    assert find_sidecar(tmp_path / "sub-01_bold.tsv", "bold", ".json", tmp_path) is None


def test_a_folder_is_listed_once_however_many_runs_there_are(tmp_path, monkeypatch):
    for subject in range(12):
        for run in (1, 2, 3, 4):
            touch(tmp_path, f"sub-{subject}/func/sub-{subject}_task-rest_run-{run}_space-A{IMAGE}")
    touch(tmp_path, "task-rest_events.tsv")
    listings = []
    glob = type(tmp_path).glob

    def counted(self, pattern):
        listings.append(self)
        return glob(self, pattern)

    monkeypatch.setattr(type(tmp_path), "glob", counted)
    found = find_subjects(tmp_path)
    assert sum(len(subject.runs) for subject in found) == 48
    assert all(run.events == tmp_path / "task-rest_events.tsv" for s in found for run in s.runs)
    # Subjects, images at the top, and events: not once for each run.
    assert listings.count(tmp_path) <= 3


def test_combined_echoes_are_taken_and_single_ones_are_not(tmp_path):
    stem = "sub-1/func/sub-1_task-rest"
    echoes = [f"{stem}_run-{r}_echo-{e}_space-A{IMAGE}" for r in (1, 2) for e in (1, 2, 3)]
    touch(tmp_path, *echoes)
    with pytest.raises(SettingsError, match=r"single echoes \('1', '2', '3'\) and not their comb"):
        find_subjects(tmp_path)
    (one,) = find_subjects(tmp_path, bids_filter={"bold": {"echo": 2}})
    assert [run.name for run in one.runs] == ["task-rest_run-1_echo-2", "task-rest_run-2_echo-2"]
    touch(tmp_path, f"{stem}_run-1_space-A{IMAGE}", f"{stem}_run-2_space-A{IMAGE}")
    (both,) = find_subjects(tmp_path)
    assert [run.name for run in both.runs] == ["task-rest_run-1", "task-rest_run-2"]


def test_wrong_folders_get_the_right_one_or_what_was_looked_for(tmp_path):
    touch(tmp_path, f"derivatives/fmriprep/sub-1/func/sub-1_task-rest_space-A{IMAGE}")
    with pytest.raises(InputError, match=r"holds no subjects, but '.*fmriprep' does\. Give the fo"):
        find_subjects(tmp_path / "derivatives")
    with pytest.raises(InputError, match=r"holds no subjects, but '.*fmriprep' does"):
        find_subjects(tmp_path)
    empty = touch(tmp_path / "empty", "sub-1/anat/sub-1_T1w.nii.gz")
    with pytest.raises(InputError, match=r"neither fMRIPrep images \(sub-\*/\[ses-\*/\]func/\*_de"):
        find_subjects(empty)


def test_the_tables_that_xcpd_writes_beside_series_are_no_series(tmp_path):
    folder = tmp_path / "sub-01" / "func"
    folder.mkdir(parents=True)
    start = "sub-01_task-rest_space-MNI152NLin2009cAsym_seg"
    for name in ("coverage_bold", "alff_bold", "reho_bold", "pearsoncorrelation_relmat"):
        for atlas in ("Tiny", "Small"):
            (folder / f"{start}-{atlas}_stat-{name}.tsv").touch()
    series = [folder / f"{start}-{atlas}_stat-mean_timeseries.tsv" for atlas in ("Tiny", "Small")]
    for path in series:
        path.touch()
    with pytest.raises(SettingsError, match=r"several atlases: 'Small', 'Tiny'.*--atlas"):
        find_subjects(tmp_path)
    for query in ({"seg": "Tiny"}, {"segmentation": "Tiny", "statistic": "mean"}):
        (subject,) = find_subjects(tmp_path, bids_filter={"bold": query})
        assert [run.path for run in subject.runs] == series[:1]


def test_runs_are_told_apart_by_the_entities_of_bids_that_are_no_versions_of_a_run():
    assert run_entities()[:3] == ("ses", "sample", "task")
    assert run_entities().index("run") < run_entities().index("echo")
    assert not {"sub", "space", "desc", "atlas", "stat", "meas"} & set(run_entities())
    assert short_names()["session"] == "ses"
    assert short_names()["measure"] == "meas"
