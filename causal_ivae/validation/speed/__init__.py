"""Measure how fast the program is compared with other code."""

__all__ = ["speed", "stack"]
