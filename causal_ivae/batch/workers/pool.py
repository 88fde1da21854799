"""Run independent pieces of work apart from each other, on one machine or on a dask cluster.

A worker that is killed costs the piece it was working on and nothing else.  dask blames every
task that was waiting on a dead worker, so each worker is given one piece at a time, and a
result is fetched before its worker gets the next.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeVar

from causal_ivae.batch.workers.clients import local_client, remote_client
from causal_ivae.batch.workers.machine import cores, processes_for, threads_asked_for
from causal_ivae.batch.workers.process import prepare_process
from causal_ivae.batch.workers.watch import Beat, Limits, watched

__all__ = ["Lost", "OnStage", "Pool", "Stage", "open_pool"]

Stage = Callable[[str, float], None]
"""Called with the stage of a piece of work in words, and the share of the piece that is done."""
OnStage = Callable[[str, str, float], None]
"""Called with the name of a piece, its stage, and the share of it that is done."""

T = TypeVar("T")
R = TypeVar("R")

_STAGES, _BEATS = "causal-ivae-stage", "causal-ivae-beat"
_POLL_SECONDS = 1.0
_STAGE_SECONDS = 0.5
_FETCH_SECONDS = 30.0
"""A finished result that takes longer to fetch has died with its worker."""


@dataclass(frozen=True)
class Lost:
    """Hold why a piece of work has no result: its worker died, or the work raised an error.

    Attributes
    ----------
    message : str
        The reason and what to do, in one line.
    seconds : float
        Time from the start to the end of the piece.
    peak_mib : float
        Peak memory of the process in MiB, as it last reported; 0 if it never did.
    where : str
        The Python stack of the work at the end, if it is known.
    """

    message: str
    seconds: float = field(default=0.0, compare=False)
    peak_mib: float = field(default=0.0, compare=False)
    where: str = field(default="", compare=False)


class Pool(Protocol):
    """Run one function over named pieces of work."""

    def map(
        self,
        function: Callable[[T, Stage], R],
        pieces: Mapping[str, T],
        devices: Sequence[str] = (),
    ) -> Iterator[tuple[str, R | Lost]]:
        """Yield the name and result of each piece as it ends; closing the iterator stops the rest.

        If `devices` names GPUs, one worker takes part for each and uses no other.
        """
        ...


@contextmanager
def open_pool(
    n_pieces: int,
    *,
    nprocs: int | None,
    scheduler: str | None,
    on_stage: OnStage,
    on_start: Callable[[str], None] = lambda _: None,
    threads: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Iterator[Pool]:
    """Give a pool whose workers start with the first piece of work and end with this context.

    Parameters
    ----------
    n_pieces : int
        Number of pieces of work expected.  A single piece without limits runs in this process,
        since there is no other piece to protect from it.
    nprocs : int or None
        Number of worker processes; None for one per piece, but no more than there are cores, nor
        than the memory of the machine holds if `limits` has a memory.
    scheduler : str or None
        Address of a running dask scheduler, such as ``"tcp://node1:8786"``.
    on_stage : callable
        Called in this process with the name of a piece, its stage and the share of it that is
        done, at most twice a second per piece.
    on_start : callable, optional
        Called with the name of a piece when it is given to a worker.
    threads : int, optional
        Number of threads of each worker process on this machine.  The default is the value of
        ``OMP_NUM_THREADS``, or else an equal share of the cores among the processes that work.
    limits : Limits, optional
        Limits of each piece.  A piece that exceeds them is `Lost`, with the reason.

    Raises
    ------
    SettingsError
        If the scheduler does not answer, or has no workers within a minute.
    """
    if scheduler is None and n_pieces == 1 and limits.none:
        yield _InProcess(on_stage, on_start)
        return
    if threads is None and scheduler is None:
        threads = threads_asked_for()
    processes = 0 if scheduler else processes_for(n_pieces, nprocs, limits.memory)
    with ExitStack() as stack:
        yield _Cluster(stack, processes, scheduler, on_stage, on_start, threads or 0, limits)


@dataclass(frozen=True)
class _InProcess:
    on_stage: OnStage
    on_start: Callable[[str], None]

    def map(
        self,
        function: Callable[[T, Stage], R],
        pieces: Mapping[str, T],
        devices: Sequence[str] = (),  # noqa: ARG002 - the work names its own
    ) -> Iterator[tuple[str, R | Lost]]:
        for name, piece in pieces.items():
            self.on_start(name)
            yield name, function(piece, _named(self.on_stage, name))


@dataclass(frozen=True)
class _Running:
    future: Any
    worker: str
    began: float


@dataclass
class _Cluster:
    stack: ExitStack
    processes: int
    scheduler: str | None
    on_stage: OnStage
    on_start: Callable[[str], None]
    threads: int
    limits: Limits
    client: Any = None
    beats: dict[str, Beat] = field(default_factory=dict)

    def _start(self) -> None:
        # Workers start when there is work, so that a batch that is up to date ends at once.
        if self.scheduler is not None:
            client = remote_client(self.scheduler)
        else:
            client = local_client(self.processes, self.threads or self._share(self.processes))
        self.client = self.stack.enter_context(client)
        self.client.subscribe_topic(_STAGES, lambda event: self.on_stage(*event[1]["stage"]))
        self.client.subscribe_topic(_BEATS, self._hear)

    def _hear(self, event: Any) -> None:
        name, beat = event[1]["beat"]
        self.beats[name] = Beat(**beat)

    def map(
        self,
        function: Callable[[T, Stage], R],
        pieces: Mapping[str, T],
        devices: Sequence[str] = (),
    ) -> Iterator[tuple[str, R | Lost]]:
        if pieces and self.client is None:
            self._start()
        waiting = list(pieces.items())
        running: dict[str, _Running] = {}
        device_of: dict[str, str] = {}
        try:
            while waiting or running:
                workers = self.client.nthreads()
                if devices:
                    device_of = _shared_out(devices, workers, device_of)
                    workers = device_of
                busy = {piece.worker for piece in running.values()}
                for worker in [w for w in workers if w not in busy][: len(waiting)]:
                    threads = self._threads_of(len(pieces) - len(waiting), len(pieces), devices)
                    name, piece = waiting.pop(0)
                    self.beats.pop(name, None)
                    self.on_start(name)
                    future = self.client.submit(
                        _remotely,
                        function,
                        piece,
                        name,
                        threads,
                        self.limits,
                        device_of.get(worker),
                        workers=[worker],
                        allow_other_workers=False,
                        pure=False,
                        retries=0,
                    )
                    running[name] = _Running(future, worker, time.monotonic())
                for name, result in self._wait(running):
                    began = running.pop(name).began
                    yield name, self._explained(name, result, began)
        finally:
            for left in running.values():
                left.future.cancel()

    def _threads_of(self, place: int, pieces: int, devices: Sequence[str]) -> int:
        """Return the number of threads of a piece, or 0 to leave it to the worker."""
        if devices:
            return self.threads or self._share(len(devices))
        if self.scheduler is not None or self.threads:
            return self.threads
        # In an incomplete last round, the pieces share the cores of the workers that only wait.
        rounds, last = divmod(pieces, self.processes)
        beside = last if place >= rounds * self.processes else self.processes
        return self._share(beside)

    @staticmethod
    def _share(processes: int) -> int:
        return max(1, cores() // processes)

    def _explained(self, name: str, result: Any, began: float) -> Any:
        """Return a result, with the last report of its process if the piece was lost."""
        if not isinstance(result, Lost):
            return result
        last = self.beats.get(name, Beat(0.0))
        message = last.verdict or result.message
        return Lost(message, time.monotonic() - began, last.peak_mib, last.where)

    def _wait(self, running: dict[str, _Running]) -> list[tuple[str, Any]]:
        from distributed import wait

        if not running:
            # Every worker has died; their nannies are starting new ones.
            time.sleep(_POLL_SECONDS)
            return []
        futures = [piece.future for piece in running.values()]
        with suppress(TimeoutError), self.client.as_current():
            wait(futures, timeout=_POLL_SECONDS, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]
        workers = self.client.nthreads()
        finished: list[tuple[str, Any]] = []
        for name, piece in running.items():
            if piece.future.done():
                finished.append((name, _result(piece)))
            elif piece.worker not in workers:
                # Another cluster's scheduler may keep the task waiting for a worker that is gone.
                piece.future.cancel()
                finished.append((name, Lost(_died(piece.worker))))
        return finished


def _shared_out(
    devices: Sequence[str], workers: Iterable[str], before: Mapping[str, str]
) -> dict[str, str]:
    """Return the device of each worker that takes part; a worker never changes its device."""
    there = list(workers)
    kept = {worker: before[worker] for worker in there if worker in before}
    free = list((Counter(devices) - Counter(kept.values())).elements())
    return kept | dict(zip((w for w in there if w not in kept), free, strict=False))


def _result(piece: _Running) -> Any:
    from distributed import CancelledError, KilledWorker

    try:
        return piece.future.result(timeout=_FETCH_SECONDS)
    except (KilledWorker, CancelledError):
        return Lost(_died(piece.worker))
    except Exception as error:  # noqa: BLE001 - whatever one piece raises is that piece's failure
        if piece.future.status != "error":
            # The piece was finished, but its worker died before the result was fetched.
            piece.future.cancel()
            return Lost(_died(piece.worker))
        return Lost(f"{type(error).__name__}: {error}")


def _died(worker: str) -> str:
    return (
        f"The process that ran it was killed ({worker}), most often because the machine's memory "
        "ran out. Use fewer processes (--nprocs) or less memory (unmixing.memory_gib)."
    )


def _remotely(
    function: Callable[[T, Stage], R],
    piece: T,
    name: str,
    threads: int,
    limits: Limits,
    device: str | None,
) -> R:
    from distributed import get_worker

    prepare_process()
    if threads:
        import torch

        torch.set_num_threads(threads)
        if device is not None:
            # Only work that estimates has a device, since this takes half a GiB of the GPU.
            torch.cuda.set_device(device)
    worker = get_worker()

    key = worker.get_current_task()

    def send(name: str, stage: str, share: float) -> None:
        worker.log_event(_STAGES, {"stage": (name, stage, share)})

    def tell(beat: Beat) -> None:
        worker.log_event(_BEATS, {"beat": (name, asdict(beat))})

    def wanted() -> bool:
        # The scheduler cancels the tasks of a program that was killed or interrupted.
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled"

    with watched(limits, tell, wanted):
        return function(piece, _named(send, name))


def _named(send: OnStage, name: str) -> Stage:
    last: tuple[str, float] = ("", 0.0)

    def report(stage: str, share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if stage != last[0] or now - last[1] >= _STAGE_SECONDS:
            last = (stage, now)
            # The scheduler does not accept numbers of numpy.
            send(name, stage, float(share))

    return report
