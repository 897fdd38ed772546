"""Kinds of operators: how channels pass through each, how it is written into a slim network, and what it costs.

A new kind is one class in one of these files and its line in `registry`.
"""
