"""A slim network, which has another form for other engines where it shuffles colours last."""

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from prune.graph.operators.call import name_of
from prune.graph.tracing import attribute
from prune.rewrite.layers import Accumulate
from search_spaces.network import shuffle_colour_last, subpixel_order
from sr.scale import DEFAULT_SCALE


class SlimNetwork(fx.GraphModule):
    """What a plan leaves of a network; maps LR to SR of the same scale."""

    def portable(self) -> nn.Module:
        """Return the form for other engines: torch's own pixel shuffle, which is DepthToSpace in ONNX.

        What a searched network ends in has its sub-pixels in the order (row, column, colour), for the shuffle that
        torch runs fastest; in ONNX that is a transposition in six dimensions. Here the convolutions before it write
        them in the order of torch's pixel shuffle.
        """
        twin = copy.deepcopy(self)
        graph: fx.Graph = twin.graph
        for node in [node for node in graph.nodes if node.target is shuffle_colour_last]:
            (subpixels,) = node.all_input_nodes
            scale = _scale_of(node)
            order = subpixel_order(scale)
            writers = _writers(twin, subpixels, node)
            for tensor in writers or ():
                tensor.copy_(tensor[order])
            with graph.inserting_before(node):
                if writers is None:
                    subpixels = graph.call_function(torch.index_select, (subpixels, 1, _constant(twin, order)))
                # A node of its own: the old one is marked as a function of ours.
                node.replace_all_uses_with(graph.call_function(F.pixel_shuffle, (subpixels, scale)))
            graph.erase_node(node)
        twin.recompile()
        return twin


def _scale_of(shuffle: fx.Node) -> int:
    """Return by how much `shuffle_colour_last` enlarges where a network calls it."""
    given = shuffle.args[1] if len(shuffle.args) > 1 else shuffle.kwargs.get("scale", DEFAULT_SCALE)
    assert isinstance(given, int)
    return given


def _constant(network: fx.GraphModule, order: Tensor) -> fx.Node:
    """Put a tensor into a network and return its node."""
    network.register_buffer("subpixel_order", order, persistent=False)
    return network.graph.get_attr("subpixel_order")


@torch.no_grad()
def _writers(network: fx.GraphModule, node: fx.Node, reader: fx.Node) -> list[Tensor] | None:
    """Return the weights and biases that write a value, through sums; None where others read or write it too."""
    if set(node.users) != {reader}:
        return None
    module = network.get_submodule(str(node.target)) if node.op == "call_module" else None
    if isinstance(module, nn.Conv2d) and module.groups == 1:
        return [parameter.detach() for parameter in module.parameters()]
    if name_of(node) == "conv2d":
        return _attributes(network, node)
    whole = isinstance(module, Accumulate) and all(module.covers(number) for number in range(len(module.places)))
    if whole or name_of(node) in ("add", "add_", "iadd"):
        found = [_writers(network, term, node) for term in node.all_input_nodes]
        if len(found) == len(node.args) and None not in found:
            return [tensor for tensors in found if tensors is not None for tensor in tensors]
    return None


def _attributes(network: fx.GraphModule, node: fx.Node) -> list[Tensor] | None:
    """Return the weight and the bias of a convolution that is a function of the network's own tensors."""
    tensors = list(_named(node))
    if not tensors or node.kwargs or len(node.args) > 3 or not all(set(tensor.users) == {node} for tensor in tensors):
        return None
    return [attribute(network, str(tensor.target)).detach() for tensor in tensors]


def _named(node: fx.Node) -> Iterator[fx.Node]:
    """Yield the arguments of a convolution behind its input that the network holds."""
    yield from (each for each in node.args[1:] if isinstance(each, fx.Node) and each.op == "get_attr")
