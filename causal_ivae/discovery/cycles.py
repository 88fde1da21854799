"""Find cycles among directed edges, and drop edges so that none remains."""

import networkx as nx
import pandas as pd

from causal_ivae.derivatives.causal_graph import Cycle


def find_cycles(edges: pd.DataFrame) -> tuple[Cycle, ...]:
    """Find cycles among decided edges, one for each edge whose removal breaks all cycles.

    Parameters
    ----------
    edges : pandas.DataFrame
        Columns ``cause``, ``effect`` (empty unless decided), ``confidence`` and ``score``.

    Returns
    -------
    tuple of Cycle
        Cycles in the order of their least confident edge, the most confident first.

    Notes
    -----
    Edges are added by confidence and then by the size of their score.  An edge that closes a cycle
    with those before it is the least confident edge of that cycle and is left out.  (A dense graph
    has more cycles than can be listed.)  One of the shortest cycles that it closes is returned.
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
    """Return the edges after making those that close a cycle undecided.

    Parameters
    ----------
    edges : pandas.DataFrame
    cycles : tuple of Cycle
        Cycles from `find_cycles`.
    """
    dropped = pd.MultiIndex.from_tuples(
        [(cycle.cause, cycle.effect) for cycle in cycles], names=["cause", "effect"]
    )
    closes = pd.MultiIndex.from_frame(edges[["cause", "effect"]]).isin(dropped)
    changed = edges.copy()
    changed.loc[closes, "decision"] = "undecided"
    changed.loc[closes, ["cause", "effect"]] = ""
    return changed
