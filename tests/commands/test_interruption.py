"""What becomes of a run that Ctrl-C or a signal ends."""

import json
import os
import signal
import subprocess
import sys

import pytest
from tiny_study import TINY, write_study, write_tiny_pipeline

from causal_ivae.batch import runner
from causal_ivae.cli import main
from causal_ivae.derivatives.files import read_table

SIGNALS = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}


@pytest.fixture
def arguments(tmp_path):
    write_study(tmp_path / "input", ("01",))
    write_tiny_pipeline(tmp_path / "tiny.yaml")
    names = [str(tmp_path / name) for name in ("input", "out", "tiny.yaml")]
    return ["run", *names[:2], "participant", "--device", "cpu", "--pipeline", names[2]]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_the_program_in_one_line_with_a_code_of_its_own(
    arguments, capsys, monkeypatch, number
):
    before = {other: signal.getsignal(other) for other in SIGNALS}
    monkeypatch.setattr(runner, "run", lambda *_: signal.raise_signal(number))
    assert main(arguments) == SIGNALS[number]
    assert capsys.readouterr().err.splitlines() == [
        "causal-ivae: error: Interrupted; run the same command again to go on."
    ]
    assert {other: signal.getsignal(other) for other in SIGNALS} == before


def test_a_signal_that_was_ignored_stays_ignored(arguments, monkeypatch):
    def hang_up(*_):
        signal.raise_signal(signal.SIGHUP)
        raise ZeroDivisionError

    monkeypatch.setattr(runner, "run", hang_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(arguments) == 70
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_that_is_told_to_end_leaves_no_worker_and_no_temporary_file(arguments, tmp_path):
    endless = {**TINY, "unmixing": {**TINY["unmixing"], "methods": ["tcl"]}}
    endless["unmixing"]["tcl"] = {**TINY["unmixing"]["tcl"], "steps": 10**7}
    (tmp_path / "tiny.yaml").write_text(json.dumps(endless))
    (tmp_path / "temporary").mkdir()
    process = subprocess.Popen(
        # A limit asks for a worker process where a single subject would run without one.
        [sys.executable, "-m", "causal_ivae", *arguments, "--time-limit", "60", "-v"],
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out = tmp_path / "out"
    try:
        training = (line for line in process.stderr if line.startswith("sub-01: tcl"))
        assert next(training, "")
        assert list((tmp_path / "temporary").iterdir())
        process.terminate()
        _, said = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 143
    assert "Traceback" not in said
    status = read_table(next(out.glob("logs/*/status.tsv"))).iloc[0]
    assert (status["state"], status["message"]) == ("not run", "Interrupted.")
    assert not list((tmp_path / "temporary").iterdir())
    assert not list(out.rglob("*.partial"))
