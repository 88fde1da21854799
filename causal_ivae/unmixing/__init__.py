"""Unmix latent disturbances given segments."""
