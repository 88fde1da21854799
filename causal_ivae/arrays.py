"""Check arrays that a caller passes, and report errors with their place."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_ivae.errors import InputError


def matrix(
    values: ArrayLike, name: str = "x", *, columns: str = "n_features", vector: bool = False
) -> NDArray[np.float64]:
    """Return values as a matrix after checking that they are finite, shape (n_times, n_columns).

    Parameters
    ----------
    values : array_like, shape (n_times, n_columns)
    name : str
        Name of the argument in error messages.
    columns : str
        Name of the number of columns in error messages.
    vector : bool
        True if values may also have shape (n_times,), which become one column.

    Raises
    ------
    InputError
        If the shape is wrong, the array is empty, or a value is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if vector and array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size:
        also = "(n_times,) or " if vector else ""
        raise InputError(
            f"Invalid shape of '{name}'. Expected {also}(n_times, {columns}), but got "
            f"{np.shape(values)} instead."
        )
    require_finite(array, name)
    return array


def require_finite(values: NDArray[np.float64], name: str) -> None:
    """Check that every value is finite.

    Parameters
    ----------
    values : ndarray, shape (..., n_times, n_columns)
    name : str
        Name of the argument in error messages.

    Raises
    ------
    InputError
        If a value is not finite; the message names its row and column.
    """
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        *member, row, column = bad[0].tolist()
        of_stack = f" of member {tuple(member)}" if member else ""
        raise InputError(
            f"Invalid value for '{name}'. Every value must be finite, but got "
            f"{values[tuple(bad[0])]} in row {row}, column {column}{of_stack} instead; remove or "
            "interpolate that row."
        )


def require_spread(values: NDArray[np.float64], name: str) -> None:
    """Check that no column of a matrix, shape (n_times, n_columns), is constant.

    Raises
    ------
    InputError
        If a column is constant up to rounding; the message names it.
    """
    # The mean of equal numbers may differ from them in the last digit.
    constant = np.flatnonzero(values.std(axis=0) <= 1e-12 * np.abs(values).max(axis=0))
    if len(constant):
        raise InputError(
            f"Invalid value for '{name}'. Every column must vary, but column {constant[0]} is "
            "constant; leave it out."
        )
