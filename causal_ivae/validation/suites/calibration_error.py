"""Measure how reliable confidences are, and their expected calibration error."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

_BINS = 10


def reliability(confidence: ArrayLike, right: ArrayLike) -> pd.DataFrame:
    """Return, by ten bins of equal width of the confidence, how often decisions are right.

    Parameters
    ----------
    confidence : array_like, shape (n,)
        In [0, 1].
    right : array_like of bool, shape (n,)

    Returns
    -------
    pandas.DataFrame
        One row per bin that is not empty: ``count``, ``confidence`` (mean), ``right`` (share).
    """
    said = np.asarray(confidence, dtype=np.float64)
    table = pd.DataFrame({"confidence": said, "right": np.asarray(right, dtype=np.float64)})
    which = np.minimum((said * _BINS).astype(int), _BINS - 1)
    grouped = table.groupby(which)
    return grouped.mean().assign(count=grouped.size()).reset_index(drop=True)


def reliability_entry(confidence: ArrayLike, right: ArrayLike) -> dict[str, Any]:
    """Return reliability and error as the files of a calibration hold them."""
    return {
        "Bins": reliability(confidence, right).to_dict("records"),
        "ExpectedCalibrationError": expected_calibration_error(confidence, right),
    }


def expected_calibration_error(confidence: ArrayLike, right: ArrayLike) -> float | None:
    """Return the mean distance between confidence and share right; None where there is nothing.

    Parameters
    ----------
    confidence, right
        See `reliability`.

    Notes
    -----
    sum over bins of count / n * |mean confidence - share right| (Naeini, Cooper, Hauskrecht 2015).
    """
    table = reliability(confidence, right)
    if not len(table):
        return None
    distance = (table["confidence"] - table["right"]).abs()
    return float((distance * table["count"]).sum() / table["count"].sum())
