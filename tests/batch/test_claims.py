"""Two programs never write the same subject, and one that was killed keeps nobody out."""

import errno
import subprocess
import sys

import filelock
import psutil
import pytest
from tiny_study import run_study, snapshot, states, write_study

from causal_ivae.batch.claims import FOLDER, Claims
from causal_ivae.errors import SettingsError

_HOLD = (
    "import sys, time; from pathlib import Path; from causal_ivae.batch.claims import Claims; "
    "claims = Claims(Path(sys.argv[1])); print(claims.take(sys.argv[2:]), flush=True); "
    "time.sleep(60)"
)


@pytest.fixture
def hold():
    """Return a function that claims units in another process, which is killed at the end."""
    holders = []

    def start(path, *units):
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(path), *units], stdout=subprocess.PIPE, text=True
        )
        holders.append(holder)
        assert holder.stdout.readline() == "()\n"
        return holder

    yield start
    for holder in holders:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_claims_are_of_units_and_end_with_the_process(tmp_path, hold):
    holder = hold(tmp_path / "lock", "sub-01", "sub-02")
    with Claims(tmp_path / "lock") as claims:
        assert claims.take(["sub-02", "sub-03"]) == ("sub-02",)
        assert claims.take(["sub-01", "group"]) == ("sub-01",)
        holder.kill()
        holder.wait()
        assert claims.take(["sub-01", "sub-02"]) == ()
    # Nothing of either is left but the lock of those who claim.
    assert [path.name for path in (tmp_path / "lock").iterdir()] == ["taking.lock"]


def test_a_large_cohort_takes_few_open_files(tmp_path):
    before = psutil.Process().num_fds()
    with Claims(tmp_path / "lock") as claims:
        assert claims.take(f"sub-{number:04d}" for number in range(2000)) == ()
        assert psutil.Process().num_fds() <= before + 2


def test_claims_are_given_back(tmp_path, hold):
    with Claims(tmp_path / "lock") as claims:
        assert claims.take(["sub-01"]) == ()
    hold(tmp_path / "lock", "sub-01")


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_system_without_locks_is_said(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, "no locks")

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    with Claims(tmp_path / "lock") as claims:
        assert claims.take(["sub-01"]) == ()
        assert not claims.supported
    if code == errno.ENOLCK:
        source = write_study(tmp_path / "input", ("01",))
        result = run_study(source, tmp_path / "out")
        assert states(result) == {"sub-01": "done"}
        assert "has no locks" in (result.folder / "run.log").read_text()


def test_second_program_on_the_same_subject_is_refused_and_says_who_writes(tmp_path, hold):
    source = write_study(tmp_path / "input", ("01", "02"))
    out = tmp_path / "out"
    first = run_study(source, out, labels=("02",))
    before = snapshot(out), sorted((out / "logs").iterdir())
    hold(out / FOLDER, "sub-02")
    with pytest.raises(SettingsError, match="Another program is writing 'sub-02' in") as refused:
        run_study(source, out, levels=("participant", "group"))
    assert f"out/logs/{first.folder.name}" in str(refused.value)
    assert "--participant-label" in str(refused.value)
    assert (snapshot(out), sorted((out / "logs").iterdir())) == before
    # What the other program does not write is free: jobs of an array share a folder.
    assert states(run_study(source, out, labels=("01",))) == {"sub-01": "done"}


def test_half_written_files_of_a_killed_program_are_removed_but_not_those_of_a_living_one(
    tmp_path, hold
):
    source = write_study(tmp_path / "input", ("01", "02"))
    out = tmp_path / "out"
    left = []
    for label in ("01", "02"):
        (out / f"sub-{label}" / "func").mkdir(parents=True)
        left.append(out / f"sub-{label}" / "func" / ".x_edges.tsv.abc.partial")
        left.append(out / f".sub-{label}.html.abc.partial")
    (out / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "causal-ivae"}]}')
    for path in left:
        path.write_text("half")
    hold(out / FOLDER, "sub-02")
    run_study(source, out, labels=("01",))
    assert [path.exists() for path in left] == [False, False, True, True]
