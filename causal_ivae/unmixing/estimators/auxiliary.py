"""Check the auxiliary variable u that an estimator is given."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_ivae import arrays
from causal_ivae.errors import InputError


def is_continuous(u: ArrayLike) -> bool:
    """Check whether u is a real number or vector per row instead of a segment label."""
    given = np.asarray(u)
    return given.ndim == 2 or np.issubdtype(given.dtype, np.floating)


def labels(u: ArrayLike, length: int) -> NDArray[np.int64]:
    """Return u as segment labels after checking its shape and type, shape (n_times,)."""
    given = np.asarray(u)
    if given.shape != (length,) or not np.issubdtype(given.dtype, np.integer):
        raise InputError(
            f"Invalid value for 'u'. Expected integers of shape ({length},), one per row of 'x', "
            f"but got type {given.dtype} and shape {given.shape} instead."
        )
    return given.astype(np.int64)


def covariates(u: ArrayLike, length: int) -> NDArray[np.float64]:
    """Return a continuous u as a finite matrix, shape (n_times, n_auxiliary)."""
    given = arrays.matrix(u, "u", columns="n_auxiliary", vector=True)
    if len(given) != length:
        raise InputError(
            f"Invalid shape of 'u'. Expected ({length},) or ({length}, n_auxiliary), one row per "
            f"row of 'x', but got {np.shape(u)} instead."
        )
    return given


def distinct_segments(given: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct segment labels and each row's position among them."""
    names, positions, counts = np.unique(given, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError(
            f"'u' has one distinct value, {names[0]}; the model needs at least two segments."
        )
    if counts.min() < 2:
        name = names[int(counts.argmin())]
        raise InputError(
            f"Segment {name} of 'u' has one row; every segment needs at least two. Join it to "
            "another or leave the row out."
        )
    return names, positions.astype(np.int64)
