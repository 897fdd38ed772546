"""Whole pictures as people have them: read and written with all that they carry, a few rows at a time."""
