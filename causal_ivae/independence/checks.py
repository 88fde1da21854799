"""Check the series that a single test of independence is given."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.errors import InputError


def checked(
    series: Mapping[str, NDArray[np.floating]], groups: NDArray[np.integer] | None
) -> tuple[list[Tensor], NDArray[np.int64]]:
    """Check and standardise the series of one test.

    Parameters
    ----------
    series : mapping of str to ndarray, shape (n_times,) or (n_times, n_features)
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
        array = np.asarray(values, dtype=np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise InputError(f"'{name}' has shape {array.shape}; give (n_times,) or 2-D values.")
        if not np.isfinite(array).all():
            raise InputError(f"'{name}' holds values that are not finite; remove those rows.")
        spread = array.std(axis=0)
        if (spread == 0).any():
            raise InputError(f"'{name}' is constant; independence of a constant is undefined.")
        columns[name] = (array - array.mean(axis=0)) / spread
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
            f"'groups' has shape {labels.shape}; expected ({len(values)},), one per row."
        )
    return [torch.as_tensor(c, dtype=torch.float32)[None] for c in columns.values()], labels
