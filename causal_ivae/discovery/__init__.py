"""Estimate causal graphs from region time series."""

from typing import TYPE_CHECKING

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.lazy_names import on_first_use

if TYPE_CHECKING:
    from causal_ivae.discovery.multivariate import discover_all as discover_all
    from causal_ivae.discovery.series_to_graph import discover as discover

__all__ = ["CausalGraph", "discover", "discover_all"]

__getattr__ = on_first_use(
    __name__,
    {
        "discover": "causal_ivae.discovery.series_to_graph",
        "discover_all": "causal_ivae.discovery.multivariate",
    },
)
