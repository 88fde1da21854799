"""Read anatomical priors and compare causal graphs with them."""

from causal_ivae.anatomy.prior import (
    Prior,
    PriorComparison,
    compare_with_prior,
    load_prior,
    prior_from_matrix,
)

__all__ = ["Prior", "PriorComparison", "compare_with_prior", "load_prior", "prior_from_matrix"]
