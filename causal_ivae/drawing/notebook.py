"""Show a graph as a figure or as HTML in notebooks."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.drawing.wording import confidence_name, count, number, p_text, percent, signed
from causal_ivae.outcomes import count_arrows, is_decided, outcomes_of

_MOST_ROWS = 20


def plot(method: str, names: Sequence[str], edges: pd.DataFrame) -> Figure:
    """Draw a graph with regions on a circle and arrows from cause to effect."""
    return graph_figure(names, edges, {}, "plot", method).figure


def to_html(method: str, names: Sequence[str], edges: pd.DataFrame) -> str:
    """Return a drawing and a table of a graph with decided pairs first; names are escaped."""
    drawn = graph_figure(names, edges, {}, f"causal-graph-{id(edges)}", method)
    ordered = edges.assign(outcome=outcomes_of(edges), open=~is_decided(edges)).sort_values(
        ["open", "confidence"], ascending=[True, False], kind="stable"
    )
    # Methods without p-values have an interval level in their place.
    leveled = "interval_level" in edges
    rows = "".join(
        f"<tr><td>{escape(_pair(edge))}</td><td>{signed(edge['score'])}</td>"
        f"{''.join(f'<td>{value}</td>' for value in _certainty(edge, leveled=leveled))}"
        f"<td>{percent(edge['confidence'])}</td></tr>"
        for edge in ordered.head(_MOST_ROWS).to_dict("records")
    )
    heading = "<th>interval level</th>" if leveled else "<th>p</th><th>q</th>"
    left = len(edges) - _MOST_ROWS
    more = f"<p>and {count(left, 'pair')} more</p>" if left > 0 else ""
    return (
        f"<div><p>{escape(method)}: {count(len(names), 'region')}, "
        f"{count(len(edges), 'pair')}, {count(count_arrows(edges), 'direction')}</p>"
        f'<div style="background:#fff;max-width:32em">{drawn.svg}</div><table><thead><tr>'
        f"<th>pair</th><th>score</th>{heading}<th>{confidence_name(edges)}</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{more}</div>"
    )


def _certainty(edge: Mapping[Any, Any], *, leveled: bool) -> tuple[str, ...]:
    if leveled:
        return (number(edge["interval_level"], 2),)
    return p_text(edge["p_value"]), p_text(edge["q_value"])


def _pair(edge: Mapping[Any, Any]) -> str:
    if edge["cause"]:
        return f"{edge['cause']} \N{RIGHTWARDS ARROW} {edge['effect']}"
    if edge["decision"] == "both":
        return f"{edge['x']} \N{LEFT RIGHT ARROW} {edge['y']}"
    return f"{edge['x']}, {edge['y']}: {edge['outcome']}"
