"""How good an estimate is: against the truth, and against anatomy."""

from causal_ivae.evaluation.graph_scores import GraphScores, score_graph
from causal_ivae.evaluation.prior import (
    Prior,
    PriorComparison,
    compare_with_prior,
    load_prior,
    prior_from_matrix,
)
from causal_ivae.unmixing.matching import (
    mean_correlation,
    mean_correlations,
    weak_mean_correlations,
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
    "weak_mean_correlations",
]
