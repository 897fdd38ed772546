"""A network as a graph of operators, each with a rule for what it does with channels."""

import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from baselines.hcsrn import cropped, halved
from prune.overwriting import settle_reads
from prune.rules import Step, from_height, reads_size, steps_of
from search_spaces.network import shuffle_colour_last
from sr.checkpoint import one_line
from sr.deployment import deploy
from sr.errors import InputError

# Functions that decide by sizes or memory formats while they run: they stay whole in the graph.
KEPT_WHOLE = (halved, cropped, shuffle_colour_last)
# Sides that differ, large enough for the pools of every attention.
EXAMPLE = (1, 3, 32, 48)


@dataclass(frozen=True)
class Graph:
    """A deployed network, traced: `steps` in the order of execution, for every node whose value has channels.

    picture: the node that the network returns. components: a number per node; nodes of one number index the same
    channels. fixed: the numbers of those whose order of channels something depends on. whole: nodes that somebody reads
    with all channels in their order; sized: those of which somebody reads the size alone.
    """

    module: fx.GraphModule
    steps: Mapping[fx.Node, Step]
    picture: fx.Node
    components: Mapping[fx.Node, int]
    fixed: frozenset[int]
    whole: frozenset[fx.Node]
    sized: frozenset[fx.Node]

    def conv(self, node: fx.Node) -> nn.Conv2d:
        """Return the module of a `conv` or `depthwise` node."""
        return self.modules[node]

    def convs(self) -> Mapping[str, fx.Node]:
        """Return the nodes of the convolutions that may lose channels, by module name, in the order of execution."""
        return self.by_name

    @cached_property
    def by_name(self) -> Mapping[str, fx.Node]:
        """What `convs` returns; a selection asks for it thousands of times."""
        return {str(node.target): node for node, step in self.steps.items() if step.kind in ("conv", "depthwise")}

    @cached_property
    def modules(self) -> Mapping[fx.Node, nn.Conv2d]:
        """What `conv` looks up."""
        found = {}
        for name, node in self.by_name.items():
            module = self.module.get_submodule(name)
            assert isinstance(module, nn.Conv2d)
            found[node] = module
        return found

    def component_name(self, node: fx.Node) -> str:
        """Return the name of the first node whose channels are the same as those of `node`."""
        number = self.components[node]
        return next(other.name for other, component in self.components.items() if component == number)


class Tracer(fx.Tracer):
    """Traces into every module that is not torch's own, and unpacks tuples whose length is plain."""

    def __init__(self) -> None:
        super().__init__(autowrap_functions=KEPT_WHOLE)

    def iter(self, obj: fx.Proxy) -> Iterator[fx.Proxy]:
        """Unpack height and width, and the parts of a split."""
        length = self.length(obj.node)
        return super().iter(obj) if length is None else iter([operator.getitem(obj, index) for index in range(length)])

    def length(self, node: fx.Node) -> int | None:
        """Return how many values a node unpacks to: of a shape's end, of a split, of a tensor of the network."""
        if node.op == "get_attr":
            # Not by name: while it is traced the network gives proxies for its tensors.
            return len({**dict(self.root.named_parameters()), **dict(self.root.named_buffers())}[str(node.target)])
        argument = node.args[1] if len(node.args) > 1 else None
        if node.target in ("split", "chunk"):
            return len(argument) if isinstance(argument, list | tuple) else int(str(argument))
        return 2 if node.target is operator.getitem and from_height(argument) else None


def trace(network: nn.Module) -> Graph:
    """Trace the deployed form of `network`; raises InputError where its forward cannot be followed."""
    deployed = deploy(network).cpu()
    try:
        module = fx.GraphModule(deployed, Tracer().trace(deployed))
        settle_reads(module)
        with torch.no_grad():
            ShapeProp(module).propagate(torch.zeros(EXAMPLE))
    except InputError:
        raise
    except Exception as error:  # tracing runs the network's own code, which may fail in any way
        raise InputError(
            f"{type(network).__name__} cannot be gated: its forward decides by values ({one_line(error, 120)})"
        ) from error
    steps = steps_of(module)
    (picture,) = (node.args[0] for node in module.graph.nodes if node.op == "output")
    if not isinstance(picture, fx.Node) or picture not in steps:
        raise InputError(f"{type(network).__name__} cannot be gated: it does not return one picture")
    components, fixed = components_of(steps, picture)
    whole = frozenset(node for node in steps if any(reads_whole(reader, steps) for reader in node.users))
    sized = frozenset(node for node in steps if any(reads_size(reader) for reader in node.users))
    return Graph(module, steps, picture, components, fixed, whole, sized)


def attribute(module: nn.Module, path: str) -> Tensor:
    """Return the parameter or buffer at a dotted path."""
    owner, _, name = path.rpartition(".")
    found = getattr(module.get_submodule(owner), name)
    assert isinstance(found, Tensor)
    return found


def components_of(steps: Mapping[fx.Node, Step], picture: fx.Node) -> tuple[dict[fx.Node, int], frozenset[int]]:
    """Return a number per node, shared by those whose channels are the same, and the numbers whose order is fixed."""
    joined_nodes = Joined(steps)
    for node, step in steps.items():
        if step.kind in ("each", "filled", "sum", "meet", "product", "depthwise"):
            joined_nodes.join(node, [operand for operand in step.operands if steps[operand].channels == step.channels])
    components = {node: joined_nodes.number(node) for node in steps}
    held = {picture}
    for node, step in steps.items():
        held.update([node] if step.kind in ("cat", "slice", "opaque", "image") else [])
        held.update(step.operands if step.kind in ("slice", "opaque") else [])
    return components, frozenset(components[node] for node in held)


class Joined:
    """Nodes in sets that grow together."""

    def __init__(self, nodes: Iterable[fx.Node]) -> None:
        self.numbers = {node: number for number, node in enumerate(nodes)}
        self.parents = list(range(len(self.numbers)))

    def number(self, node: fx.Node) -> int:
        """Return the number of the set that `node` is in."""
        number = self.numbers[node]
        while self.parents[number] != number:
            number = self.parents[number]
        return number

    def join(self, node: fx.Node, others: Iterable[fx.Node]) -> None:
        """Put the sets of all of these into one."""
        for other in others:
            self.parents[self.number(other)] = self.number(node)


def reads_whole(reader: fx.Node, steps: Mapping[fx.Node, Step]) -> bool:
    """Tell whether a node reads all channels in their order: no rule is known for it, or it is the output."""
    if reader in steps:
        return steps[reader].kind == "opaque"
    return not (reads_size(reader) or reads_parts(reader, steps))


def reads_parts(reader: fx.Node, steps: Mapping[fx.Node, Step]) -> bool:
    """Tell whether a node splits its operand into parts that are steps of their own."""
    return bool(reader.users) and all(user in steps and steps[user].kind == "slice" for user in reader.users)
