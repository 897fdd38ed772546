"""What a plan leaves of every tensor: the channels that may be other than zero and that somebody reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import fx

from prune.graph import Graph
from prune.plan import Kept
from prune.rules import Kind, Step
from sr.errors import InputError

Channels = NDArray[np.bool_]


@dataclass(frozen=True)
class Flow:
    """The channels of every node under a plan.

    live: those that may be other than zero. needed: those that somebody reads. kept: the plan in normal form: no
    convolution reads what is zero or writes what nobody reads, and one that reads nothing writes nothing (its bias
    goes with it).
    """

    live: Mapping[fx.Node, Channels]
    needed: Mapping[fx.Node, Channels]
    kept: Mapping[str, Kept]

    def stored(self, node: fx.Node) -> Channels:
        """Return the channels of a node that must be computed."""
        return self.live[node] & self.needed[node]


@dataclass
class Walk:
    """What is known so far while a plan is followed; `reads` and `writes` are the sides of the convolutions."""

    graph: Graph
    reads: dict[fx.Node, Channels] = field(default_factory=dict)
    writes: dict[fx.Node, Channels] = field(default_factory=dict)
    live: dict[fx.Node, Channels] = field(default_factory=dict)
    needed: dict[fx.Node, Channels] = field(default_factory=dict)


def everything(graph: Graph) -> dict[str, Kept]:
    """Return what the dense network keeps."""
    convs = {name: graph.conv(node) for name, node in graph.convs().items()}
    return {name: Kept(tuple(range(conv.in_channels)), tuple(range(conv.out_channels))) for name, conv in convs.items()}


def flow(graph: Graph, kept: Mapping[str, Kept]) -> Flow:
    """Follow a plan through the network, forward for what is live and backward for what is needed.

    A convolution that `kept` does not name keeps everything. Raises InputError where an index is out of range or where
    nothing is left of something that must not be empty.
    """
    walk = Walk(graph)
    for name, node in graph.convs().items():
        conv = graph.conv(node)
        sides = kept.get(name)
        walk.reads[node] = mask(name, conv.in_channels, None if sides is None else sides.inputs)
        walk.writes[node] = mask(name, conv.out_channels, None if sides is None else sides.outputs)
    for node, step in graph.steps.items():
        walk.live[node] = LIVE[step.kind](walk, node, step)
        walk.needed[node] = np.full(step.channels, node in graph.whole)
    for node in reversed(list(graph.steps)):
        if node in graph.sized and not (walk.live[node] & walk.needed[node]).any():
            # Who reads the size is content with any one channel.
            walk.needed[node][walk.live[node].argmax()] = True
        NEED[graph.steps[node].kind](walk, node, graph.steps[node])
    check_not_empty(walk)
    normal = {name: Kept(indices(walk.reads[node]), indices(walk.writes[node])) for name, node in graph.convs().items()}
    return Flow(walk.live, walk.needed, normal)


def mask(name: str, channels: int, kept: tuple[int, ...] | None) -> Channels:
    """Return the kept ones of so many channels."""
    chosen = np.full(channels, kept is None)
    if kept:
        if kept[-1] >= channels:
            raise InputError(f"{name} has {channels} channels, but the plan keeps number {kept[-1]}")
        chosen[list(kept)] = True
    return chosen


def indices(chosen: Channels) -> tuple[int, ...]:
    """Return the numbers of the channels that are true."""
    return tuple(np.flatnonzero(chosen).tolist())


def check_not_empty(walk: Walk) -> None:
    """Raise InputError where a node that must be there has no live channel: the size of its zeros is unknown."""
    for node, step in walk.graph.steps.items():
        if step.kind == "filled" and walk.needed[node].any():
            must = step.operands
        elif node in walk.graph.whole:
            must = (node,)
        else:
            continue
        for operand in must:
            if not walk.live[operand].any():
                raise InputError(f"nothing is left of {operand.name}, which {node.name} cannot do without")


def live_conv(walk: Walk, node: fx.Node, step: Step) -> Channels:
    """Write the kept outputs, where anything is read."""
    walk.reads[node] &= walk.live[step.operands[0]]
    walk.writes[node] &= walk.reads[node].any()
    return walk.writes[node].copy()


def live_depthwise(walk: Walk, node: fx.Node, step: Step) -> Channels:
    """Write the kept outputs among what is read."""
    walk.writes[node] &= walk.reads[node] & walk.live[step.operands[0]]
    return walk.writes[node].copy()


def live_cat(walk: Walk, node: fx.Node, step: Step) -> Channels:  # noqa: ARG001 - the signature of every rule
    """Line the parts up."""
    return np.concatenate([walk.live[operand] for operand in step.operands])


def live_slice(walk: Walk, node: fx.Node, step: Step) -> Channels:  # noqa: ARG001
    """Take a run of channels."""
    return walk.live[step.operands[0]][step.start : step.start + step.channels].copy()


def live_shuffle(walk: Walk, node: fx.Node, step: Step) -> Channels:  # noqa: ARG001
    """Gather sub-pixels: a channel lives where one of them does."""
    alive: Channels = np.any(walk.live[step.operands[0]].reshape(step.channels, -1), axis=1)
    return alive


def live_either(walk: Walk, node: fx.Node, step: Step) -> Channels:  # noqa: ARG001
    """Be zero where all operands are; a single channel stands for all."""
    alive = np.zeros(step.channels, dtype=bool)
    for operand in step.operands:
        alive |= walk.live[operand]
    return alive


def live_both(walk: Walk, node: fx.Node, step: Step) -> Channels:  # noqa: ARG001
    """Be zero where one operand is."""
    alive = np.ones(step.channels, dtype=bool)
    for operand in step.operands:
        alive &= walk.live[operand]
    return alive


def live_all(walk: Walk, node: fx.Node, step: Step) -> Channels:  # noqa: ARG001
    """Be anything."""
    return np.ones(step.channels, dtype=bool)


def need_of_conv(walk: Walk, node: fx.Node, step: Step) -> None:
    """Read the kept inputs, where anything that is written is needed."""
    walk.writes[node] &= walk.needed[node]
    walk.reads[node] &= walk.writes[node].any()
    walk.needed[step.operands[0]] |= walk.reads[node]


def need_of_depthwise(walk: Walk, node: fx.Node, step: Step) -> None:
    """Read what is written and needed."""
    walk.writes[node] &= walk.needed[node]
    walk.reads[node] = walk.writes[node].copy()
    walk.needed[step.operands[0]] |= walk.writes[node]


def need_same(walk: Walk, node: fx.Node, step: Step) -> None:
    """Read what is needed and not zero anyway; a single channel is read for any."""
    wanted = walk.needed[node] & walk.live[node]
    for operand in step.operands:
        walk.needed[operand] |= wanted if walk.graph.steps[operand].channels == step.channels else wanted.any()


def need_of_filled(walk: Walk, node: fx.Node, step: Step) -> None:
    """Read what is needed; where all of that is zero, one channel that is not, for the size."""
    (operand,) = step.operands
    walk.needed[operand] |= walk.needed[node]
    if walk.needed[node].any() and not (walk.needed[operand] & walk.live[operand]).any():
        walk.needed[operand][walk.live[operand].argmax()] = True


def need_cat(walk: Walk, node: fx.Node, step: Step) -> None:
    """Read of each part what is needed of it."""
    start = 0
    for operand in step.operands:
        channels = walk.graph.steps[operand].channels
        walk.needed[operand] |= walk.needed[node][start : start + channels]
        start += channels


def need_slice(walk: Walk, node: fx.Node, step: Step) -> None:
    """Read the run of channels."""
    walk.needed[step.operands[0]][step.start : step.start + step.channels] |= walk.needed[node]


def need_shuffle(walk: Walk, node: fx.Node, step: Step) -> None:
    """Read all sub-pixels of what is needed."""
    walk.needed[step.operands[0]] |= np.repeat(walk.needed[node], step.factor**2)


def need_all(walk: Walk, node: fx.Node, step: Step) -> None:
    """Read everything."""
    for operand in step.operands:
        walk.needed[operand][:] = True
    walk.needed[node][:] = True


LIVE: dict[Kind, Callable[[Walk, fx.Node, Step], Channels]] = {
    "image": live_all,
    "parameter": live_all,
    "opaque": live_all,
    "filled": live_all,
    "conv": live_conv,
    "depthwise": live_depthwise,
    "each": live_either,
    "sum": live_either,
    "meet": live_either,
    "product": live_both,
    "cat": live_cat,
    "slice": live_slice,
    "shuffle": live_shuffle,
}
NEED: dict[Kind, Callable[[Walk, fx.Node, Step], None]] = {
    "image": need_all,
    "parameter": need_same,
    "opaque": need_all,
    "filled": need_of_filled,
    "conv": need_of_conv,
    "depthwise": need_of_depthwise,
    "each": need_same,
    "sum": need_same,
    "meet": need_same,
    "product": need_same,
    "cat": need_cat,
    "slice": need_slice,
    "shuffle": need_shuffle,
}
