"""A piece of work that takes too much memory or time ends alone, and says what it was doing."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import torch
from distributed import LocalCluster
from tiny_study import run_study, states, tiny_pipeline, write_study

from causal_ivae.batch import budget, runner
from causal_ivae.batch.workers import machine
from causal_ivae.batch.workers import pool as cluster
from causal_ivae.batch.workers.machine import devices_for, processes_for
from causal_ivae.batch.workers.pool import Lost, open_pool
from causal_ivae.batch.workers.watch import Limits
from causal_ivae.derivatives.files import read_table
from causal_ivae.errors import InputError, SettingsError

_GIB = 2**30


def take_memory_or_time(piece, stage):
    held = []
    while piece == "memory":
        held.append(np.ones(2**24))
    if piece == "time":
        with ThreadPoolExecutor(1) as pool:
            pool.submit(take_time).result()
    return piece


def take_time():
    while True:
        time.sleep(0.05)


def write_after(piece, stage):
    path, seconds = piece
    stage("begun", 0.0)
    time.sleep(seconds)
    path.write_text("written")


def nothing(*_):
    return None


def test_limits_cost_only_the_piece_that_passes_them_and_say_why():
    pieces = {"big": "memory", "one": "x", "slow": "time", "two": "y"}
    limits = Limits(memory=_GIB, seconds=9.0)
    with open_pool(4, nprocs=2, scheduler=None, on_stage=nothing, limits=limits) as pool:
        results = dict(pool.map(take_memory_or_time, pieces))
    assert (results["one"], results["two"]) == ("x", "y")
    big, slow = results["big"], results["slow"]
    assert big.message.startswith("Out of memory")
    assert "1.00 GiB of a worker (--mem)" in big.message
    assert 1024 <= big.peak_mib < 2048
    assert slow.message.startswith("Out of time")
    assert "0.15 minutes (--time-limit)" in slow.message
    assert slow.seconds >= 9.0
    assert all("in take_memory_or_time" in lost.where for lost in (big, slow))
    assert "in take_time" in slow.where
    assert "distributed" not in slow.where.rpartition("in take_memory_or_time")[2]


def test_single_piece_with_limits_does_not_end_this_process():
    limits = Limits(seconds=0.5)
    with open_pool(1, nprocs=None, scheduler=None, on_stage=nothing, limits=limits) as pool:
        [(_, result)] = pool.map(take_memory_or_time, {"only": "time"})
    assert isinstance(result, Lost)


def test_work_that_nobody_waits_for_any_more_ends(tmp_path):
    """A program that was killed must not go on writing beside the one that does it again."""
    begun = []
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        open_pool(
            2,
            nprocs=None,
            scheduler=cluster.scheduler_address,
            on_stage=lambda name, *_: begun.append(name),
        ) as pool,
    ):
        results = pool.map(write_after, {"quick": (tmp_path / "a", 0), "slow": (tmp_path / "b", 6)})
        assert next(results)[0] == "quick"
        while "slow" not in begun:
            time.sleep(0.05)
        results.close()
        time.sleep(6.5)
    assert (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_number_of_processes_goes_by_cores_pieces_and_memory(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "machine_memory", lambda: 10 * _GIB)
    assert processes_for(100, None, None) == 8
    assert processes_for(3, None, None) == 3
    assert processes_for(100, None, 3 * _GIB) == 3
    assert processes_for(100, None, 20 * _GIB) == 1
    assert processes_for(100, 6, 3 * _GIB) == 6


def test_each_gpu_has_one_process_unless_more_are_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices_for("auto", None) == devices_for("cuda", None) == ("cuda:0", "cuda:1")
    assert devices_for("cuda", 3) == ("cuda:0", "cuda:1", "cuda:0")
    assert devices_for("cuda:1", None) == ("cuda:1",)
    assert devices_for("cuda:1", 2) == ("cuda:1", "cuda:1")
    assert devices_for("cpu", 4) == ()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices_for("auto", None) == devices_for("auto", 4) == ()


def test_subject_out_of_time_is_in_the_status_with_what_it_took(tmp_path):
    source = write_study(tmp_path / "input", ("01", "02"))
    slow = tiny_pipeline(unmixing__methods=["tcl"], unmixing__tcl__steps=10**7)
    result = run_study(source, tmp_path / "out", pipeline=slow, time_limit=8.0, nprocs=2)
    assert set(states(result).values()) == {"failed"}
    row = read_table(result.folder / "status.tsv").set_index("subject").loc["sub-01"]
    assert row["message"].startswith("Out of time")
    assert row["seconds"] >= 8
    assert row["peak_memory_mib"] > 50
    assert "in unmix_pairs" in (tmp_path / "out" / row["crash_file"]).read_text()
    assert result.exit_code == 1


def test_too_little_memory_for_a_worker_is_refused(tmp_path):
    source = write_study(tmp_path / "input", ("01",))
    with pytest.raises(SettingsError, match=r"--mem 0\.25 GiB is too little"):
        run_study(source, tmp_path / "out", memory=_GIB // 4)
    assert not (tmp_path / "out").exists()


def test_subjects_are_estimated_on_the_gpus_there_are_and_loaded_by_all(tmp_path, monkeypatch):
    asked, given = [], []

    def devices(device, nprocs):
        asked.append((device, nprocs))
        return ("cuda:0", "cuda:1")

    def without_gpus(self, function, pieces, devices=()):
        given.append((function.__name__, devices))
        return on_cpu(self, function, pieces)

    on_cpu = cluster._Cluster.map
    monkeypatch.setattr(runner, "devices_for", devices)
    monkeypatch.setattr(cluster._Cluster, "map", without_gpus)
    source = write_study(tmp_path / "input", ("01", "02"))
    result = run_study(source, tmp_path / "out", nprocs=2)
    assert set(states(result).values()) == {"done"}
    assert asked == [("cpu", 2)]
    assert given == [("load", ()), ("estimate", ("cuda:0", "cuda:1"))]


def test_workers_share_the_memory_of_their_machine(tmp_path, monkeypatch):
    path = tmp_path / "series.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(2**28, 1))
    monkeypatch.setattr(budget, "machine_memory", lambda: 16 * _GIB)
    budget.check_fits([path], memory=None, sharing=lambda: 1)
    with pytest.raises(InputError, match=r"a worker process has 1\.0 GiB. Use fewer processes"):
        budget.check_fits([path], memory=None, sharing=lambda: 16)


def test_what_the_process_holds_already_is_not_free(tmp_path):
    path = tmp_path / "series.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(2**24, 1))
    held, needed = psutil.Process().memory_info().rss, 2 * 8 * 2**24
    budget.check_fits([path], memory=held + 2 * needed, sharing=lambda: 1)
    with pytest.raises(InputError, match="Give more with --mem"):
        budget.check_fits([path], memory=max(needed, held) + needed // 4, sharing=lambda: 1)
