"""The steps of a network: its convolutions with their activations, and the sums that they are added to."""

from dataclasses import dataclass

import numpy as np
from torch import fx

from prune.graph.liveness import ChannelLiveness
from prune.graph.operators.call import name_of
from prune.graph.operators.channelwise import Channelwise
from prune.graph.operators.convolutions import Conv
from prune.graph.operators.pairwise import Sum
from prune.graph.sizes import reads_size
from prune.graph.tracing import Graph
from prune.selection.latency_steps import ACTIVATIONS

# What functions are as modules.
_FUNCTIONS = {name.lower(): name for name in ACTIVATIONS} | {"leaky_relu": "LeakyReLU"}


@dataclass(frozen=True)
class Term:
    """What is added up in a sum.

    Attributes:
        node: Its value.
        conv: The convolution that writes it for that sum alone, so that it may write more of it; None for others.
    """

    node: fx.Node
    conv: str | None


@dataclass(frozen=True)
class Total:
    """A chain of sums that nobody else reads, which is added up at once.

    Attributes:
        node: The last of them.
        chain: All of them.
        terms: What is added up.
    """

    node: fx.Node
    chain: tuple[fx.Node, ...]
    terms: tuple[Term, ...]

    def added(self, liveness: ChannelLiveness) -> tuple[int, list[tuple[Term, int]]]:
        """Return how many channels a plan leaves of it, and the terms that are added to the first, with theirs.

        The first is one that holds all of it, where there is one; best one that no convolution writes.
        """
        stored = liveness.stored(self.node)
        counts = [int((liveness.stored(term.node) & stored).sum()) for term in self.terms]
        width = int(stored.sum())
        whole = [number for number, count in enumerate(counts) if count == width]
        base = min(whole, key=lambda number: self.terms[number].conv is not None, default=None)
        others = [number for number, count in enumerate(counts) if count and number != base]
        return width, [(self.terms[number], counts[number]) for number in others]


def activation_of(graph: Graph, conv: fx.Node) -> tuple[fx.Node | None, str]:
    """Return the activation that alone reads a convolution, and its name in ACTIVATIONS; (None, "") for none."""
    readers = [reader for reader in conv.users if not reads_size(reader)]
    if len(readers) != 1 or not isinstance(graph.operators.get(readers[0]), Channelwise):
        return None, ""
    (reader,) = readers
    if reader.op == "call_module":
        name = type(graph.module.get_submodule(str(reader.target))).__name__
    else:
        name = _FUNCTIONS.get(name_of(reader).rstrip("_"), "")
    return (reader, name) if name and name in ACTIVATIONS else (None, "")


def totals_of(graph: Graph) -> tuple[Total, ...]:
    """Return the sums of a network, in the order of execution; without those that have one channel for all."""
    sums = {node for node, operator in graph.operators.items() if isinstance(operator, Sum)}
    inner = {node for node in sums if len(node.users) == 1 and next(iter(node.users)) in sums}
    found = []
    for node in graph.operators:
        if node in sums - inner:
            chain, leaves = _followed(graph, node, inner)
            channels = {graph.operators[leaf].channels for leaf in leaves}
            if channels == {graph.operators[node].channels}:
                found.append(Total(node, tuple(chain), tuple(Term(leaf, _writer(graph, leaf)) for leaf in leaves)))
    return tuple(found)


def _followed(graph: Graph, node: fx.Node, inner: set[fx.Node]) -> tuple[list[fx.Node], list[fx.Node]]:
    """Return the sums of a chain that ends in a node, and what it adds up."""
    chain, leaves = [node], []
    for operand in graph.operators[node].operands:
        if operand in inner:
            further, added = _followed(graph, operand, inner)
            chain += further
            leaves += added
        else:
            leaves.append(operand)
    return chain, leaves


def _writer(graph: Graph, node: fx.Node) -> str | None:
    """Return the convolution that a term comes from, through operators that treat every channel alone."""
    while len(node.users) == 1:
        operator = graph.operators[node]
        if isinstance(operator, Conv):
            return str(node.target)
        if not isinstance(operator, Channelwise):
            return None
        (node,) = operator.operands
    return None


def held(liveness: ChannelLiveness, node: fx.Node) -> int:
    """Return how many channels of a tensor a plan leaves."""
    return int(np.count_nonzero(liveness.stored(node)))
