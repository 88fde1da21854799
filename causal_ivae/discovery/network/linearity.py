"""Check whether linear equations describe a network, by what nonlinear terms predict better."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.network.units import Units

MOST_GAIN = 0.06
"""Linear equations do not suffice where nonlinear terms gain more nats per volume and region.

On simulated BOLD networks they gain at most .05, on networks whose equations have three or more
layers at least .10.
"""
_NEIGHBOURS = 5
_MOST_ROWS = 6000
_RIDGE = 5.0
_LARGEST = 4.0


def nonlinear_gain(values: NDArray[np.floating], segments: NDArray[np.int64]) -> float:
    """Return what nonlinear terms of other regions add to the prediction of a region.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    segments : ndarray, shape (n_times,), int64

    Returns
    -------
    float
        Nats per volume and region, in units that were held out; mean over regions.

    Notes
    -----
    Every region is regressed on the five others that it correlates with most: on their values, and
    on these with their absolute values, squares, cubes and products.  Each half of the units is
    predicted from the other half.
    """
    units = Units.of(values, segments, _MOST_ROWS)
    x = np.clip(units.rows_of(units.values).astype(np.float64), -_LARGEST, _LARGEST)
    late = np.repeat(np.arange(len(units.counts)) >= len(units.counts) // 2, units.counts)
    correlation = np.abs(np.corrcoef(x, rowvar=False))
    np.fill_diagonal(correlation, -1.0)
    gains = []
    for region, row in enumerate(correlation):
        others = x[:, np.argsort(-row, kind="stable")[: min(_NEIGHBOURS, len(row) - 1)]]
        first, second = np.triu_indices(others.shape[1], 1)
        linear = np.column_stack([np.ones(len(x)), others])
        bent = np.column_stack(
            [
                linear,
                np.abs(others),
                0.5 * np.square(others),
                0.2 * others**3,
                others[:, first] * others[:, second],
            ]
        )
        errors = [
            [_held_out_error(terms, x[:, region], held) for terms in (linear, bent)]
            for held in (late, ~late)
        ]
        gains.append(0.25 * sum(np.log(straight / curved) for straight, curved in errors))
    return float(np.mean(gains))


def _held_out_error(
    terms: NDArray[np.float64], target: NDArray[np.float64], held: NDArray[np.bool_]
) -> float:
    """Return the mean squared error of a ridge regression on rows that were held out."""
    known = terms[~held]
    gram = known.T @ known + _RIDGE * np.eye(terms.shape[1])
    weights = np.linalg.solve(gram, known.T @ target[~held])
    return float(np.square(target[held] - terms[held] @ weights).mean())
