"""Compute the figures of the paper."""

__all__ = ["experiments", "figure4", "mixing", "mixtures", "reproduce"]
