"""Train stacks of models."""
