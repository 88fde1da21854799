"""The estimated causal graph and all the evidence behind it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.discovery.cycles import Cycle
from causal_ivae.unmixing import diagnostics

if TYPE_CHECKING:
    from causallearn.graph.GeneralGraph import GeneralGraph
    from matplotlib.figure import Figure

Decision = Literal["x->y", "y->x", "none", "undecided"]

PROBABILITY_COLUMNS = (
    "probability_unknown", "probability_forward", "probability_backward", "probability_none",
)  # fmt: skip
EDGE_COLUMNS = (
    "x", "y", "decision", "cause", "effect", "score", "score_low", "score_high",
    "score_error", "p_value", "q_value", "confidence", *PROBABILITY_COLUMNS,
)  # fmt: skip
TEST_COLUMNS = ("x", "y", "restart", "first", "second", "statistic", "null_mean", "p_value")
RESTART_COLUMNS = (
    "x", "y", "restart", "vote", "score", "objective", "slope", "steps", "retried",
    "diverged",
)  # fmt: skip
TRAINING_COLUMNS = ("x", "y", "restart", "step", "objective")
SCREEN_COLUMNS: dict[str, str] = {
    "x": "First region of the pair.",
    "y": "Second region of the pair.",
    "statistic": (
        "What the pair was screened by: HSIC given the segment, less its mean under the null, the "
        "correlation given all other regions, or for a skeleton that of its tests with the largest "
        "p-value."
    ),
    "p_value": "Its p-value.",
    "kept": "1 if the pair was unmixed; 0 if its decision is 'none' by the screen alone.",
    "given": "Of a skeleton: the regions given in that test, which separate a pair not kept.",
    "colliders": (
        "Of a skeleton: the regions that both regions of a separated pair drive, for they are "
        "adjacent to both and not needed to separate them."
    ),
}
EQUATION_COLUMNS: dict[str, str] = {
    "cause": "Region that may be a cause.",
    "effect": "Region that may be its effect.",
    "direct": "1 if the best graph has an edge from cause to effect, else 0.",
    "ancestor": "1 if the best graph leads from cause to effect by one or more edges, else 0.",
    "share": "Share of resamples of segments whose best graph has the edge.",
    "ancestor_share": "Share of resamples whose best graph leads from cause to effect.",
    "gain": (
        "Held-out log-likelihood of the best graph with the edge less that of the best without an "
        "edge of the pair, nats per volume; n/a for a pair outside the skeleton."
    ),
    "slope": (
        "Root mean square over volumes of the derivative of the effect by the cause, both in "
        "standard deviations, at fixed disturbance and other causes; 0 without an edge."
    ),
    "dependence_p": (
        "p-value of the test (HSIC given the segment) that the effect is independent of the "
        "cause's disturbance, which it is if and only if the cause is no ancestor; median over "
        "restarts."
    ),
}
EVIDENCE_COLUMNS: dict[str, str] = {
    "x": "First region of the pair.",
    "y": "Second region of the pair.",
    "mechanism": (
        "What decided: structural equations with a linear effect of the cause, or nonlinear ones."
    ),
    "shortfall": (
        "By how much the better direction of that mechanism predicts volumes of segments held out "
        "worse than the best of all, nats per volume."
    ),
    "gain": "Log-likelihood under x -> y less that under y -> x, nats per volume.",
    "statistic": (
        "Vuong's statistic of the gain over blocks of volumes, as a standard normal number; "
        "positive favours x -> y."
    ),
    "residual_forward": (
        "HSIC of the two disturbances given the segment, less its mean under the null, per "
        "volume, under x -> y: what dependence that direction leaves."
    ),
    "residual_backward": "As residual_forward, under y -> x.",
    "residual_sd_forward": "Standard deviation of residual_forward under the null.",
    "residual_sd_backward": "Standard deviation of residual_backward under the null.",
    "dependence": "HSIC of the two regions themselves, as residual_forward.",
    "dependence_p": "p-value of the test that the regions are independent given the segment.",
}
STABILITY_COLUMNS: dict[str, str] = {
    "x": "First region of the pair.",
    "y": "Second region of the pair.",
    "resamples_forward": (
        "Share of resamples with the decision x -> y: of segments (and stretches within them) by "
        "structural flows, of segments and restarts by other methods. Nothing is fitted again."
    ),
    "resamples_backward": "As resamples_forward, of y -> x.",
    "resamples_none": "As resamples_forward, of 'none'.",
    "resamples_undecided": (
        "As resamples_forward, of 'undecided'; 0 where a resample that is dependent counts by the "
        "sign of its score."
    ),
    "restarts_forward": (
        "Share of restarts whose score favours x -> y; n/a by structural flows, which are fitted "
        "once for each direction."
    ),
    "restarts_backward": "As restarts_forward, of y -> x.",
}
DIAGNOSTIC_COLUMNS: dict[str, str] = {
    "x": "First region of the pair.",
    "y": "Second region of the pair.",
    "verdict": (
        "Of the restart with the best objective: 'usable', 'doubtful' or 'not identifiable'."
    ),
    "reasons": "The verdict and what speaks for it, as a sentence.",
    "segments": "Number of distinct segments u.",
    "segments_needed": (
        "Number of distinct segments that theorem 1 of Khemakhem et al. 2020 asks for, nk + 1: "
        "n disturbances, k = 1 where the segment changes their scale, 2 where also their mean."
    ),
    "rank": (
        "Rank of the matrix L of theorem 1 (iv), which holds how the parameters of the "
        "disturbances' law differ between segments: singular values above sampling error. The "
        "theorem asks for nk."
    ),
    "condition": (
        "Condition number of L, its largest singular value over its smallest; 'inf' where that "
        f"is nil. Doubtful above {diagnostics.MAX_CONDITION:g}."
    ),
    "modulation_1": (
        "How much the first disturbance's scale changes with the segment: standard deviation "
        "over segments of its logarithm, sampling error taken off. Doubtful below "
        f"{diagnostics.MIN_STANDARD_ERRORS:g} standard errors."
    ),
    "modulation_error_1": "Standard error of modulation_1.",
    "modulation_2": "As modulation_1, of the second disturbance.",
    "modulation_error_2": "Standard error of modulation_2.",
    "kl_1": (
        "Kullback-Leibler divergence of the first disturbance's posterior from its prior, mean "
        f"over volumes, nats; n/a for a method without one. Doubtful below {diagnostics.MIN_KL:g}: "
        "collapsed to the prior."
    ),
    "kl_2": "As kl_1, of the second disturbance.",
    "rise": (
        "What the objective still gained over the last tenth of training, nats per volume. "
        f"Doubtful above {diagnostics.MAX_RISE:g}."
    ),
    "agreement": (
        "Mean correlation (MCC) between the disturbances of every two restarts; n/a for a single "
        f"restart. Doubtful below {diagnostics.MIN_AGREEMENT:g}."
    ),
    "dependence_p": (
        "p-value of the test (HSIC given the segment) that the two disturbances are independent, "
        f"as the model takes them to be. Doubtful below {diagnostics.ALPHA:g}."
    ),
    "retried": "1 if the restart's training diverged and was done again at half the rate, else 0.",
}


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
        whether its fit can be believed, and why.  `DIAGNOSTIC_COLUMNS` describes the columns.
    settings : dict
        Everything that determines the numbers, seed included.
    seconds : float
        Wall time, s.
    screen : pandas.DataFrame or None
        What the cheap test said of every pair: ``x``, ``y``, ``statistic`` (HSIC less its null
        mean, or the partial correlation), ``p_value``, ``kept`` (1 if the pair was unmixed), and
        of a skeleton ``given`` and ``colliders``; None where all were.  `SCREEN_COLUMNS` describes
        the columns.
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
