"""How convolutions start that carry the LR picture through a network, so that no skip around it has to be added."""

import torch
from torch import nn


def add_copies(conv: nn.Conv2d, source: int, target: int, count: int) -> None:
    """Add to a kernel that `count` output channels from `target` on hold the input channels from `source` on."""
    row, column = (size // 2 for size in conv.kernel_size)
    with torch.no_grad():
        for index in range(count):
            conv.weight[target + index, source + index, row, column] += 1


def add_nearest(conv: nn.Conv2d, source: int) -> None:
    """Add to a kernel that its output channels are the sub-pixels of the nearest-neighbour enlargement.

    Args:
        conv: Whose output, 3 * scale**2 channels, a pixel shuffle turns into a picture.
        source: The first of the three input channels that hold the LR picture.
    """
    row, column = (size // 2 for size in conv.kernel_size)
    pixels = conv.out_channels // 3
    with torch.no_grad():
        for colour in range(3):
            conv.weight[colour * pixels : (colour + 1) * pixels, source + colour, row, column] += 1
