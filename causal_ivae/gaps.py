"""Find volumes in which nothing was measured although the series have values there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHANCE = 0.5
"""Repeated rows prove nothing if more than this many are expected by chance."""


_STRAIGHT = 1e-4
"""Rows lie on a line if they deviate by at most this share of the mean second difference."""
_ROWS_ON_LINE = 4
"""This many rows lie on one line in all regions only if they were filled."""
_PARTS = (2, 3, 4, 6, 10, 20)
"""Lines are laid through rows that are these parts of the run apart."""
_NUMBERS = 2_000_000
"""At most so many distances from lines are computed at a time."""
_UNLIKELY = 1e-3
"""Straight rows need no further evidence if fewer are expected by chance."""
_FEWEST_REGIONS = 3
"""So many regions never leave their ranges at once."""
_FAR, _BASELINE = 50.0, 20.0
"""In median absolute deviations: values further off are none; medians further off are baselines."""
_SHARE_OF_BASELINE = 0.5
"""No signal that has a baseline changes by this share of it."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Hold the rows of a table of region time series without a measurement.

    Attributes
    ----------
    rows : ndarray, shape (n_times,), bool
        True for rows in which nothing was measured.
    missing, constant, repeated, straight, impossible : int
        Number of these rows that are missing in all regions, that equal a constant of several rows
        (such as 0), that equal the row before, that lie on a straight line in all regions, and that
        are far outside of the range of every region.
    """

    rows: NDArray[np.bool_]
    missing: int = 0
    constant: int = 0
    repeated: int = 0
    straight: int = 0
    impossible: int = 0

    @property
    def sentence(self) -> str:
        """Describe the gaps for a reader; empty if there are none."""
        parts = [
            f"{count} {what}"
            for count, what in (
                (self.missing, "missing in all regions"),
                (self.constant, "constant in all regions at once"),
                (self.repeated, "equal to the volume before in all regions"),
                (self.straight, "on a straight line in all regions at once"),
                (self.impossible, "far outside of what is measured in all regions at once"),
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


def find_gaps(values: NDArray[np.float64]) -> Gaps:
    """Find the rows in which nothing was measured.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), float64
        One run of two or more regions in any unit, with NaN for missing values.

    Notes
    -----
    Software that censors volumes replaces them by 0, another constant, each region's mean or the
    last good volume, or pads the end.  Measured volumes are never equal in all regions, so that
    equal rows reveal such volumes.  Repeated rows are not used if values are so coarse that rows
    would repeat by chance (a few levels in two regions).

    Other software interpolates censored volumes, or removes a line from filled ones.  Both leave
    rows on a straight line in all regions at once.  Interpolated volumes are the inner ones of
    such a stretch.  Filled ones lie on one line in all stretches, and so are found outside of
    stretches too.  After a filter, or a polynomial of a higher order, filled volumes cannot be told
    from slow signals, and are not found.
    """
    missing = np.asarray(np.isnan(values).all(axis=1))
    constant = _constant(values, missing)
    repeated = np.zeros(len(values), dtype=bool)
    known = ~(missing | constant)
    repeated[1:] = known[1:] & known[:-1] & (values[1:] == values[:-1]).all(axis=1)
    if repeated.any() and _chance_of_equal_rows(values[known]) * known.sum() > _CHANCE:
        repeated[:] = False
    impossible = _impossible(values, known & ~repeated)
    straight = _straight(values, known & ~repeated & ~impossible)
    return Gaps(
        missing | constant | repeated | straight | impossible,
        int(missing.sum()),
        int(constant.sum()),
        int(repeated.sum()),
        int(straight.sum()),
        int(impossible.sum()),
    )


def _impossible(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the rows that are far outside of the range of every region."""
    found = np.zeros(len(values), dtype=bool)
    whole = known & np.isfinite(values).all(axis=1)
    if values.shape[1] < _FEWEST_REGIONS or not whole.any():
        return found
    median = np.median(values[whole], axis=0)
    off = np.abs(values[whole] - median)
    usual = np.median(off, axis=0)
    # A region that hardly ever changes tells nothing.
    moving = usual > 0
    if moving.sum() < _FEWEST_REGIONS:
        return found
    baseline = np.abs(median) > _BASELINE * usual
    limit = np.where(baseline, _SHARE_OF_BASELINE * np.abs(median), _FAR * usual)
    found[whole] = (off > limit)[:, moving].all(axis=1)
    return found


def _straight(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the rows that were interpolated, or filled before a line was removed."""
    found = np.zeros(len(values), dtype=bool)
    whole = known & np.isfinite(values).all(axis=1)
    inner = whole[2:] & whole[1:-1] & whole[:-2]
    if not inner.any():
        return found
    with np.errstate(invalid="ignore"):
        bend = np.abs(values[2:] - 2.0 * values[1:-1] + values[:-2])
    allowed = _STRAIGHT * bend[inner].mean(axis=0)
    # A region that never changes lies on a straight line everywhere, and tells nothing.
    moving = allowed > 0
    if not moving.any():
        return found
    values, bend, allowed = values[:, moving], bend[:, moving], allowed[moving]
    filled = _on_one_line(values, whole, allowed)
    if filled.any():
        return filled
    level = (bend <= allowed) & inner[:, None]
    found[1:-1] = level.all(axis=1)
    others = level[inner & ~found[1:-1]]
    expected = inner.sum() * others.mean(axis=0).prod() if len(others) else 0.0
    if found.sum() <= (5 + 4 * expected if expected > _UNLIKELY else 0):
        return np.zeros_like(found)
    return found


def _on_one_line(
    values: NDArray[np.float64], whole: NDArray[np.bool_], allowed: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the rows that lie on one line in all regions, but for one interpolated stretch."""
    n_times = len(values)
    none = np.zeros(n_times, dtype=bool)
    # Integers lie on lines by chance, and no line was removed from them.
    if min(len(np.unique(column[whole])) for column in values.T) < whole.sum() / 2:
        return none
    time = np.arange(n_times)
    for lag in sorted({n_times // part for part in _PARTS} - {0}):
        start = np.flatnonzero(whole[:-lag] & whole[lag:])
        # Of long runs some of the lines are enough, since many rows were filled.
        start = start[:: 1 + len(start) * n_times // _NUMBERS]
        slope = (values[start + lag] - values[start]) / lag
        near = np.broadcast_to(whole, (len(start), n_times))
        for region in range(values.shape[1]):
            line = values[start, region, None] + slope[:, region, None] * (time - start[:, None])
            near = near & (np.abs(values[:, region] - line) <= allowed[region])
            likely = near.sum(axis=1) >= _ROWS_ON_LINE
            start, slope, near = start[likely], slope[likely], near[likely]
        for rows in near:
            first, last = np.flatnonzero(rows)[[0, -1]]
            # One stretch inside a run may be interpolated, with measured volumes at its ends.
            if last - first >= rows.sum() or first == 0 or last == n_times - 1:
                design = np.column_stack([np.ones(n_times), time / n_times])
                best = np.linalg.lstsq(design[rows], values[rows], rcond=None)[0]
                on_line = (np.abs(values - design @ best) <= allowed).all(axis=1) & whole
                return np.asarray(on_line | rows)
    return none


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
