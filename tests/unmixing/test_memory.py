"""The program keeps the memory that training frees for its next step, and the library does not."""

import os
import subprocess
import sys

import pytest

from causal_ivae.batch.workers.pool import open_pool

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="mallopt and malloc_trim are of the GNU C library"
)

COUNT = """
import resource
import numpy as np
def step():
    return len([np.ones(2**19) for _ in range(5)])
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def faults_of_a_step():
    for _ in range(3):
        step()
    before = faults()
    for _ in range(10):
        step()
    return (faults() - before) / 10
"""
TRAINING = """
from causal_ivae.unmixing.estimators import IVAE
x = np.random.default_rng(0).normal(size=(60, 2))
IVAE(steps=2, hidden=8).fit(x, np.arange(60) // 20)
"""


def said(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def test_pages_that_the_program_frees_serve_its_next_step():
    program = """
from causal_ivae.cli import main
main(["pipeline", "list"])
"""
    assert said(f"{COUNT}{program}{TRAINING}print(faults_of_a_step())") < 10


def test_the_library_leaves_the_memory_of_its_user_alone():
    assert said(f"{COUNT}{TRAINING}print(faults_of_a_step())") > 1000


def faults_in_a_worker(piece, stage):
    names = {}
    exec(COUNT, names)
    return names["faults_of_a_step"](), os.environ["MKL_CBWR"]


def test_pages_that_a_worker_frees_serve_its_next_step(monkeypatch):
    monkeypatch.delenv("MKL_CBWR")
    with open_pool(2, nprocs=1, scheduler=None, on_stage=lambda *_: None) as pool:
        found = dict(pool.map(faults_in_a_worker, {"one": 1, "two": 2}))
    for faults, digits in found.values():
        assert faults < 10
        assert digits == "AVX2,STRICT"
    assert "MKL_CBWR" not in os.environ


def test_holes_of_the_heap_are_given_back():
    # Large arrays lie in the heap, which shrinks from its end alone.
    program = """if True:
        import psutil
        from causal_ivae.batch.workers.process import keep_freed_memory
        from causal_ivae.unmixing.training.memory import give_memory_back

        keep_freed_memory()
        rss = psutil.Process().memory_info
        held = [b"1" * 2**20 for _ in range(200)]
        last = b"1" * 2**20
        del held
        before = rss().rss
        give_memory_back()
        print((before - rss().rss) / 2**20)
    """
    assert said(program) > 150
