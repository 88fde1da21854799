"""How a run ends: its exit code."""

from pathlib import Path

import pytest

from causal_ivae.batch.analysis import Outcome
from causal_ivae.batch.status import BatchResult

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
