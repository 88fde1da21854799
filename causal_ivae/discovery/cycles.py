"""Find cycles among directed edges, and drop edges so that none remains."""

import networkx as nx
import pandas as pd

from causal_ivae.derivatives.causal_graph import Cycle
from causal_ivae.outcomes import arrows_of


def find_cycles(edges: pd.DataFrame) -> tuple[Cycle, ...]:
    """Find cycles among decided edges, one for each edge whose removal breaks all cycles.

    Parameters
    ----------
    edges : pandas.DataFrame
        Columns ``x``, ``y``, ``decision``, ``confidence`` and ``score``.

    Returns
    -------
    tuple of Cycle
        Cycles in the order of their least confident edge, the most confident first.

    Notes
    -----
    Edges are added by confidence and then by the size of their score.  An edge that closes a cycle
    with those before it is the least confident edge of that cycle and is left out.  (A dense graph
    has more cycles than can be listed.)  One of the shortest cycles that it closes is returned.
    Two regions that drive each other (decision "both") are no cycle by themselves.
    """
    decided = arrows_of(edges)
    of_row = edges.loc[decided["row"]]
    decided = decided.assign(
        confidence=of_row["confidence"].to_numpy(), size=of_row["score"].abs().to_numpy()
    ).sort_values(["confidence", "size", "cause", "effect"], ascending=[False, False, True, True])
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from([*decided["cause"], *decided["effect"]])
    cycles = []
    for cause, effect, row in decided[["cause", "effect", "row"]].itertuples(index=False):
        # The other arrow of a pair with both closes no cycle by itself.
        other = graph.get_edge_data(effect, cause, {}).get("row") == row
        others = nx.restricted_view(graph, (), [(effect, cause)]) if other else graph
        if nx.has_path(others, effect, cause):
            cycles.append(Cycle(tuple(nx.shortest_path(others, effect, cause)), cause, effect))
        else:
            graph.add_edge(cause, effect, row=row)
    return tuple(cycles)


def without_cycles(edges: pd.DataFrame, cycles: tuple[Cycle, ...]) -> pd.DataFrame:
    """Return the edges after making undecided those that close a cycle, and every "both".

    Parameters
    ----------
    cycles : tuple of Cycle
        Cycles from `find_cycles`.
    """
    dropped = {(cycle.cause, cycle.effect) for cycle in cycles}
    rows = edges[["decision", "cause", "effect"]].itertuples(index=False, name=None)
    closes = [decision == "both" or tuple(ends) in dropped for decision, *ends in rows]
    changed = edges.copy()
    changed.loc[closes, "decision"] = "undecided"
    changed.loc[closes, ["cause", "effect"]] = ""
    return changed
