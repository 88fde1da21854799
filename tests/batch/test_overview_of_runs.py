"""Pages that are written again, and the overview that lists every subject."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from tiny_study import file_of, run_study, states, write_tiny_pipeline

from causal_ivae.batch import pages, summaries
from causal_ivae.batch.overview import write_overview
from causal_ivae.cli import main
from causal_ivae.derivatives.units import Unit, find_paths
from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import CausalIvaeError
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.subject_summary import summarise_subject


def test_pages_alone_are_written_again(finished, no_cluster):
    _, out = finished
    for page in (*out.glob("*.html"), *out.rglob("figures/*")):
        page.unlink()
    written, complaints = pages.write_all(out)
    assert not complaints
    assert sorted(p.name for p in written) == [
        "group.html", "sub-01.html", "sub-02.html", "sub-03.html",
    ]  # fmt: skip
    assert all(page.is_file() for page in written)
    for unit in ("sub-01", "group"):
        for method in ("ivae", "tcl"):
            figures = sorted((out / unit / "figures").glob(f"{unit}_*meas-{method}_graph.*"))
            kinds = [path.suffix for path in figures]
            assert kinds == [".dot", ".graphml", ".json", ".png", ".svg", ".tsv"]
            figures = sorted((out / unit / "figures").glob(f"{unit}_*meas-{method}_*.svg"))
            drawn = {path.stem.rpartition("_")[2]: path for path in figures}
            assert drawn["scores"].with_suffix(".png").read_bytes().startswith(b"\x89PNG")
            ElementTree.parse(drawn["graph"])
            assert ("training" in drawn) == (unit != "group")
            # Tables of time series say not where regions are.
            assert "brain" not in drawn
    assert list((out / "sub-01" / "figures").glob("sub-01_*_series.png"))
    assert list((out / "group" / "figures").glob("group_share.svg"))


def test_the_text_for_a_paper_is_printed_from_its_file(finished, capsys):
    source, out = finished
    command = ["run", str(source), str(out), "participant", "--boilerplate-only"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "Over 3 subjects" in said
    assert "## References" not in said
    assert "## References" in (out / "group" / "figures" / "group_methods.md").read_text()
    assert list((out / "sub-01" / "figures").glob("sub-01_*references.bib"))
    assert main([*command, "--participant-label", "02"]) == 0
    assert "Over 3 subjects" not in capsys.readouterr().out
    for path in out.rglob("*_methods.md"):
        path.unlink()
    assert main(command) == 2
    assert "--reports-only" in capsys.readouterr().err


def test_an_overview_lists_every_subject_with_its_newest_state(finished, tmp_path):
    _, out = finished
    written = write_overview(out)
    assert [path.name for path in written] == ["compare.html", "index.html"]
    index = (out / "index.html").read_text()
    for unit in ("sub-01", "sub-02", "sub-03"):
        assert f'data-unit="{unit}" data-state="done"' in index
    assert 'href="compare.html"' in index
    assert "iVAE and TCL" in (out / "compare.html").read_text()
    assert write_overview(tmp_path) == []


def test_the_part_of_the_files_that_an_overview_reads_says_the_same(finished):
    _, out = finished
    for unit in ("sub-01", "sub-02", "sub-03"):
        paths = find_paths(out, unit)
        whole, part = (Unit.read(paths, METHODS, of_cohort=only) for only in (False, True))
        assert list(part.methods) == ["ivae", "tcl"]
        assert part.timeseries is None
        assert summarise_subject(part) == summarise_subject(whole)
        agreements = {same_direction(*one.methods.values()) for one in (whole, part)}
        assert len(agreements) == 1


def test_an_overview_does_not_tell_in_how_many_runs_it_came_about(finished):
    source, out = finished
    write_overview(out)
    index = (out / "index.html").read_bytes()
    assert set(states(run_study(source, out)).values()) == {"up to date"}
    write_overview(out)
    assert (out / "index.html").read_bytes() == index


def test_the_index_is_written_without_loading_what_draws():
    code = (
        "import sys, causal_ivae.batch.overview;"
        "print([name for name in ('matplotlib', 'scipy.stats', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def damage_unnoticed(out, unit):
    """Empty all tables of edges of a unit, but not so that its remembered summary is made anew."""
    for method in ("ivae", "tcl"):
        file_of(out, unit, "edges.tsv", method).write_text("")
    remembered = out / summaries.FOLDER / f"{unit}.json"
    about = json.loads(remembered.read_text())
    about["Digest"] = summaries.folder_digest(find_paths(out, unit).folder)
    remembered.write_text(json.dumps(about))


def test_a_comparison_draws_whoever_is_undamaged_and_costs_no_index_if_nobody_is(finished):
    _, out = finished
    write_overview(out)
    for path in out.glob("group/*"):
        path.unlink() if path.is_file() else None
    damage_unnoticed(out, "sub-01")
    write_overview(out)
    assert "Methods compared on sub-02." in (out / "compare.html").read_text()
    damage_unnoticed(out, "sub-02")
    damage_unnoticed(out, "sub-03")
    compared, index = (out / name for name in ("compare.html", "index.html"))
    before = compared.read_bytes()
    index.unlink()
    with pytest.raises(CausalIvaeError, match=r"'compare\.html' needs undamaged results by two"):
        write_overview(out, again=True)
    assert "sub-03" in index.read_text()
    assert compared.read_bytes() == before


def test_what_a_run_did_is_said_where_the_index_fails(finished, tmp_path, monkeypatch, capsys):
    source, out = finished

    def fail(*_, **__):
        raise ValueError("no room")

    monkeypatch.setattr("causal_ivae.batch.overview.render_index", fail)
    pipeline = str(write_tiny_pipeline(tmp_path / "tiny.yaml"))
    command = ["run", str(source), str(out), "participant", "--pipeline", pipeline]
    assert main(command) == 1
    said = capsys.readouterr()
    assert "3 up to date" in said.out
    assert "not all pages over them: ValueError: no room" in said.err
    assert main([*command, "--reports-only"]) == 1
    assert str(out / "sub-02.html") in capsys.readouterr().out
