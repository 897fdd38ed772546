"""What every kind of operator answers, and what it is told while a plan is followed or a slim network written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import fx, nn

from prune.graph.layouts import Layout
from prune.graph.plan import Execution, Kept

# Per channel of a tensor whether it is meant.
Channels = NDArray[np.bool_]
_WorksThrough = Literal["nothing", "result", "narrowest"]


@dataclass(frozen=True)
class Traits:
    """What the graph and the gates ask about a kind of operator; all false where there is nothing to tell.

    Attributes:
        same_channels: Operands as wide as the result index the same channels as it.
        fixes_order: Something depends on the order of its channels.
        fixes_operands: Something depends on the order of its operands' channels.
        reads_whole: It reads all channels, in their order.
        fills_zeros: It makes something else of zeros, and so needs the size of its operand even where that is zero.
        passes_gates: A gate behind a convolution may stand for the channels behind this operator too.
        works_through: What it computes one by one beside convolutions: its result, or no more than its narrowest
            operand, or nothing.
    """

    same_channels: bool = False
    fixes_order: bool = False
    fixes_operands: bool = False
    reads_whole: bool = False
    fills_zeros: bool = False
    passes_gates: bool = False
    works_through: _WorksThrough = "nothing"


class Operator(Protocol):
    """What a node with an output (n, channels, h, w) does with channels; the members are one final class per kind."""

    traits: ClassVar[Traits]

    @property
    def operands(self) -> tuple[fx.Node, ...]:
        """The nodes with channels that it reads."""

    @property
    def channels(self) -> int:
        """How many channels it writes."""

    def forward(self, walk: "Walk", node: fx.Node) -> Channels:
        """Return which of its channels may be other than zero."""

    def backward(self, walk: "Walk", node: fx.Node) -> None:
        """Mark in `walk.backward` which channels of its operands somebody reads through it."""

    def rewrite(self, rewriter: "Rewriter", node: fx.Node) -> None:
        """Write it into the slim network, where any of its channels is left."""


@dataclass(frozen=True)
class Walk:
    """What is known so far while a plan is followed through a network, forward first and then backward.

    Attributes:
        operators: In the order of execution.
        reads: Per convolution which inputs the plan keeps, less what turned out to be zero or of no use.
        writes: The same for outputs.
        forward: Per node which channels may be other than zero.
        backward: Per node which channels somebody reads.
    """

    operators: Mapping[fx.Node, Operator]
    reads: dict[fx.Node, Channels] = field(default_factory=dict)
    writes: dict[fx.Node, Channels] = field(default_factory=dict)
    forward: dict[fx.Node, Channels] = field(default_factory=dict)
    backward: dict[fx.Node, Channels] = field(default_factory=dict)


class Rewriter(Protocol):
    """The slim network while it is written, as an operator sees it that writes itself into it."""

    @property
    def operators(self) -> Mapping[fx.Node, Operator]:
        """Those of the dense network."""

    @property
    def layouts(self) -> Mapping[fx.Node, Layout]:
        """Per node that was written the channels that its new value holds, in their order."""

    def stored(self, node: fx.Node) -> Channels:
        """Return which channels of a node must be computed."""

    def layout(self, node: fx.Node) -> Layout:
        """Return the channels of a node that must be computed, in the order that the plan gives them."""

    def target(self, node: fx.Node) -> Layout:
        """Return the layout of the sum that a convolution is added to, else its own."""

    def conv(self, node: fx.Node) -> nn.Conv2d:
        """Return the dense convolution of a node."""

    def kept(self, node: fx.Node) -> Kept:
        """Return what is left of a convolution."""

    def execution(self, node: fx.Node) -> Execution:
        """Return how a convolution gets at its channels."""

    def arranged(self, node: fx.Node, layout: Sequence[int]) -> fx.Node:
        """Return the new value of a node with these channels in this order; those that it does not hold are zero."""

    def plain(self, node: fx.Node) -> fx.Node:
        """Return the new value of a node without channels, such as a size."""

    def terms(self, node: fx.Node) -> list[fx.Node]:
        """Return the operands of a sum, those of the sums within it instead of these."""

    def put(self, node: fx.Node, value: fx.Node, layout: Sequence[int]) -> None:
        """Take `value` for what stands for a node, holding these of its channels."""

    def put_whole(self, node: fx.Node) -> None:
        """Copy an operator that reads and writes all channels."""

    def put_conv(self, node: fx.Node, conv: nn.Conv2d, reads: Layout, writes: Layout) -> None:
        """Put a convolution that reads and writes these channels."""

    def put_applied(self, node: fx.Node, operand: Layout, result: Layout) -> None:
        """Copy an operator with one operand, that arranged as given, for a result that holds `result`."""

    def put_joined(self, node: fx.Node, parts: Sequence[fx.Node], layout: Sequence[int]) -> None:
        """Put values side by side."""

    def put_added(
        self, node: fx.Node, terms: Sequence[fx.Node], places: Sequence[Sequence[int]], layout: Sequence[int]
    ) -> None:
        """Put the sum of values, each of which holds the channels at its places."""

    def put_copied(self, node: fx.Node, argument: Callable[[fx.Node], fx.Node], layout: Sequence[int]) -> None:
        """Copy a node with other arguments."""


def everything(channels: int) -> Channels:
    """Return all channels."""
    return np.ones(channels, dtype=bool)


def zero_where_all_are(walk: Walk, operator: Operator) -> Channels:
    """Return the channels of an operator that gives zero where all operands do; a single channel stands for all."""
    alive = np.zeros(operator.channels, dtype=bool)
    for operand in operator.operands:
        alive |= walk.forward[operand]
    return alive


def read_alike(walk: Walk, node: fx.Node, operator: Operator) -> None:
    """Read of every operand what is read of the result and not zero anyway; a single channel is read for any."""
    wanted = walk.backward[node] & walk.forward[node]
    for operand in operator.operands:
        alike = walk.operators[operand].channels == operator.channels
        walk.backward[operand] |= wanted if alike else wanted.any()


def read_everything(walk: Walk, node: fx.Node, operator: Operator) -> None:
    """Read all channels of all operands, and take all of its own for read."""
    for operand in operator.operands:
        walk.backward[operand][:] = True
    walk.backward[node][:] = True
