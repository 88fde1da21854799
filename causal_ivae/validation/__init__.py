"""The laboratory: accuracy, error rates and speed on known truth, and the paper's figures."""
