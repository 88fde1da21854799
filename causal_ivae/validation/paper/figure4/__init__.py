"""Make the paper's Figure 4: six regions of the medial temporal lobe, set against anatomy."""

__all__ = ["command"]
