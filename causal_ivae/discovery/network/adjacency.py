"""Describe every pair by how strongly it is connected given all other regions."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.network.units import Units

_SMALL = 0.01
_RIDGE = 1e-6


def adjacency_features(units: Units, n_times: int) -> NDArray[np.float64]:
    """Return features of every pair for the probability that it is adjacent.

    Parameters
    ----------
    n_times : int
        Number of volumes of the whole series.

    Returns
    -------
    ndarray, shape (n_pairs, 9), float64
        Rows in the order of ``numpy.triu_indices(n_regions, 1)``.  Columns: size of the partial
        correlation; its size over its standard error; over the best path through one other region;
        size of the correlation; correlation with the sign of the partial correlation; size over
        the largest of the two regions; over the smaller of the two regions' largest; number of
        volumes; size over the median of all pairs.

    Notes
    -----
    Haemodynamics leave significant partial correlations between regions that are not adjacent if
    data are many, so that sizes count and not only significance.  Correlations are Fisher's z; the
    standard error is the jackknife's over units.
    """
    weight, moments = units.weights, units.products()
    d = moments.shape[1]
    whole = np.tensordot(weight, moments, axes=1)
    without = (whole - weight[:, None, None] * moments) / (1.0 - weight)[:, None, None]
    x, y = np.triu_indices(d, 1)
    partial = _fisher(partial_correlations(whole))
    left_out = _fisher(partial_correlations(without))[:, x, y]
    n = len(weight)
    spread = np.square(left_out - left_out.mean(axis=0)).sum(axis=0)
    error = np.sqrt((n - 1) / n * spread) + 1e-4
    deviation = np.sqrt(np.diag(whole))
    marginal = _fisher(whole / np.outer(deviation, deviation))[x, y]
    np.fill_diagonal(partial, 0.0)
    size = np.abs(partial)
    path = np.zeros((d, d))
    for k in range(d):
        np.maximum(path, np.outer(size[:, k], size[k]), out=path)
    largest = size.max(axis=1)
    own = size[x, y]
    return np.column_stack(
        [
            np.log(own + _SMALL),
            np.arcsinh(own / error),
            np.log((own + _SMALL) / (path[x, y] + _SMALL)),
            np.log(np.abs(marginal) + _SMALL),
            np.sign(partial[x, y]) * np.clip(marginal, -0.5, 0.5) / 0.5,
            np.log((own + _SMALL) / (np.maximum(largest[x], largest[y]) + _SMALL)),
            np.log((own + _SMALL) / (np.minimum(largest[x], largest[y]) + _SMALL)),
            np.full(len(x), np.log(n_times) - 8.0),
            np.log((own + _SMALL / 2) / (np.median(own) + _SMALL / 2)),
        ]
    )


def partial_correlations(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of every pair given all other regions, from second moments."""
    d = moments.shape[-1]
    deviation = np.sqrt(np.einsum("...ii->...i", moments))
    correlation = moments / (deviation[..., :, None] * deviation[..., None, :])
    precision = np.linalg.inv(correlation + _RIDGE * np.eye(d))
    scale = np.sqrt(np.einsum("...ii->...i", precision))
    return np.asarray(-precision / (scale[..., :, None] * scale[..., None, :]))


def _fisher(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arctanh(np.clip(correlation, -0.9999, 0.9999))
