"""Which files the series of a subject are made from: when one changes, they are made again."""

from causal_ivae.batch.loading import input_files
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.file_names import Folders


def names(subject, root):
    return {path.relative_to(root).as_posix() for path in input_files(subject, Folders())}


def test_a_run_is_made_from_its_image_and_what_lies_beside_it(tmp_path, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, tasks=("rest", "nback"), n_volumes=40, bad=())
    func = tree.root / "sub-01" / "func"
    (func / "sub-01_task-rest_events.tsv").write_text("onset\tduration\n0\t1\n")
    (func / "sub-01_task-rest_desc-carpetplot_bold.svg").write_text("<svg/>")
    (tree.root / "task-rest_bold.json").write_text('{"RepetitionTime": 2.0}')
    (subject,) = find_subjects(tree.root, tasks=("rest",))
    stem = "sub-01/func/sub-01_task-rest"
    image = f"{stem}_space-MNI152NLin2009cAsym"
    beside = {
        f"{image}_desc-preproc_bold.nii.gz",
        f"{image}_desc-brain_mask.nii.gz",
        f"{stem}_desc-confounds_timeseries.tsv",
        f"{stem}_desc-confounds_timeseries.json",
        f"{stem}_events.tsv",
    }
    own = f"{image}_desc-preproc_bold.json"
    assert names(subject, tree.root) == beside | {own}
    # Without a sidecar of its own, the run inherits the one at the top.
    (tree.root / own).unlink()
    assert names(subject, tree.root) == beside | {"task-rest_bold.json"}
