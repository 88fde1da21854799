"""What users of other BIDS Apps type from habit is understood."""

import json
from pathlib import Path

import pytest

from causal_ivae.cli import build_parser, main
from causal_ivae.commands.run import with_levels_apart

ROOT = Path(__file__).parents[2]


def parsed(*words):
    return build_parser().parse_args(with_levels_apart(["run", "IN", "OUT", *words]))


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["participant", "--participant_label", "01", "02"], "participant_label", ["01", "02"]),
        (["participant", "-t", "rest", "nback"], "task", ["rest", "nback"]),
        (["participant", "--task-id", "rest"], "task", ["rest"]),
        (["participant", "--session-id", "1"], "session_label", ["1"]),
        (["participant", "--n_cpus", "4"], "nprocs", 4),
        (["participant", "--nthreads", "4"], "nprocs", 4),
        (["participant", "--omp-nthreads", "2"], "omp_nthreads", 2),
        (["participant", "--mem-mb", "4000"], "mem", 4_000_000_000),
        (["participant", "--mem", "4G"], "mem", 4 * 2**30),
        (["participant", "--mem", "500MB"], "mem", 500 * 2**20),
        (["participant", "--mem", "4"], "mem", 4 * 2**30),
        (["participant", "--random-seed", "7"], "seed", 7),
        (["participant", "-w", "work"], "work_dir", Path("work")),
        (["--participant_label", "01", "02", "participant"], "participant_label", ["01", "02"]),
        (["-t", "rest", "nback", "participant", "group"], "task", ["rest", "nback"]),
        (["--screen", "participant"], "screen", "partial_correlation"),
        (["--pooled", "participant"], "pooled", True),
        (["--seed", "3", "participant"], "seed", 3),
    ],
)
def test_options_and_levels_in_any_order(words, name, value):
    options = parsed(*words)
    assert getattr(options, name) == value
    assert options.levels[0] == "participant"


def test_the_descriptor_is_valid_and_names_options_that_exist():
    from boutiques.validator import validate_descriptor

    descriptor = json.loads((ROOT / "boutiques.json").read_text())
    validate_descriptor(descriptor)
    inputs = descriptor["inputs"]
    words = ["participant"]
    for item in inputs:
        if "command-line-flag" in item:
            words += [item["command-line-flag"], "1"]
    options = parsed(*words)
    for item in inputs:
        assert hasattr(options, item["id"])


def test_a_dry_run_refuses_what_the_run_would_refuse(tmp_path, capsys):
    rows = "".join(f"{i % 7}\t{i % 5}\n" for i in range(200))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sub-01_task-rest_timeseries.tsv").write_text("a\tb\n" + rows)
    arguments = ["run", str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--dry-run"]
    for by, why in (
        ("runs", "has 1 runs (segments.by: runs); at least 3"),
        ("sessions", "has 0 sessions in the names"),
        ("task", "No events for run 'task-rest'"),
    ):
        assert main([*arguments, "--segments", by]) == 1
        assert why in capsys.readouterr().out
    assert main(arguments) == 0


def test_a_pipeline_is_checked(tmp_path, capsys):
    assert main(["pipeline", "check", "default"]) == 0
    assert "No fault found." in capsys.readouterr().out
    (tmp_path / "my.yaml").write_text("atlas: aal2\nregions: [Hippocampus_L, Hipocampus_R]\n")
    assert main(["pipeline", "check", str(tmp_path / "my.yaml")]) == 2
    assert "Did you mean 'Hippocampus_R'?" in capsys.readouterr().err


def test_two_sources_of_settings_are_one_too_many(tmp_path, capsys):
    words = ["run", str(tmp_path), "out", "participant", "--pipeline", "default"]
    assert main([*words, "--config-file", "pipeline.yaml"]) == 2
    assert "Both --pipeline and --config-file" in capsys.readouterr().err
