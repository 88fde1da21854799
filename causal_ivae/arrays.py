"""Check arrays that a caller passes, and report errors with their place."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_ivae.errors import InputError

_ROUNDING = 1e-10
"""A column is constant if its range is at most this share of its largest absolute value."""


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


def is_number(value: object) -> bool:
    """Check whether a value, such as the text of a cell, is a number or can be read as one."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def constant_columns(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which columns of a matrix (n_times, n_columns) hold one number, up to rounding."""
    # The standard deviation of a column of 0.1 is not 0 but 1e-17.
    size = np.abs(values).max(axis=0, initial=0.0)
    return np.asarray(np.ptp(values, axis=0) <= _ROUNDING * size)


def require_spread(values: NDArray[np.float64], name: str) -> None:
    """Check that no column of a matrix, shape (n_times, n_columns), is constant.

    Raises
    ------
    InputError
        If a column is constant up to rounding; the message names it.
    """
    constant = np.flatnonzero(constant_columns(values))
    if len(constant):
        raise InputError(
            f"Invalid value for '{name}'. Every column must vary, but column {constant[0]} is "
            "constant; leave it out."
        )
