"""Groups: channels that are kept or dropped together, unit by unit."""

from dataclasses import dataclass

from prune.graph.plan import Side


@dataclass(frozen=True)
class Member:
    """One side of one convolution in a group: unit u of the group is `channels[u]` of that side.

    Several channels are one unit before a pixel shuffle (r^2 of them where it is by r) and where a concatenation
    repeats them. A depthwise convolution is a member with both sides.

    Attributes:
        conv: The convolution's name in the network's named_modules().
        side: Which of its channels are meant.
        channels: Per unit the channels of that side.
    """

    conv: str
    side: Side
    channels: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Group:
    """Units that are kept or dropped together in all members, each of which has the same number of them.

    Attributes:
        members: The sides of convolutions whose channels go together; where each is pruned by itself, one.
        shared_tensor: The component (`Graph.components`) of the tensor whose channels the units are; groups of one
            tensor index the same channels, so that what they keep can be compared. None where it is compared with
            nothing.
        channel_indices: Per unit the channel of that tensor.
    """

    members: tuple[Member, ...]
    shared_tensor: int | None = None
    channel_indices: tuple[int, ...] = ()

    @property
    def units(self) -> int:
        """The number of units."""
        return len(self.members[0].channels)
