"""Larger sizes of a design that was found good: they learn more slowly, and a first rung does not judge them well."""

from search_spaces.architecture import Architecture
from search_spaces.fast_counts import counts

# Which of two networks does more work hardly depends on the size of the picture.
_LR_SIZE = (64, 64)
# What has not so many times the multiply-adds is as large: a block more of twenty is worth no training of its own.
_LARGER = 1.1


def is_larger_size(architecture: Architecture, other: Architecture) -> bool:
    """Return whether an architecture is another one in a larger size: of its design, with a tenth more work."""
    return architecture.design == other.design and multi_adds(architecture) >= _LARGER * multi_adds(other)


def multi_adds(architecture: Architecture) -> int:
    """Return the multiply-adds of a network, for a small LR picture: what sizes are compared by."""
    return counts(architecture, _LR_SIZE).multi_adds
