"""Find volumes in which nothing was measured although the series have values there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHANCE = 0.5
"""Repeated rows prove nothing if more than this many are expected by chance."""
_ROUNDING = 1e-10
"""A column is constant if its range is at most this share of its largest absolute value."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Hold the rows of a table of region time series without a measurement.

    Attributes
    ----------
    rows : ndarray, shape (n_times,), bool
        True for rows in which nothing was measured.
    missing, constant, repeated : int
        Number of these rows that are missing in all regions, that equal a constant of several rows
        (such as 0), and that equal the row before.
    """

    rows: NDArray[np.bool_]
    missing: int
    constant: int
    repeated: int

    @property
    def sentence(self) -> str:
        """Describe the gaps for a reader; empty if there are none."""
        parts = [
            f"{count} {what}"
            for count, what in (
                (self.missing, "missing in all regions"),
                (self.constant, "constant in all regions at once"),
                (self.repeated, "equal to the volume before in all regions"),
            )
            if count
        ]
        if not parts:
            return ""
        total = int(self.rows.sum())
        return (
            f"{total} of {len(self.rows)} volumes hold no measurement and are treated as gaps: "
            f"{', '.join(parts)}."
        )


def is_constant(values: NDArray[np.float64]) -> bool:
    """Check whether a column holds one number, up to rounding."""
    # The standard deviation of a column of 0.1 is not 0 but 1e-17.
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max(initial=0.0))


def find_gaps(values: NDArray[np.float64]) -> Gaps:
    """Find the rows in which nothing was measured.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), float64
        One run of two or more regions in any unit, with NaN for missing values.

    Returns
    -------
    Gaps

    Notes
    -----
    Software that censors volumes replaces them by 0, another constant, each region's mean or the
    last good volume, or pads the end.  Measured volumes are never equal in all regions, so that
    equal rows reveal such volumes.  Repeated rows are not used if values are so coarse that rows
    would repeat by chance (a few levels in two regions).
    """
    missing = np.asarray(np.isnan(values).all(axis=1))
    constant = _constant(values, missing)
    repeated = np.zeros(len(values), dtype=bool)
    known = ~(missing | constant)
    repeated[1:] = known[1:] & known[:-1] & (values[1:] == values[:-1]).all(axis=1)
    if repeated.any() and _chance_of_equal_rows(values[known]) * known.sum() > _CHANCE:
        repeated[:] = False
    return Gaps(
        missing | constant | repeated, int(missing.sum()), int(constant.sum()), int(repeated.sum())
    )


def _constant(values: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the rows with one number in all regions, and those that recur at other times."""
    whole = np.flatnonzero(~missing & np.isfinite(values).all(axis=1))
    found = np.zeros(len(values), dtype=bool)
    if not len(whole):
        return found
    known = values[whole]
    rows, first, which, counts = np.unique(
        known, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    which = which.ravel()
    last = np.zeros(len(rows), dtype=np.int64)
    np.maximum.at(last, which, np.arange(len(known)))
    # Repeats of the last good volume form one stretch, whose first row was measured.
    returns = whole[last] - whole[first] + 1 > counts
    one_number = np.ptp(rows, axis=1) == 0
    # The other rows tell how often such a row would occur by chance.
    by_column = np.column_stack([_counts(column)[first] for column in known.T])
    others = np.maximum(len(known) - counts, 1)
    share = (by_column - counts[:, None]) / others[:, None]
    unheard_of = share.min(axis=1) == 0
    least = np.where(
        unheard_of, np.where(one_number, 1, 2), 5 + 4 * len(known) * share.prod(axis=1)
    )
    several = (counts > least) & (one_number | returns)
    several |= (rows == 0).all(axis=1) & unheard_of
    found[whole[several[which]]] = True
    return found


def _counts(column: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for every entry how often its value occurs in the column."""
    _, which, counts = np.unique(column, return_inverse=True, return_counts=True)
    return np.asarray(counts[which], dtype=np.int64)


def _chance_of_equal_rows(values: NDArray[np.float64]) -> float:
    """Return the probability that two rows are equal if regions are independent."""
    chance = 1.0
    for column in values.T:
        _, counts = np.unique(column, return_counts=True)
        chance *= float(np.square(counts / len(column)).sum())
    return chance
