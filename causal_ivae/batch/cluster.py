"""Independent pieces of work, each isolated, on one machine or on a running dask cluster.

A worker that is killed costs the piece it was working on and nothing else.  dask blames every
task that was waiting on a dead worker, so each worker is given one piece at a time, and a
result is fetched before its worker gets the next.
"""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from causal_ivae.errors import SettingsError

Stage = Callable[[str, float], None]
"""Tells how far a piece of work is: the stage in words, and the share of it that is done."""
OnStage = Callable[[str, str, float], None]
"""The same with the name of the piece before."""

T = TypeVar("T")
R = TypeVar("R")

_TOPIC = "causal-ivae-stage"
# dask makes workers return every freed 64 KiB to the system at once; with the temporary arrays of
# training that is millions of page faults, and most of the time goes to the kernel.
_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_MMAP_THRESHOLD_": str(2**28)}
_POLL_SECONDS = 1.0
_STAGE_SECONDS = 0.5


@dataclass(frozen=True)
class Lost:
    """A piece of work that gave no result: its worker died, or the work itself raised."""

    message: str


class Pool(Protocol):
    """Runs one function over named pieces of work."""

    def map(
        self, function: Callable[[T, Stage], R], pieces: Mapping[str, T]
    ) -> Iterator[tuple[str, R | Lost]]:
        """Yield name and result as pieces finish; closing the iterator stops what is left."""
        ...


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def open_pool(
    n_pieces: int,
    *,
    nprocs: int | None,
    scheduler: str | None,
    on_stage: OnStage,
    threads: int | None = None,
) -> Iterator[Pool]:
    """Give a pool whose workers start with the first piece of work, and leave nothing behind.

    Parameters
    ----------
    n_pieces : int
        Pieces of work expected.  A single one runs in this process: there is no other to protect.
    nprocs : int or None
        Worker processes; None for one per piece up to the number of cores.
    scheduler : str or None
        Address of a running dask scheduler, such as ``"tcp://node1:8786"``.
    on_stage : callable
        Called in this process with name, stage and share done, at most twice a second per piece.
    threads : int, optional
        Of each worker process on this machine; default an equal share of the cores.

    Raises
    ------
    SettingsError
        If the scheduler does not answer, or has no workers within a minute.
    """
    if scheduler is None and n_pieces == 1:
        yield _InProcess(on_stage)
        return
    with ExitStack() as stack:
        yield _Cluster(stack, n_pieces, nprocs, scheduler, on_stage, threads or 0)


@contextmanager
def _local_client(processes: int, folder: str) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=processes,
            threads_per_worker=1,
            processes=True,
            # Any free port: the default one is taken where two analyses run on one machine.
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
def _remote_client(address: str) -> Iterator[Any]:
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


@dataclass(frozen=True)
class _InProcess:
    on_stage: OnStage

    def map(
        self, function: Callable[[T, Stage], R], pieces: Mapping[str, T]
    ) -> Iterator[tuple[str, R | Lost]]:
        for name, piece in pieces.items():
            yield name, function(piece, _named(self.on_stage, name))


@dataclass
class _Cluster:
    stack: ExitStack
    n_pieces: int
    nprocs: int | None
    scheduler: str | None
    on_stage: OnStage
    threads: int = 0
    client: Any = None

    def _start(self) -> None:
        # Only when there is work: a batch that is up to date answers at once.
        import dask

        # Its defaults must be there before they are overridden: what is restored afterwards would
        # lack them otherwise.
        import distributed  # noqa: F401

        if self.scheduler is not None:
            self.client = self.stack.enter_context(_remote_client(self.scheduler))
        else:
            processes = min(self.nprocs or cores(), self.n_pieces)
            self.threads = self.threads or max(1, cores() // processes)
            # Workers would leave a folder in the working directory otherwise.
            folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="causal-ivae-"))
            variables = dict.fromkeys(
                ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(self.threads)
            )
            settings = {
                "distributed.scheduler.allowed-failures": 0,
                "distributed.nanny.pre-spawn-environ": {**variables, **_ALLOCATOR},
                "distributed.worker.daemon": True,
                "temporary-directory": folder,
            }
            self.stack.enter_context(dask.config.set(settings))
            self.client = self.stack.enter_context(_local_client(processes, folder))
        self.client.subscribe_topic(_TOPIC, lambda event: self.on_stage(*event[1]["stage"]))

    def map(
        self, function: Callable[[T, Stage], R], pieces: Mapping[str, T]
    ) -> Iterator[tuple[str, R | Lost]]:
        if pieces and self.client is None:
            self._start()
        waiting = list(pieces.items())
        running: dict[str, tuple[Any, str]] = {}
        try:
            while waiting or running:
                workers = self.client.nthreads()
                busy = {worker for _, worker in running.values()}
                for worker in [w for w in workers if w not in busy][: len(waiting)]:
                    name, piece = waiting.pop(0)
                    future = self.client.submit(
                        _remotely,
                        function,
                        piece,
                        name,
                        self.threads,
                        workers=[worker],
                        allow_other_workers=False,
                        pure=False,
                        retries=0,
                    )
                    running[name] = (future, worker)
                finished = self._wait(running)
                for name, result in finished:
                    running.pop(name)
                    yield name, result
        finally:
            for future, _ in running.values():
                future.cancel()

    def _wait(self, running: dict[str, tuple[Any, str]]) -> list[tuple[str, Any]]:
        from distributed import wait

        if not running:
            # Every worker died at once; their nannies are starting new ones.
            time.sleep(_POLL_SECONDS)
            return []
        futures = [future for future, _ in running.values()]
        with suppress(TimeoutError), self.client.as_current():
            wait(futures, timeout=_POLL_SECONDS, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]
        workers = self.client.nthreads()
        finished: list[tuple[str, Any]] = []
        for name, (future, worker) in running.items():
            if future.done():
                finished.append((name, _result(future)))
            elif worker not in workers:
                # A cluster of someone else may keep the task waiting for a worker that is gone.
                future.cancel()
                finished.append((name, Lost(_died(worker))))
        return finished


def _result(future: Any) -> Any:
    from distributed import CancelledError, KilledWorker

    try:
        return future.result()
    except (KilledWorker, CancelledError):
        return Lost(_died("the worker"))
    except Exception as error:  # noqa: BLE001 - whatever one piece raises is that piece's failure
        return Lost(f"{type(error).__name__}: {error}")


def _died(worker: str) -> str:
    return (
        f"The process that ran it was killed ({worker}), most often because the machine's memory "
        "ran out. Use fewer processes (--nprocs) or less memory (unmixing.memory_gib)."
    )


def _remotely(function: Callable[[T, Stage], R], piece: T, name: str, threads: int) -> R:
    from distributed import get_worker

    if threads:
        import torch

        torch.set_num_threads(threads)
    worker = get_worker()

    def send(name: str, stage: str, share: float) -> None:
        worker.log_event(_TOPIC, {"stage": (name, stage, share)})

    return function(piece, _named(send, name))


def _named(send: OnStage, name: str) -> Stage:
    last: tuple[str, float] = ("", 0.0)

    def report(stage: str, share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if stage != last[0] or now - last[1] >= _STAGE_SECONDS:
            last = (stage, now)
            send(name, stage, share)

    return report
