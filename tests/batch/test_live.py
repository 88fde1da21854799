"""An index that follows a run."""

import os
import platform

import pytest

from causal_ivae.batch.live import LiveIndex, progress_of
from causal_ivae.batch.progress import Tally
from causal_ivae.derivatives.files import write_json, write_text
from causal_ivae.group import Rating, read_ratings


def run_of(output, states, *, name="20261130-000000_a", process=None, seconds=60.0):
    lines = ["subject\tstate\tseconds\tpeak_memory_mib\tmessage\tcrash_file"]
    for unit, state in states.items():
        took = seconds if state == "done" else 0.0
        lines.append(f"{unit}\t{state}\t{took}\t0\tn/a\tn/a")
    write_text(output / "logs" / name / "status.tsv", "\n".join(lines) + "\n")
    about = {"Host": platform.node(), "Process": os.getpid() if process is None else process}
    write_json(output / "logs" / name / "run.json", about)


STATES = {
    "sub-01": "done", "sub-02": "done", "sub-03": "failed", "sub-04": "running",
    "sub-05": "running", "sub-06": "not run", "group": "not run",
}  # fmt: skip


def test_a_run_that_goes_on_says_how_far_it_is(tmp_path):
    assert progress_of(tmp_path).sentence == ""
    run_of(tmp_path, STATES)
    progress = progress_of(tmp_path)
    # One waits and two are half done, two at a time, of 60 s each.
    assert progress.seconds_left == pytest.approx(60.0)
    assert progress.sentence == (
        "A run goes on: 2 of 6 subjects done, 1 failed, 2 running and 1 waiting; about 60 s left."
    )
    run_of(tmp_path, {"sub-01": "running", "sub-02": "not run"}, name="20261130-000001_b")
    assert "time left not known yet" in progress_of(tmp_path).sentence


def test_a_run_whose_program_is_gone_or_that_is_done_does_not_go_on(tmp_path):
    run_of(tmp_path, STATES, process=2**22 + 1)
    assert not progress_of(tmp_path).going
    run_of(tmp_path, dict.fromkeys(STATES, "done"))
    assert not progress_of(tmp_path).going


def test_only_rows_that_changed_are_sent(tmp_path):
    run_of(tmp_path, STATES)
    index = LiveIndex(tmp_path)
    page = index.page()
    assert 'data-unit="sub-04" data-state="running"' in page
    assert "connect-src 'self'" in page
    first = index.changes(0)
    assert set(first["rows"]) == {f"sub-0{i}" for i in range(1, 7)}
    assert index.changes(first["version"])["rows"] == {}
    run_of(tmp_path, {**STATES, "sub-04": "done", "sub-06": "running"})
    second = index.changes(first["version"])
    assert set(second["rows"]) == {"sub-04", "sub-06"}
    assert 'data-state="running"' in second["rows"]["sub-06"]
    assert not second["reload"]
    index.rate("sub-01", Rating("exclude", "<b>moved</b>"))
    third = index.changes(second["version"])
    assert 'data-rating="exclude"' in third["rows"]["sub-01"]
    assert "<b>" not in third["rows"]["sub-01"]
    assert read_ratings(tmp_path)["sub-01"].choice == "exclude"
    with pytest.raises(KeyError):
        index.rate("sub-99", Rating("pass"))


def test_the_time_left_is_that_of_the_pieces_that_are_to_come():
    tally = Tally(total=5)
    assert tally.seconds_left(0.0) is None
    tally.start("a", 0.0)
    tally.start("b", 10.0)
    tally.finish("a", failed=False)
    tally.finish("b", failed=True)
    # Two pieces took 20 s; one was up to date, which says nothing of the pace.
    tally.finish("c", failed=False)
    assert tally.seconds_left(20.0) == pytest.approx(20.0)
