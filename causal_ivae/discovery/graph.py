"""The estimated causal graph and all the evidence behind it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.discovery.cycles import Cycle

if TYPE_CHECKING:
    from causallearn.graph.GeneralGraph import GeneralGraph
    from matplotlib.figure import Figure

Decision = Literal["x->y", "y->x", "none", "undecided"]


@dataclass(frozen=True)
class CausalGraph:
    """Estimated causal graph of one subject by one method.

    Attributes
    ----------
    method : str
        ``"structural"``, ``"ivae"`` or ``"tcl"``, or ``"equations"`` of all regions at once.
    names : tuple of str, length n_regions
    edges : pandas.DataFrame
        One row per pair, in the order given: ``x``, ``y`` (region names), ``decision``
        ("x->y", "y->x", "none" or "undecided"), ``cause`` and ``effect`` (names, empty unless
        decided), ``score`` (positive favours x -> y), ``score_low`` and ``score_high`` (its 95 %
        interval over segments) and ``score_error`` (its standard error; both are missing where
        segments are too few), ``p_value`` (the larger of the tests that the pair is independent
        and that it has no direction), ``q_value`` (Benjamini-Hochberg across pairs),
        ``confidence`` (share of resamples of segments and restarts with the same decision; for
        "undecided" that of the more frequent direction; under the rule "paper" the share of
        restarts; by "structural" the probability), and the probabilities of x -> y, y -> x, no
        edge, and none of these, missing for a method that gives none.
    tests : pandas.DataFrame
        One row per HSIC test: ``x``, ``y``, ``restart`` (missing for the test of the two regions
        themselves; by "structural" 0 for the fit of x -> y and 1 for that of y -> x), ``first``
        (a region), ``second`` (``"n1"``, ``"n2"`` or the other region), ``statistic``,
        ``null_mean`` (its mean under the null), ``p_value``; all missing where the restart
        diverged.
    restarts : pandas.DataFrame
        One row per pair and restart: ``vote`` of the four-test rule ("x->y", "y->x", "none",
        "inconclusive"), ``score``, ``objective`` at the end of training (higher is better; missing
        where it diverged), its ``slope`` over the last tenth, per 100 steps, the ``steps`` that it
        learned for, and whether training was ``retried`` at half the rate and ``diverged`` in the
        end (0 or 1).
    training : pandas.DataFrame
        ``x``, ``y``, ``restart``, ``step``, ``objective``: the training curves; where there are
        thousands, fewer points of each, the last among them.
    diagnostics : pandas.DataFrame
        One row per unmixed pair, in the order of `edges`, on the restart with the best objective:
        whether its fit can be believed, and why.
    settings : dict
        Everything that determines the numbers, seed included.
    seconds : float
        Wall time, s.
    screen : pandas.DataFrame or None
        What the cheap test said of every pair: ``x``, ``y``, ``statistic`` (HSIC less its null
        mean, or the partial correlation), ``p_value``, ``kept`` (1 if the pair was unmixed), and
        of a skeleton ``given`` and ``colliders``; None where all were.
    cycles : tuple of Cycle
        Directed edges that lead back to where they begin, as `causal_ivae.discovery.cycles` finds
        them; where the settings ask for an acyclic graph, the edge that each names was dropped.
    equations : pandas.DataFrame or None
        Where all regions were analysed at once, one row per ordered pair; `EQUATION_COLUMNS`
        describes the columns.
    evidence : pandas.DataFrame or None
        One row per unmixed pair: what its probabilities come from.  `EVIDENCE_COLUMNS` describes
        the columns; None for a method other than "structural".
    stability : pandas.DataFrame or None
        One row per unmixed pair: how often each decision is made over resamples of segments, and
        over restarts.  `STABILITY_COLUMNS` describes the columns; None where all regions were
        analysed at once.
    disturbances : ndarray or None, shape (n_unmixed, 2, n_times), float32
        One row per unmixed pair, in the order of `diagnostics`: what the fit that they are about
        recovered, z-scored; by "structural" the disturbances of x and y under the direction that
        fits better, else n1 and n2.  None where all regions were analysed at once.
    """

    method: str
    names: tuple[str, ...]
    edges: pd.DataFrame
    tests: pd.DataFrame
    restarts: pd.DataFrame
    training: pd.DataFrame
    diagnostics: pd.DataFrame
    settings: dict[str, object]
    seconds: float
    screen: pd.DataFrame | None = None
    cycles: tuple[Cycle, ...] = ()
    equations: pd.DataFrame | None = None
    evidence: pd.DataFrame | None = None
    stability: pd.DataFrame | None = None
    disturbances: NDArray[np.float32] | None = None

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

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of `edges`, indexed by ``x`` and ``y``."""
        return self.edges.set_index(["x", "y"])

    def to_networkx(self, *, undecided: bool = False) -> "nx.DiGraph[str]":
        """Return `graph`, with the pairs left undecided on request.

        Parameters
        ----------
        undecided : bool, default False
            Add both directions of every undecided pair, with ``decision="undecided"``.
        """
        graph = self.graph
        nx.set_edge_attributes(graph, dict.fromkeys(graph.edges, "directed"), "decision")
        if undecided:
            left = self.edges[self.edges["decision"] == "undecided"]
            for x, y in zip(left["x"], left["y"], strict=True):
                graph.add_edge(x, y, decision="undecided")
                graph.add_edge(y, x, decision="undecided")
        return graph

    def to_causal_learn(self) -> "GeneralGraph":
        """Return the graph as one of causal-learn's, for its measures and searches.

        Returns
        -------
        causallearn.graph.GeneralGraph.GeneralGraph
            A node per region; ``x --> y`` for a decided direction, ``x --- y`` for a pair that is
            dependent but undecided, nothing for "none".
        """
        from causallearn.graph.Edge import Edge
        from causallearn.graph.Endpoint import Endpoint
        from causallearn.graph.GeneralGraph import GeneralGraph
        from causallearn.graph.GraphNode import GraphNode

        nodes = {name: GraphNode(name) for name in self.names}
        graph = GeneralGraph(list(nodes.values()))
        for edge in self.edges[self.edges["decision"] != "none"].to_dict("records"):
            if edge["cause"]:
                graph.add_directed_edge(nodes[edge["cause"]], nodes[edge["effect"]])
            else:
                graph.add_edge(
                    Edge(nodes[edge["x"]], nodes[edge["y"]], Endpoint.TAIL, Endpoint.TAIL)
                )
        return graph

    def plot(self) -> "Figure":
        """Draw the graph: regions on a circle, an arrow from cause to effect.

        Returns
        -------
        matplotlib.figure.Figure
            Not one of pyplot's; notebooks show it, ``figure.savefig(path)`` saves it.
        """
        from causal_ivae.reporting.notebook import plot

        return plot(self)

    def _repr_html_(self) -> str:
        from causal_ivae.reporting.notebook import to_html

        return to_html(self)
