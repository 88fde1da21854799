"""Unmix latent disturbances, given the segments."""

from typing import TYPE_CHECKING

from causal_ivae.lazy_names import on_first_use

if TYPE_CHECKING:
    from causal_ivae.unmixing.matching import mean_correlation as mean_correlation
    from causal_ivae.unmixing.matching import mean_correlations as mean_correlations
    from causal_ivae.unmixing.matching import weak_mean_correlations as weak_mean_correlations

__all__ = ["mean_correlation", "mean_correlations", "weak_mean_correlations"]

__getattr__ = on_first_use(__name__, dict.fromkeys(__all__, "causal_ivae.unmixing.matching"))
