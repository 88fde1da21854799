"""Memory that training frees is kept for the next step, and given back after it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="mallopt and malloc_trim are of the GNU C library"
)


def said(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


FAULTS = """
import resource
import numpy as np
from causal_ivae.unmixing.training.memory import keep_freed_memory
{first}
def step():
    return len([np.ones(2**19) for _ in range(5)])
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    step()
before = faults()
for _ in range(10):
    step()
print((faults() - before) / 10)
"""


def test_pages_that_are_freed_serve_the_next_step():
    assert said(FAULTS.format(first="")) > 1000
    assert said(FAULTS.format(first="keep_freed_memory()")) < 10


def test_training_keeps_them():
    training = """
from causal_ivae.unmixing.estimators import IVAE
x = np.random.default_rng(0).normal(size=(60, 2))
IVAE(steps=2, hidden=8).fit(x, np.arange(60) // 20)
"""
    assert said(FAULTS.format(first=training)) < 10


def test_holes_of_the_heap_are_given_back():
    # Large arrays lie in the heap, which shrinks from its end alone.
    program = """if True:
        import psutil
        from causal_ivae.unmixing.training.memory import give_memory_back, keep_freed_memory

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
