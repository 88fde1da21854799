"""What is to come is said before estimating starts."""

import pytest
from tiny_study import NAMES, tiny_pipeline, without_workers, write_study

from causal_ivae.batch import forecast, loading, runner
from causal_ivae.batch.loading import Loading
from causal_ivae.batch.participant import Estimating
from causal_ivae.batch.plan import plan
from causal_ivae.batch.progress import Display
from causal_ivae.batch.request import Request
from causal_ivae.batch.runner import run
from causal_ivae.discovery import series_to_graph
from causal_ivae.discovery.workload import Workload
from causal_ivae.imaging.file_names import Folders


class Noted(Display):
    def __init__(self):
        self.lines = []

    def note(self, line):
        self.lines.append(line)


def test_what_is_to_come_is_said_before(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "_WORTH_SAYING", 0)
    source, output = write_study(tmp_path / "input"), tmp_path / "out"
    shown = Noted()
    request = Request(source, output, ("participant",), tiny_pipeline(), device="cpu", nprocs=2)
    with without_workers():
        result = run(plan(request), shown)
    assert {outcome.state for outcome in result.outcomes} == {"done"}
    pairs = len(NAMES) * (len(NAMES) - 1) // 2
    assert [line.split(" x ")[0] for line in shown.lines[:2]] == [
        f"ivae: {pairs} pairs",
        f"tcl: {pairs} pairs",
    ]
    assert shown.lines[2].startswith("all 3 subjects, 2 at a time: about ")
    again = Noted()
    run(plan(request), again)
    assert again.lines == []


@pytest.mark.parametrize(
    ("subjects", "nprocs", "said"),
    [
        (3, 2, "all 3 subjects, 2 at a time: about 7 min"),
        (3, 3, "all 3 subjects, 3 at a time: about 3 min"),
        (4, 2, "all 4 subjects, 2 at a time: about 7 min"),
        (1, 2, "in all: about 3 min"),
    ],
)
def test_an_incomplete_last_round_takes_its_time(tmp_path, monkeypatch, subjects, nprocs, said):
    def rehearsed(*_, method, **__):
        return Workload(method, 0.1, 100.0, "cpu")

    monkeypatch.setattr(forecast, "_WORTH_SAYING", 0)
    monkeypatch.setattr(series_to_graph, "expected_workload", rehearsed)
    source = write_study(tmp_path / "input", ("01",))
    request = Request(source, tmp_path / "out", ("participant",), tiny_pipeline(), device="cpu")
    planned = plan(request)
    loading.load(Loading.of(planned.analysis, planned.subjects[0], Folders()), lambda *_: None)
    piece = Estimating(planned.analysis, "sub-01", NAMES)
    # The first stands for all of them.
    waiting = {f"sub-{i:02d}": piece for i in range(1, subjects + 1)}
    assert forecast.forecast(planned.analysis, waiting, nprocs)[-1] == said


def test_a_forecast_that_fails_ends_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no forecast")

    monkeypatch.setattr(runner, "forecast", fail)
    source, output = write_study(tmp_path / "input"), tmp_path / "out"
    request = Request(source, output, ("participant",), tiny_pipeline(), ("01",), device="cpu")
    assert {outcome.state for outcome in run(plan(request)).outcomes} == {"done"}
    # Without a screen there is no table of it, nor a description of one.
    assert not list(output.rglob("*_screen.*"))
