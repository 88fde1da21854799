"""Parts of a partial correlation whose degrees of freedom allow for autocorrelation."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError


def centred(
    values: NDArray[np.floating], blocks: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Take the mean off in every block.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    blocks : ndarray, shape (n_times,), int64

    Returns
    -------
    series : ndarray, shape (n_times, n_regions), float64
    labels : ndarray, shape (n_times,), int64
        Blocks, 0 to n_blocks - 1.
    volumes : int
        Volumes less means taken off.
    """
    _, labels, counts = np.unique(blocks, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, labels, values)
    series = np.asarray(values, dtype=np.float64) - (sums / counts[:, None])[labels]
    return series, labels, len(values) - len(counts)


def effective_volumes(
    left: NDArray[np.float64],
    labels: NDArray[np.int64],
    volumes: int,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return how many independent volumes those of every pair of columns count as.

    Parameters
    ----------
    left : ndarray, shape (n_times, columns), float64
        What the other regions leave of each.
    labels : ndarray, shape (n_times,), int64
    volumes : int
    first, second : ndarray, shape (pairs,), int64
        Columns.

    Notes
    -----
    N / (1 + 2 sum_t r_i(t) r_j(t)), with the autocorrelations r (Bartlett 1935), and N at most.
    """
    lagged = _autocorrelations(left, labels)
    inflation = 1.0 + 2.0 * np.einsum("ti,ti->i", lagged[:, first], lagged[:, second])
    return np.asarray(volumes / np.clip(inflation, 1.0, None))


def too_few(n_times: int, effective: float, regions: int) -> InputError:
    """Return the error that there are too few effectively independent volumes."""
    return InputError(
        f"{n_times} volumes count as {effective:.0f} independent ones, too few for partial "
        f"correlations among {regions} regions: screen by 'dependence', or give more runs or "
        "fewer regions."
    )


def _autocorrelations(
    series: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Autocorrelation of every column at lags 1, 2, ..., within blocks, shape (lags, columns)."""
    n_times = len(series)
    lags = min(n_times // 4, round(10.0 * np.log10(n_times)))
    power = np.square(series).mean(axis=0)
    found = []
    for lag in range(1, lags + 1):
        follows = labels[lag:] == labels[:-lag]
        products = (series[lag:] * series[:-lag])[follows]
        found.append(products.sum(axis=0) / n_times / power)
    return np.array(found)
