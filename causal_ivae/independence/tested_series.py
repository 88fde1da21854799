"""Check and standardise the series that a single test of independence is given."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from causal_ivae import arrays
from causal_ivae.errors import InputError


def standardised(
    series: Mapping[str, ArrayLike], groups: NDArray[np.integer] | None
) -> tuple[list[Tensor], NDArray[np.int64]]:
    """Check and standardise the series of one test.

    Parameters
    ----------
    series : mapping of str to array_like, shape (n_times,) or (n_times, n_features)
        The keys are the names that error messages use.
    groups : ndarray of int, shape (n_times,), or None
        The group of every row, if the test is made within groups.

    Returns
    -------
    series : list of Tensor, shape (1, n_times, n_features), float32
        Every feature z-scored.
    labels : ndarray, shape (n_times,), int64
        All zero without groups.

    Raises
    ------
    InputError
        If the lengths differ, a value is not finite, or a series is constant.
    """
    columns = {}
    for name, values in series.items():
        array = arrays.matrix(values, name, vector=True)
        arrays.require_spread(array, name)
        columns[name] = (array - array.mean(axis=0)) / array.std(axis=0)
    (first, values), *others = columns.items()
    for name, array in others:
        if len(array) != len(values):
            raise InputError(
                f"'{first}' has {len(values)} rows and '{name}' has {len(array)}; they must be "
                "equal."
            )
    labels = np.zeros(len(values), dtype=np.int64) if groups is None else np.asarray(groups)
    if labels.shape != (len(values),):
        raise InputError(
            f"Invalid shape of 'groups'. Expected ({len(values)},), one per row, but got "
            f"{labels.shape} instead."
        )
    return [torch.as_tensor(c, dtype=torch.float32)[None] for c in columns.values()], labels
