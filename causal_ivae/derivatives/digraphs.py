"""Convert a table of edges into a directed graph of networkx, or into a graph of causal-learn."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from causal_ivae.errors import SettingsError
from causal_ivae.outcomes import CONNECTED, WHY, arrows_of, outcomes_of

if TYPE_CHECKING:
    import networkx as nx
    from causallearn.graph.GeneralGraph import GeneralGraph

_NUMBERS = (
    "score", "p_value", "q_value", "interval_level", "confidence", "probability_both",
    "probability_adjacent",
)  # fmt: skip
"""Columns of numbers that become attributes of arrows if they are known."""
_COUNTS = ("n_subjects", "n_usable")
"""Columns of whole numbers that do, for a group."""
_WORDS = ("quality", "usable_decision")
"""Columns of text that do."""


def digraph(
    method: str,
    names: Sequence[str],
    edges: pd.DataFrame,
    verdicts: Mapping[tuple[str, str], tuple[str, str]],
    inputs: Sequence[str] = (),
) -> "nx.DiGraph[str]":
    """Return the decided edges as `causal_ivae.derivatives.causal_graph.CausalGraph.graph`.

    Parameters
    ----------
    names : sequence of str
        Regions, which become the nodes.
    verdicts : mapping from (cause, effect) to verdict and path
    inputs : sequence of str
        Nodes that are known inputs, which have the attribute ``kind``.
    """
    # Importing networkx takes longer than finding out what is up to date.
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph(method=method)
    graph.add_nodes_from(names)
    graph.add_nodes_from(inputs, kind="input")
    arrows = arrows_of(edges)
    columns = [name for name in (*_NUMBERS, *_COUNTS, *_WORDS) if name in edges]
    rows = edges.reindex(index=arrows["row"], columns=columns).to_dict("records")
    for (cause, effect, _, turned), about in zip(arrows.itertuples(index=False), rows, strict=True):
        known: dict[str, Any] = {
            str(name): _plain(str(name), value)
            for name, value in about.items()
            if pd.notna(value) and value != ""
        }
        if "score" in known and turned:
            known["score"] = -known["score"]
        if (cause, effect) in verdicts:
            known |= dict(zip(("prior", "prior_path"), verdicts[cause, effect], strict=True))
        graph.add_edge(cause, effect, **known)
    return graph


def with_decisions(
    graph: "nx.DiGraph[str]", edges: pd.DataFrame, *, undecided: bool
) -> "nx.DiGraph[str]":
    """Add the attribute ``decision`` to a graph's edges, and undecided pairs if they are wanted.

    `causal_ivae.derivatives.causal_graph.CausalGraph.to_networkx` lists the attribute's values.
    """
    for cause, effect, about in graph.edges(data=True):
        about["decision"] = "both" if graph.has_edge(effect, cause) else "directed"
    if undecided:
        left = edges["decision"] == "undecided"
        rows = zip(edges[left].to_dict("records"), outcomes_of(edges)[left], strict=True)
        for edge, outcome in rows:
            known: dict[str, Any] = {"decision": outcome}
            if pd.notna(edge.get("probability_adjacent")):
                known["probability_adjacent"] = float(edge["probability_adjacent"])
            if edge.get("why"):
                known["why"] = edge["why"]
            forward = _forward(edge)
            for ends, share in (("xy", forward), ("yx", forward and 1.0 - forward)):
                x, y = (str(edge[end]) for end in ends)
                graph.add_edge(x, y, **known)
                if share is not None:
                    graph[x][y]["probability_if_arrow"] = share
    return graph


def undecided_text(edges: pd.DataFrame) -> str:
    """Return all pairs that are connected in an unknown direction as one attribute of a graph.

    As edges of the graph they would look like arrows to the programs that read it.
    """
    left = edges[outcomes_of(edges) == CONNECTED]
    parts = []
    for edge in left.to_dict("records"):
        text = f"{edge['x']} -- {edge['y']}: connected {edge['probability_adjacent']:.2f}"
        if edge.get("leaning"):
            ends = ("x", "y") if edge["leaning"] == "x->y" else ("y", "x")
            said = " -> ".join(str(edge[end]) for end in ends)
            text += f", if an arrow {said} {edge['probability_leaning']:.2f}"
        parts.append(text + (f", {WHY[edge['why']]}" if edge.get("why") in WHY else ""))
    return "; ".join(parts)


def _forward(edge: Mapping[Any, Any]) -> float | None:
    """Return the probability of x -> y given an arrow, never 0; None if it is not known."""
    likelier = edge.get("probability_leaning", math.nan)
    if pd.isna(likelier):
        return None
    return float(1.0 - likelier if edge["leaning"] == "y->x" else likelier)


def _plain(name: str, value: Any) -> str | int | float:
    """Return a cell as a value that every format of graphs can hold."""
    if name in _WORDS:
        return str(value)
    return int(value) if name in _COUNTS else float(value)


def general_graph(names: Sequence[str], edges: pd.DataFrame) -> "GeneralGraph":
    """Return the graph that `causal_ivae.derivatives.causal_graph.CausalGraph` describes.

    Raises
    ------
    SettingsError
        If the causal-learn package is not installed.
    """
    try:
        from causallearn.graph.Edge import Edge
        from causallearn.graph.Endpoint import Endpoint
        from causallearn.graph.GeneralGraph import GeneralGraph
        from causallearn.graph.GraphNode import GraphNode
    except ModuleNotFoundError as error:
        raise SettingsError(
            "A graph of causal-learn needs that package: pip install causal-learn."
        ) from error
    nodes = {name: GraphNode(name) for name in names}
    graph = GeneralGraph(list(nodes.values()))
    for edge in edges[edges["decision"] != "none"].to_dict("records"):
        if edge["cause"]:
            graph.add_directed_edge(nodes[edge["cause"]], nodes[edge["effect"]])
        else:
            end = Endpoint.ARROW if edge["decision"] == "both" else Endpoint.TAIL
            graph.add_edge(Edge(nodes[edge["x"]], nodes[edge["y"]], end, end))
    return graph
