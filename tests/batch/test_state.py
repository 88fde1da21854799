"""What is made again when somebody changed or removed results, and how few files are opened."""

import json

import pytest
import yaml
from opened_files import opened_files
from tiny_study import TINY, file_of, run_study, snapshot, states, tiny_pipeline, write_study

from causal_ivae.batch.analysis import Analysis, Outcome
from causal_ivae.batch.overview import write_overview
from causal_ivae.batch.state import GroupState
from causal_ivae.batch.summaries import FOLDER, summary_of
from causal_ivae.cli import main
from causal_ivae.derivatives.files import write_json
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.vouching import FILES

BOTH = ("participant", "group")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(path):
    """Change one digit, and neither the size nor the number of columns."""
    text = path.read_text()
    at = max(i for i, letter in enumerate(text) if letter.isdigit())
    path.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])


def delete(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def changed_names(before, after):
    """Return the kinds of files that differ, pages aside."""
    names = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    return {name for name in names if "figures" not in name and not name.endswith(".html")}


@pytest.mark.parametrize(
    ("harm", "suffix", "clause"),
    [
        (cut, "edges.tsv", "edges.tsv was changed since it was written"),
        (edit, "edges.tsv", "edges.tsv was changed since it was written"),
        (delete, "disturbances.npy", "disturbances.npy is missing"),
        (delete, "edges.json", "edges.json is missing"),
        (empty, "edges.json", "edges.json cannot be read"),
    ],
)
@pytest.mark.parametrize("unit", ["sub-01", "group"])
def test_a_graph_whose_files_were_harmed_is_made_again_and_nothing_else(
    finished, unit, harm, suffix, clause
):
    source, out = finished
    if unit == "group" and suffix == "disturbances.npy":
        suffix, clause = "relmat.dense.tsv", "relmat.dense.tsv is missing"
    before = snapshot(out)
    harm(file_of(out, unit, suffix, "tcl"))
    levels = BOTH if unit == "group" else ("participant",)
    result = run_study(source, out, levels=levels, labels=("01",) if unit != "group" else ())
    ended = {outcome.unit: outcome for outcome in result.outcomes}
    assert ended.pop(unit).state == "done"
    assert {outcome.state for outcome in ended.values()} <= {"up to date"}
    done = "combined again" if unit == "group" else "estimated again"
    (said,) = (outcome.message for outcome in result.outcomes if outcome.unit == unit)
    assert said == f"tcl: {clause}; {done}."
    # Only how long it took is another.
    sidecar = str(file_of(out, unit, "edges.json", "tcl").relative_to(out))
    assert changed_names(before, snapshot(out)) <= {sidecar}
    assert FILES in json.loads((out / sidecar).read_text())
    again = run_study(source, out, levels=levels, labels=("01",) if unit != "group" else ())
    assert set(states(again).values()) == {"up to date"}


@pytest.mark.parametrize(
    ("harm", "suffix", "clause"),
    [
        (edit, "timeseries.tsv", "timeseries.tsv was changed since it was written"),
        (delete, "outliers.tsv", "outliers.tsv is missing"),
        (delete, "timeseries.json", "timeseries.json is missing"),
        (cut, "timeseries.json", "timeseries.json cannot be read"),
    ],
)
def test_series_whose_files_were_harmed_are_loaded_again_and_no_graph_is(
    finished, harm, suffix, clause
):
    source, out = finished
    before = snapshot(out)
    harm(file_of(out, "sub-01", suffix))
    result = run_study(source, out, labels=("01",))
    assert states(result) == {"sub-01": "done"}
    assert result.outcomes[0].message == f"{clause}; loaded again."
    # The series are as they were, and their sidecar has the date of today's loading.
    sidecar = str(file_of(out, "sub-01", "timeseries.json").relative_to(out))
    after = snapshot(out)
    old, new = (json.loads(files.pop(sidecar)) for files in (before, after))
    assert {**old, "Date": new["Date"]} == new
    assert after == before
    assert states(run_study(source, out, labels=("01",))) == {"sub-01": "up to date"}


def test_a_harmed_comparison_with_the_prior_is_made_without_a_new_fit(finished, tmp_path):
    source, out = finished
    prior = tmp_path / "prior.tsv"
    prior.write_text("cause\teffect\nA\tB\nB\tC\n")
    options = {"pipeline": tiny_pipeline(prior__name=str(prior)), "labels": ("01",)}
    run_study(source, out, **options)
    check, edges = (file_of(out, "sub-01", s, "tcl") for s in ("priorcheck.tsv", "edges.tsv"))
    before, fitted = check.read_bytes(), edges.stat().st_mtime_ns
    check.unlink()
    result = run_study(source, out, **options)
    assert result.outcomes[0].message == (
        "tcl: priorcheck.tsv is missing; compared with the prior again."
    )
    assert check.read_bytes() == before
    assert edges.stat().st_mtime_ns == fitted
    assert states(run_study(source, out, **options)) == {"sub-01": "up to date"}


def test_the_group_refuses_tables_of_subjects_that_were_changed(finished):
    source, out = finished
    edit(file_of(out, "sub-02", "edges.tsv", "tcl"))
    result = run_study(source, out, levels=("group",))
    assert "The tcl graph of 'sub-02' cannot be used" in result.failed[0].message
    assert "run the level participant again" in result.failed[0].message
    combined = file_of(out, "group", "edges.tsv", "tcl").stat().st_mtime_ns
    repaired = run_study(source, out, levels=BOTH)
    assert states(repaired)["sub-02"] == "done"
    # The same graph as before, of which only the page is written again.
    assert states(repaired)["group"] == "done"
    assert file_of(out, "group", "edges.tsv", "tcl").stat().st_mtime_ns == combined


def test_results_of_a_version_that_wrote_no_digests_are_made_again_once(finished):
    source, out = finished
    sidecar = file_of(out, "sub-01", "edges.json", "tcl")
    about = json.loads(sidecar.read_text())
    del about[FILES]
    sidecar.write_text(json.dumps(about))
    kept = run_study(source, out, labels=("01",), overwrite="never")
    assert "kept, though made with other settings" in kept.outcomes[0].message
    assert states(run_study(source, out, labels=("01",))) == {"sub-01": "done"}
    assert states(run_study(source, out, labels=("01",))) == {"sub-01": "up to date"}


def own_files(opened, out):
    """Return how often the results of subjects were opened."""
    counts = {p: n for p, n in opened.items() if p.is_relative_to(out)}
    return {p: n for p, n in counts.items() if p.relative_to(out).parts[0].startswith("sub-")}


def test_the_command_line_opens_the_results_of_a_subject_at_most_45_times(tmp_path, capsys):
    source, out = write_study(tmp_path / "input", ("01",)), tmp_path / "out"
    prior = tmp_path / "prior.tsv"
    prior.write_text("cause\teffect\nA\tB\nB\tC\n")
    settings = TINY | {
        "unmixing": TINY["unmixing"] | {"methods": ["structural", "ivae", "tcl"]},
        "prior": {"name": str(prior), "draws": 99},
    }
    pipeline = tmp_path / "pipeline.yaml"
    pipeline.write_text(yaml.safe_dump(settings))
    command = ["run", str(source), str(out), "participant", "--pipeline", str(pipeline)]
    with opened_files() as opened:
        assert main([*command, "--device", "cpu"]) == 0
    fresh = own_files(opened, out)
    assert fresh[file_of(out, "sub-01", "timeseries.json")] <= 4
    assert sum(fresh.values()) <= 45
    assert {page.name for page in out.glob("*.html")} >= {"compare.html", "index.html"}
    with opened_files() as opened:
        assert main([*command, "--device", "cpu"]) == 0
    assert "1 up to date" in capsys.readouterr().out
    again = own_files(opened, out)
    # Of a page the links in its head are read, since its neighbours may be others.
    assert {p.suffix for p in again} == {".json", ".html"}
    pages = {p: n for p, n in again.items() if p.suffix == ".html"}
    assert set(pages.values()) == {1}
    assert sum(again.values()) - len(pages) <= 8


def test_images_are_opened_at_most_three_times_and_labels_twice(make_fmriprep_tree, tmp_path):
    tree = make_fmriprep_tree(tmp_path, n_subjects=1)
    pipeline = tiny_pipeline(unmixing__methods=["tcl"], atlas=str(tree.atlas))
    with opened_files() as opened:
        result = run_study(tree.root, tmp_path / "out", pipeline=pipeline)
    assert states(result) == {"sub-01": "done"}
    (bold,) = tree.root.rglob("*_bold.nii.gz")
    # Whether it fits into memory, its voxels, and its fingerprint.
    assert opened[bold] <= 3
    assert opened[tree.atlas] <= 2


def test_the_group_reads_the_sidecars_of_its_subjects_once_and_no_table(finished):
    source, out = finished
    with opened_files() as opened:
        result = run_study(source, out, levels=("group",))
    assert states(result)["group"] == "up to date"
    for method in ("ivae", "tcl"):
        assert opened[file_of(out, "sub-02", "edges.json", method)] == 1
        assert opened[file_of(out, "sub-02", "edges.tsv", method)] == 0


def test_harmed_results_of_one_subject_do_not_cost_the_index(finished):
    _, out = finished
    empty(file_of(out, "sub-02", "edges.json", "tcl"))
    empty(file_of(out, "sub-03", "edges.tsv", "ivae"))
    empty(file_of(out, "sub-03", "outliers.tsv"))
    assert [page.name for page in write_overview(out)] == ["compare.html", "index.html"]
    index = (out / "index.html").read_text()
    for unit in ("sub-01", "sub-02", "sub-03"):
        assert f'data-unit="{unit}" data-state="done"' in index


def results_in(opened, out):
    """Return the files of results that were opened; of pages only the head is read."""
    return {path for path in own_files(opened, out) if path.suffix != ".html"}


def test_an_index_opens_no_results_but_those_that_changed(finished):
    _, out = finished
    with opened_files() as opened:
        write_overview(out)
    # Every subject was summed up when its page was written.
    assert not results_in(opened, out)
    page = (out / "index.html").read_bytes()
    with opened_files() as opened:
        assert [written.name for written in write_overview(out)] == ["index.html"]
    assert not results_in(opened, out)
    assert (out / "index.html").read_bytes() == page
    empty(file_of(out, "sub-02", "edges.json", "tcl"))
    with opened_files() as opened:
        assert len(write_overview(out)) == 2
    assert {path.parts[-3] for path in results_in(opened, out)} == {"sub-02"}
    assert (out / "index.html").read_bytes() != page


def test_the_summary_of_a_subject_survives_its_file(finished):
    _, out = finished
    known = summary_of(out, "sub-01")
    assert known.methods == ("ivae", "tcl")
    file = out / FOLDER / "sub-01.json"
    written = file.read_text()
    file.unlink()
    assert summary_of(out, "sub-01") == known
    assert file.read_text() == written
    file.write_text(json.dumps(json.loads(written) | {"Summary": {"unit": 3}}))
    assert summary_of(out, "sub-01") == known


def test_a_subject_that_failed_is_no_part_of_the_group(finished):
    from causal_ivae.batch.analysis import Analysis, Outcome

    source, out = finished
    analysis = Analysis(source, out, ("group",), tiny_pipeline())
    lost = {"sub-02": Outcome("sub-02", "failed")}
    state = GroupState(analysis, ("sub-01", "sub-02", "sub-09"), lost)
    assert [member.unit for member in state.members("tcl")] == ["sub-01"]
    assert state.poolable() == (["sub-01"], ("A", "B", "C"))


@pytest.fixture
def three_loaded(tmp_path):
    found = {"sub-01": ("ABCD", ""), "sub-02": ("DCBA", "C"), "sub-03": ("ABC", "")}
    for unit, (regions, missing) in found.items():
        about = {"Entities": {}, "Regions": list(regions), "MissingRegions": list(missing)}
        write_json(UnitPaths(tmp_path, unit).file("timeseries.json"), about)
    return Analysis(source=tmp_path, output=tmp_path, levels=("group",), pipeline=tiny_pipeline())


def test_subjects_are_pooled_over_the_regions_that_each_of_them_has(three_loaded):
    both = GroupState(three_loaded, ("sub-01", "sub-02", "sub-04"), {}).poolable()
    # In the order of the first; the second has no C that could be measured.
    assert both == (["sub-01", "sub-02"], ("A", "B", "D"))
    assert GroupState(three_loaded, ("sub-02", "sub-03"), {}).poolable()[1] == ("B", "A")


def test_a_subject_that_failed_is_not_pooled(three_loaded):
    ended = {"sub-02": Outcome("sub-02", "failed"), "sub-03": Outcome("sub-03", "up to date")}
    state = GroupState(three_loaded, ("sub-01", "sub-02", "sub-03"), ended)
    assert state.poolable() == (["sub-01", "sub-03"], ("A", "B", "C"))
