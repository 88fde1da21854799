"""Turn features of pairs into calibrated probabilities of adjacency and of arrows."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

ARROWS = ("none", "x->y", "y->x", "both")
"""An adjacent pair has a probability of every outcome, in this order."""

_FILE = "weights.json"
_MOST_DEVIATIONS = 5.0
"""Features further from the mean of the simulated networks than this count as if they were here."""


@dataclass(frozen=True)
class AdjacencyModel:
    """Model the probability that a pair is adjacent by logistic regression.

    Attributes
    ----------
    mean, scale : ndarray, shape (9,), float64
        Of the features of `causal_ivae.discovery.network.adjacency.adjacency_features`.
    weights : ndarray, shape (10,), float64
        Intercept, and weights of the scaled features.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]

    def design(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the columns that the weights belong to, shape (n_pairs, 10)."""
        scaled = np.clip((features - self.mean) / self.scale, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        return np.column_stack([np.ones(len(scaled)), scaled])

    def log_odds(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log odds that every pair is adjacent."""
        # The rounding of matrix products would depend on the number of pairs.
        return np.asarray((self.design(features) * self.weights).sum(axis=1))


@dataclass(frozen=True)
class ArrowModel:
    """Model the arrows of a pair by symmetric multinomial logistic regression.

    Exchanging the two regions exchanges the probabilities of x -> y and y -> x.

    Attributes
    ----------
    odd_scale : ndarray, shape (12,), float64
    even_mean, even_scale : ndarray, shape (26,), float64
        Of the features of `causal_ivae.discovery.network.evidence.arrow_features`.
    direction : ndarray, shape (12,), float64
        Weights of the features that change sign with the arrow; none is negative.
    single, both : ndarray, shape (27,), float64
        Intercept and weights of the other features in the log odds of one arrow, and of two,
        against none.
    """

    odd_scale: NDArray[np.float64]
    even_mean: NDArray[np.float64]
    even_scale: NDArray[np.float64]
    direction: NDArray[np.float64]
    single: NDArray[np.float64]
    both: NDArray[np.float64]

    def design(
        self, odd: NDArray[np.float64], even: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the columns that the weights belong to."""
        scaled = np.clip(
            (even - self.even_mean) / self.even_scale, -_MOST_DEVIATIONS, _MOST_DEVIATIONS
        )
        return odd / self.odd_scale, np.column_stack([np.ones(len(even)), scaled])

    def probabilities(
        self, odd: NDArray[np.float64], even: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the probability of every outcome, shape (n_pairs, 4), in the order of `ARROWS`."""
        odd, even = self.design(odd, even)
        straight = (odd * self.direction).sum(axis=1)
        single, both = ((even * own).sum(axis=1) for own in (self.single, self.both))
        logits = [np.zeros_like(both), single + straight, single - straight, both]
        return np.asarray(softmax(np.column_stack(logits), axis=1))


@dataclass(frozen=True)
class NetworkWeights:
    """Hold the models of adjacency and of arrows."""

    adjacency: AdjacencyModel
    arrows: ArrowModel

    @classmethod
    def of_tree(cls, tree: dict[str, dict[str, list[float]]]) -> Self:
        """Make the models from their numbers in a file."""
        numbers = {
            name: {key: np.array(value) for key, value in part.items()}
            for name, part in tree.items()
        }
        return cls(AdjacencyModel(**numbers["adjacency"]), ArrowModel(**numbers["arrows"]))


@cache
def network_weights() -> NetworkWeights:
    """Return the models that come with the program."""
    return NetworkWeights.of_tree(read_weights()["Weights"])


def read_weights() -> dict[str, Any]:
    """Return the file of the weights with the report on how they were found."""
    text = (files("causal_ivae.discovery.network") / _FILE).read_text(encoding="utf-8")
    tree: dict[str, Any] = json.loads(text)
    return tree
