"""Where gates stand: before and after each convolution, never on the shared tensor that skips past them."""

import numpy as np
from torch import fx

from prune.graph.groups import Group, Member
from prune.graph.operators.channelwise import Channelwise
from prune.graph.operators.convolutions import Conv, Depthwise
from prune.graph.operators.rearranging import Concatenation, Shuffle
from prune.graph.operators.whole import Image
from prune.graph.sizes import reads_size
from prune.graph.tracing import Graph
from search_spaces.network import shuffle_colour_last
from sr.errors import InputError


def gate_sites(graph: Graph, *, subpixels: bool = False) -> tuple[Group, ...]:
    """Return where gates stand in a network: groups of one member, one gate per unit.

    Behind a convolution stands a gate where zeros do no harm; before it only where the tensor that it reads is not that
    convolution's own (a shared tensor, a fork).

    Args:
        graph: The dense network.
        subpixels: Gate the channels before a pixel shuffle one by one; else r x r channels share a gate.

    Returns:
        The sites, in the order of execution.

    Raises:
        InputError: Where there is none.
    """
    sites = []
    for name, node in graph.convs().items():
        operator = graph.operators[node]
        if isinstance(operator, Conv) and not _has_own_gate(graph, operator.operands[0]):
            sites.extend(_before(graph, name, operator.operands[0]))
        if _gated_behind(graph, node):
            sites.append(_behind(graph, name, node, subpixels=subpixels))
    if not sites:
        raise InputError(
            "nothing in this network can be gated: no convolution is called once, alone and with zeros allowed"
        )
    return tuple(sites)


def shown_components(graph: Graph) -> frozenset[int]:
    """Return the components whose channels are the picture's colours, or sub-pixels shuffled into it."""
    numbers = {graph.components[graph.picture]}
    for node, operator in reversed(list(graph.operators.items())):
        shuffles = isinstance(operator, Shuffle) or node.target is shuffle_colour_last
        if graph.components[node] in numbers and shuffles:
            numbers.update(graph.components[operand] for operand in operator.operands)
    return frozenset(numbers)


def _readers(node: fx.Node) -> list[fx.Node]:
    """Return who reads more of a node than its size."""
    return [reader for reader in node.users if not reads_size(reader)]


def _end_of_chain(graph: Graph, node: fx.Node) -> fx.Node:
    """Follow a convolution's output while one operator alone reads it that a gate passes."""
    while len(_readers(node)) == 1 and (reader := _readers(node)[0]) in graph.operators:
        if not graph.operators[reader].traits.passes_gates:
            break
        node = reader
    return node


def _gated_behind(graph: Graph, node: fx.Node) -> bool:
    """Return whether a gate stands behind a convolution: somebody reads it whom zeros spare work, and it is no picture.

    A depthwise one needs a gate only where no convolution before it has one for the same channels.
    """
    operator = graph.operators[node]
    if isinstance(operator, Depthwise) and _has_own_gate(graph, operator.operands[0]):
        return False
    end = _end_of_chain(graph, node)
    traits = [graph.operators[reader].traits for reader in _readers(end) if reader in graph.operators]
    spared = any(not (each.reads_whole or each.fills_zeros) for each in traits)
    return spared and end not in graph.whole and graph.components[end] not in shown_components(graph)


def _has_own_gate(graph: Graph, node: fx.Node) -> bool:
    """Return whether a tensor comes from one gated convolution to one reader."""
    while len(_readers(node)) == 1:
        operator = graph.operators[node]
        if isinstance(operator, Conv) or (isinstance(operator, Depthwise) and _gated_behind(graph, node)):
            return _gated_behind(graph, node)
        if not operator.traits.passes_gates:
            return False
        (node,) = operator.operands
    return False


def _behind(graph: Graph, name: str, node: fx.Node, *, subpixels: bool) -> Group:
    """Return the site behind a convolution; its shared tensor is what the chain behind it ends in."""
    channels = np.arange(graph.operators[node].channels).reshape(-1, 1)
    end = _end_of_chain(graph, node)
    at = node
    while at is not end and not subpixels:
        at = _readers(at)[0]
        if isinstance(graph.operators[at], Shuffle):
            channels = channels.reshape(graph.operators[at].channels, -1)
    units = tuple(tuple(unit) for unit in channels.tolist())
    shared_tensor = graph.components[at if not subpixels else node]
    return Group((Member(name, "outputs", units),), shared_tensor, tuple(range(len(units))))


def _before(graph: Graph, name: str, node: fx.Node) -> list[Group]:
    """Return the sites before a convolution, one per tensor that its input is put together from."""
    return [
        Group(
            (Member(name, "inputs", tuple((start + index,) for index in range(len(indices)))),),
            graph.components[source],
            tuple(indices),
        )
        for source, indices, start in _parts(graph, node)
        if not isinstance(graph.operators[source], Image)
    ]


def _parts(graph: Graph, node: fx.Node) -> list[tuple[fx.Node, range, int]]:
    """Return per tensor that a node is put together from: it, the channels taken of it, and where they begin."""
    operator = graph.operators[node]
    if isinstance(operator, Channelwise) and graph.operators[operator.operands[0]].channels == operator.channels:
        return _parts(graph, operator.operands[0])
    if not isinstance(operator, Concatenation):
        return [(node, range(operator.channels), 0)]
    found: list[tuple[fx.Node, range, int]] = []
    start = 0
    for operand in operator.operands:
        found.extend((source, indices, start + inner) for source, indices, inner in _parts(graph, operand))
        start += graph.operators[operand].channels
    return found
