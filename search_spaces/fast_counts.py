"""What an architecture's network costs by counting, added up from its parts: thousands a second, for proposals."""

import functools
from dataclasses import dataclass, replace

from search_spaces.architecture import Architecture, Block
from search_spaces.network import build
from sr.lr_size import LrSize
from sr.measure.complexity import count


@dataclass(frozen=True)
class Counts:
    """Those of the deployed network that add up over its parts; see `sr.measure.complexity.Complexity`."""

    params: int
    multi_adds: int
    activations: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.params + other.params, self.multi_adds + other.multi_adds, self.activations + other.activations
        )

    def __sub__(self, other: "Counts") -> "Counts":
        return self + Counts(-other.params, -other.multi_adds, -other.activations)


def counts(architecture: Architecture, lr_size: LrSize) -> Counts:
    """Return what `sr.measure.complexity` counts, added up from parts that are counted once a process each.

    Args:
        architecture: Whose deployed network is counted.
        lr_size: Height and width of the LR image.
    """
    built = architecture.canonical
    total = _counted(replace(built, blocks=(Block("identity"),), aggregation="none"), lr_size)
    for block in built.blocks:
        total += _block_counts(block.kind, built.num_feat, built.norm, lr_size)
    if built.aggregation == "concat":
        # A 1x1 convolution over all blocks.
        weights, pixels = len(built.blocks) * built.num_feat**2, lr_size[0] * lr_size[1]
        total += Counts(weights + built.num_feat, weights * pixels, built.num_feat * pixels)
    return total


@functools.cache
def _block_counts(kind: str, num_feat: int, norm: str, lr_size: LrSize) -> Counts:
    """Return what one block adds to a network."""
    one, none = (Architecture(num_feat, (Block(each),), norm=norm) for each in (kind, "identity"))
    return _counted(one, lr_size) - _counted(none, lr_size)


@functools.cache
def _counted(architecture: Architecture, lr_size: LrSize) -> Counts:
    """Return the counts of a whole network."""
    found = count(build(architecture), lr_size)
    return Counts(found.params, found.multi_adds, found.activations)
