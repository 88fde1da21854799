"""A method from outside the package that judges all regions at once, by partial correlations.

Importing it registers the method and its table, in the workers of a run as well.
"""

from dataclasses import replace

import numpy as np
from pydantic import Field

from causal_ivae.derivatives.declaration import Column, Table
from causal_ivae.derivatives.tables import EDGES
from causal_ivae.discovery.methods import METHODS, Method, register
from causal_ivae.discovery.problem import Found
from causal_ivae.discovery.workload import Workload
from causal_ivae.outcomes import arrow_columns
from causal_ivae.settings import MethodSettings

PARTIALS = Table(
    "partials",
    "One row per pair: what connects it.",
    {
        "x": Column("First region of the pair.", text=True),
        "y": Column("Second region of the pair.", text=True),
        "partial": Column("Correlation given all other regions."),
    },
)


class ToyNetworkSettings(MethodSettings):
    """How large a partial correlation must be for a decision."""

    least: float = Field(0.2, gt=0)


class ToyNetwork(Method[ToyNetworkSettings]):
    """The strongest pair drives each other, strong ones are arrows, weak ones connected or not."""

    name = "toynet"
    title = "Toy network"
    settings = ToyNetworkSettings
    decision = frozenset({"confidence", "acyclic"})
    tables = (PARTIALS,)

    def discover(self, problem):
        """Decide by the size of partial correlations; two regions are left to another method."""
        if len(problem.names) == 2:
            return replace(METHODS["ivae"].discover(problem), made_by="ivae")
        least = self.own(problem.unmixing).least
        precision = np.linalg.inv(np.corrcoef(problem.values.T.astype(float)))
        scale = np.sqrt(np.diag(precision))
        i, j = problem.pairs.T
        partial = (-precision / np.outer(scale, scale))[i, j]
        size = np.abs(partial)
        decision = np.select(
            [size == size.max(), size >= least, size >= least / 2],
            ["both", np.where(partial > 0, "x->y", "y->x"), "undecided"],
            "none",
        )
        if problem.progress is not None:
            problem.progress("partial correlations", 1.0)
        x, y = np.array(problem.names, dtype=object)[problem.pairs.T]
        adjacent = np.clip(size / least, 0.0, 1.0)
        edges = EDGES.frame(
            {
                "x": x, "y": y, "decision": decision.astype(object),
                **arrow_columns(decision, x, y),
                "score": np.where(decision == "both", 0.0, partial),
                "confidence": np.maximum(adjacent, 0.5),
                "probability_unknown": np.zeros(len(x)),
                "probability_forward": np.where(decision == "x->y", 0.8, 0.1),
                "probability_backward": np.where(decision == "y->x", 0.8, 0.1),
                "probability_none": 1.0 - adjacent,
                "probability_both": np.where(decision == "both", 0.8, 0.0),
                "probability_adjacent": adjacent,
            }
        )  # fmt: skip
        partials = PARTIALS.frame({"x": x, "y": y, "partial": partial})
        return Found({"edges": edges, "partials": partials})

    def steps(self, unmixing, n_pairs):
        """Count the pairs."""
        return n_pairs

    def workload(self, problem):
        """Promise a second for every pair."""
        return Workload(self.name, 0.5, float(len(problem.pairs)), str(problem.device))

    def fit_sentences(self, unmixing, n_pairs, *, alone):
        """Say so."""
        return [f"Partial correlations of {n_pairs} pairs were computed."]

    def decision_sentences(self, decision, whose):
        """Say so."""
        return [f"Their size{whose} decided."]


register(ToyNetwork())
