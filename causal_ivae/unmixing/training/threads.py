"""How many threads torch uses for one operation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let each operation of torch use so many threads within this context.

    Parameters
    ----------
    number : int
        1 or more.

    Notes
    -----
    The operations of a stack of small models take microseconds.  Shared out among threads, they
    take as long, and the threads that wait for one another cost as much again: a structural flow
    of six regions took nine times the processor time with two threads on a machine in use.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
