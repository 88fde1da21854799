"""Say for every pair without an arrow what speaks against one, in a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.wording import listed, percent
from causal_ivae.outcomes import LEAST_LEANING, WHY, is_decided
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.power_text import middle_power
from causal_ivae.reporting.table_rows import leaning_words, untested

_MOST = 40
"""The table has at most this many rows, the likeliest connections first."""


@dataclass(frozen=True)
class NoArrowRow:
    """Hold why one pair has no arrow.

    Attributes
    ----------
    index : int
        Row of the pair in the edge table.
    connected : float
        Probability of a direct connection, NaN if it is not known.
    leaning : str
        The likelier direction if it is clear, otherwise empty.
    given_arrow : float
        Its probability if one of the two drives the other.
    """

    index: int
    x: str
    y: str
    reason: str
    connected: float
    leaning: str
    given_arrow: float


@dataclass(frozen=True)
class NoArrows:
    """Hold the pairs without an arrow of one method.

    Attributes
    ----------
    method : str
        Name of the method on pages.
    rows : tuple of NoArrowRow
        Undecided pairs.
    left_out : int
        Undecided pairs beyond the rows.
    unrelated : int
        Number of pairs with the decision "none".
    power : str
        Which share of arrows would be found, in words; empty if it is not known.
    """

    method: str
    rows: tuple[NoArrowRow, ...]
    left_out: int
    unrelated: int
    power: str


def no_arrows(record: Unit) -> NoArrows | None:
    """Return the pairs without an arrow of the first method; None if each has one."""
    for name, method in record.methods.items():
        edges = method.edges
        open_pairs = np.flatnonzero(~is_decided(edges))
        if not len(open_pairs):
            return None
        known = edges.to_dict("records")
        absent = [i for i in open_pairs if known[i]["decision"] == "none"]
        rows = [_row(method, int(i), known[i]) for i in open_pairs if i not in set(absent)]
        rows.sort(key=lambda row: (-_number(row.connected), -_number(row.given_arrow), row.index))
        return NoArrows(
            method_label(name, method.sidecar),
            tuple(rows[:_MOST]),
            max(0, len(rows) - _MOST),
            len(absent),
            _power(method),
        )
    return None


def _row(method: CausalGraph, index: int, edge: Mapping[Any, Any]) -> NoArrowRow:
    given = edge.get("probability_leaning", np.nan)
    clear = np.isfinite(given) and given >= LEAST_LEANING
    return NoArrowRow(
        index,
        str(edge["x"]),
        str(edge["y"]),
        _reason(method, index, edge),
        edge.get("probability_adjacent", np.nan),
        leaning_words(edge) if clear else "",
        given,
    )


def _reason(method: CausalGraph, index: int, edge: Mapping[Any, Any]) -> str:
    """Return the strongest alternative to an arrow of an undecided pair, in words."""
    if edge.get("reason"):
        return str(edge["reason"])
    why = edge.get("why") or ""
    words = WHY.get(why, "")
    middle = middle_power(method)
    signs = (method.sidecar.get("Power") or {}).get("RightSign")
    if why == "data" and middle is not None:
        return (
            f"too little data: an arrow of strength {middle.strength:g} would be found in "
            f"{percent(middle.right)} of cases"
        )
    if why == "direction" and signs:
        right = percent(signs["twins"]["Share"])
        return f"{words}: of strong planted arrows {right} lean the right way (50% by chance)"
    if why == "other" and np.isfinite(edge.get("probability_unknown", np.nan)):
        return f"{words} (probability {percent(edge['probability_unknown'])})"
    if words:
        return words
    if np.isfinite(edge.get("interval_level", np.nan)):
        return (
            "restarts and segments do not agree on a direction (the widest interval of the score "
            f"that leaves out 0 has the level {edge['interval_level']:.2f})"
        )
    return str(untested(method).iloc[index]) or "nothing tells the direction"


def _power(method: CausalGraph) -> str:
    table = method.tables.get("power")
    if table is None:
        return ""
    twins = table[table["series"] == "twins"]
    strengths = listed([f"{value:g}" for value in twins["strength"]])
    right = listed([percent(value) for value in twins["drawn"] - twins["wrong"]])
    wrong = listed([percent(value) for value in twins["wrong"]])
    return (
        f"Of arrows of strength {strengths} that were planted into such data, {right} are found "
        f"and {wrong} are drawn the wrong way."
    )


def _number(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0
