"""Make the rows of the tables that only the page of the group has."""

from dataclasses import dataclass

import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.reporting.table_rows import edge_rows


@dataclass(frozen=True)
class BesideRow:
    """Hold a pair's result by one fit of all subjects, for comparison with the group.

    ``score`` is positive if it favours `first` as the cause; ``pooled`` is the decision in words.
    """

    first: str
    second: str
    decision: str
    pooled: str
    score: float
    confidence: float


@dataclass(frozen=True)
class ModelRow:
    """Hold the effect of one term of the model over subjects on the score of one pair."""

    x: str
    y: str
    term: str
    estimate: float
    low: float
    high: float
    p_value: float
    q_value: float


def beside_rows(group: CausalGraph, pooled: CausalGraph) -> list[BesideRow]:
    """Return one row per pair that the group and the pooled fit have, in the group's order."""
    known = {}
    for edge in edge_rows(pooled):
        known[edge.first, edge.second] = (edge, edge.score)
        known[edge.second, edge.first] = (edge, -edge.score)
    rows = []
    for row in edge_rows(group):
        if (row.first, row.second) not in known:
            continue
        edge, score = known[row.first, row.second]
        said = edge.decision
        if edge.decided:
            said = f"{edge.first} {'↔' if said == 'both' else '→'} {edge.second}"
        rows.append(BesideRow(row.first, row.second, row.decision, said, score, edge.confidence))
    return rows


def tested_terms(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows of the table of a model have a p-value that a reader asks for."""
    return (table["term"] != "Intercept") & table["p_value"].notna()


def model_rows(method: CausalGraph, most: int) -> list[ModelRow]:
    """Return the estimates with the smallest p-values without intercepts, at most `most`."""
    if method.model is None:
        return []
    table = method.model
    table = table[tested_terms(table)].sort_values("p_value", kind="stable")
    return [
        ModelRow(
            row["x"], row["y"], row["term"], row["estimate"], row["low"], row["high"],
            row["p_value"], row["q_value"],
        )
        for row in table.head(most).to_dict("records")
    ]  # fmt: skip
