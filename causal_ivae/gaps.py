"""Volumes in which nothing was measured, although the series have a value there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHANCE = 0.5
"""Rows expected to repeat by chance, above which repeated rows prove nothing."""
_ROUNDING = 1e-10
"""Range of a column, relative to its size, below which it is constant."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Rows of a table of region time series that hold no measurement.

    Attributes
    ----------
    rows : ndarray, shape (n_times,), bool
        True where nothing was measured.
    missing, constant, repeated : int
        How many of them are missing in all regions, equal to a constant that fills several rows
        (such as 0), and equal to the row before.
    """

    rows: NDArray[np.bool_]
    missing: int
    constant: int
    repeated: int

    @property
    def sentence(self) -> str:
        """What was found, for a reader; empty where there is nothing."""
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
    """Return whether a column holds one number, rounding aside."""
    # The standard deviation of a column of 0.1 is not 0 but 1e-17.
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max(initial=0.0))


def find_gaps(values: NDArray[np.float64]) -> Gaps:
    """Find the rows in which nothing was measured.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), float64
        One run, two regions or more, of any unit; NaN where a value is missing.

    Returns
    -------
    Gaps

    Notes
    -----
    Software that censors volumes writes 0, another constant, or each region's mean into them,
    repeats the last good volume, or pads the end.  Two volumes of measured series are never equal
    in all regions, so these are found by rows that are equal.  Where values are so coarse that
    rows would repeat by chance (a few levels in two regions), repeated rows are left alone.
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
    """Return the rows that hold one number in all regions, or a row that returns at other times."""
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
    # A volume that is held stands in one stretch: its first row was measured.
    returns = whole[last] - whole[first] + 1 > counts
    one_number = np.ptp(rows, axis=1) == 0
    # How often such a row would be there if the other rows were all that is known of the regions.
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
    """Return for every entry how often its value stands in the column."""
    _, which, counts = np.unique(column, return_inverse=True, return_counts=True)
    return np.asarray(counts[which], dtype=np.int64)


def _chance_of_equal_rows(values: NDArray[np.float64]) -> float:
    """Return the probability that two rows are equal if regions are independent."""
    chance = 1.0
    for column in values.T:
        _, counts = np.unique(column, return_counts=True)
        chance *= float(np.square(counts / len(column)).sum())
    return chance
