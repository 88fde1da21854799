"""Simulate series whose causal graph or sources are known."""
