"""What cheap scores are worth, by networks that are trained in full."""
