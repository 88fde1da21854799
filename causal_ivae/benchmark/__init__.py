"""How long the work takes, against baselines in the same run."""
