"""Simulate series whose causal graph or sources are known."""

from causal_ivae.simulate.bold_networks import (
    BoldDesign,
    BoldNetwork,
    draw_bold_design,
    simulate_bold_network,
)
from causal_ivae.simulate.known_graphs import (
    SimulatedSeries,
    random_graph,
    simulate_bold,
    simulate_network,
    simulate_noisy_pair,
    simulate_pair,
)
from causal_ivae.simulate.sources import segment_sources

__all__ = [
    "BoldDesign",
    "BoldNetwork",
    "SimulatedSeries",
    "draw_bold_design",
    "random_graph",
    "segment_sources",
    "simulate_bold",
    "simulate_bold_network",
    "simulate_network",
    "simulate_noisy_pair",
    "simulate_pair",
]
