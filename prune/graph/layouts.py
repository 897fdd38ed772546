"""Layouts: the channels that a tensor of a slim network holds, in their order."""

from collections.abc import Sequence

from prune.graph.plan import ChannelAccess

Layout = tuple[int, ...]


def within(layout: Layout, channels: Sequence[int], access: ChannelAccess) -> Layout:
    """Return the part of a layout that is computed to get at `channels`."""
    if access == "fold":
        return layout
    chosen = set(channels)
    positions = [position for position, channel in enumerate(layout) if channel in chosen]
    if access == "slice":
        return layout[positions[0] : positions[-1] + 1]
    return tuple(layout[position] for position in positions)


def expanded(layout: Sequence[int], factor: int) -> Layout:
    """Return the channels before a pixel shuffle for those behind it."""
    return tuple(channel * factor**2 + pixel for channel in layout for pixel in range(factor**2))
