"""From a plan to a smaller network that computes the same."""
