"""Convert a table of edges into a graph of causal-learn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from causal_ivae.errors import SettingsError

if TYPE_CHECKING:
    from causallearn.graph.GeneralGraph import GeneralGraph


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
