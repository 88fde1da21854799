"""From region time series to a causal graph."""

from causal_ivae.discovery.graph import CausalGraph
from causal_ivae.discovery.pairwise import discover

__all__ = ["CausalGraph", "discover"]
