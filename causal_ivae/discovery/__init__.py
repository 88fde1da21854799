"""From region time series to a causal graph."""

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.discovery.multivariate import discover_all
from causal_ivae.discovery.series_to_graph import discover

__all__ = ["CausalGraph", "discover", "discover_all"]
