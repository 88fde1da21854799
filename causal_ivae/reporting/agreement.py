"""Count the pairs on whose direction two methods agree."""

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.outcomes import DIRECTIONS


def same_direction(first: CausalGraph, second: CausalGraph) -> tuple[int, int]:
    """Return how many pairs have one direction by both methods, and how many the same one."""
    directions = []
    for method in (first, second):
        rows = zip(*(method.edges[name] for name in ("x", "y", "decision")), strict=True)
        one = [(x, y) if said == "x->y" else (y, x) for x, y, said in rows if said in DIRECTIONS]
        directions.append({frozenset(arrow): arrow for arrow in one})
    both = directions[0].keys() & directions[1].keys()
    return len(both), sum(directions[0][pair] == directions[1][pair] for pair in both)
