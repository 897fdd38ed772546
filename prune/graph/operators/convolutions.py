"""Convolutions, dense and depthwise: the operators that may lose channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import fx, nn

from prune.graph.layouts import Layout, within
from prune.graph.operators.call import Call
from prune.graph.operators.operator import Channels, Operator, Rewriter, Traits, Walk


@dataclass(frozen=True)
class Conv:
    """A dense convolution: each output reads all inputs."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits()

    def forward(self, walk: Walk, node: fx.Node) -> Channels:
        """Write the kept outputs, where anything is read."""
        walk.reads[node] &= walk.forward[self.operands[0]]
        walk.writes[node] &= walk.reads[node].any()
        return walk.writes[node].copy()

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read the kept inputs, where anything that is written is read."""
        walk.writes[node] &= walk.backward[node]
        walk.reads[node] &= walk.writes[node].any()
        walk.backward[self.operands[0]] |= walk.reads[node]

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Cut it to what it reads and writes."""
        kept, how = rewriter.kept(node), rewriter.execution(node)
        reads = within(rewriter.layouts[self.operands[0]], kept.inputs, how.inputs)
        target = rewriter.target(node)
        own = tuple(channel for channel in target if channel in set(kept.outputs))
        writes = within(target, own, how.outputs)
        rewriter.put_conv(node, slice_conv(rewriter.conv(node), (reads, kept.inputs), (writes, own)), reads, writes)


@dataclass(frozen=True)
class Depthwise:
    """A convolution with one filter per channel."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits(same_channels=True, passes_gates=True)

    def forward(self, walk: Walk, node: fx.Node) -> Channels:
        """Write the kept outputs among what is read."""
        walk.writes[node] &= walk.reads[node] & walk.forward[self.operands[0]]
        return walk.writes[node].copy()

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read what is written and read on."""
        walk.writes[node] &= walk.backward[node]
        walk.reads[node] = walk.writes[node].copy()
        walk.backward[self.operands[0]] |= walk.writes[node]

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Keep the filters of its channels."""
        layout = rewriter.layout(node)
        rewriter.put_conv(node, _slice_depthwise(rewriter.conv(node), layout), layout, layout)


def convolution(call: Call, conv: nn.Conv2d) -> Operator | None:
    """Recognise a convolution, dense or depthwise; one that is called twice belongs to both callers."""
    operand = call.operand()
    if operand is None or call.is_shared_module():
        return None
    if conv.groups == 1:
        return Conv((operand,), call.channels)
    alone = conv.groups == conv.in_channels == conv.out_channels
    return Depthwise((operand,), call.channels) if alone else None


def conv_like(old: nn.Conv2d, inputs: int, outputs: int, groups: int = 1) -> nn.Conv2d:
    """Return a convolution as the old one with other channels, on its device and in its dtype, weights untrained."""
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


def slice_conv(old: nn.Conv2d, reads: tuple[Layout, Sequence[int]], writes: tuple[Layout, Sequence[int]]) -> nn.Conv2d:
    """Return the dense convolution between two layouts, each given with those of its channels that are kept.

    The weights of the others are zero.
    """
    (inputs, kept_inputs), (outputs, kept_outputs) = reads, writes
    new = conv_like(old, len(inputs), len(outputs))
    columns = torch.tensor([channel in set(kept_inputs) for channel in inputs])
    rows = torch.tensor([channel in set(kept_outputs) for channel in outputs])
    with torch.no_grad():
        weight = old.weight[list(outputs)][:, list(inputs)]
        new.weight.copy_(weight * rows.view(-1, 1, 1, 1) * columns.view(1, -1, 1, 1))
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias[list(outputs)] * rows)
    return new


def _slice_depthwise(old: nn.Conv2d, layout: Layout) -> nn.Conv2d:
    """Return the depthwise convolution for the channels of a layout."""
    new = conv_like(old, len(layout), len(layout), groups=len(layout))
    with torch.no_grad():
        new.weight.copy_(old.weight[list(layout)])
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias[list(layout)])
    return new
