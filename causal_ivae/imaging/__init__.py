"""From files to region time series and their segments."""
