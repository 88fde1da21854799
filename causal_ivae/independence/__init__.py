"""Tests of independence given the segments."""

from causal_ivae.independence.hsic import IndependenceTest, hsic_test

__all__ = ["IndependenceTest", "hsic_test"]
