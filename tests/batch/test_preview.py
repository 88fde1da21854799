"""What a run would do is said without doing it, and is what it then does."""

import os
import shutil
from pathlib import Path

import pytest
from tiny_study import (
    file_of,
    run_study,
    snapshot,
    states,
    subject_table,
    tiny_pipeline,
    write_study,
)

from causal_ivae.batch.plan import plan
from causal_ivae.batch.preview import preview
from causal_ivae.batch.request import Request

QUICK = {"unmixing__methods": ["tcl"], "denoise__missing_regions": "drop"}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two subjects, each run alone in this process; the second has no region B."""
    folder = tmp_path_factory.mktemp("two")
    source = write_study(folder / "input", ("01", "02"))
    table = source / "sub-02_task-rest_timeseries.tsv"
    subject_table("02").drop(columns="B").to_csv(table, sep="\t", index=False)
    for label in ("01", "02"):
        run_study(source, folder / "out", pipeline=tiny_pipeline(**QUICK), labels=(label,))
    return folder


@pytest.fixture
def finished(two, tmp_path):
    """Return a copy of the two subjects: input and output."""
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    return tmp_path / "input", tmp_path / "out"


def said(source, out, labels=("01",), changes=None, **options):
    pipeline = tiny_pipeline(**(QUICK | (changes or {})))
    request = Request(
        source, out, ("participant",), pipeline, device="cpu", labels=labels, **options
    )
    before = snapshot(out)
    found = preview(plan(request))
    assert snapshot(out) == before
    return found


@pytest.mark.parametrize(
    ("changes", "options", "expected"),
    [
        ({}, {}, "up to date"),
        ({}, {"seed": 1}, "load, tcl"),
        ({}, {"overwrite": "always"}, "load, tcl"),
        ({"segments__window_seconds": 80.0}, {}, "load, tcl"),
        ({"segments__window_seconds": 80.0}, {"overwrite": "never"}, "up to date"),
        ({"unmixing__tcl__steps": 21}, {}, "tcl"),
        ({"unmixing__methods": ["ivae", "tcl"]}, {}, "ivae"),
        ({"unmixing__ivae__steps": 21}, {}, "up to date"),
        ({"prior__name": "prior.tsv"}, {}, "prior or page only"),
    ],
)
def test_settings_make_stale_what_depends_on_them(finished, changes, options, expected):
    source, out = finished
    if "prior__name" in changes:
        prior = source.parent / "prior.tsv"
        prior.write_text("cause\teffect\nA\tB\n")
        changes = {"prior__name": str(prior)}
    if options.get("overwrite") == "never":
        # What is kept though it is stale is said by the run.
        options = {**options, "labels": ("01",)}
        result = run_study(source, out, pipeline=tiny_pipeline(**(QUICK | changes)), **options)
        assert states(result) == {"sub-01": expected}
        assert "kept" in result.outcomes[0].message
    else:
        assert said(source, out, changes=changes, **options) == {"sub-01": expected}


def test_regions_that_another_subject_lacks_make_a_graph_stale(finished):
    source, out = finished
    both = ("01", "02")
    assert said(source, out, both) == {"sub-01": "tcl", "sub-02": "up to date"}


def test_what_is_not_there_is_made(finished):
    source, out = finished
    (out / "sub-01.html").unlink()
    assert said(source, out) == {"sub-01": "prior or page only"}
    file_of(out, "sub-01", "edges.json", "tcl").unlink()
    assert said(source, out) == {"sub-01": "tcl"}
    file_of(out, "sub-01", "timeseries.json").unlink()
    assert said(source, out) == {"sub-01": "load, tcl"}
    (source / "sub-02_task-rest_timeseries.json").write_text("{}")
    assert said(source, out, ("02",)) == {"sub-02": "load, tcl"}


def test_a_page_that_is_older_than_its_results_is_made_again(finished):
    source, out = finished
    page, sidecar = out / "sub-01.html", file_of(out, "sub-01", "edges.json", "tcl")
    written = sidecar.stat().st_mtime_ns
    os.utime(page, ns=(written, written))
    assert said(source, out) == {"sub-01": "up to date"}
    os.utime(page, ns=(written - 1, written - 1))
    assert said(source, out) == {"sub-01": "prior or page only"}


def test_a_new_comparison_that_was_interrupted_is_not_taken_for_the_old_one(finished, monkeypatch):
    source, out = finished
    prior = source.parent / "prior.tsv"
    prior.write_text("cause\teffect\nA\tB\n")
    sidecar = file_of(out, "sub-01", "edges.json", "tcl")
    check = file_of(out, "sub-01", "priorcheck.tsv", "tcl")
    assert not check.exists()

    def stop(self, target):
        if target == sidecar and check.exists():
            raise KeyboardInterrupt
        return replace_file(self, target)

    replace_file = Path.replace
    pipeline = tiny_pipeline(prior__name=str(prior), **QUICK)
    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        run_study(source, out, pipeline=pipeline, labels=("01",))
    monkeypatch.undo()
    assert check.exists()
    # Without a prior the results were up to date before; the table that lies there now is not.
    assert said(source, out) == {"sub-01": "prior or page only"}
    result = run_study(source, out, pipeline=tiny_pipeline(**QUICK), labels=("01",))
    assert states(result) == {"sub-01": "done"}
    assert not check.exists()
