"""Measure accuracy, error rates and speed on known truth, and compute the paper's figures."""

from causal_ivae.validation.suites.graph_scores import GraphScores, score_graph

__all__ = ["GraphScores", "registry", "score_graph"]
