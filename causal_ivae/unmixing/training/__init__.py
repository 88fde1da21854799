"""Train stacks of models."""

__all__ = [
    "ensemble",
    "fit_size",
    "lbfgs",
    "memory",
    "stacks",
    "starts",
    "steps",
    "threads",
    "two_stages",
]
