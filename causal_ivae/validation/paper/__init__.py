"""Compute the figures of the paper."""
