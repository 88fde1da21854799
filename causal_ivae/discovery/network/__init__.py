"""Judge all regions of a network at once: which are adjacent, and which drives which."""

__all__ = [
    "adjacency",
    "decoys",
    "evidence",
    "judgement",
    "known_inputs",
    "linearity",
    "power",
    "result_tables",
    "scaling",
    "twins",
    "units",
    "weights",
]
