"""A scheduler and workers that someone else started, each a process of its own, on loopback."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from distributed import Client
from tiny_study import run_study, states, tiny_pipeline, write_study

_WAIT = 120  # On a machine with much other work, starting workers takes a minute.


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
        assert time.monotonic() < deadline, "it did not happen within two minutes"
        time.sleep(0.05)
    return found


@pytest.fixture
def cluster(tmp_path):
    """Return the address of a scheduler with two workers, and the workers by their names."""
    file = tmp_path / "scheduler.json"
    loopback = ("--host", "127.0.0.1")
    scheduler = _dask(
        "scheduler", *loopback, "--port", "0", "--no-dashboard", "--scheduler-file", file
    )
    _until(lambda: file.is_file() and file.read_text())
    workers = {}
    for name in ("first", "second"):
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name)
        folder = ("--local-directory", tmp_path / name)
        workers[name] = _dask("worker", *loopback, *options, *folder, "--scheduler-file", file)
    yield json.loads(file.read_text())["address"], workers
    for process in (scheduler, *workers.values()):
        process.kill()
        process.wait()


def _estimating(client: Client, output: Path, subjects: int) -> str:
    """Return the name of a worker that estimates a graph at this moment, if one does."""
    # The status is written once a second, and is therefore not asked.
    told = "".join(log.read_text() for log in output.glob("logs/*/run.log"))
    if told.count(" loaded in ") < subjects:
        return ""
    busy = {address for address, tasks in client.processing().items() if tasks}
    workers = client.scheduler_info()["workers"]
    return next((workers[address]["name"] for address in busy & workers.keys()), "")


def test_worker_that_is_killed_midway_costs_its_subject_and_the_other_does_the_rest(
    cluster, tmp_path
):
    address, workers = cluster
    labels = ("01", "02", "03")
    source, out = write_study(tmp_path / "input", labels), tmp_path / "out"
    # Long enough to be killed midway, and short enough to wait for.
    pipeline = tiny_pipeline(unmixing__methods=["ivae"], unmixing__ivae__steps=400)
    with ThreadPoolExecutor(1) as pool, Client(address, set_as_default=False) as client:
        job = pool.submit(run_study, source, out, pipeline=pipeline, scheduler=address)
        workers[_until(lambda: _estimating(client, out, len(labels)))].kill()
        result = job.result(timeout=3 * _WAIT)
    assert sorted(states(result).values()) == ["done", "done", "failed"]
    [lost] = result.failed
    assert "killed" in lost.message
    assert (out / lost.crash).is_file()
    again = run_study(source, out, pipeline=pipeline, scheduler=address)
    expected = {f"sub-{label}": "up to date" for label in labels}
    assert states(again) == {**expected, lost.unit: "done"}
