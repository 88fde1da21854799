"""Connect to worker processes: those of this machine, or of a dask cluster that is running."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from causal_ivae.errors import SettingsError


@contextmanager
def local_client(processes: int, threads: int) -> Iterator[Any]:
    """Start worker processes on this machine, give a dask client of them, and end them.

    Parameters
    ----------
    threads : int
        Number of threads of the numerical libraries in each process.
    """
    import dask

    # dask restores what was there before, so distributed's defaults must be loaded by then.
    from distributed import Client, LocalCluster

    variables = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
    )
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.nanny.pre-spawn-environ": variables,
        "distributed.worker.daemon": True,
        # A profile keeps the stacks it has seen: half a MiB for every second of work.
        "distributed.worker.profile.enabled": False,
    }
    with (
        # Workers would leave a folder in the working directory otherwise.
        tempfile.TemporaryDirectory(prefix="causal-ivae-") as folder,
        dask.config.set(settings | {"temporary-directory": folder}),
        _environment_kept(),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=processes,
            threads_per_worker=1,
            processes=True,
            # A free port, since the default one is taken if two analyses run on one machine.
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            memory_limit=0,
            local_directory=folder,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        yield client


@contextmanager
def remote_client(address: str) -> Iterator[Any]:
    """Give a client of a running dask scheduler.

    Raises
    ------
    SettingsError
        If the scheduler does not answer, or has no workers within a minute.
    """
    from distributed import Client

    try:
        client = Client(address, set_as_default=False, timeout="10s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"No dask scheduler answers at '{address}' ({error}). Start one with 'dask scheduler' "
            "or leave out --scheduler."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=60)
        except TimeoutError as error:
            raise SettingsError(
                f"The dask scheduler at '{address}' has no workers. Start some with "
                f"'dask worker {address} --nthreads 1'."
            ) from error
        yield client


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what the nannies of workers change in the environment of this process."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
