"""Set how many threads torch uses for one operation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Limit torch to a number of threads per operation within this context.

    Parameters
    ----------
    number : int
        Number of threads, at least 1.

    Notes
    -----
    The operations of a stack of small models take microseconds.  Several threads do not make them
    faster, and waiting for one another takes processor time: a structural flow of six regions took
    nine times the processor time with two threads on a busy machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
