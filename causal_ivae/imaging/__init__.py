"""Read region time series from files and divide them into segments."""
