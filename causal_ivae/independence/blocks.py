"""Find contiguous blocks of volumes and group them by length, so that each length is one batch."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from causal_ivae.errors import InputError

MIN_BLOCK = 8
"""A block of fewer volumes has too few circular shifts for a null distribution."""


@dataclass(frozen=True)
class Blocks:
    """Hold the row indices of every contiguous block of volumes.

    Attributes
    ----------
    rows : tuple of Tensor, each of shape (n_blocks_of_this_length, length), int64
        Row indices into the series; one tensor for each distinct block length.
    """

    rows: tuple[torch.Tensor, ...]


def contiguous(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Label every unbroken stretch of equal labels by its place from 0 on, shape (n_times,)."""
    labels = np.asarray(labels)
    return np.concatenate([[0], np.cumsum(labels[1:] != labels[:-1])]).astype(np.int64)


def make_blocks(labels: NDArray[np.int64], device: torch.device | str = "cpu") -> Blocks:
    """Group volumes with the same label into blocks of at least `MIN_BLOCK`.

    Parameters
    ----------
    labels : ndarray, shape (n_times,), int
        The volumes of one block share a label and stand in order of time.

    Raises
    ------
    InputError
        If no block is long enough.
    """
    order = np.argsort(labels, kind="stable")
    _, starts, lengths = np.unique(labels[order], return_index=True, return_counts=True)
    by_length = []
    for length in np.unique(lengths[lengths >= MIN_BLOCK]):
        first = np.sort(starts[lengths == length])
        by_length.append(torch.as_tensor(order[first[:, None] + np.arange(length)], device=device))
    if not by_length:
        raise InputError(
            f"Segments are too short for the null distribution: the longest unbroken stretch has "
            f"{int(lengths.max())} volumes and {MIN_BLOCK} are needed. Use longer windows or "
            "censor less."
        )
    return Blocks(tuple(by_length))
