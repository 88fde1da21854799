"""Run independent pieces of work in worker processes, whatever they are about."""

__all__ = ["machine", "pool", "process", "watch"]
