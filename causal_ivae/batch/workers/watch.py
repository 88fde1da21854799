"""Watch one piece of work in a worker process, and end the process beyond the limits.

Python cannot end a thread from outside, and a process that swaps drags its machine down. So a piece
that goes beyond its limits ends its process; dask's nanny starts another one.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PERIOD = 0.1  # seconds between two looks at the process
_BEAT = 1.0  # seconds between two reports on memory
# Seconds for the last report to leave the process before it ends.
_FAREWELL = 0.3
_GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """Hold the limits of one piece of work; None stands for no limit.

    Attributes
    ----------
    memory : int or None
        Resident memory of the process, bytes.
    """

    memory: int | None = None
    seconds: float | None = None

    @property
    def none(self) -> bool:
        """Check that there is no limit."""
        return self.memory is None and self.seconds is None

    def verdict(self, memory: int, seconds: float) -> str:
        """Return a sentence on the limit that is exceeded and what to do, or nothing."""
        if self.memory is not None and memory > self.memory:
            return (
                f"Out of memory: it took {memory / _GIB:.2f} GiB, more than the "
                f"{self.memory / _GIB:.2f} GiB of a worker (--mem). Give more, or lower "
                "unmixing.memory_gib."
            )
        if self.seconds is not None and seconds > self.seconds:
            return (
                f"Out of time: it was not finished after {self.seconds / 60:.3g} minutes "
                "(--time-limit). Give more, or fewer regions, restarts or steps."
            )
        return ""


@dataclass(frozen=True)
class Beat:
    """Hold what a process reports about a piece of work while it goes on.

    Attributes
    ----------
    peak_mib : float
        Peak of the resident memory since the piece began, in MiB.
    verdict : str
        Why the process is about to end itself; empty if it is not.
    where : str
        The Python stacks of the work at that time.
    """

    peak_mib: float
    verdict: str = ""
    where: str = ""


@contextmanager
def watched(
    limits: Limits, tell: Callable[[Beat], None], wanted: Callable[[], bool]
) -> Iterator[None]:
    """Watch the work of the calling thread from another thread.

    Parameters
    ----------
    tell : callable
        Called at most once a second while memory grows, and before the process ends itself.
    wanted : callable
        Whether anyone still waits for the result.  Work that nobody waits for ends silently, since
        another program may be doing it again and writing the same files.
    """
    done = threading.Event()
    others = {*threading.enumerate()} - {threading.current_thread()}
    watcher = threading.Thread(
        target=_watch, args=(limits, tell, wanted, done, others), name="watch", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(
    limits: Limits,
    tell: Callable[[Beat], None],
    wanted: Callable[[], bool],
    done: threading.Event,
    others: Iterable[threading.Thread],
) -> None:
    import psutil

    process = psutil.Process()
    began = time.monotonic()
    peak, told_peak, told_at = 0, 0, -_BEAT
    while not done.wait(_PERIOD):
        if not wanted():
            process.kill()
        memory, now = process.memory_info().rss, time.monotonic()
        peak = max(peak, memory)
        verdict = limits.verdict(memory, now - began)
        if verdict:
            tell(Beat(peak / 2**20, verdict, _stacks(others)))
            time.sleep(_FAREWELL)
            process.kill()
        if peak > told_peak and now - told_at >= _BEAT:
            told_peak, told_at = peak, now
            tell(Beat(peak / 2**20))


def _stacks(others: Iterable[threading.Thread]) -> str:
    """Return the stacks of the threads that work, without the calling one and those given."""
    # The number of a thread that has ended is given to the next one.
    idle = {threading.get_ident(), *(thread.ident for thread in others if thread.is_alive())}
    stacks = [
        "".join(traceback.format_stack(frame))
        for thread, frame in sys._current_frames().items()
        if thread not in idle
    ]
    return "\n".join(stacks)
