"""Series with known truth."""
