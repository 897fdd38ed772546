"""From a network and a plan to a smaller network that computes the same as the network with masks."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, fx, nn

from prune.cuts import Layout, cut_conv, cut_prelu, expanded, like, within
from prune.flow import Channels, Flow, flow
from prune.graph import Graph, attribute
from prune.layers import Accumulate, Gather, Run, Spread, as_run
from prune.overwriting import settle_accumulation, settle_overwriting
from prune.plan import Execution, Plan
from prune.rules import Kind, Step, reads_size
from sr.errors import InputError


def slim(graph: Graph, plan: Plan) -> fx.GraphModule:
    """Return the network that `plan` leaves of the traced one, with its weights; in eval mode.

    It computes what the traced network computes when the channels that the plan drops are zero: inputs of a
    convolution before it, outputs behind its bias. Raises InputError where the plan empties what must not be empty.
    """
    return Surgery(graph, plan).operate()


class Surgery:
    """One pass over a graph that writes the smaller one.

    layouts: per node of the old graph the channels that its new value holds, in their order. cuts: per convolution that
    is left the channels that it reads and writes; slopes: per activation with a slope per channel those that it has.
    """

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.graph, self.plan = graph, plan
        self.flow: Flow = flow(graph, plan.kept)
        self.new = fx.Graph()
        self.values: dict[fx.Node, fx.Node] = {}
        self.layouts: dict[fx.Node, Layout] = {}
        self.modules: dict[str, nn.Module | Tensor] = {}
        self.cuts: dict[str, tuple[Layout, Layout]] = {}
        self.slopes: dict[str, Layout] = {}
        self.swallowed = inner_sums(graph)

    def operate(self) -> fx.GraphModule:
        """Write all nodes and return the module."""
        for node in self.graph.module.graph.nodes:
            step = self.graph.steps.get(node)
            if node.op == "output":
                self.new.output(self.whole(self.graph.picture))
            elif step is None:
                self.copy_value(node)
            elif node not in self.swallowed and self.flow.stored(node).any():
                RULES[step.kind](self, node, step)
        erase_unread(self.new)
        settle_overwriting(self.new, self.modules)
        settle_accumulation(self.new, self.modules)
        module = fx.GraphModule(self.modules, self.new, class_name="SlimNetwork")
        return module.eval()

    def call(self, name: str, module: nn.Module, *operands: fx.Node) -> fx.Node:
        """Add a call of a module of the new network."""
        self.modules[name] = module
        return self.new.call_module(name, operands)

    def put(self, node: fx.Node, value: fx.Node, layout: Sequence[int]) -> None:
        """Remember what stands for a node, and which of its channels it holds."""
        self.values[node], self.layouts[node] = value, tuple(layout)

    def ordered(self, node: fx.Node, channels: Channels) -> Layout:
        """Return those channels of a node in the order of its component."""
        order = self.plan.orders.get(self.graph.component_name(node), range(len(channels)))
        return tuple(channel for channel in order if channels[channel])

    def stored(self, node: fx.Node) -> Layout:
        """Return the channels of a node that must be computed, in their order."""
        return self.ordered(node, self.flow.stored(node))

    def plain(self, node: fx.Node) -> fx.Node:
        """Return the new value of a node without channels, such as a size."""
        if node not in self.values:
            raise InputError(f"nothing is left of the tensor whose size {node.name} is, which is still read")
        return self.values[node]

    def want(self, node: fx.Node, layout: Sequence[int]) -> fx.Node:
        """Return the new value of a node arranged as asked for; channels that it does not hold are zero."""
        if node not in self.values:
            raise InputError(f"nothing is left of {node.name}, which is read for its channels")
        have, value = self.layouts[node], self.values[node]
        if have == tuple(layout):
            return value
        position = {channel: index for index, channel in enumerate(have)}
        places = [position.get(channel, -1) for channel in layout]
        # Apart from the names of the network's own modules.
        name = f"reach.{node.name}_{len(self.modules)}"
        if -1 not in places:
            run = as_run(places)
            return self.call(name, Gather(places) if run is None else Run(*run), value)
        held = [channel for channel in layout if channel in position]
        # Where all are zero, any one channel tells their size.
        source = self.want(node, held or have[:1])
        spread = Spread(len(layout), [list(layout).index(channel) for channel in held], given=max(1, len(held)))
        return self.call(f"{name}_spread", spread, source)

    def whole(self, node: fx.Node) -> fx.Node:
        """Return the new value of a node with all channels as they were."""
        return self.want(node, range(self.graph.steps[node].channels))

    def copy_value(self, node: fx.Node) -> None:
        """Copy a node without channels; a split is written where its parts are."""
        if any(user in self.graph.steps and self.graph.steps[user].kind == "slice" for user in node.users):
            return
        if all(argument in self.values or argument in self.graph.whole for argument in node.all_input_nodes):
            self.values[node] = self.copied(node, self.values.__getitem__ if reads_size(node) else self.as_read)

    def copied(self, node: fx.Node, argument: Callable[[fx.Node], fx.Node]) -> fx.Node:
        """Copy a node with other arguments, and the module or tensor that it names."""
        name = str(node.target)
        if node.op == "call_module" and name not in self.modules:
            self.modules[name] = copy.deepcopy(self.graph.module.get_submodule(name))
        elif node.op == "get_attr":
            self.modules[name] = copy.deepcopy(attribute(self.graph.module, name))
        return self.new.node_copy(node, argument)

    def as_read(self, node: fx.Node) -> fx.Node:
        """Return what stands for an argument whose reader knows nothing of channels."""
        return self.whole(node) if node in self.graph.steps else self.plain(node)

    def whole_step(self, node: fx.Node, step: Step) -> None:
        """Copy an operator that reads and writes all channels."""
        self.put(node, self.copied(node, self.as_read), range(step.channels))

    def conv(self, node: fx.Node, step: Step) -> None:
        """Cut a convolution to what it reads and writes."""
        kept = self.flow.kept[str(node.target)]
        how = self.plan.execution.get(str(node.target), Execution())
        have = self.layouts[step.operands[0]]
        reads = within(have, kept.inputs, how.inputs)
        target = self.target(node)
        own = tuple(channel for channel in target if channel in set(kept.outputs))
        writes = within(target, own, how.outputs)
        source = self.want(step.operands[0], reads)
        self.cuts[str(node.target)] = reads, writes
        cut = cut_conv(self.graph.conv(node), (reads, kept.inputs), (writes, own))
        self.put(node, self.call(str(node.target), cut, source), writes)

    def target(self, node: fx.Node) -> Layout:
        """Return the layout of the sum that a convolution is added to, else its own."""
        reader = node
        while len(reader.users) == 1 and (next_one := next(iter(reader.users))) in self.graph.steps:
            kind = self.graph.steps[next_one].kind
            if kind not in ("each", "sum"):
                break
            reader = next_one
        if self.graph.steps[reader].kind == "sum":
            return self.stored(reader)
        return self.ordered_for_shuffle(node, reader)

    def ordered_for_shuffle(self, node: fx.Node, reader: fx.Node) -> Layout:
        """Return the layout of a convolution; before a pixel shuffle that of what comes out of it."""
        users = [user for user in reader.users if user in self.graph.steps]
        if len(users) == 1 and self.graph.steps[users[0]].kind == "shuffle":
            before = expanded(self.stored(users[0]), self.graph.steps[users[0]].factor)
            written = self.flow.stored(node)
            return tuple(channel for channel in before if written[channel])
        return self.stored(node)

    def depthwise(self, node: fx.Node, step: Step) -> None:
        """Cut a convolution with one filter per channel."""
        layout = self.ordered(node, self.flow.live[node] & self.flow.needed[node])
        source = self.want(step.operands[0], layout)
        self.cuts[str(node.target)] = layout, layout
        old = self.graph.conv(node)
        new = like(old, len(layout), len(layout), groups=len(layout))
        with torch.no_grad():
            new.weight.copy_(old.weight[list(layout)])
            if old.bias is not None and new.bias is not None:
                new.bias.copy_(old.bias[list(layout)])
        self.put(node, self.call(str(node.target), new, source), layout)

    def each(self, node: fx.Node, step: Step) -> None:
        """Apply an operator to the shortest run that holds what is needed."""
        (operand,) = step.operands
        layout = within(self.layouts[operand], tuple(np.flatnonzero(self.flow.stored(node))), "slice")
        self.apply(node, operand, layout)

    def filled(self, node: fx.Node, step: Step) -> None:
        """Apply an operator that makes something of zeros."""
        self.apply(node, step.operands[0], self.stored(node))

    def apply(self, node: fx.Node, operand: fx.Node, layout: Layout) -> None:
        """Copy a node with one operand, the value arranged as given."""
        source = self.want(operand, layout)
        value = self.copied(node, lambda argument: source if argument is operand else self.plain(argument))
        if node.op == "call_module" and isinstance(module := self.modules[str(node.target)], nn.PReLU):
            self.modules[str(node.target)] = cut_prelu(module, layout)
            self.slopes[str(node.target)] = layout
        self.put(node, value, layout)

    def meet(self, node: fx.Node, step: Step) -> None:
        """Arrange both operands alike; one with a single channel stays as it is."""
        layout = self.stored(node)
        wide = {operand: self.graph.steps[operand].channels == step.channels for operand in step.operands}
        sources = {operand: self.want(operand, layout if wide[operand] else (0,)) for operand in step.operands}
        value = self.copied(node, lambda argument: sources.get(argument) or self.plain(argument))
        self.put(node, value, layout)

    def sum(self, node: fx.Node, step: Step) -> None:  # noqa: ARG002
        """Add up all terms of a chain of sums, each where its channels are."""
        layout = self.stored(node)
        position = {channel: index for index, channel in enumerate(layout)}
        terms, places = [], []
        for operand in self.terms(node):
            held = tuple(channel for channel in self.layouts.get(operand, ()) if channel in position)
            if held:
                terms.append(self.want(operand, held))
                places.append([position[channel] for channel in held])
        self.put(node, self.added(node, terms, places, len(layout)), layout)

    def added(self, node: fx.Node, terms: list[fx.Node], places: list[list[int]], channels: int) -> fx.Node:
        """Add a node that sums the terms; a single whole one is the sum."""
        if len(terms) == 1 and places[0] == list(range(channels)):
            return terms[0]
        whole = [number for number, place in enumerate(places) if as_run(place) == (0, channels)]
        base = whole[0] if whole else None
        return self.call(f"total.{node.name}", Accumulate(channels, places, base, in_place=False), *terms)

    def terms(self, node: fx.Node) -> list[fx.Node]:
        """Return the operands of a sum, those of the sums within it instead of these."""
        found = []
        for operand in self.graph.steps[node].operands:
            found.extend(self.terms(operand) if operand in self.swallowed else [operand])
        return found

    def cat(self, node: fx.Node, step: Step) -> None:
        """Put the needed channels of all parts side by side."""
        stored, parts, start = self.flow.stored(node), [], 0
        layout: list[int] = []
        for operand in step.operands:
            wanted = [channel for channel in self.layouts.get(operand, ()) if stored[start + channel]]
            if wanted:
                parts.append(self.want(operand, wanted))
                layout.extend(start + channel for channel in wanted)
            start += self.graph.steps[operand].channels
        value = parts[0] if len(parts) == 1 else self.new.call_function(torch.cat, (parts,), {"dim": 1})
        self.put(node, value, layout)

    def slice(self, node: fx.Node, step: Step) -> None:
        """Take of a tensor what is needed of a run of its channels."""
        stored = self.flow.stored(node)
        within_run = (channel - step.start for channel in self.layouts[step.operands[0]])
        layout = [channel for channel in within_run if 0 <= channel < step.channels and stored[channel]]
        self.put(node, self.want(step.operands[0], [step.start + channel for channel in layout]), layout)

    def shuffle(self, node: fx.Node, step: Step) -> None:
        """Give a pixel shuffle all sub-pixels of what is needed."""
        layout = self.stored(node)
        self.apply(node, step.operands[0], expanded(layout, step.factor))
        self.layouts[node] = layout


RULES: dict[Kind, Callable[[Surgery, fx.Node, Step], None]] = {
    "image": Surgery.whole_step,
    "opaque": Surgery.whole_step,
    "parameter": Surgery.whole_step,
    "conv": Surgery.conv,
    "depthwise": Surgery.depthwise,
    "each": Surgery.each,
    "filled": Surgery.filled,
    "sum": Surgery.sum,
    "meet": Surgery.meet,
    "product": Surgery.meet,
    "cat": Surgery.cat,
    "slice": Surgery.slice,
    "shuffle": Surgery.shuffle,
}


def erase_unread(graph: fx.Graph) -> None:
    """Remove the nodes that nobody reads, such as the size of a branch that vanished."""
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)


def inner_sums(graph: Graph) -> frozenset[fx.Node]:
    """Return the sums that only another sum reads: they are added up with it."""
    sums = {node for node, step in graph.steps.items() if step.kind == "sum"}
    return frozenset(node for node in sums if len(node.users) == 1 and next(iter(node.users)) in sums)
