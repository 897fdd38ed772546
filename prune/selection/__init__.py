"""Which channels to keep: costs, latency steps, and what to drop next."""
