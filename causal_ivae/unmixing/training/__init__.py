"""Train stacks of models."""

__all__ = ["ensemble", "memory", "stacks", "steps", "threads"]
