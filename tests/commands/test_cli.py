import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import nibabel as nib
import numpy as np
import pytest
from tiny_study import subject_table, write_study, write_tiny_pipeline

from causal_ivae import __version__
from causal_ivae.batch import runner
from causal_ivae.cli import build_parser, main
from causal_ivae.commands import COMMANDS
from causal_ivae.commands.run import with_levels_apart
from causal_ivae.derivatives.files import read_table
from causal_ivae.discovery.methods import METHODS
from causal_ivae.settings import SCREENINGS, resources
from causal_ivae.settings.input import SegmentKind


@pytest.fixture
def study(tmp_path):
    write_study(tmp_path / "input", ("01",))
    write_tiny_pipeline(tmp_path / "tiny.yaml")
    return tmp_path


def run(study: Path, *options: str, source="input", output="out", levels=("participant",)) -> int:
    pipeline = ["--pipeline", str(study / "tiny.yaml")]
    if "--pipeline" in options:
        pipeline = []
    return main(
        ["run", str(study / source), str(study / output), *levels, *pipeline, "--device", "cpu",
         *options]
    )  # fmt: skip


def error_line(capsys) -> str:
    """Return the only line on standard error."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("causal-ivae: error: ")
    return lines[0].removeprefix("causal-ivae: error: ")


def test_run_on_a_table_from_the_command_line(study, capsys):
    code = main(
        ["run", str(study / "input"), str(study / "out"), "participant", "--pipeline",
         str(study / "tiny.yaml"), "--method", "tcl", "--segments", "windows:80", "--seed", "7",
         "--device", "cpu", "--prior", "none", "--participant-label", "01"]
    )  # fmt: skip
    shown = capsys.readouterr()
    assert code == 0
    assert str(study / "out" / "sub-01.html") in shown.out
    assert "sub-01 done" in shown.err
    sidecar = study / "out/sub-01/func/sub-01_task-rest_meas-tcl_edges.json"
    about = json.loads(sidecar.read_text())
    assert about["Seed"] == 7
    assert about["Settings"]["segments"]["window_seconds"] == 80
    assert about["Settings"]["unmixing"]["methods"] == ["tcl"]
    assert about["Command"].startswith("causal-ivae run ")
    assert "--seed 7" in about["Command"]
    assert not list((study / "out").rglob("*meas-ivae*"))
    assert (
        main(["run", str(study / "input"), str(study / "out"), "participant", "--reports-only"])
        == 0
    )
    style = study / "own" / "style.css"
    style.parent.mkdir()
    style.write_text("body { color: rebeccapurple; }")
    again = ["--reports-only", "--templates", str(style.parent)]
    assert main(["run", str(study / "input"), str(study / "out"), "participant", *again]) == 0
    for page in ("sub-01.html", "index.html"):
        assert "rebeccapurple" in (study / "out" / page).read_text()


def test_dry_run_writes_nothing(study, capsys):
    before = sorted(study.rglob("*"))
    assert run(study, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "sub-01" in shown
    assert "ivae, tcl" in shown
    assert sorted(study.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--participant-label", "99"], "'99'"),
        (["--task", "nback"], "nback"),
        (["--method", "icasso"], "icasso"),
        (["--segments", "windows:soon"], "soon"),
        (["--segments", "years"], "years"),
        (["--segments", "runs:3"], "runs:3"),
        (["--tr", "-1"], "tables.tr"),
        (["--prior", "no_such_prior"], "no_such_prior"),
        (["--atlas", "no_such_atlas"], "no_such_atlas"),
        (["--pipeline", "defaults"], "Did you mean 'default'?"),
        (["--bids-filter-file", "absent.json"], "absent.json"),
        (["--seed", "-3"], "-3"),
        (["--nprocs", "0"], "--nprocs"),
        (["--frobnicate"], "--frobnicate"),
        (["--segments", "subjects"], "run the level group alone"),
        (["--device", "gpu"], "Unknown device 'gpu'"),
        (["--device", "cuda:99"], "'cuda:99' does not exist"),
        (["--templates", "absent"], "Templates 'absent': there is no such folder"),
    ],
)
def test_wrong_options_give_one_line_and_code_2_and_write_nothing(study, capsys, options, message):
    assert run(study, *options) == 2
    assert message in error_line(capsys)
    assert not (study / "out").exists()


def test_unknown_key_names_file_and_nearest_key(study, capsys):
    (study / "mine.yaml").write_text("unmixing:\n  restart: 3\n")
    assert run(study, "--pipeline", str(study / "mine.yaml")) == 2
    line = error_line(capsys)
    assert "mine.yaml" in line
    assert "Did you mean 'restarts'?" in line


def test_output_that_cannot_be_written_gives_code_2(study, capsys):
    (study / "file").write_text("")
    assert run(study, output="file/out") == 2
    assert "Check the path" in error_line(capsys)


def test_reason_of_a_failure_is_said_once(study, capsys):
    subject_table("01").assign(B=1.0).to_csv(
        study / "input" / "sub-01_task-rest_timeseries.tsv", sep="\t", index=False
    )
    assert run(study) == 2
    assert capsys.readouterr().err.count("'B' is constant") == 1


@pytest.mark.parametrize("source", ["absent", "absent.tsv"])
def test_missing_input_gives_code_2(study, capsys, source):
    assert run(study, source=source) == 2
    assert source in error_line(capsys)


def test_output_inside_input_gives_code_2(study, capsys):
    assert run(study, output="input/out") == 2
    assert "inside the input" in error_line(capsys)
    assert not (study / "input" / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(B=t["B"].where(t.index != 4)), "'B'"),
        (lambda t: t.assign(B=2.0), "'B'"),
        (lambda t: t.assign(B="high"), "'B'"),
        (lambda t: t[["A"]], "region"),
        (lambda t: t.rename(columns={"B": "A"}), "'A'"),
        (lambda t: t.iloc[:60], "segments"),
    ],
    ids=["gap", "constant", "text", "one region", "duplicate", "too short"],
)
def test_bad_table_of_the_only_subject_gives_one_line_and_code_2(study, capsys, change, message):
    table = study / "input" / "sub-01_task-rest_timeseries.tsv"
    change(subject_table("01")).to_csv(table, sep="\t", index=False)
    assert run(study) == 2
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("causal-ivae: error: ")]
    assert len(lines) == 1
    assert "sub-01" in lines[0]
    assert message in lines[0]
    assert "Traceback" not in shown.err
    status = read_table(next((study / "out" / "logs").glob("*/status.tsv")))
    assert list(status["state"]) == ["failed"]
    assert not (study / "out" / "sub-01.html").exists()
    assert not list((study / "out").rglob("*_timeseries.*"))


def test_traceback_only_when_asked_for(study, capsys):
    assert run(study, "--task", "nback", "-vv") == 2
    assert "Traceback" in capsys.readouterr().err


def test_internal_error_is_one_line_a_crash_file_and_code_70(study, capsys, monkeypatch):
    def fail(planned, display):
        raise ZeroDivisionError("ouch")

    monkeypatch.setattr(runner, "run", fail)
    assert run(study) == 70
    line = error_line(capsys)
    assert "ZeroDivisionError: ouch" in line
    crash = Path(line.rsplit("crash file: ", 1)[1].rstrip(")"))
    assert "Traceback" in crash.read_text()
    crash.unlink()


def test_images_without_an_atlas_are_refused(tmp_path, capsys, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, n_volumes=80)
    write_tiny_pipeline(tmp_path / "tiny.yaml")
    assert run(tmp_path, source=tree.root.name) == 2
    assert "--atlas" in error_line(capsys)


def test_a_dry_run_refuses_an_atlas_without_an_image(tmp_path, capsys, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, n_volumes=80)
    (tmp_path / "names.tsv").write_text("name\nERC\nCA1\n", encoding="utf-8")
    code = main(
        ["run", str(tree.root), str(tmp_path / "out"), "participant", "--atlas",
         str(tmp_path / "names.tsv"), "--dry-run"]
    )  # fmt: skip
    assert code == 2
    assert "has region names only, no image" in error_line(capsys)


def test_run_on_fmriprep_images(tmp_path, capsys, make_fmriprep_tree):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1, n_volumes=200)
    write_tiny_pipeline(tmp_path / "tiny.yaml")
    anatomy = tree.root / "sub-01/anat/sub-01_space-MNI152NLin2009cAsym_desc-preproc_T1w.nii.gz"
    anatomy.parent.mkdir(exist_ok=True)
    brain = np.ones((40, 48, 40), dtype=np.float32)
    affine = np.array([[4.0, 0, 0, -80], [0, 4, 0, -100], [0, 0, 4, -80], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(brain, affine), anatomy)
    assert run(tmp_path, "--atlas", str(tree.atlas), "--method", "tcl", source=tree.root.name) == 0
    func = tmp_path / "out" / "sub-01" / "func"
    edges = read_table(next(func.glob("*_meas-tcl_edges.tsv")))
    assert len(edges) == 6
    assert set(edges["x"]) | set(edges["y"]) == set(tree.names)
    about = json.loads(next(func.glob("*_timeseries.json")).read_text())
    assert any(
        name.endswith("desc-confounds_timeseries.tsv") for name in about["InputFingerprints"]
    )
    outliers = read_table(next(func.glob("*_outliers.tsv")))
    assert list(outliers.index[outliers["kept"] == 0]) == list(tree.bad)
    drawn = json.loads(next(func.glob("*_meas-tcl_edges.json")).read_text())
    assert drawn["Coordinates"] == about["Coordinates"]
    assert set(about["Coordinates"]) == set(tree.names)
    assert about["Space"] == "MNI152NLin2009cAsym"
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert 'value="brain"' in page
    assert 'class="map"' in page
    assert (tmp_path / "out" / about["RegionMap"]).is_file()
    assert about["RegionMap"].startswith("sub-01/figures/")
    assert anatomy.name in page
    assert "own anatomy (<code>" in page


def test_atlas_and_pipeline_commands(capsys):
    assert main(["atlas", "list"]) == 0
    assert "aal2" in capsys.readouterr().out
    assert main(["pipeline", "list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("default", "quick", "paper", "scrubbing_gsr", "36P"))
    assert main(["pipeline", "show", "quick"]) == 0
    assert capsys.readouterr().out == resources.find("pipelines", "quick").read_text()
    assert main(["pipeline", "show", "24P"]) == 0
    assert capsys.readouterr().out == resources.find("denoise", "24P").read_text()
    assert main(["pipeline", "show", "quik"]) == 2
    assert "Did you mean 'quick'?" in error_line(capsys)


def test_atlas_check(tmp_path, capsys):
    assert main(["atlas", "check", "power264"]) == 0
    text = capsys.readouterr().out
    assert "power264: coordinates, 264 regions, space MNI" in text
    assert text.endswith("No fault found.\n")
    labels = np.ones((4, 4, 4), dtype=np.int16)
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "mine_dseg.nii.gz")
    (tmp_path / "mine_dseg.tsv").write_text("index\tname\n1\tA\n2\tB\n")
    assert main(["atlas", "check", str(tmp_path / "mine_dseg.nii.gz")]) == 2
    assert "Listed but not in the image: B." in error_line(capsys)
    assert main(["atlas", "check", str(tmp_path / "absent.nii.gz")]) == 2
    assert "neither a file nor one of the bundled atlases" in error_line(capsys)


def test_no_command_is_wrong_usage(capsys):
    assert main([]) == 2
    assert "COMMAND" in error_line(capsys)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"causal-ivae {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], *([command.name, "--help"] for command in COMMANDS), ["benchmark", "null", "-h"]],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments):
    script = (
        "import sys; from causal_ivae.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'pandas', 'numpy', 'nibabel', 'nilearn', 'dask', 'pydantic'}; "
        "found = heavy & set(sys.modules); "
        "sys.exit(f'imported {found}' if found or code else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage: causal-ivae" in done.stdout


def without_a_reader(arguments, folder, errors):
    """Run the program as a shell does before ``| head``, whose reader has left already."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            [sys.executable, "-m", "causal_ivae", *arguments],
            stdout=writer, stderr=errors, text=True, check=False, cwd=folder,
        )  # fmt: skip
    finally:
        os.close(writer)


@pytest.mark.parametrize("errors", [subprocess.PIPE, subprocess.STDOUT], ids=["stdout", "both"])
def test_a_run_whose_output_nobody_reads_ends_with_its_own_exit_code(study, errors):
    subject_table("01").assign(B=1.0).to_csv(
        study / "input" / "sub-01_task-rest_timeseries.tsv", sep="\t", index=False
    )
    arguments = ["run", "input", "out", "participant", "--pipeline", "tiny.yaml"]
    done = without_a_reader([*arguments, "--device", "cpu"], study, errors)
    assert done.returncode == 2
    assert "Pipe" not in (done.stderr or "")
    assert (study / "out" / "index.html").is_file()
    status = read_table(next((study / "out" / "logs").glob("*/status.tsv")))
    assert list(status["state"]) == ["failed"]


def test_a_list_whose_reader_has_seen_enough_ends_well(tmp_path):
    done = without_a_reader(["atlas", "list"], tmp_path, subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")


def test_module_and_exit_code_from_a_shell(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "causal_ivae", "run", "absent", "out", "participant"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("causal-ivae: error: ")
    assert done.stderr.count("\n") == 1


def test_help_of_run_names_every_method_segment_and_test(capsys):
    assert main(["run", "--help"]) == 0
    words = set(re.findall(r"\w+", capsys.readouterr().out))
    presets = {name.removesuffix("_gsr") for name in resources.names("denoise")}
    assert words >= {*METHODS, *SCREENINGS, *get_args(SegmentKind), *presets}


def test_help_of_run_lists_options_and_exit_codes(capsys):
    assert main(["run", "--help"]) == 0
    documented = capsys.readouterr().out
    for option in ("--pipeline", "--prior", "--overwrite", "--dry-run", "--reports-only"):
        assert option in documented
    assert "Exit codes: 0 all done" in documented


@pytest.mark.parametrize(
    ("words", "levels", "methods", "labels"),
    [
        ("--method tcl participant", ["participant"], ["tcl"], []),
        ("--method tcl ivae participant group", ["participant", "group"], ["tcl", "ivae"], []),
        ("--participant-label 01 group --method tcl", ["group"], ["tcl"], ["01"]),
        ("participant --participant-label group", ["participant"], None, ["group"]),
        ("--seed 1 participant", ["participant"], None, []),
    ],
)
def test_an_option_of_several_words_leaves_the_level(words, levels, methods, labels):
    given = ["run", "in", "out", *words.split()]
    found = build_parser().parse_args(with_levels_apart(given))
    assert (found.levels, found.method, found.participant_label) == (levels, methods, labels)


def test_a_level_that_is_missing_is_asked_for(study, capsys):
    assert main(["run", str(study / "input"), str(study / "out")]) == 2
    assert "LEVEL" in error_line(capsys)
