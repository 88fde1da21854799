"""How good an estimate is: against the truth, and against anatomy."""

from causal_ivae.evaluation.graph_scores import GraphScores, score_graph
from causal_ivae.evaluation.mcc import mean_correlation, mean_correlations
from causal_ivae.evaluation.prior import (
    Prior,
    PriorComparison,
    compare_with_prior,
    load_prior,
    prior_from_matrix,
)

__all__ = [
    "GraphScores",
    "Prior",
    "PriorComparison",
    "compare_with_prior",
    "load_prior",
    "mean_correlation",
    "mean_correlations",
    "prior_from_matrix",
    "score_graph",
]
