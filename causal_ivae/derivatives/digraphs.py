"""Convert a table of edges into a directed graph of networkx."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from causal_ivae.outcomes import arrows_of, outcomes_of

if TYPE_CHECKING:
    import networkx as nx

_NUMBERS = (
    "score", "p_value", "q_value", "stability_index", "confidence", "probability_both",
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
) -> "nx.DiGraph[str]":
    """Return the decided edges as `causal_ivae.derivatives.causal_graph.CausalGraph.graph`.

    Parameters
    ----------
    method : str
    names : sequence of str
        Regions, which become the nodes.
    edges : pandas.DataFrame
    verdicts : mapping from (cause, effect) to verdict and path
    """
    # Importing networkx takes longer than finding out what is up to date.
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph(method=method)
    graph.add_nodes_from(names)
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
        rows = edges.loc[left, ["x", "y"]].itertuples(index=False, name=None)
        for (x, y), outcome in zip(rows, outcomes_of(edges)[left], strict=True):
            graph.add_edge(x, y, decision=outcome)
            graph.add_edge(y, x, decision=outcome)
    return graph


def _plain(name: str, value: Any) -> str | int | float:
    """Return a cell as a value that every format of graphs can hold."""
    if name in _WORDS:
        return str(value)
    return int(value) if name in _COUNTS else float(value)
