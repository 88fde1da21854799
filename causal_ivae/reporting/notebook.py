"""A graph as a figure and as HTML, for notebooks."""

from html import escape

from matplotlib.figure import Figure

from causal_ivae.discovery.graph import CausalGraph
from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.drawing.wording import count, p_text, percent, signed
from causal_ivae.reporting.method_names import method_name

_MOST_ROWS = 20


def plot(graph: CausalGraph) -> Figure:
    """Return the figure of `CausalGraph.plot`."""
    name = method_name(graph.method)
    return graph_figure(graph.names, graph.edges, {}, "plot", name).figure


def to_html(graph: CausalGraph) -> str:
    """Return drawing and table of a graph; names are escaped, decided pairs come first."""
    name = method_name(graph.method)
    drawn = graph_figure(graph.names, graph.edges, {}, f"causal-graph-{id(graph)}", name)
    edges = graph.edges.assign(open=graph.edges["cause"] == "")
    edges = edges.sort_values(["open", "confidence"], ascending=[True, False], kind="stable")
    rows = "".join(
        f"<tr><td>{escape(_pair(edge))}</td><td>{signed(edge['score'])}</td>"
        f"<td>{p_text(edge['p_value'])}</td><td>{p_text(edge['q_value'])}</td>"
        f"<td>{percent(edge['confidence'])}</td></tr>"
        for edge in edges.head(_MOST_ROWS).to_dict("records")
    )
    left = len(edges) - _MOST_ROWS
    more = f"<p>and {count(left, 'pair')} more</p>" if left > 0 else ""
    return (
        f"<div><p>{escape(name)}: {count(len(graph.names), 'region')}, "
        f"{count(len(edges), 'pair')}, {count(int((~edges['open']).sum()), 'direction')}</p>"
        f'<div style="background:#fff;max-width:32em">{drawn.svg}</div><table><thead><tr>'
        "<th>pair</th><th>score</th><th>p</th><th>q</th><th>confidence</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{more}</div>"
    )


def _pair(edge: dict[object, object]) -> str:
    if edge["cause"]:
        return f"{edge['cause']} \u2192 {edge['effect']}"
    return f"{edge['x']}, {edge['y']}: {edge['decision']}"
