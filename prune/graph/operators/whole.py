"""The picture that is read, tensors of the network itself, and operators of which nothing is known."""

from dataclasses import dataclass
from typing import ClassVar

from torch import fx

from prune.graph.operators.call import Call
from prune.graph.operators.operator import (
    Channels,
    Operator,
    Rewriter,
    Traits,
    Walk,
    everything,
    read_alike,
    read_everything,
)
from prune.graph.sizes import shape_of


@dataclass(frozen=True)
class Image:
    """The LR picture."""

    channels: int
    operands: tuple[fx.Node, ...] = ()
    traits: ClassVar[Traits] = Traits(fixes_order=True)

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002 - the signature of every kind
        """Be anything."""
        return everything(self.channels)

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Be read whole."""
        read_everything(walk, node, self)

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Stay as it is."""
        rewriter.put_whole(node)


@dataclass(frozen=True)
class Parameter:
    """A tensor of the network with one value per channel."""

    channels: int
    operands: tuple[fx.Node, ...] = ()
    traits: ClassVar[Traits] = Traits()

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002
        """Be anything."""
        return everything(self.channels)

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read nothing."""
        read_alike(walk, node, self)

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Stay as it is; its readers take what they need."""
        rewriter.put_whole(node)


@dataclass(frozen=True)
class Opaque:
    """An operator that may mix everything."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits(fixes_order=True, fixes_operands=True, reads_whole=True)

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002
        """Be anything."""
        return everything(self.channels)

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read everything."""
        read_everything(walk, node, self)

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Stay as it is."""
        rewriter.put_whole(node)


def image(call: Call) -> Operator | None:
    """Recognise the LR picture."""
    return Image(call.channels)


def parameter(call: Call) -> Operator | None:
    """Recognise a tensor of the network itself: with one value per channel it may lose channels."""
    return Parameter(call.channels) if shape_of(call.node)[2:] == (1, 1) else None


def opaque(call: Call) -> Operator:
    """Take a node for one of which nothing is known."""
    return Opaque(call.operands, call.channels)
