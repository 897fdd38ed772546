"""Parts of layouts and of weights: what a layer keeps when channels go."""

from collections.abc import Sequence

import torch
from torch import nn

# The channels that a tensor holds, in their order.
Layout = tuple[int, ...]


def within(layout: Layout, channels: Sequence[int], reach: str) -> Layout:
    """Return the part of a layout that is computed to reach `channels`."""
    if reach == "fold":
        return layout
    chosen = set(channels)
    positions = [position for position, channel in enumerate(layout) if channel in chosen]
    if reach == "slice":
        return layout[positions[0] : positions[-1] + 1]
    return tuple(layout[position] for position in positions)


def expanded(layout: Sequence[int], factor: int) -> Layout:
    """Return the channels before a pixel shuffle for those behind it."""
    return tuple(channel * factor**2 + pixel for channel in layout for pixel in range(factor**2))


def like(old: nn.Conv2d, inputs: int, outputs: int, groups: int = 1) -> nn.Conv2d:
    """Return a convolution as the old one with other channels, on its device and in its type."""
    return nn.Conv2d(
        inputs,
        outputs,
        (old.kernel_size[0], old.kernel_size[1]),
        stride=(old.stride[0], old.stride[1]),
        padding=old.padding if isinstance(old.padding, str) else (old.padding[0], old.padding[1]),
        dilation=(old.dilation[0], old.dilation[1]),
        groups=groups,
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
        device=old.weight.device,
        dtype=old.weight.dtype,
    )


def cut_conv(old: nn.Conv2d, reads: tuple[Layout, Sequence[int]], writes: tuple[Layout, Sequence[int]]) -> nn.Conv2d:
    """Return the convolution between two layouts, each given with those of its channels that are kept.

    The weights of the others are zero.
    """
    (inputs, kept_inputs), (outputs, kept_outputs) = reads, writes
    new = like(old, len(inputs), len(outputs))
    columns = torch.tensor([channel in set(kept_inputs) for channel in inputs])
    rows = torch.tensor([channel in set(kept_outputs) for channel in outputs])
    with torch.no_grad():
        weight = old.weight[list(outputs)][:, list(inputs)]
        new.weight.copy_(weight * rows.view(-1, 1, 1, 1) * columns.view(1, -1, 1, 1))
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias[list(outputs)] * rows)
    return new


def cut_prelu(old: nn.PReLU, layout: Layout) -> nn.PReLU:
    """Return the activation for the channels of a layout; one slope for all stays."""
    if old.num_parameters == 1:
        return old
    new = nn.PReLU(len(layout), device=old.weight.device, dtype=old.weight.dtype)
    with torch.no_grad():
        new.weight.copy_(old.weight[list(layout)])
    return new
