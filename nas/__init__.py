"""The architecture search under a runtime budget."""
