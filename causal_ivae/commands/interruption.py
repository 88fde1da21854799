"""Treat signals that ask the program to end as Ctrl-C is treated."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Stopped(KeyboardInterrupt):
    """Tell that a signal asked the program to end.

    Like Ctrl-C it passes every ``except Exception``, so that what was begun is closed and said.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise `Stopped` where SIGTERM (``kill``, a cluster) or SIGHUP (a closed terminal) arrives.

    A signal that is ignored already, as SIGHUP is under ``nohup``, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python lets no other thread say what a signal does.
        yield
        return
    numbers = [
        getattr(signal, name)
        for name in ("SIGTERM", "SIGHUP")
        # Windows has no SIGHUP.
        if hasattr(signal, name)
    ]
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise Stopped(number)
