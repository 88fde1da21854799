import logging
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster, get_worker

from causal_ivae.batch.workers.machine import cores, threads_for
from causal_ivae.batch.workers.pool import Lost, open_pool
from causal_ivae.errors import SettingsError


def test_cores_are_those_that_a_container_may_use(monkeypatch):
    # dask knows of the quota of a container, which the affinity of a process does not tell.
    monkeypatch.setattr("dask.system.cpu_count", lambda: 3)
    assert cores() == 3


def square_or_die(piece, stage):
    if piece < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    stage("squaring", 0.5)
    return piece**2


def fail_on_two(piece, stage):
    if piece == 2:
        raise ValueError("no twos")
    return piece


def tell_in_numpy(piece, stage):
    stage("half", np.float64(0.5))
    return piece


def facts(piece, stage):
    return os.getpid(), Path.cwd(), os.environ["OMP_NUM_THREADS"]


@pytest.fixture(scope="module")
def one_worker():
    """A pool of one worker process, and what it was told of the stages of its pieces."""
    seen = []
    with open_pool(3, nprocs=1, scheduler=None, on_stage=lambda *args: seen.append(args)) as pool:
        yield pool, seen


def test_killed_worker_costs_only_its_own_piece(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pieces = {"a": 1, "b": -1, "c": 3, "d": 4}
    seen = []
    with open_pool(
        len(pieces), nprocs=2, scheduler=None, on_stage=lambda *args: seen.append(args)
    ) as pool:
        results = dict(pool.map(square_or_die, pieces))
        time.sleep(0.2)
    assert {n: r for n, r in results.items() if not isinstance(r, Lost)} == {
        "a": 1,
        "c": 9,
        "d": 16,
    }
    assert "killed" in results["b"].message
    assert "--nprocs" in results["b"].message
    assert {("a", "squaring", 0.5), ("c", "squaring", 0.5)} <= set(seen)
    assert list(tmp_path.iterdir()) == []


def test_what_a_piece_raises_is_its_own_failure_and_workers_share_the_cores(one_worker):
    pool, _ = one_worker
    results = dict(pool.map(fail_on_two, {"one": 1, "two": 2, "three": 3}))
    found = dict(pool.map(facts, {"x": 0}))
    assert results == {"one": 1, "three": 3, "two": Lost("ValueError: no twos")}
    pid, folder, threads = found["x"]
    assert pid != os.getpid()
    assert folder == Path.cwd()
    assert int(threads) >= 1


def pretend_to_have_gpus(piece, stage):
    import torch

    torch.cuda.set_device = lambda device: os.environ.update(TAKEN=device)
    time.sleep(1.0)


def device_taken(piece, stage):
    import torch

    if piece == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return os.environ.get("TAKEN"), os.getpid(), torch.get_num_threads()


def test_each_gpu_has_one_process_that_keeps_to_it(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    pieces = {name: name for name in ("a", "b", "c", "die", "d", "e", "f", "g")}
    with open_pool(8, nprocs=3, scheduler=None, on_stage=lambda *_: None) as pool:
        dict(pool.map(pretend_to_have_gpus, {"x": 0, "y": 1, "z": 2}))
        found = dict(pool.map(device_taken, pieces, ("cuda:0", "cuda:1")))
    assert "killed" in found.pop("die").message
    devices, pids, threads = (set(column) for column in zip(*found.values(), strict=True))
    assert devices == {"cuda:0", "cuda:1"}
    assert threads == {max(1, cores() // 2)}
    # A process never changes its GPU, and the third one stepped in for the one that died.
    assert len({(device, pid) for device, pid, _ in found.values()}) == len(pids) == 3


def test_the_last_pieces_have_the_cores_of_workers_that_wait(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr("causal_ivae.batch.workers.pool.cores", lambda: 4)
    with open_pool(3, nprocs=2, scheduler=None, on_stage=lambda *_: None) as pool:
        found = dict(pool.map(device_taken, {"a": 0, "b": 1, "c": 2}))
        even = dict(pool.map(device_taken, {"d": 3, "e": 4}))
    assert "OMP_NUM_THREADS" not in os.environ
    assert [found[name][2] for name in "abc"] == [2, 2, 4]
    assert [even[name][2] for name in "de"] == [2, 2]


@pytest.mark.parametrize(("asked", "threads"), [("3", 3), ("2,1", 2), ("", 4), ("many", 4)])
def test_the_users_own_number_of_threads_is_kept(monkeypatch, asked, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr("causal_ivae.batch.workers.machine.cores", lambda: 8)
    assert threads_for(2) == threads


def test_workers_have_the_users_own_number_of_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with open_pool(2, nprocs=1, scheduler=None, on_stage=lambda *_: None) as pool:
        found = dict(pool.map(device_taken, {"a": 0, "b": 1}))
    assert {threads for _, _, threads in found.values()} == {3}


def what_is_watched(piece, stage):
    return sorted(get_worker().periodic_callbacks)


def test_workers_keep_no_profile_of_the_work(one_worker):
    # Its stacks are kept as long as a worker lives: half a MiB for every second of work.
    pool, _ = one_worker
    found = dict(pool.map(what_is_watched, {"a": 1, "b": 2}))
    assert "heartbeat" in found["a"]
    assert not any("profile" in name for name in found["a"])


def test_share_of_any_type_reaches_the_program(one_worker):
    pool, seen = one_worker
    assert dict(pool.map(tell_in_numpy, {"a": 1, "b": 2})) == {"a": 1, "b": 2}
    time.sleep(0.2)
    assert ("a", "half", 0.5) in seen


def test_single_piece_runs_in_this_process():
    seen = []
    with open_pool(1, nprocs=None, scheduler=None, on_stage=lambda *a: seen.append(a)) as pool:
        assert dict(pool.map(square_or_die, {"only": 4})) == {"only": 16}
    assert seen == [("only", "squaring", 0.5)]


def test_scheduler_that_does_not_answer_is_an_error():
    with (
        open_pool(2, nprocs=None, scheduler="not-an-address", on_stage=lambda *_: None) as pool,
        pytest.raises(SettingsError, match="not-an-address"),
    ):
        list(pool.map(square_or_die, {"a": 1, "b": 2}))


def test_running_cluster_is_used_and_its_killed_worker_costs_one_piece():
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        open_pool(
            3, nprocs=None, scheduler=cluster.scheduler_address, on_stage=lambda *_: None
        ) as pool,
    ):
        results = dict(pool.map(square_or_die, {"a": 2, "b": -1, "c": 3}))
    assert (results["a"], results["c"]) == (4, 9)
    assert "killed" in results["b"].message


def test_two_analyses_run_on_one_machine(one_worker):
    one, _ = one_worker
    with open_pool(2, nprocs=1, scheduler=None, on_stage=lambda *_: None) as other:
        for pool in (one, other):
            assert dict(pool.map(square_or_die, {"a": 2, "b": 3})) == {"a": 4, "b": 9}
