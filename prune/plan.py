"""Which channels of which convolution survive, and how each convolution then runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["inputs", "outputs"]
Reach = Literal["gather", "slice", "fold"]
REACHES: tuple[Reach, ...] = ("gather", "slice", "fold")


@dataclass(frozen=True)
class Kept:
    """The channels that one convolution reads and writes, ascending indices into those of the dense network.

    A depthwise convolution writes what it reads.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __post_init__(self) -> None:
        for side in (self.inputs, self.outputs):
            if list(side) != sorted(set(side)) or (side and side[0] < 0):
                raise ValueError(f"kept channels are ascending and at least 0, got {side}")


@dataclass(frozen=True)
class Execution:
    """How a convolution gets at its kept channels of a wider tensor.

    `gather` picks and scatters exactly those, `slice` takes the shortest run of channels that holds them, `fold` takes
    the whole tensor; weights of the channels between are zero when the plan is made, and may be trained from then on.
    """

    inputs: Reach = "slice"
    outputs: Reach = "slice"

    def __post_init__(self) -> None:
        for reach in (self.inputs, self.outputs):
            if reach not in REACHES:
                raise ValueError(f"a convolution reaches its channels by {', '.join(REACHES)}, got {reach!r}")


@dataclass(frozen=True)
class Plan:
    """What is left of every convolution that may lose channels, and how it runs, by module name.

    orders: the order in which tensors hold their channels, where it is not ascending: per set of tensors whose channels
    are the same, under the name of the first operator in it (`Graph.component_name`).
    """

    kept: Mapping[str, Kept]
    execution: Mapping[str, Execution]
    orders: Mapping[str, tuple[int, ...]]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {
            "kept": {name: [list(kept.inputs), list(kept.outputs)] for name, kept in self.kept.items()},
            "execution": {name: [how.inputs, how.outputs] for name, how in self.execution.items()},
            "orders": {name: list(order) for name, order in self.orders.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Plan":
        """Read what `to_json` gave; raises ValueError, KeyError or TypeError where it is something else."""
        return cls(
            {name: Kept(tuple(inputs), tuple(outputs)) for name, (inputs, outputs) in content["kept"].items()},
            {name: Execution(inputs, outputs) for name, (inputs, outputs) in content["execution"].items()},
            {name: tuple(order) for name, order in content["orders"].items()},
        )


@dataclass(frozen=True)
class Member:
    """One side of one convolution in a group: unit u of the group is `channels[u]` of that side.

    conv: its name in the network's named_modules(). Several channels are one unit before a pixel shuffle (r^2 of them
    where it is by r) and where a concatenation repeats them. A depthwise convolution is a member with both sides.
    """

    conv: str
    side: Side
    channels: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Group:
    """Channels of several convolutions that are removed together; every member has the same number of units."""

    members: tuple[Member, ...]

    @property
    def units(self) -> int:
        """The number of units."""
        return len(self.members[0].channels)
