"""Stacked models: many small ones, trained as one."""
