"""Accuracy and error rates on cases with known truth."""
