"""Bring series into a form that does not depend on their signs, order or marginal distributions."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm


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


_KNOTS = 64
_ROWS_PER_KNOT = 16
_LEAST_SLOPE = 1e-3


def normal_scores(
    values: NDArray[np.floating], fitted: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Map every column to a standard normal distribution by an increasing function.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_columns)
        Z-scored series.
    fitted : ndarray, shape (n_times,), bool, optional
        Volumes that the functions are fitted to; all are mapped.  Default: all.

    Returns
    -------
    scores : ndarray, shape (n_times, n_columns), float32
    log_slope : ndarray, shape (n_times, n_columns), float32
        Logarithm of the function's slope at every value.  Adding it to the log-density of the
        scores gives the log-density of the values.

    Notes
    -----
    Increasing functions of two regions do not change which of them drives the other.  They are
    needed because layers of nonlinear mixing can leave distributions whose scale differs by orders
    of magnitude between parts of their range.  The function is a monotone cubic through up to 64
    quantiles (Fritsch and Carlson 1980) and linear in the tails.
    """
    known = values if fitted is None else values[fitted]
    n_times, n_columns = known.shape
    scores = np.empty(values.shape, dtype=np.float32)
    log_slope = np.empty(values.shape, dtype=np.float32)
    count = max(8, min(_KNOTS, n_times // _ROWS_PER_KNOT))
    share = np.concatenate([[0.5 / n_times], np.arange(1, count) / count, [1.0 - 0.5 / n_times]])
    for column in range(n_columns):
        series = np.asarray(values[:, column], dtype=np.float64)
        # A value that many volumes share gives several equal quantiles; they are averaged.
        places, which = np.unique(np.quantile(known[:, column], share), return_inverse=True)
        heights = np.bincount(which, norm.ppf(share)) / np.bincount(which)
        if len(places) < 2:
            scores[:, column], log_slope[:, column] = series, 0.0
            continue
        curve = PchipInterpolator(places, heights)
        slope = curve.derivative()
        inside = np.clip(series, places[0], places[-1])
        # The curve may be flat at its ends, but the linear tails need a positive slope.
        steep = np.maximum(slope(inside), _LEAST_SLOPE)
        scores[:, column] = curve(inside) + steep * (series - inside)
        log_slope[:, column] = np.log(steep)
    return scores, log_slope
