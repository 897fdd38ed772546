"""Which channels of which convolution survive, and how each convolution then runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["inputs", "outputs"]
ChannelAccess = Literal["gather", "slice", "fold"]
CHANNEL_ACCESSES: tuple[ChannelAccess, ...] = ("gather", "slice", "fold")


@dataclass(frozen=True)
class Kept:
    """The channels that one convolution reads and writes, ascending indices into those of the dense network.

    A depthwise convolution writes what it reads.

    Raises:
        ValueError: Where a side does not ascend from 0 or more.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __post_init__(self) -> None:
        for side in (self.inputs, self.outputs):
            if list(side) != sorted(set(side)) or (side and side[0] < 0):
                raise ValueError(f"kept channels are ascending and at least 0, got {side}")

    def on(self, side: Side) -> tuple[int, ...]:
        """Return the channels of one side."""
        return self.inputs if side == "inputs" else self.outputs


@dataclass(frozen=True)
class Execution:
    """How a convolution gets at its kept channels of a wider tensor.

    `gather` picks and scatters exactly those, `slice` takes the shortest contiguous slice that holds them, `fold` takes
    the whole tensor; weights of the channels between are zero when the plan is made, and may be trained from then on.

    Raises:
        ValueError: For any other access.
    """

    inputs: ChannelAccess = "slice"
    outputs: ChannelAccess = "slice"

    def __post_init__(self) -> None:
        for access in (self.inputs, self.outputs):
            if access not in CHANNEL_ACCESSES:
                raise ValueError(
                    f"a convolution's channel access is one of {', '.join(CHANNEL_ACCESSES)}, got {access!r}"
                )


@dataclass(frozen=True)
class Plan:
    """What is left of every convolution that may lose channels, and how it runs, by module name.

    Attributes:
        kept: The channels that each convolution keeps; one that is missing keeps all.
        execution: How each gets at them; by slices where it is missing.
        orders: The order in which tensors hold their channels, where it is not ascending: per set of tensors whose
            channels are the same, under the name of the first operator in it (`Graph.component_name`).
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
