"""A scheduler and workers that someone else started, each a process of its own, on loopback."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import run_study, states, tiny_pipeline, write_study

_WAIT = 60


def _dask(*arguments):
    # No nanny: a worker that is killed stays away, as one does whose node is lost.
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _until(condition):
    deadline = time.monotonic() + _WAIT
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.05)
    return found


@pytest.fixture
def cluster(tmp_path):
    """Return the address of a scheduler with two workers, and the workers."""
    file = tmp_path / "scheduler.json"
    loopback = ("--host", "127.0.0.1")
    started = [
        _dask("scheduler", *loopback, "--port", "0", "--no-dashboard", "--scheduler-file", file)
    ]
    _until(lambda: file.is_file() and file.read_text())
    for number in range(2):
        folder = tmp_path / f"worker-{number}"
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", folder)
        started.append(_dask("worker", *loopback, *options, "--scheduler-file", file))
    address = pd.read_json(file, typ="series")["address"]
    yield address, started[1:]
    for process in started:
        process.kill()
        process.wait()


def _running(output: Path) -> bool:
    tables = list(output.glob("logs/*/status.tsv"))
    return bool(tables) and tables[0].read_text().count("\trunning\t") == 2


def test_worker_that_is_killed_midway_costs_its_subject_and_the_other_does_the_rest(
    cluster, tmp_path
):
    address, workers = cluster
    labels = ("01", "02", "03")
    source, out = write_study(tmp_path / "input", labels), tmp_path / "out"
    # Long enough to be killed midway, and short enough to wait for.
    pipeline = tiny_pipeline(unmixing__methods=["ivae"], unmixing__ivae__steps=400)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(run_study, source, out, pipeline=pipeline, scheduler=address)
        _until(lambda: _running(out))
        workers[0].send_signal(signal.SIGKILL)
        result = job.result(timeout=3 * _WAIT)
    assert sorted(states(result).values()) == ["done", "done", "failed"]
    [lost] = result.failed
    assert "killed" in lost.message
    assert (out / lost.crash).is_file()
    again = run_study(source, out, pipeline=pipeline, scheduler=address)
    expected = {f"sub-{label}": "up to date" for label in labels}
    assert states(again) == {**expected, lost.unit: "done"}
