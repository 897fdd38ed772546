"""Operators that move channels and compute nothing: concatenations, slices, pixel shuffles."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import fx, nn

from prune.graph.layouts import expanded
from prune.graph.operators.call import Call, name_of
from prune.graph.operators.channelwise import Channelwise
from prune.graph.operators.operator import Channels, Operator, Rewriter, Traits, Walk


@dataclass(frozen=True)
class Concatenation:
    """Tensors side by side along the channels."""

    operands: tuple[fx.Node, ...]
    channels: int
    traits: ClassVar[Traits] = Traits(fixes_order=True, works_through="result")

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002 - the signature of every kind
        """Line the parts up."""
        return np.concatenate([walk.forward[operand] for operand in self.operands])

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read of each part what is read of it."""
        start = 0
        for operand in self.operands:
            channels = walk.operators[operand].channels
            walk.backward[operand] |= walk.backward[node][start : start + channels]
            start += channels

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Put the stored channels of all parts side by side."""
        stored, start = rewriter.stored(node), 0
        parts: list[fx.Node] = []
        layout: list[int] = []
        for operand in self.operands:
            wanted = [channel for channel in rewriter.layouts.get(operand, ()) if stored[start + channel]]
            if wanted:
                parts.append(rewriter.arranged(operand, wanted))
                layout.extend(start + channel for channel in wanted)
            start += rewriter.operators[operand].channels
        rewriter.put_joined(node, parts, layout)


@dataclass(frozen=True)
class Slice:
    """The channels of a tensor from `start` on."""

    operands: tuple[fx.Node, ...]
    channels: int
    start: int
    traits: ClassVar[Traits] = Traits(fixes_order=True, fixes_operands=True)

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002
        """Take the slice."""
        return walk.forward[self.operands[0]][self.start : self.start + self.channels].copy()

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read the slice."""
        walk.backward[self.operands[0]][self.start : self.start + self.channels] |= walk.backward[node]

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Take of a tensor what is stored of a contiguous slice of its channels."""
        (operand,) = self.operands
        stored = rewriter.stored(node)
        places = (channel - self.start for channel in rewriter.layouts[operand])
        layout = [channel for channel in places if 0 <= channel < self.channels and stored[channel]]
        rewriter.put(node, rewriter.arranged(operand, [self.start + channel for channel in layout]), layout)


@dataclass(frozen=True)
class Shuffle:
    """A pixel shuffle by `factor`: of factor^2 channels in a row it makes one."""

    operands: tuple[fx.Node, ...]
    channels: int
    factor: int
    traits: ClassVar[Traits] = Traits(passes_gates=True, works_through="result")

    def forward(self, walk: Walk, node: fx.Node) -> Channels:  # noqa: ARG002
        """Gather sub-pixels: a channel may be other than zero where one of them may."""
        alive: Channels = np.any(walk.forward[self.operands[0]].reshape(self.channels, -1), axis=1)
        return alive

    def backward(self, walk: Walk, node: fx.Node) -> None:
        """Read all sub-pixels of what is read."""
        walk.backward[self.operands[0]] |= np.repeat(walk.backward[node], self.factor**2)

    def rewrite(self, rewriter: Rewriter, node: fx.Node) -> None:
        """Give it all sub-pixels of what is stored."""
        layout = rewriter.layout(node)
        rewriter.put_applied(node, expanded(layout, self.factor), layout)


def concatenated(call: Call) -> Operator | None:
    """Recognise a concatenation along the channels."""
    parts = call.node.args[0]
    dim = call.node.args[1] if len(call.node.args) > 1 else call.node.kwargs.get("dim", 0)
    if dim != 1 or not isinstance(parts, list | tuple) or not all(part in call.operators for part in parts):
        return None
    return Concatenation(tuple(part for part in parts if isinstance(part, fx.Node)), call.channels)


def indexed(call: Call) -> Operator | None:
    """Recognise an index: a slice of channels, a part of a split, or rows and columns of all channels."""
    source, index = _arguments(call)
    if not isinstance(source, fx.Node):
        return None
    if isinstance(index, int):
        return _part_of_split(call, source, index)
    plain = isinstance(index, tuple) and all(isinstance(part, slice) and part.step is None for part in index)
    if not plain or call.operand() is None or index[0] != slice(None, None, None):
        return None
    if len(index) == 2 and not any(isinstance(end, fx.Node) for end in (index[1].start, index[1].stop)):
        start, _, _ = index[1].indices(call.operators[source].channels)
        return Slice((source,), call.channels, start)
    return Channelwise((source,), call.channels) if index[1] == slice(None, None, None) else None


def shuffled(call: Call) -> Operator | None:
    """Recognise a pixel shuffle by a plain factor."""
    operand, factor = call.operand(), call.node.args[1] if len(call.node.args) > 1 else None
    if operand is None or not isinstance(factor, int):
        return None
    return Shuffle((operand,), call.channels, factor)


def shuffle_module(call: Call, module: nn.PixelShuffle) -> Operator | None:
    """Recognise a pixel shuffle that is a module."""
    operand = call.operand()
    return None if operand is None else Shuffle((operand,), call.channels, module.upscale_factor)


def _arguments(call: Call) -> tuple[Any, Any]:
    """Return the first two arguments: torch's type for them says nothing."""
    return call.node.args[0], call.node.args[1]


def _part_of_split(call: Call, source: fx.Node, index: int) -> Operator | None:
    """Recognise a part of what split or chunk gives."""
    origin = source.args[0] if source.args else None
    dim = source.args[2] if len(source.args) > 2 else source.kwargs.get("dim", 0)
    if name_of(source) not in ("split", "chunk") or dim != 1:
        return None
    if origin not in call.operators or not isinstance(origin, fx.Node):
        return None
    sizes = [int(meta.shape[1]) for meta in source.meta["tensor_meta"]]
    return Slice((origin,), call.channels, start=sum(sizes[:index]))
