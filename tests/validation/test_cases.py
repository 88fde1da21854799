"""The runner of cases: resumable, parallel, seeded; a case costs at most itself."""

import json
import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from causal_ivae.errors import SettingsError
from causal_ivae.seeding import generator
from causal_ivae.validation.suites.cases import run_cases


@dataclass(frozen=True)
class Throw:
    name: str
    sides: int = 6

    @property
    def key(self):
        return f"throw {self.name}"


def throw(case, seed=0, log=None):
    if log is not None:
        with Path(log).open("a") as stream:
            stream.write(f"{case.name}\n")
    if case.name == "fails":
        raise ValueError("the die\nrolled off the table")
    if case.name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if case.name == "interrupted":
        raise KeyboardInterrupt
    if case.name == "empty":
        return []
    rng = generator(seed, case.key)
    rows = [
        {"throw": k, "eyes": rng.integers(1, case.sides + 1), "weight": rng.normal()}
        for k in range(2)
    ]
    return pd.DataFrame(rows) if case.name == "frame" else rows


def throws(*names):
    return [Throw(name) for name in names]


@pytest.fixture(scope="module")
def parallel(tmp_path_factory):
    """Two processes, one case that fails and one that is killed."""
    folder = tmp_path_factory.mktemp("parallel")
    cases = throws("frame", "fails", "empty", "killed", "a", "b")
    work = partial(throw, seed=3, log=str(folder / "log"))
    return folder, run_cases("dice", cases, work, folder, settings={"seed": 3}, nprocs=2)


def test_rows_do_not_depend_on_processes_or_order(parallel, tmp_path):
    two = parallel[1].loc[parallel[1]["error"].isna()]
    one = run_cases(
        "dice",
        throws("a", "frame", "empty"),
        partial(throw, seed=3),
        tmp_path,
        settings={"seed": 3},
        nprocs=1,
    )
    assert list(one["case"]) == ["throw a"] * 2 + ["throw frame"] * 2
    assert list(two["case"].unique()) == ["throw frame", "throw a", "throw b"]
    both = one.merge(two, on=["case", "throw"], suffixes=("", "_2"))
    assert len(both) == 4
    assert (both["eyes"] == both["eyes_2"]).all()
    assert (both["weight"] == both["weight_2"]).all()


def test_a_failing_and_a_killed_case_cost_themselves(parallel):
    table = parallel[1]
    assert list(table["case"].unique()) == [
        f"throw {name}" for name in ("frame", "fails", "killed", "a", "b")
    ]
    errors = table.set_index("case")["error"]
    assert errors["throw fails"] == "ValueError: the die rolled off the table"
    assert "killed" in errors["throw killed"]
    assert list(table["sides"].dropna()) == [6, 6]
    assert table["eyes"].notna().sum() == 6


def test_what_is_finished_does_not_run_again_and_what_failed_does(parallel):
    folder, table = parallel
    log = folder / "second log"
    said = []
    again = run_cases(
        "dice",
        throws("frame", "fails", "empty", "a", "b"),
        partial(throw, seed=3, log=str(log)),
        folder,
        settings={"seed": 3},
        nprocs=1,
        say=said.append,
    )
    assert log.read_text().split() == ["fails"]
    assert said[0] == "4 of 5 cases are there already."
    expected = table[table["case"] != "throw killed"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, expected)


def test_other_settings_and_other_cases_start_afresh(tmp_path):
    def run(case, seed):
        work = partial(throw, seed=seed)
        return run_cases("dice", [case], work, tmp_path, settings={"seed": seed}, nprocs=1)

    first = run(Throw("a"), 3)
    assert not np.isclose(run(Throw("a"), 4)["weight"], first["weight"]).any()
    assert run(Throw("a", sides=2), 3)["eyes"].isin([1, 2]).all()
    pd.testing.assert_frame_equal(run(Throw("a"), 3), first)


def test_own_settings_of_a_case_start_that_case_afresh(tmp_path):
    log = tmp_path / "log"

    def run(*weights):
        own = dict(zip("ab", weights, strict=True))
        work = partial(throw, log=str(log))
        run_cases(
            "dice",
            throws("a", "b"),
            work,
            tmp_path,
            settings={},
            own_settings=lambda case: {"weight": own[case.name]},
            nprocs=1,
        )

    run(1, 1)
    run(1, 2)
    assert log.read_text().split() == ["a", "b", "b"]


def test_an_interruption_keeps_what_is_done(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_cases("dice", throws("a", "interrupted", "b"), throw, tmp_path, settings={}, nprocs=1)
    (done,) = (tmp_path / "cases" / "dice").iterdir()
    assert json.loads(done.read_text())["Key"] == "throw a"
    log = tmp_path / "log"
    work = partial(throw, log=str(log))
    assert len(run_cases("dice", throws("a", "b"), work, tmp_path, settings={}, nprocs=1)) == 4
    assert log.read_text().split() == ["b"]


def test_a_damaged_file_is_no_finished_case(tmp_path):
    first = run_cases("dice", throws("a"), throw, tmp_path, settings={}, nprocs=1)
    (path,) = (tmp_path / "cases" / "dice").iterdir()
    path.write_text(path.read_text()[:40])
    again = run_cases("dice", throws("a"), throw, tmp_path, settings={}, nprocs=1)
    pd.testing.assert_frame_equal(first, again)


def test_usage(tmp_path):
    with pytest.raises(SettingsError, match="have the key 'throw a'"):
        run_cases("dice", throws("a", "a"), throw, tmp_path, settings={})
    with pytest.raises(SettingsError, match="Nothing is left"):
        run_cases("dice", [], throw, tmp_path, settings={})
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(SettingsError, match="is not a folder"):
        run_cases("dice", throws("a"), throw, file, settings={})


def test_one_thread_and_as_before_after(tmp_path):
    before = torch.get_num_threads()
    table = run_cases("threads", throws("a", "b"), threads, tmp_path, settings={}, nprocs=1)
    assert list(table["threads"]) == [1, 1]
    assert torch.get_num_threads() == before


def threads(case):
    return [{"threads": torch.get_num_threads()}]
