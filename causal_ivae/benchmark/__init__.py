"""Directions, error rates and speed, measured against other methods in the same run."""
