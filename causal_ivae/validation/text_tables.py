"""Compute shares and means with their intervals, and write tables as text for a terminal."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pandas.api.types import is_numeric_dtype
from scipy.stats import t as student_t
from statsmodels.stats.proportion import proportion_confint


def share_with_interval(name: str, hits: float, count: float) -> dict[str, float | None]:
    """Return a share under a name, and its 95 % Wilson interval as ``low`` and ``high``.

    All three are missing where the count is 0.
    """
    if not count:
        return {name: None, "low": None, "high": None}
    low, high = proportion_confint(hits, count, alpha=0.05, method="wilson")
    return {name: hits / count, "low": float(low), "high": float(high)}


def share_by_name(name: str, hits: float, count: float) -> dict[str, float | None]:
    """Return a share with its interval in columns that all begin with its name."""
    found = share_with_interval(name, hits, count)
    return {name: found[name], f"{name}_low": found["low"], f"{name}_high": found["high"]}


def mean_with_interval(name: str, values: ArrayLike) -> dict[str, float]:
    """Return a mean under a name, and its 95 % t interval as ``low`` and ``high``.

    The interval is NaN where there is one value only; `values` has shape (n,).
    """
    numbers = np.asarray(values, dtype=np.float64)
    mean, error, count = float(numbers.mean()), np.nan, len(numbers)
    if count > 1:
        error = float(numbers.std(ddof=1)) / np.sqrt(count) * student_t.isf(0.025, count - 1)
    return {name: mean, "low": mean - error, "high": mean + error}


def as_block(
    title: str, rows: pd.DataFrame, column: str, index: str, columns: str, head: str = "{}"
) -> str:
    """Return one column of a long table as a wide one for a terminal, below a title.

    Parameters
    ----------
    column, index, columns : str
        What is shown, and what stands in rows and in columns.
    head : str
        How the head of every column is written.
    """
    wide = rows.pivot_table(column, index, columns, sort=False, dropna=False)
    wide.columns = pd.Index([head.format(name) for name in wide.columns])
    return f"{title}\n{as_text(wide.reset_index())}"


def as_text(table: pd.DataFrame) -> str:
    """Return a table for a reader at a terminal: numbers to three digits, texts to the left."""
    columns = [[str(name), *(_shown(v) for v in table[name])] for name in table]
    return aligned(columns, [is_numeric_dtype(table[name]) for name in table])


def aligned(columns: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Return columns of words as lines of equal width, aligned to the left or to the right."""
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(
        "  ".join(
            word.rjust(width) if to_right else word.ljust(width)
            for word, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in zip(*columns, strict=True)
    )


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
