"""Draw the decided edges of an edge table as a figure for a paper.

python docs/examples/draw_group.py EDGES.tsv FIGURE.svg
"""

import sys
from pathlib import Path

import networkx as nx
import pandas as pd
from matplotlib.figure import Figure


def main(table: Path, picture: Path) -> None:
    """Write the figure in the format that its name asks for."""
    edges = pd.read_csv(table, sep="\t", keep_default_na=False)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(dict.fromkeys([*edges["x"], *edges["y"]]))
    decided = edges[~edges["cause"].isin(["", "n/a"])]
    graph.add_edges_from(zip(decided["cause"], decided["effect"], strict=True))
    figure = Figure(figsize=(4, 4))
    nx.draw_networkx(
        graph, nx.circular_layout(graph), ax=figure.subplots(), node_color="white",
        edgecolors="black", node_size=1400, font_size=8, arrowsize=16,
    )  # fmt: skip
    figure.savefig(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
