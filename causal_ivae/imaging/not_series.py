"""Recognise tables that look like region time series but are not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError, NotASeriesError

_EVEN = 1e-3
"""A rounded clock or index deviates from a straight line by at most this share of its range."""
_MOST_COLUMNS = 10_000
"""A table with more columns holds voxels, or volumes in its columns, and no regions."""
_ROWS_PER_COLUMN = 3
"""A table without names needs this many rows per column, so that regions are the columns."""


def is_ramp(column: NDArray[np.float64]) -> bool:
    """Check whether a column rises or falls evenly, as a clock or a row number does."""
    if len(column) < 3 or not np.isfinite(column).all():
        return False
    extent = float(np.ptp(column))
    straight = np.linspace(column[0], column[-1], len(column))
    return extent > 0 and float(np.abs(column - straight).max()) <= _EVEN * extent


def refuse_correlations(path: Path, values: NDArray[np.float64]) -> None:
    """Raise `NotASeriesError` for a square symmetric matrix.

    Parameters
    ----------
    values : ndarray, shape (n_rows, n_columns), float64
    """
    n_rows, n_columns = values.shape
    if n_rows != n_columns or n_rows < 2:
        return
    # The diagonal is not compared, since that of Fisher's z is infinite or was replaced.
    off = ~np.eye(n_rows, dtype=bool)
    if np.allclose(values[off], values.T[off], rtol=1e-5, atol=1e-8, equal_nan=True):
        raise NotASeriesError(
            f"'{path}' is a square symmetric matrix ({n_rows} x {n_rows}), such as correlations "
            "between regions, and no time series; leave it out of the input."
        )


def check_width(path: Path, n_columns: int) -> None:
    """Raise `InputError` if a table has more columns than there are regions."""
    if n_columns > _MOST_COLUMNS:
        raise InputError(
            f"'{path}' has {n_columns:,} columns, more than the {_MOST_COLUMNS:,} regions that can "
            "be read: average voxels within regions, or transpose it if columns are volumes."
        )


def check_orientation(path: Path, n_rows: int, n_columns: int, names: Sequence[str] | None) -> None:
    """Raise `InputError` if volumes and regions may be confused.

    Parameters
    ----------
    n_rows, n_columns : int
        Numbers of rows and columns of the array.
    names : sequence of str or None
        Names of its columns, if they are known.
    """
    if names is not None and len(names) == n_columns:
        return
    turned = names is not None and len(names) == n_rows
    if n_columns > n_rows or turned:
        raise InputError(
            f"'{path}' has {n_rows} rows and {n_columns} columns; rows must be volumes and "
            "columns regions. Transpose it."
        )
    if names is None and n_rows < _ROWS_PER_COLUMN * n_columns:
        raise InputError(
            f"'{path}' has {n_rows} rows and {n_columns} columns without names, so regions and "
            "volumes cannot be told apart. Name its columns: a list 'Regions' in the JSON file of "
            "the same name, or an atlas with as many regions; or say with tables.rows whether its "
            "rows are volumes or regions."
        )
