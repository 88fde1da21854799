"""Simulate series whose causal graph or sources are known."""

from causal_ivae.simulate.sources import segment_sources
from causal_ivae.simulate.structural import (
    SimulatedSeries,
    random_graph,
    simulate_bold,
    simulate_network,
    simulate_noisy_pair,
    simulate_pair,
)

__all__ = [
    "SimulatedSeries",
    "random_graph",
    "segment_sources",
    "simulate_bold",
    "simulate_network",
    "simulate_noisy_pair",
    "simulate_pair",
]
