"""Pixel shuffles in torch-pruning's graph of a network, which takes them for channel by channel until told otherwise.

A node of that graph holds the `module` that it calls, the autograd function `grad_fn`, the nodes before it as `inputs`,
and one `dependencies` edge per node and path that its channels go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass
class Shuffle:
    """One call of a pixel shuffle in the library's graph; channels: after it, `factor` times as many before."""

    factor: int
    channels: int

    # Nodes are told apart by what they hold.
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class ShufflePruner:
    """What the library asks about a `Shuffle`, whose channels are those after it; it holds no weights to prune."""

    def prune_out_channels(self, layer: Shuffle, idxs: Sequence[int]) -> Shuffle:
        """Note that these channels are gone."""
        layer.channels -= len(idxs)
        return layer

    # One function: the library then knows that both sides go together.
    prune_in_channels = prune_out_channels

    def get_out_channels(self, layer: Shuffle) -> int:
        """Return the channels after the shuffle."""
        return layer.channels

    def get_in_channels(self, layer: Shuffle) -> int:
        """Return the channels before the shuffle."""
        return layer.factor * layer.channels


def widened(factor: int, indices: Sequence[Any]) -> list[Any]:
    """Map the library's indices after a shuffle to the `factor` channels before it that each came from."""
    return [index._replace(idx=factor * index.idx + part) for index in indices for part in range(factor)]


def narrowed(factor: int, indices: Sequence[Any]) -> list[Any]:
    """Map the library's indices before a shuffle to those after it, each once; of several roots the first stays."""
    first: dict[int, Any] = {}
    for index in indices:
        first.setdefault(index.idx // factor, index._replace(idx=index.idx // factor))
    return list(first.values())


def place_shuffles(module2node: dict[Any, Any]) -> list[Any]:
    """Put a `Shuffle` into each node of `module2node` that is one, as node and as key; return these nodes."""
    nodes = [node for node in module2node.values() if "PixelShuffle" in type(node.grad_fn).__name__]
    for node in nodes:
        del module2node[node.module]
        (after,) = node.grad_fn._input_metadata
        node.module = Shuffle(node.grad_fn._saved_upscale_factor**2, after.shape[1])
        module2node[node.module] = node
    return nodes


def map_channels(shuffles: Sequence[Any]) -> None:
    """Map the channels along the edges between these nodes, which hold a `Shuffle`, and those before them."""
    for node in shuffles:
        (before,) = node.inputs
        # The two places are those that the library's own mappings of splits and of concatenations leave free.
        for edge in node.dependencies:
            if edge.target is before:
                edge.index_mapping[0] = partial(widened, node.module.factor)
        for edge in before.dependencies:
            if edge.target is node:
                edge.index_mapping[1] = partial(narrowed, node.module.factor)
