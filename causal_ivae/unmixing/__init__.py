"""Unmix latent disturbances, given the segments."""

from causal_ivae.unmixing.matching import (
    mean_correlation,
    mean_correlations,
    weak_mean_correlations,
)

__all__ = ["mean_correlation", "mean_correlations", "weak_mean_correlations"]
