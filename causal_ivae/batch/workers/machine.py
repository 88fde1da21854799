"""Find out what this machine has, and how many worker processes it can run."""

import os


def cores() -> int:
    """Return the number of cores that this process, or the container or job on it, may use."""
    from dask.system import cpu_count

    return int(cpu_count())


def threads_asked_for() -> int | None:
    """Return the number of threads that the user set in ``OMP_NUM_THREADS``, or None."""
    # OpenMP also takes a list, with a number for each level of nesting.
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(asked) if asked.isdigit() and int(asked) > 0 else None


def threads_for(processes: int) -> int:
    """Return the number of threads of each worker process on this machine.

    It is what the user asked for, or else an equal share of the cores.
    """
    return threads_asked_for() or max(1, cores() // processes)


def machine_memory() -> int:
    """Return the memory that this machine, or the container or job on it, has, bytes."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT)


def processes_for(n_pieces: int, nprocs: int | None, memory: int | None) -> int:
    """Return how many worker processes this machine runs.

    Parameters
    ----------
    n_pieces : int
        Number of pieces of work.
    nprocs : int or None
        What the user asked for; None for one per core, as far as the memory goes.
    memory : int or None
        Memory of one process in bytes, if it is limited.
    """
    if nprocs is None:
        nprocs = cores()
        if memory is not None:
            nprocs = max(1, min(nprocs, machine_memory() // memory))
    return max(1, min(nprocs, n_pieces))


def devices_for(device: str, nprocs: int | None) -> tuple[str, ...]:
    """Return the GPU of every process that estimates, or nothing if a CPU does the work.

    Parameters
    ----------
    device : str
        "auto", "cpu", "cuda" or "cuda:N".
    nprocs : int or None
        What the user asked for; None for one process per GPU, since one keeps it busy.
    """
    if device == "cpu":
        return ()
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = (device,) if ":" in device else tuple(f"cuda:{i}" for i in range(count))
    return tuple(gpus[i % len(gpus)] for i in range(nprocs or len(gpus))) if gpus else ()
