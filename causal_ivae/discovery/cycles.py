"""Cycles among directed edges, and which edges to drop so that none is left."""

from dataclasses import dataclass
from typing import Any

import networkx as nx
import pandas as pd


@dataclass(frozen=True)
class Cycle:
    """Edges that lead back to where they begin.

    Attributes
    ----------
    regions : tuple of str
        In the order of the edges; the last drives the first.
    cause, effect : str
        The cycle's edge of least confidence.
    """

    regions: tuple[str, ...]
    cause: str
    effect: str


def find_cycles(edges: pd.DataFrame) -> tuple[Cycle, ...]:
    """Find cycles among decided edges, one for each edge that must go to be rid of all.

    Parameters
    ----------
    edges : pandas.DataFrame
        As in `causal_ivae.discovery.graph.CausalGraph`: ``cause``, ``effect`` (empty unless
        decided), ``confidence``, ``score``.

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


def cycles_entry(cycles: tuple[Cycle, ...], *, broken: bool) -> list[dict[str, Any]]:
    """Return what a sidecar says of cycles: their regions, least confident edge, and its fate."""
    return [
        {"Regions": list(c.regions), "Cause": c.cause, "Effect": c.effect, "Broken": broken}
        for c in cycles
    ]
