"""Pruning that makes a network really faster."""
