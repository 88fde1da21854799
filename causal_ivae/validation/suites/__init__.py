"""Accuracy and error rates on cases with known truth."""

__all__ = [
    "bold_networks",
    "graph_scores",
    "many",
    "method_lines",
    "netsim",
    "null",
    "ours",
    "pairs",
    "reproducibility",
    "reproducibility_summary",
    "study",
    "suite",
]
