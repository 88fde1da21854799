"""Measure accuracy and error rates on cases with known truth."""

from causal_ivae.validation.suites.graph_scores import GraphScores, score_graph

__all__ = [
    "GraphScores",
    "bold_networks",
    "many",
    "method_lines",
    "netsim",
    "null",
    "ours",
    "pairs",
    "reproducibility",
    "reproducibility_summary",
    "rivals",
    "score_graph",
    "study",
    "suite",
    "twins",
    "unmixing",
]
