"""Operators that treat every channel alone: activations, pools, resizing, padding, arithmetic with a number."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import fx, nn

from prune.graph.layouts import Layout, within
from prune.graph.operators.call import Call, name_of
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


@dataclass(frozen=True)
class Channelwise:
    """An operator that treats every channel alone and maps zeros to zeros."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits(same_channels=True, passes_gates=True, works_through="result")

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002 - the signature of every kind
        """Be zero where its operand is."""
        return zero_where_all_are(walk, self)

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read what is read of it."""
        read_alike(walk, node, self)

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Apply it to the shortest contiguous slice that holds what is stored."""
        have = rewriter.layouts[self.operands[0]]
        layout = within(have, tuple(np.flatnonzero(rewriter.stored(node)).tolist()), "slice")
        rewriter.put_applied(node, layout, layout)


@dataclass(frozen=True)
class ZeroFilling:
    """An operator that treats every channel alone, and makes something else of zeros, such as a sigmoid."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits(same_channels=True, fills_zeros=True, works_through="result")

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002
        """Be anything."""
        return everything(self.channels)

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read what is read of it; where all of that is zero, one channel that is not, for the size."""
        (operand,) = self.operands
        walk.backward[operand] |= walk.backward[node]
        if walk.backward[node].any() and not (walk.backward[operand] & walk.forward[operand]).any():
            walk.backward[operand][walk.forward[operand].argmax()] = True

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Apply it to what is stored, zeros where there is nothing."""
        layout = rewriter.layout(node)
        rewriter.put_applied(node, layout, layout)


def channelwise(call: Call) -> Operator | None:
    """Recognise an operator of one operand whose zeros stay; a reduction only over height and width."""
    operand = call.operand()
    kept = operand is not None and call.operators[operand].channels == call.channels and _spatial(call.node)
    return Channelwise((operand,), call.channels) if operand is not None and kept else None


def channel_module(call: Call) -> Operator | None:
    """Recognise a module of one operand whose type says that zeros stay."""
    operand = call.operand()
    return Channelwise((operand,), call.channels) if operand is not None else None


def zero_filling(call: Call) -> Operator | None:
    """Recognise an operator of one operand whose zeros do not stay."""
    operand = call.operand()
    return ZeroFilling((operand,), call.channels) if operand is not None else None


def divided(call: Call) -> Operator | None:
    """Recognise a division by a number."""
    operand = call.operand()
    if operand is not None and call.is_number(call.node.args[1]):
        return Channelwise((operand,), call.channels)
    return None


def padded(call: Call) -> Operator | None:
    """Recognise the padding of rows and columns, with zeros or with what is there."""
    widths = call.node.args[1] if len(call.node.args) > 1 else ()
    value = call.node.kwargs.get("value", 0)
    return channelwise(call) if isinstance(widths, list | tuple) and len(widths) <= 4 and not value else None


def prelu(call: Call, module: nn.PReLU) -> Operator | None:
    """Recognise an activation with learnt slopes; with one per channel it must have a single caller."""
    if module.num_parameters > 1 and call.is_shared_module():
        return None
    return channel_module(call)


def slice_prelu(old: nn.PReLU, layout: Layout) -> nn.PReLU:
    """Return the activation for the channels of a layout; one slope for all stays."""
    if old.num_parameters == 1:
        return old
    new = nn.PReLU(len(layout), device=old.weight.device, dtype=old.weight.dtype)
    with torch.no_grad():
        new.weight.copy_(old.weight[list(layout)])
    return new


def _spatial(node: fx.Node) -> bool:
    """Return whether a reduction, where the node is one, is over height and width and keeps the dimensions."""
    if name_of(node) not in ("mean", "sum"):
        return True
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    return dims in ((2, 3), [2, 3], (-2, -1), [-2, -1])
