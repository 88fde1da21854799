"""Measure the peak memory of a piece of work."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from causal_ivae.batch.workers.process import peak_memory_mib, prepare_process, restart_peak_memory
from causal_ivae.unmixing.training.threads import torch_threads

METHOD = (
    "Peak memory is what the resident memory of a fresh process rose by above what it was after "
    "the same work on a small problem (VmHWM of Linux; missing on other systems), or what torch "
    "allocated on a GPU."
)

_LOADED = ("causal_ivae.validation.speed.testing", "causal_ivae.validation.speed.subject")
_STATUS = Path("/proc/self/status")
_MIB = 2**20


def peak_mib(
    work: Callable[[], object], small: Callable[[], object], device: torch.device
) -> tuple[float, ...]:
    """Return the memory that work takes at its peak above what it starts from, MiB.

    Parameters
    ----------
    work : callable
        That can be pickled.
    small : callable
        The same on a small problem, so that libraries are loaded.

    Returns
    -------
    tuple of float
        One number; none where the system does not tell.
    """
    if device.type == "cuda":
        small()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return ((torch.cuda.max_memory_allocated(device) - before) / _MIB,)
    if not _STATUS.exists():
        return ()
    # All processes are forked from one that has imported this module only.
    context = get_context("forkserver")
    context.set_forkserver_preload(list(_LOADED))
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return (pool.submit(_rise, work, small).result(),)


def _rise(work: Callable[[], object], small: Callable[[], object]) -> float:
    prepare_process()
    with torch_threads(1):
        small()
        restart_peak_memory()
        before = peak_memory_mib()
        work()
        return peak_memory_mib() - before
