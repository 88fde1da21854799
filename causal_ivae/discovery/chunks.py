"""Estimate chunks of pairs in parallel on the cores of a CPU, and report their progress."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from causal_ivae.unmixing.training.threads import torch_threads

_TRAINING_SHARE = 0.97
"""Training is assumed to take this share of a chunk's time until one has been timed."""

Progress = Callable[[str, float], None]
R = TypeVar("R")


class Chunks:
    """Divide pairs into chunks, do work on them and report the progress.

    Parameters
    ----------
    pairs : ndarray, shape (n_pairs, 2), int64
        Also an attribute.
    at_once : int
        Number of pairs in a chunk.
    threads : int
        Number of chunks that are processed at the same time.
    progress : callable, optional
        Called with the stage ("unmixing", "testing") and the share of all work that is done, by
        one thread at a time.

    Notes
    -----
    The products of a stack are too small to be divided among cores, so that each core takes whole
    stacks.  Computing them does not hold Python's lock.
    """

    def __init__(
        self,
        pairs: NDArray[np.int64],
        at_once: int,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> None:
        self._chunks = [pairs[start : start + at_once] for start in range(0, len(pairs), at_once)]
        self._threads = min(threads, len(self._chunks))
        self.pairs, self._progress = pairs, progress
        self._done = 0.0
        self._turn = Lock()
        self.training_share = _TRAINING_SHARE
        self.stopped = False

    def map(self, work: Callable[[NDArray[np.int64], "Chunk"], R]) -> list[R]:
        """Do some work on every chunk, and return the results in their order.

        The first chunk that raises an error ends the others.  Operations of torch use one thread
        meanwhile; the previous number is restored afterwards.
        """
        with torch_threads(1):
            if self._threads <= 1:
                return [self._do(work, some) for some in self._chunks]
            with ThreadPoolExecutor(self._threads, "pairs", torch.set_num_threads, (1,)) as pool:
                results = [pool.submit(self._do, work, some) for some in self._chunks]
                try:
                    return [result.result() for result in results]
                except BaseException:
                    self.stopped = True
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise

    def tell(self, stage: str, pairs: float) -> None:
        """Count a number of pairs, or parts of pairs, as done."""
        with self._turn:
            self._done += pairs
            if self._progress is not None:
                # Rounding removes errors in the last digits of the sum over chunks.
                self._progress(stage, round(float(self._done / len(self.pairs)), 9))

    def _do(self, work: Callable[[NDArray[np.int64], "Chunk"], R], some: NDArray[np.int64]) -> R:
        chunk = Chunk(self, len(some))
        result = work(some, chunk)
        chunk.done()
        return result


class Chunk:
    """Turn the progress of a chunk's training and testing into a share of its time.

    An earlier chunk tells how the time divides between the two.
    """

    def __init__(self, chunks: Chunks, pairs: int) -> None:
        self._chunks, self._pairs = chunks, pairs
        self._told = 0.0
        self._training_share = chunks.training_share
        self._started = self._trained = time.perf_counter()

    def training(self, share: float) -> None:
        """Report the share of the training that is done."""
        if self._chunks.stopped:
            raise _Stopped
        self._tell("unmixing", share * self._training_share)

    def testing(self) -> None:
        """Report that training is done and testing begins."""
        self._trained = time.perf_counter()

    def done(self) -> None:
        """Report that the chunk is done."""
        whole = time.perf_counter() - self._started
        self._chunks.training_share = (self._trained - self._started) / max(whole, 1e-9)
        self._tell("testing", 1.0)

    def _tell(self, stage: str, share: float) -> None:
        self._chunks.tell(stage, self._pairs * (share - self._told))
        self._told = share


class _Stopped(Exception):  # noqa: N818 - it is no error
    """End a chunk after an error in another one."""
