"""From a network and a plan to a smaller network that computes the same as the network with masks."""

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, fx, nn

from prune.graph.layouts import Layout, expanded
from prune.graph.liveness import channel_liveness
from prune.graph.operators.channelwise import Channelwise, slice_prelu
from prune.graph.operators.operator import Channels, Operator
from prune.graph.operators.pairwise import Sum
from prune.graph.operators.rearranging import Shuffle, Slice
from prune.graph.plan import Execution, Kept, Plan
from prune.graph.sizes import reads_size
from prune.graph.tracing import Graph, attribute
from prune.rewrite.layers import Accumulate, ContiguousSlice, Gather, Spread, as_slice
from prune.rewrite.overwriting import accumulate_in_place, forbid_shared_overwriting
from prune.rewrite.slim_network import SlimNetwork
from sr.errors import InputError


def slim(graph: Graph, plan: Plan) -> fx.GraphModule:
    """Return the network that a plan leaves of the traced one, with its weights.

    Args:
        graph: The dense network; left as it is.
        plan: What is left of it.

    Returns:
        A network in eval mode that computes what the traced one computes when the channels that the plan drops are
        zero: inputs of a convolution before it, outputs behind its bias.

    Raises:
        InputError: Where the plan empties what must not be empty.
    """
    return Surgery(graph, plan).operate()


class Surgery:
    """One pass over a graph that writes the smaller one; a `Rewriter` for the operators of the graph.

    Attributes:
        layouts: Per node of the old graph the channels that its new value holds, in their order.
        conv_layouts: Per convolution that is left the channels that it reads and writes.
        slopes: Per activation with a slope per channel those that it has.
    """

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.layouts: dict[fx.Node, Layout] = {}
        self.conv_layouts: dict[str, tuple[Layout, Layout]] = {}
        self.slopes: dict[str, Layout] = {}
        self._graph, self._plan = graph, plan
        self._liveness = channel_liveness(graph, plan.kept)
        self._new = fx.Graph()
        self._values: dict[fx.Node, fx.Node] = {}
        self._modules: dict[str, nn.Module | Tensor] = {}
        self._inner_sums = _inner_sums(graph)

    def operate(self) -> fx.GraphModule:
        """Write all nodes and return the module."""
        for node in self._graph.module.graph.nodes:
            operator = self.operators.get(node)
            if node.op == "output":
                self._new.output(self._whole(self._graph.picture))
            elif operator is None:
                self._copy_value(node)
            elif node not in self._inner_sums and self.stored(node).any():
                operator.rewrite(self, node)
        _erase_unread(self._new)
        forbid_shared_overwriting(self._new, self._modules)
        accumulate_in_place(self._new, self._modules)
        return SlimNetwork(self._modules, self._new, class_name="SlimNetwork").eval()

    @property
    def operators(self) -> Mapping[fx.Node, Operator]:
        """Those of the dense network."""
        return self._graph.operators

    def stored(self, node: fx.Node) -> Channels:
        """Return which channels of a node must be computed."""
        return self._liveness.stored(node)

    def layout(self, node: fx.Node) -> Layout:
        """Return the channels of a node that must be computed, in the order that the plan gives its component."""
        channels = self.stored(node)
        order = self._plan.orders.get(self._graph.component_name(node), range(len(channels)))
        return tuple(channel for channel in order if channels[channel])

    def target(self, node: fx.Node) -> Layout:
        """Return the layout of the sum that a convolution is added to, else its own."""
        reader = node
        while len(reader.users) == 1 and isinstance(self.operators.get(next(iter(reader.users))), Channelwise | Sum):
            reader = next(iter(reader.users))
        if isinstance(self.operators[reader], Sum):
            return self.layout(reader)
        return self._ordered_for_shuffle(node, reader)

    def conv(self, node: fx.Node) -> nn.Conv2d:
        """Return the dense convolution of a node."""
        return self._graph.conv(node)

    def kept(self, node: fx.Node) -> Kept:
        """Return what is left of a convolution."""
        return self._liveness.kept[str(node.target)]

    def execution(self, node: fx.Node) -> Execution:
        """Return how a convolution gets at its channels."""
        return self._plan.execution.get(str(node.target), Execution())

    def arranged(self, node: fx.Node, layout: Sequence[int]) -> fx.Node:
        """Return the new value of a node with these channels in this order; those that it does not hold are zero."""
        if node not in self._values:
            raise InputError(f"nothing is left of {node.name}, which is read for its channels")
        have, value = self.layouts[node], self._values[node]
        if have == tuple(layout):
            return value
        position = {channel: index for index, channel in enumerate(have)}
        places = [position.get(channel, -1) for channel in layout]
        # Apart from the names of the network's own modules.
        name = f"access.{node.name}_{len(self._modules)}"
        if -1 not in places:
            contiguous = as_slice(places)
            return self._call(name, Gather(places) if contiguous is None else ContiguousSlice(*contiguous), value)
        held = [channel for channel in layout if channel in position]
        # Where all are zero, any one channel tells their size.
        source = self.arranged(node, held or have[:1])
        spread = Spread(len(layout), [list(layout).index(channel) for channel in held], given=max(1, len(held)))
        return self._call(f"{name}_spread", spread, source)

    def plain(self, node: fx.Node) -> fx.Node:
        """Return the new value of a node without channels, such as a size."""
        if node not in self._values:
            raise InputError(f"nothing is left of the tensor whose size {node.name} is, which is still read")
        return self._values[node]

    def terms(self, node: fx.Node) -> list[fx.Node]:
        """Return the operands of a sum, those of the sums within it instead of these."""
        found = []
        for operand in self.operators[node].operands:
            found.extend(self.terms(operand) if operand in self._inner_sums else [operand])
        return found

    def put(self, node: fx.Node, value: fx.Node, layout: Sequence[int]) -> None:
        """Take `value` for what stands for a node, holding these of its channels."""
        self._values[node], self.layouts[node] = value, tuple(layout)

    def put_whole(self, node: fx.Node) -> None:
        """Copy an operator that reads and writes all channels."""
        self.put_copied(node, self._as_read, range(self.operators[node].channels))

    def put_copied(self, node: fx.Node, argument: Callable[[fx.Node], fx.Node], layout: Sequence[int]) -> None:
        """Copy a node with other arguments."""
        self.put(node, self._copied(node, argument), layout)

    def put_conv(self, node: fx.Node, conv: nn.Conv2d, reads: Layout, writes: Layout) -> None:
        """Put a convolution that reads and writes these channels."""
        source = self.arranged(self.operators[node].operands[0], reads)
        self.conv_layouts[str(node.target)] = reads, writes
        self.put(node, self._call(str(node.target), conv, source), writes)

    def put_applied(self, node: fx.Node, operand: Layout, result: Layout) -> None:
        """Copy an operator with one operand, that arranged as given, for a result that holds `result`."""
        (read,) = self.operators[node].operands
        source = self.arranged(read, operand)
        value = self._copied(node, lambda argument: source if argument is read else self.plain(argument))
        if node.op == "call_module" and isinstance(module := self._modules[str(node.target)], nn.PReLU):
            self._modules[str(node.target)] = slice_prelu(module, operand)
            self.slopes[str(node.target)] = operand
        self.put(node, value, result)

    def put_joined(self, node: fx.Node, parts: Sequence[fx.Node], layout: Sequence[int]) -> None:
        """Put values side by side."""
        value = parts[0] if len(parts) == 1 else self._new.call_function(torch.cat, (list(parts),), {"dim": 1})
        self.put(node, value, layout)

    def put_added(
        self, node: fx.Node, terms: Sequence[fx.Node], places: Sequence[Sequence[int]], layout: Sequence[int]
    ) -> None:
        """Put the sum of values, each of which holds the channels at its places; a single whole one is the sum."""
        channels = len(layout)
        if len(terms) == 1 and list(places[0]) == list(range(channels)):
            self.put(node, terms[0], layout)
            return
        whole = [number for number, place in enumerate(places) if as_slice(place) == (0, channels)]
        total = Accumulate(channels, places, whole[0] if whole else None, in_place=False)
        self.put(node, self._call(f"total.{node.name}", total, *terms), layout)

    def _call(self, name: str, module: nn.Module, *operands: fx.Node) -> fx.Node:
        """Add a call of a module of the new network."""
        self._modules[name] = module
        return self._new.call_module(name, operands)

    def _whole(self, node: fx.Node) -> fx.Node:
        """Return the new value of a node with all channels as they were."""
        return self.arranged(node, range(self.operators[node].channels))

    def _copy_value(self, node: fx.Node) -> None:
        """Copy a node without channels; a split is written where its parts are."""
        if any(isinstance(self.operators.get(user), Slice) for user in node.users):
            return
        if all(argument in self._values or argument in self._graph.whole for argument in node.all_input_nodes):
            self._values[node] = self._copied(node, self._values.__getitem__ if reads_size(node) else self._as_read)

    def _copied(self, node: fx.Node, argument: Callable[[fx.Node], fx.Node]) -> fx.Node:
        """Copy a node with other arguments, and the module or tensor that it names."""
        name = str(node.target)
        if node.op == "call_module" and name not in self._modules:
            self._modules[name] = copy.deepcopy(self._graph.module.get_submodule(name))
        elif node.op == "get_attr":
            self._modules[name] = copy.deepcopy(attribute(self._graph.module, name))
        return self._new.node_copy(node, argument)

    def _as_read(self, node: fx.Node) -> fx.Node:
        """Return what stands for an argument whose reader knows nothing of channels."""
        return self._whole(node) if node in self.operators else self.plain(node)

    def _ordered_for_shuffle(self, node: fx.Node, reader: fx.Node) -> Layout:
        """Return the layout of a convolution; before a pixel shuffle that of what comes out of it."""
        users = [user for user in reader.users if user in self.operators]
        if len(users) == 1 and isinstance(shuffle := self.operators[users[0]], Shuffle):
            before = expanded(self.layout(users[0]), shuffle.factor)
            written = self.stored(node)
            return tuple(channel for channel in before if written[channel])
        return self.layout(node)


def _erase_unread(graph: fx.Graph) -> None:
    """Remove the nodes that nobody reads, such as the size of a branch that vanished."""
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)


def _inner_sums(graph: Graph) -> frozenset[fx.Node]:
    """Return the sums that only another sum reads: they are added up with it."""
    sums = {node for node, operator in graph.operators.items() if isinstance(operator, Sum)}
    return frozenset(node for node in sums if len(node.users) == 1 and next(iter(node.users)) in sums)
