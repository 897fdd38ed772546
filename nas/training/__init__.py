"""Training of candidates: the fidelity schedule, rungs, supernet, and where the work is done."""
