"""Measure how fast the program is compared with other code."""
