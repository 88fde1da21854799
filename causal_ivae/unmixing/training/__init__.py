"""Train stacks of models."""

__all__ = ["ensemble", "fit_size", "memory", "stacks", "steps", "threads"]
