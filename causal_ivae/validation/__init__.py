"""Measure accuracy, error rates and speed on known truth, and compute the paper's figures."""

__all__ = ["registry"]
