"""Judge all regions of a network at once: which are adjacent, and which drives which."""
