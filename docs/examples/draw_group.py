"""Draw the graph of the group, or else of the first subject, as a figure for a paper.

python docs/examples/draw_group.py OUTPUT FIGURE.svg
"""

import sys
from pathlib import Path

from causal_ivae import load_results


def main(output: Path, picture: Path) -> None:
    """Write the figure in the format that its name asks for."""
    results = load_results(output)
    unit = results.group or next(iter(results.subjects.values()))
    graph = next(iter(unit.methods.values()))
    graph.plot().savefig(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
