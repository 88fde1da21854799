"""Chunks of pairs are worked on side by side, and nothing shows it but the time."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from causal_ivae import discover
from causal_ivae.discovery.chunks import Chunks
from causal_ivae.discovery.methods import PairMethod
from causal_ivae.errors import FitError
from causal_ivae.settings import IndependenceSettings, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_pair

PAIRS = np.arange(14).reshape(7, 2)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def first_of(some, chunk):
    chunk.training(1.0)
    chunk.testing()
    return some[0, 0].item()


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_results_stand_in_the_order_of_the_chunks(threads):
    def work(some, chunk):
        time.sleep(0.02 * (14 - some[0, 0]) / 14)
        return first_of(some, chunk)

    assert Chunks(PAIRS, 2, threads).map(work) == [0, 4, 8, 12]


def test_chunks_run_side_by_side_and_each_operation_uses_one_thread(two_threads):
    together = threading.Barrier(2, timeout=20)
    own = []

    def work(some, chunk):
        together.wait()
        own.append(torch.get_num_threads())
        return first_of(some, chunk)

    assert Chunks(PAIRS[:4], 2, 2).map(work) == [0, 4]
    assert own == [1, 1]
    assert torch.get_num_threads() == 2


def test_a_single_chunk_uses_one_thread_too_and_stays_in_the_thread_of_the_caller(two_threads):
    def work(some, chunk):
        first_of(some, chunk)
        return torch.get_num_threads(), threading.current_thread() is threading.main_thread()

    assert Chunks(PAIRS, 7, 2).map(work) == [(1, True)]
    assert torch.get_num_threads() == 2


COST = """
import resource, sys
import numpy as np, torch
from causal_ivae import discover
from causal_ivae.settings import IndependenceSettings, StructuralSettings, UnmixingSettings
few = StructuralSettings(steps=60, passes=0.0, trial_steps=20)
x, u = np.random.default_rng(0).laplace(size=(600, 6)), np.arange(600) // 60
used = {1: [], 2: []}
for threads in (1, 2, 1, 2, 1, 2):
    torch.set_num_threads(threads)
    before = resource.getrusage(resource.RUSAGE_SELF)
    discover(x, u, unmixing=UnmixingSettings(structural=few),
             independence=IndependenceSettings(draws=99))
    after = resource.getrusage(resource.RUSAGE_SELF)
    used[threads].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert torch.get_num_threads() == threads
print(min(used[2]) / min(used[1]), after.ru_nvcsw - before.ru_nvcsw)
"""


def test_a_subject_costs_no_more_processor_time_with_two_threads_than_with_one():
    # The waiting of threads for each other shows best where they do not spin meanwhile.
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    ran = subprocess.run(
        [sys.executable, "-c", COST], env=environment, capture_output=True, text=True, check=True
    )
    ratio, switches = map(float, ran.stdout.split())
    assert ratio < 1.2
    assert switches < 1000


def test_no_pairs():
    assert Chunks(PAIRS[:0], 2, 2).map(first_of) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_the_share_that_is_done_grows_to_one(threads):
    told = []

    def work(some, chunk):
        for share in (0.25, 0.5, 1.0):
            chunk.training(share)
        chunk.testing()

    Chunks(PAIRS, 2, threads, lambda *what: told.append(what)).map(work)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert [stage for stage, _ in told].count("testing") == 4


def test_an_error_ends_the_chunks_beside_it_and_starts_no_other(two_threads):
    began, at_work = [], threading.Event()

    def work(some, chunk):
        began.append(some[0, 0].item())
        if some[0, 0] == 0:
            at_work.wait(20)
            raise FitError("of the first")
        while True:
            at_work.set()
            chunk.training(0.5)
            time.sleep(0.001)

    with pytest.raises(FitError, match="of the first"):
        Chunks(PAIRS, 2, 2).map(work)
    assert set(began) <= {0, 4, 8}
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("method", ["structural", "ivae", "tcl"])
def test_a_graph_is_the_same_on_any_number_of_cores_and_in_any_chunks(
    method, monkeypatch, two_threads
):
    pairs = [simulate_pair("x->y", n_segments=6, n_per_segment=40, seed=k) for k in range(2)]
    values = np.hstack([pair.values for pair in pairs])
    unmixing = UnmixingSettings.model_validate(
        {"restarts": 2, "ivae": {"steps": 60}, "tcl": {"steps": 60}}
        | {"structural": {"steps": 40, "trial_steps": 20}}
    )
    monkeypatch.setattr(PairMethod, "pairs_at_once", lambda *_: 2)

    def graph():
        return discover(
            values,
            pairs[0].segments,
            method=method,
            unmixing=unmixing,
            independence=IndependenceSettings(draws=99),
        )

    side_by_side = graph()
    torch.set_num_threads(1)
    alone = graph()
    monkeypatch.setattr(PairMethod, "pairs_at_once", lambda *_: 1)
    for again in (alone, graph()):
        for name in (
            "edges", "tests", "restarts", "training", "diagnostics", "evidence", "stability"
        ):  # fmt: skip
            one, other = getattr(side_by_side, name), getattr(again, name)
            assert (one is None and other is None) or one.equals(other), name
        np.testing.assert_array_equal(side_by_side.disturbances, again.disturbances)
