"""Scores of channels: gates, where they stand, and the rounds that score them."""
