"""Cycles among directed edges, and which edges to drop so that none is left."""

import networkx as nx
import pandas as pd

from causal_ivae.derivatives.causal_graph import Cycle


def find_cycles(edges: pd.DataFrame) -> tuple[Cycle, ...]:
    """Find cycles among decided edges, one for each edge that must go to be rid of all.

    Parameters
    ----------
    edges : pandas.DataFrame
        With ``cause``, ``effect`` (empty unless decided), ``confidence`` and ``score``.

    Returns
    -------
    tuple of Cycle
        The most confident first.

    Notes
    -----
    Edges are taken in the order of their confidence, then of the size of their score.  One that
    closes a cycle with those before it is the least confident edge of that cycle, and is left
    out.  (A dense graph has more cycles than can be listed.)  Of the cycles that an edge closes,
    one of the shortest is returned.
    """
    decided = edges[edges["cause"] != ""]
    decided = decided.assign(size=decided["score"].abs()).sort_values(
        ["confidence", "size", "cause", "effect"], ascending=[False, False, True, True]
    )
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from([*decided["cause"], *decided["effect"]])
    cycles = []
    for cause, effect in zip(decided["cause"], decided["effect"], strict=True):
        if nx.has_path(graph, effect, cause):
            cycles.append(Cycle(tuple(nx.shortest_path(graph, effect, cause)), cause, effect))
        else:
            graph.add_edge(cause, effect)
    return tuple(cycles)


def without_cycles(edges: pd.DataFrame, cycles: tuple[Cycle, ...]) -> pd.DataFrame:
    """Return the edges with those that close a cycle "undecided".

    Parameters
    ----------
    edges : pandas.DataFrame
    cycles : tuple of Cycle
        Of `find_cycles`.
    """
    dropped = pd.MultiIndex.from_tuples(
        [(cycle.cause, cycle.effect) for cycle in cycles], names=["cause", "effect"]
    )
    closes = pd.MultiIndex.from_frame(edges[["cause", "effect"]]).isin(dropped)
    changed = edges.copy()
    changed.loc[closes, "decision"] = "undecided"
    changed.loc[closes, ["cause", "effect"]] = ""
    return changed
