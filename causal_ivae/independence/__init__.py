"""Test whether series are independent within the segments of a recording."""

from causal_ivae.independence.conditional import conditional_independence_test
from causal_ivae.independence.distance import distance_covariance_test
from causal_ivae.independence.hsic import IndependenceTest, hsic_test
from causal_ivae.independence.partial import PartialCorrelations, partial_correlation_test

__all__ = [
    "IndependenceTest",
    "PartialCorrelations",
    "conditional_independence_test",
    "distance_covariance_test",
    "hsic_test",
    "partial_correlation_test",
]
