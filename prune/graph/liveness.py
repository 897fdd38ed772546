"""What a plan leaves of every tensor: the channels that may be other than zero and that somebody reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from torch import fx

from prune.graph.operators.operator import Channels, Walk
from prune.graph.plan import Kept
from prune.graph.tracing import Graph
from sr.errors import InputError

# Masks and indices that are remembered: a selection asks for the same ones again and again.
_MOST_KNOWN = 4096


@dataclass(frozen=True)
class ChannelLiveness:
    """The channels of every node under a plan.

    Attributes:
        forward: Those that may be other than zero.
        backward: Those that somebody reads.
        kept: The plan in normal form: no convolution reads what is zero or writes what nobody reads, and one that reads
            nothing writes nothing (its bias goes with it).
    """

    forward: Mapping[fx.Node, Channels]
    backward: Mapping[fx.Node, Channels]
    kept: Mapping[str, Kept]

    def stored(self, node: fx.Node) -> Channels:
        """Return the channels of a node that must be computed."""
        return self.forward[node] & self.backward[node]


def everything(graph: Graph) -> dict[str, Kept]:
    """Return what the dense network keeps."""
    convs = {name: graph.conv(node) for name, node in graph.convs().items()}
    return {name: Kept(tuple(range(conv.in_channels)), tuple(range(conv.out_channels))) for name, conv in convs.items()}


def channel_liveness(graph: Graph, kept: Mapping[str, Kept]) -> ChannelLiveness:
    """Follow a plan through the network, forward for what may be other than zero and backward for what is read.

    Args:
        graph: The dense network.
        kept: What convolutions keep, by name; one that is missing keeps everything.

    Returns:
        The channels of every node.

    Raises:
        InputError: Where an index is out of range or where nothing is left of something that must not be empty.
    """
    walk = Walk(graph.operators)
    for name, node in graph.convs().items():
        conv = graph.conv(node)
        sides = kept.get(name)
        walk.reads[node] = _mask(name, conv.in_channels, None if sides is None else sides.inputs)
        walk.writes[node] = _mask(name, conv.out_channels, None if sides is None else sides.outputs)
    for node, operator in graph.operators.items():
        walk.forward[node] = operator.forward(walk, node)
        walk.backward[node] = np.full(operator.channels, node in graph.whole)
    for node in reversed(list(graph.operators)):
        if node in graph.sized and not (walk.forward[node] & walk.backward[node]).any():
            # Who reads the size is content with any one channel.
            walk.backward[node][walk.forward[node].argmax()] = True
        graph.operators[node].backward(walk, node)
    _check_not_empty(graph, walk)
    convs = graph.convs().items()
    normal = {name: Kept(_indices(walk.reads[node]), _indices(walk.writes[node])) for name, node in convs}
    return ChannelLiveness(walk.forward, walk.backward, normal)


def _mask(name: str, channels: int, kept: tuple[int, ...] | None) -> Channels:
    """Return the kept ones of so many channels."""
    if kept and kept[-1] >= channels:
        raise InputError(f"{name} has {channels} channels, but the plan keeps number {kept[-1]}")
    return _known_mask(channels, kept).copy()


@lru_cache(_MOST_KNOWN)
def _known_mask(channels: int, kept: tuple[int, ...] | None) -> Channels:
    chosen = np.full(channels, kept is None)
    if kept:
        chosen[list(kept)] = True
    return chosen


def _indices(chosen: Channels) -> tuple[int, ...]:
    """Return the indices of the channels that are true."""
    return _known_indices(chosen.tobytes())


@lru_cache(_MOST_KNOWN)
def _known_indices(chosen: bytes) -> tuple[int, ...]:
    return tuple(np.flatnonzero(np.frombuffer(chosen, dtype=bool)).tolist())


def _check_not_empty(graph: Graph, walk: Walk) -> None:
    """Raise InputError where nothing is left of a node that must be there: the size of its zeros is unknown."""
    for node, operator in graph.operators.items():
        if operator.traits.fills_zeros and walk.backward[node].any():
            must = operator.operands
        elif node in graph.whole:
            must = (node,)
        else:
            continue
        for operand in must:
            if not walk.forward[operand].any():
                raise InputError(f"nothing is left of {operand.name}, which {node.name} cannot do without")
