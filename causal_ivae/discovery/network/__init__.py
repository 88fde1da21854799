"""Judge all regions of a network at once: which are adjacent, and which drives which."""

__all__ = [
    "adjacency",
    "evidence",
    "judgement",
    "linearity",
    "scaling",
    "twins",
    "units",
    "weights",
]
