"""Samplers: what proposes the next architecture, and the protocol that all of them follow."""
