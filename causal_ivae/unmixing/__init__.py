"""Unmix latent disturbances, given the segments."""

import os

# Without it the last digits of MKL's products depend on where in memory a member's numbers lie,
# and so on how many others share its stack.  MKL reads it at its first product.
os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")

from causal_ivae.unmixing.matching import (
    mean_correlation,
    mean_correlations,
    weak_mean_correlations,
)

__all__ = ["mean_correlation", "mean_correlations", "weak_mean_correlations"]
