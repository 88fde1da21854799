"""The paper's Figure 4: six regions of the medial temporal lobe, set against anatomy."""

from causal_ivae.validation.paper.figure4.command import reproduce_figure4

__all__ = ["reproduce_figure4"]
