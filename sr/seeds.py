"""Seeds that are derived from others: what is drawn depends on them alone, and neighbours share nothing."""

import hashlib

import torch


def derived_seed(*parts: int) -> int:
    """Return a seed of 64 bits that depends on all parts, such as a user's seed and the number of a trial."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def generator(seed: int, step: int) -> torch.Generator:
    """Return a generator on the CPU that depends on the seed and the step alone."""
    return torch.Generator().manual_seed(derived_seed(seed, step) >> 1)
