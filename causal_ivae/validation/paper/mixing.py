"""Draw random invertible networks that mix sources into observations."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import SettingsError, nearest

MixingActivation = Literal["leaky_relu", "xtanh"]

_CANDIDATES = 10_000
"""The condition numbers of this many random matrices are compared."""
_QUANTILE = 25
"""A matrix is used if its condition number is at most this percentile."""


@dataclass(frozen=True)
class Mixing:
    """Mix sources by a multilayer perceptron without biases.

    Attributes
    ----------
    weights : tuple of ndarray
        The first has shape (n_sources, n_features), the others (n_features, n_features).
    activation : {"leaky_relu", "xtanh"}
        Function applied after every layer but the last; xtanh is tanh(x) + slope x.
    slope : float
        Slope of leaky ReLU below zero, or of the linear part of xtanh.
    """

    weights: tuple[NDArray[np.float64], ...]
    activation: MixingActivation
    slope: float

    def __call__(self, sources: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mix sources of shape (..., n_sources) into observations of shape (..., n_features)."""
        values = sources
        for weight in self.weights[:-1]:
            values = values @ weight
            if self.activation == "leaky_relu":
                values = np.where(values > 0.0, values, self.slope * values)
            else:
                values = np.tanh(values) + self.slope * values
        return np.asarray(values @ self.weights[-1])


def random_mixing(
    n_sources: int,
    n_features: int,
    *,
    layers: int = 3,
    activation: MixingActivation = "leaky_relu",
    slope: float = 0.1,
    rng: np.random.Generator,
) -> Mixing:
    """Draw a well-conditioned mixing network.

    Parameters
    ----------
    layers : int
        Number of weight matrices; 1 gives a linear mixture.
    activation, slope
        As in `Mixing`.

    Raises
    ------
    SettingsError
        If there are no sources or layers, fewer features than sources, or the activation is
        unknown.

    Notes
    -----
    Every matrix has entries uniform in (-1, 1), columns scaled to unit norm, and a condition
    number below the 25th percentile of 10,000 such matrices, as in the simulations of Hyvarinen
    and Morioka 2016, section 5, and of Khemakhem et al. 2020, section 5.1.  Each layer has its own
    matrix; the code published with the latter repeats one matrix.
    """
    for name, value, least in (
        ("n_sources", n_sources, 1),
        ("n_features", n_features, n_sources),
        ("layers", layers, 1),
    ):
        if value < least:
            raise SettingsError(f"Invalid value {value} for '{name}': give {least} or more.")
    if activation not in get_args(MixingActivation):
        raise SettingsError(
            f"Unknown activation '{activation}'. {nearest(activation, get_args(MixingActivation))}"
        )
    sizes = [n_sources, *([n_features] * layers)]
    weights = tuple(_well_conditioned(rng, rows, columns) for rows, columns in pairwise(sizes))
    return Mixing(weights, activation, slope)


def _well_conditioned(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    candidates = rng.uniform(-1.0, 1.0, (_CANDIDATES, rows, columns))
    candidates /= np.linalg.norm(candidates, axis=1, keepdims=True)
    condition = np.linalg.cond(candidates)
    good = condition <= np.percentile(condition, _QUANTILE)
    return np.asarray(candidates[int(np.flatnonzero(good)[0])])
