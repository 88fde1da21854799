"""The estimated causal graph and all the evidence behind it."""

from dataclasses import dataclass
from typing import Literal

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

Decision = Literal["x->y", "y->x", "none", "undecided"]

EDGE_COLUMNS = (
    "x", "y", "decision", "cause", "effect", "score", "p_value", "q_value", "confidence",
)  # fmt: skip
TEST_COLUMNS = ("x", "y", "restart", "first", "second", "statistic", "null_mean", "p_value")
RESTART_COLUMNS = ("x", "y", "restart", "vote", "score", "objective", "slope")
TRAINING_COLUMNS = ("x", "y", "restart", "step", "objective")


@dataclass(frozen=True)
class CausalGraph:
    """Estimated causal graph of one subject by one method.

    Attributes
    ----------
    method : str
        ``"ivae"`` or ``"tcl"``.
    names : tuple of str, length n_regions
    edges : pandas.DataFrame
        One row per tested pair, in the order given: ``x``, ``y`` (region names), ``decision``
        ("x->y", "y->x", "none" or "undecided"), ``cause`` and ``effect`` (names, empty unless
        decided), ``score`` (positive favours x -> y), ``p_value`` (the larger of those of the
        tests that the pair is independent and that it has no direction), ``q_value``
        (Benjamini-Hochberg across pairs), ``confidence`` (share of resamples of segments and
        restarts with the same decision; for "undecided" that of the more frequent direction;
        under the rule "paper" the share of restarts).
    tests : pandas.DataFrame
        One row per HSIC test: ``x``, ``y``, ``restart`` (missing for the test of the two regions
        themselves), ``first`` (a region), ``second`` (``"n1"``, ``"n2"`` or the other region),
        ``statistic``, ``null_mean`` (its mean under the null), ``p_value``.
    restarts : pandas.DataFrame
        One row per pair and restart: ``vote`` of the four-test rule ("x->y", "y->x", "none",
        "inconclusive"), ``score``, ``objective`` at the end of training (higher is better) and
        its ``slope`` over the last tenth, per 100 steps.
    training : pandas.DataFrame
        ``x``, ``y``, ``restart``, ``step``, ``objective``: the training curves.
    settings : dict
        Everything that determines the numbers, seed included.
    seconds : float
        Wall time, s.
    """

    method: str
    names: tuple[str, ...]
    edges: pd.DataFrame
    tests: pd.DataFrame
    restarts: pd.DataFrame
    training: pd.DataFrame
    settings: dict[str, object]
    seconds: float

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Signed direction scores, shape (n_regions, n_regions): row = cause, column = effect.

        ``matrix[i, j] > 0`` favours i -> j and ``matrix[j, i]`` is its negative; 0 where a pair
        was not tested and on the diagonal.
        """
        position = {name: i for i, name in enumerate(self.names)}
        scores = np.zeros((len(self.names), len(self.names)))
        rows = [position[x] for x in self.edges["x"]]
        columns = [position[y] for y in self.edges["y"]]
        scores[rows, columns] = self.edges["score"]
        scores[columns, rows] = -self.edges["score"]
        return scores

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """Decided edges, shape (n_regions, n_regions): ``adjacency[i, j]`` is i -> j."""
        position = {name: i for i, name in enumerate(self.names)}
        matrix = np.zeros((len(self.names), len(self.names)), dtype=bool)
        decided = self.edges[self.edges["cause"] != ""]
        matrix[
            [position[cause] for cause in decided["cause"]],
            [position[effect] for effect in decided["effect"]],
        ] = True
        return matrix

    @property
    def graph(self) -> "nx.DiGraph[str]":
        """The decided edges, from cause to effect, with score, p, q and confidence."""
        graph: nx.DiGraph[str] = nx.DiGraph(method=self.method)
        graph.add_nodes_from(self.names)
        decided = self.edges[self.edges["cause"] != ""]
        attributes = decided[["score", "p_value", "q_value", "confidence"]].abs()
        for cause, effect, row in zip(
            decided["cause"], decided["effect"], attributes.to_dict("records"), strict=True
        ):
            graph.add_edge(cause, effect, **{str(name): float(v) for name, v in row.items()})
        return graph
