"""What is damaged in an output is named and made again, and stops nothing else."""

import json

import pytest
from tiny_study import file_of, write_tiny_pipeline

from causal_ivae import load_results
from causal_ivae.cli import main
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.units import find_recording

DEEP = "[" * 100_000


def run(source, out, *options):
    return main(["run", str(source), str(out), "participant", "group", *options])


@pytest.fixture
def with_pipeline(finished, tmp_path):
    source, out = finished
    return source, out, str(write_tiny_pipeline(tmp_path / "tiny.yaml"))


def test_odd_folders_and_broken_logs_stop_nothing(with_pipeline, capsys):
    source, out, pipeline = with_pipeline
    (out / "sub-b ad" / "func").mkdir(parents=True)
    (out / "sub-").mkdir()
    for number, content in enumerate((b"", b"\xff\xfe\x00", b"subject\n", b"a\tb\n1\t2\n")):
        folder = out / "logs" / f"2020010{number}-000000_x"
        folder.mkdir()
        (folder / "status.tsv").write_bytes(content)
    for content in ("null", DEEP, '{"GeneratedBy": null}', '{"GeneratedBy": ["x", 1]}'):
        (out / "dataset_description.json").write_text(content)
        assert run(source, out, "--dry-run", "--pipeline", pipeline) == 0
    assert "3 up to date" in " ".join(capsys.readouterr().out.replace("of them", "").split())
    assert run(source, out, "--reports-only") == 0
    assert sorted(load_results(out).subjects) == ["01", "02", "03"]


def test_damaged_results_are_on_no_page_and_cost_no_other(with_pipeline, capsys):
    source, out, pipeline = with_pipeline
    cut = file_of(out, "sub-01", "edges.tsv", "ivae")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    file_of(out, "sub-02", "edges.json", "tcl").write_text("null")
    series = file_of(out, "sub-02", "timeseries.tsv")
    series.write_bytes(series.read_bytes()[: series.stat().st_size // 2])
    older = file_of(out, "sub-03", "edges.json", "ivae")
    older.write_text(json.dumps({**json.loads(older.read_text()), "Power": {"RightSign": {}}}))
    pages = {name: out / f"{name}.html" for name in ("sub-01", "sub-02", "sub-03", "group")}
    for page in pages.values():
        page.unlink()
    assert run(source, out, "--reports-only") == 1
    said = capsys.readouterr().err
    assert "The ivae results of 'sub-01' are damaged and are on no page" in said
    assert "The tcl results of 'sub-02' are damaged and are on no page" in said
    lost = (
        "The time series and what is made of them are not shown, for timeseries.tsv was changed "
        "since it was written"
    )
    assert f"sub-02: {lost}" in said
    assert "sub-01: The time series" not in said
    assert "sub-03, ivae: what the results record of 'Power' (without Volumes" in said
    assert "Traceback" not in said
    assert all(page.is_file() for page in pages.values())
    assert lost in pages["sub-02"].read_text()
    assert "Carpet plot" not in pages["sub-02"].read_text()
    assert "Carpet plot" in pages["sub-01"].read_text()
    assert run(source, out, "--dry-run", "--pipeline", pipeline) == 0
    assert "1 up to date" in " ".join(capsys.readouterr().out.replace("of them", "").split())


@pytest.mark.parametrize(
    "content", ["null", DEEP, "{}", '{"Regions": "A"}', '{"Regions": [1], "Entities": 3}']
)
def test_a_damaged_sidecar_of_series_is_none(finished, content):
    _, out = finished
    file_of(out, "sub-01", "timeseries.json").write_text(content)
    assert find_recording(out, "sub-01") is None
    assert find_recording(out, "sub-02") is not None


def test_entities_of_a_sidecar_lead_nowhere_else(tmp_path):
    sidecar = UnitPaths(tmp_path, "sub-01").file("timeseries.json")
    sidecar.parent.mkdir(parents=True)
    sidecar.write_text('{"Regions": ["A", "B"], "Entities": {"task": "../../x"}}')
    assert find_recording(tmp_path, "sub-01") is None
