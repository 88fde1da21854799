"""How a run tells how it goes and how it ended: its status on disk and its exit code."""

import time
from pathlib import Path

import pytest
from tiny_study import tiny_pipeline

from causal_ivae.batch import status
from causal_ivae.batch.analysis import Analysis, Outcome
from causal_ivae.batch.progress import Display
from causal_ivae.batch.status import BatchResult, Record
from causal_ivae.derivatives.files import read_table, write_table

BAD, CRASHED = {"state": "failed", "bad_input": True}, {"state": "failed"}
DONE, CURRENT, NOT_RUN = {"state": "done"}, {"state": "up to date"}, {"state": "not run"}


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([DONE, CURRENT], 0),
        ([CURRENT, NOT_RUN], 0),
        ([DONE, CRASHED], 1),
        # Where the others worked, bad input of one subject is that subject's failure.
        ([DONE, BAD], 1),
        ([CURRENT, BAD], 1),
        ([BAD, CRASHED], 1),
        ([BAD, BAD], 2),
        ([BAD, NOT_RUN], 2),
        ([CRASHED, NOT_RUN], 1),
    ],
)
def test_the_exit_code_tells_failures_from_input_that_lets_nothing_run(outcomes, code):
    named = tuple(Outcome(f"sub-{i}", **outcome) for i, outcome in enumerate(outcomes))
    result = BatchResult(named, Path("logs"))
    assert result.exit_code == code
    failed = [f"sub-{i}" for i, outcome in enumerate(outcomes) if outcome["state"] == "failed"]
    assert [outcome.unit for outcome in result.failed] == failed


@pytest.fixture
def record(tmp_path):
    units = [f"sub-{number:03d}" for number in range(300)]
    analysis = Analysis(tmp_path, tmp_path / "out", ("participant",), tiny_pipeline())
    return Record(analysis, Display(), units), units


def test_the_status_of_many_subjects_is_written_once_a_second_and_whole_at_the_end(
    record, monkeypatch
):
    written = []
    monkeypatch.setattr(
        status, "write_table", lambda *args: written.append(time.monotonic()) or write_table(*args)
    )
    record, units = record
    began = time.monotonic()
    record.start()
    for unit in units[:-1]:
        record.started(unit)
        record.add(Outcome(unit, "done"))
    record.close()
    assert len(written) <= 3 + (time.monotonic() - began)
    table = read_table(record.folder / "status.tsv").set_index("subject")
    assert list(table.index) == units
    assert list(table["state"]) == ["done"] * 299 + ["not run"]


def test_a_change_is_on_disk_soon_although_nothing_follows(record):
    record, units = record
    record.start()
    record.started(units[1])
    deadline, state = time.monotonic() + 60, ""
    while state != "running" and time.monotonic() < deadline:
        time.sleep(0.1)
        table = read_table(record.folder / "status.tsv").set_index("subject")
        state = table.loc[units[1], "state"]
    assert state == "running"
