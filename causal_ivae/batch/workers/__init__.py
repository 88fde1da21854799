"""Run independent pieces of work in worker processes, whatever they are about."""
