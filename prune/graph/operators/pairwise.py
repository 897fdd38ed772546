"""Operators of two partners with the same channels: sums, products, and others such as a difference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import fx

from prune.graph.operators.call import Call
from prune.graph.operators.channelwise import Channelwise, ZeroFilling
from prune.graph.operators.operator import (
    Channels,
    Operator,
    Rewriter,
    Traits,
    Walk,
    everything,
    read_alike,
    zero_where_all_are,
)
from prune.graph.operators.whole import Opaque
from prune.graph.sizes import shape_of

Make = Callable[[tuple[fx.Node, ...], int], Operator]


@dataclass(frozen=True)
class Sum:
    """A sum of tensors of one shape; a narrow term is added to a part of it."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits(same_channels=True, works_through="narrowest")

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002 - the signature of every kind
        """Be zero where all terms are."""
        return zero_where_all_are(walk, self)

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read of every term what is read of the sum."""
        read_alike(walk, node, self)

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Add up all terms of a chain of sums, each where its channels are."""
        layout = rewriter.layout(node)
        position = {channel: index for index, channel in enumerate(layout)}
        terms, places = [], []
        for operand in rewriter.terms(node):
            held = tuple(channel for channel in rewriter.layouts.get(operand, ()) if channel in position)
            if held:
                terms.append(rewriter.arranged(operand, held))
                places.append([position[channel] for channel in held])
        rewriter.put_added(node, terms, places, layout)


@dataclass(frozen=True)
class Pairwise:
    """Another operator of two partners that gives zero where both are zero; one may have a single channel for all."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits(same_channels=True, works_through="result")

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002
        """Be zero where both partners are."""
        return zero_where_all_are(walk, self)

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read of both what is read of the result."""
        read_alike(walk, node, self)

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Arrange both partners alike."""
        _rewrite_alike(rewriter, node, self)


@dataclass(frozen=True)
class Product:
    """A product of two partners; one may have a single channel for all."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits(same_channels=True, works_through="result")

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002
        """Be zero where one partner is."""
        alive = everything(self.channels)
        for operand in self.operands:
            alive &= walk.forward[operand]
        return alive

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read of both what is read of the result."""
        read_alike(walk, node, self)

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Arrange both partners alike."""
        _rewrite_alike(rewriter, node, self)


def added(call: Call) -> Operator | None:
    """Recognise a sum; with a number it fills zeros."""
    both = _partners(call)
    if both is not None and all(shape_of(node) == shape_of(call.node) for node in both):
        return Sum(both, call.channels)
    return _both_or_number(call, Pairwise, ZeroFilling)


def subtracted(call: Call) -> Operator | None:
    """Recognise a difference; with a number it fills zeros."""
    return _both_or_number(call, Pairwise, ZeroFilling)


def multiplied(call: Call) -> Operator | None:
    """Recognise a product; with a number it treats every channel alone."""
    return _both_or_number(call, Product, Channelwise)


def extreme(call: Call) -> Operator | None:
    """Recognise the larger or smaller of two; with a number nothing is known of it."""
    return _both_or_number(call, Pairwise, Opaque)


def _partners(call: Call) -> tuple[fx.Node, ...] | None:
    """Return both operands of a binary operator where both have its channels, or one channel for all."""
    operands = call.node.args[:2]
    if len(operands) < 2 or call.node.kwargs or not all(node in call.operators for node in operands):
        return None
    widths = [call.operators[node].channels for node in operands if isinstance(node, fx.Node)]
    fitting = all(width in (call.channels, 1) for width in widths) and max(widths) == call.channels
    return tuple(node for node in operands if isinstance(node, fx.Node)) if fitting else None


def _both_or_number(call: Call, with_both: Make, with_number: Make) -> Operator | None:
    """Make the operator of two partners, or of one with channels and a number in either place."""
    both = _partners(call)
    if both is not None:
        return with_both(both, call.channels)
    nodes = [node for node in call.node.args[:2] if isinstance(node, fx.Node) and node in call.operators]
    others = [value for value in call.node.args[:2] if value not in nodes]
    if len(nodes) == 1 and len(others) == 1 and call.is_number(others[0]):
        return with_number((nodes[0],), call.channels)
    return None


def _rewrite_alike(rewriter: Rewriter, node: fx.Node, operator: Pairwise | Product) -> None:
    """Copy an operator with both partners arranged alike; one with a single channel stays as it is."""
    layout = rewriter.layout(node)
    wide = {operand: rewriter.operators[operand].channels == operator.channels for operand in operator.operands}
    sources = {operand: rewriter.arranged(operand, layout if wide[operand] else (0,)) for operand in operator.operands}
    rewriter.put_copied(node, lambda argument: sources.get(argument) or rewriter.plain(argument), layout)
