"""Where gates stand: before and after each convolution, never on the stream that skips past them."""

from dataclasses import dataclass

import numpy as np
from torch import fx

from prune.graph import Graph
from prune.plan import Member
from prune.rules import reads_size
from search_spaces.network import shuffle_colour_last
from sr.errors import InputError

# What a tensor may pass between two convolutions that share one gate.
PASSING = ("each", "depthwise", "shuffle")


@dataclass(frozen=True)
class Site:
    """Channels of one side of a convolution, one gate each, and which channels of a tensor they are.

    stream: the component of that tensor; numbers: per unit the channel of it. Sites of one stream index the same
    channels, so that their sets of kept channels can be compared.
    """

    member: Member
    stream: int
    numbers: tuple[int, ...]


def sites_of(graph: Graph, *, subpixels: bool = False) -> tuple[Site, ...]:
    """Return all sites of a network; raises InputError where there is none.

    Behind a convolution stands a gate where zeros do no harm; before it only where the tensor that it reads is not that
    convolution's own (a stream, a fork). Where a pixel shuffle follows, r x r channels share a gate, unless
    `subpixels`.
    """
    sites = []
    for name, node in graph.convs().items():
        if graph.steps[node].kind == "conv" and not has_own_gate(graph, graph.steps[node].operands[0]):
            sites.extend(before(graph, name, graph.steps[node].operands[0]))
        if gated_behind(graph, node):
            sites.append(behind(graph, name, node, subpixels=subpixels))
    if not sites:
        raise InputError(
            "nothing in this network can be gated: no convolution is called once, alone and with zeros allowed"
        )
    return tuple(sites)


def readers(node: fx.Node) -> list[fx.Node]:
    """Return who reads more of a node than its size."""
    return [reader for reader in node.users if not reads_size(reader)]


def end_of_chain(graph: Graph, node: fx.Node) -> fx.Node:
    """Follow a convolution's output while one operator alone reads it and keeps its channels apart."""
    while len(readers(node)) == 1 and (reader := readers(node)[0]) in graph.steps:
        if graph.steps[reader].kind not in PASSING:
            break
        node = reader
    return node


def gated_behind(graph: Graph, node: fx.Node) -> bool:
    """Tell whether a gate stands behind a convolution: somebody reads it whom zeros spare work, and it is no picture.

    A depthwise one needs a gate only where no convolution before it has one for the same channels.
    """
    if graph.steps[node].kind == "depthwise" and has_own_gate(graph, graph.steps[node].operands[0]):
        return False
    end = end_of_chain(graph, node)
    spared = [
        reader
        for reader in readers(end)
        if reader in graph.steps and graph.steps[reader].kind not in ("opaque", "filled")
    ]
    return bool(spared) and end not in graph.whole and graph.components[end] not in shown(graph)


def shown(graph: Graph) -> frozenset[int]:
    """Return the numbers of the components whose channels are the picture's colours, or sub-pixels shuffled into it."""
    numbers = {graph.components[graph.picture]}
    for node, step in reversed(list(graph.steps.items())):
        if graph.components[node] in numbers and (step.kind == "shuffle" or node.target is shuffle_colour_last):
            numbers.update(graph.components[operand] for operand in step.operands)
    return frozenset(numbers)


def has_own_gate(graph: Graph, node: fx.Node) -> bool:
    """Tell whether a tensor comes from one gated convolution to one reader."""
    while len(readers(node)) == 1:
        kind = graph.steps[node].kind
        if kind == "conv" or (kind == "depthwise" and gated_behind(graph, node)):
            return gated_behind(graph, node)
        if kind not in PASSING:
            return False
        (node,) = graph.steps[node].operands
    return False


def behind(graph: Graph, name: str, node: fx.Node, *, subpixels: bool) -> Site:
    """Return the site behind a convolution; its stream is what the chain behind it ends in."""
    channels = np.arange(graph.steps[node].channels).reshape(-1, 1)
    end = end_of_chain(graph, node)
    at = node
    while at is not end and not subpixels:
        at = readers(at)[0]
        if graph.steps[at].kind == "shuffle":
            channels = channels.reshape(graph.steps[at].channels, -1)
    units = tuple(tuple(unit) for unit in channels.tolist())
    stream = graph.components[at if not subpixels else node]
    return Site(Member(name, "outputs", units), stream, tuple(range(len(units))))


def before(graph: Graph, name: str, node: fx.Node) -> list[Site]:
    """Return the sites before a convolution, one per tensor that its input is put together from."""
    return [
        Site(
            Member(name, "inputs", tuple((start + number,) for number in range(len(numbers)))),
            graph.components[source],
            tuple(numbers),
        )
        for source, numbers, start in parts(graph, node)
        if graph.steps[source].kind != "image"
    ]


def parts(graph: Graph, node: fx.Node) -> list[tuple[fx.Node, range, int]]:
    """Return per tensor that a node is put together from: it, the channels taken of it, and where they begin."""
    step = graph.steps[node]
    if step.kind == "each" and graph.steps[step.operands[0]].channels == step.channels:
        return parts(graph, step.operands[0])
    if step.kind != "cat":
        return [(node, range(step.channels), 0)]
    found: list[tuple[fx.Node, range, int]] = []
    start = 0
    for operand in step.operands:
        found.extend((source, numbers, start + inner) for source, numbers, inner in parts(graph, operand))
        start += graph.steps[operand].channels
    return found
