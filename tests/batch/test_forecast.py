"""What is to come is said before estimating starts."""

from tiny_study import NAMES, tiny_pipeline, write_study

from causal_ivae.batch import forecast, runner
from causal_ivae.batch.plan import plan
from causal_ivae.batch.progress import Silent
from causal_ivae.batch.request import Request
from causal_ivae.batch.runner import run


class Noted(Silent):
    def __init__(self):
        self.lines = []

    def note(self, line):
        self.lines.append(line)


def test_what_is_to_come_is_said_before(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "_WORTH_SAYING", 0)
    source, output = write_study(tmp_path / "input"), tmp_path / "out"
    shown = Noted()
    request = Request(source, output, ("participant",), tiny_pipeline(), device="cpu", nprocs=2)
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


def test_a_forecast_that_fails_ends_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no forecast")

    monkeypatch.setattr(runner, "forecast", fail)
    source, output = write_study(tmp_path / "input"), tmp_path / "out"
    request = Request(source, output, ("participant",), tiny_pipeline(), ("01",), device="cpu")
    assert {outcome.state for outcome in run(plan(request)).outcomes} == {"done"}
    # Without a screen there is no table of it, nor a description of one.
    assert not list(output.rglob("*_screen.*"))
