"""Bring series into a form that does not depend on their signs or on the order of columns."""

import numpy as np
from numpy.typing import NDArray


def third_moments(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean cube of every column of z-scored series, shape (n_columns,)."""
    # Every column is summed by itself, so that rounding does not depend on the other columns.
    columns = np.ascontiguousarray(values.T, dtype=np.float64)
    return np.asarray((columns**3).mean(axis=1))


def signs(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the sign, 1 or -1, with which every column is skewed to the right.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_columns), z-scored

    Returns
    -------
    ndarray, shape (n_columns,), float32

    Notes
    -----
    Training starts at networks that are not symmetric.  Fits to a series and to its negative
    would therefore end at different optima, although both hold the same information.
    """
    return np.where(third_moments(values) < 0, -1.0, 1.0).astype(np.float32)


def in_standard_order(values: NDArray[np.floating], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return every pair with the column of smaller absolute skewness first, shape (n_pairs, 2).

    What treats the two columns of a pair differently (a network whose inputs have different
    starting weights, a null distribution that shifts the second series) then does not depend on
    the order of columns.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_columns), z-scored
    pairs : ndarray, shape (n_pairs, 2), int64
    """
    skewness = np.abs(third_moments(values))
    swapped = skewness[pairs[:, 0]] > skewness[pairs[:, 1]]
    return np.where(swapped[:, None], pairs[:, ::-1], pairs)
