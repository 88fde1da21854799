"""Set the limits beyond which a fit is doubtful."""

MAX_CONDITION = 100.0
"""A fit with a larger condition number of L is doubtful."""
MIN_KL = 0.1
"""A component with a smaller KL divergence (nats) has collapsed to the prior."""
MAX_RISE = 0.05
"""Training that still gained more than this (nats per row) has not converged."""
MIN_AGREEMENT = 0.9
"""Restarts with a smaller mean MCC disagree."""
ALPHA = 0.05
"""Level of the test that the recovered disturbances are independent."""
MIN_STANDARD_ERRORS = 2.0
"""A modulation of fewer standard errors does not count as one."""
PLAUSIBLE_MODULATION = 1.5
"""Scales of a disturbance whose logarithm varies more over segments are implausible.

With this standard deviation, the scales of two typical segments differ by a factor of eight.
"""
