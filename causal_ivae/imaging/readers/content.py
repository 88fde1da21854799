"""Define what every reader of a table of region time series returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.settings import TableSettings


@dataclass(frozen=True, eq=False)
class Content:
    """Hold the table in a file as it is, before anybody decides which columns are regions.

    Attributes
    ----------
    table : DataFrame, shape (n_rows, n_columns)
        Cells as numbers, or as text where a column holds any; columns are numbered from 0.
    header : tuple of str, length n_columns, or None
        Names that the file gives to its columns, one of which may be ``run`` or ``segment``; None
        if the file has no row of names.
    names : tuple of str or None
        Names that a variable beside the matrix lists; they may be those of the rows of a matrix
        that must be turned round.
    runs, labels : tuple of str, length n_rows, or None
        Run and segment of every row, from variables beside the matrix.
    tr : float or None
        Repetition time (s) that the file itself gives.
    rows_are_volumes : bool
        True if whoever writes such files always puts volumes into rows.
    skipped : int
        Lines of a text file before its first row, for error messages.
    notes : tuple of str
        Sentences for the reader of the results.
    """

    table: pd.DataFrame
    header: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    runs: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    tr: float | None = None
    rows_are_volumes: bool = False
    skipped: int = 0
    notes: tuple[str, ...] = field(default=())


Reader = Callable[[Path, TableSettings, str | None], Content]
"""A function from a path, the settings of tables, and the variable of a file that was chosen
beforehand, to the content.  It raises `InputError` in one line, with the path."""


def of_matrix(values: NDArray[np.float64]) -> pd.DataFrame:
    """Return a matrix as a table with numbered columns."""
    return pd.DataFrame(values, columns=range(values.shape[1]))
