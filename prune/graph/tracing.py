"""A network as a graph of operators."""

import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from baselines.networks.hcsrn import cropped, halved
from prune.graph.operators.convolutions import Conv, Depthwise
from prune.graph.operators.operator import Operator
from prune.graph.operators.rearranging import Slice
from prune.graph.operators.registry import operators_of
from prune.graph.overwriting import read_what_overwrote
from prune.graph.sizes import from_height, reads_size
from search_spaces.network import shuffle_colour_last
from sr.checkpoint import one_line
from sr.deployment import deploy
from sr.errors import InputError

# Functions that decide by sizes or memory formats while they run: they stay whole in the graph.
_KEPT_WHOLE = (halved, cropped, shuffle_colour_last)
# Sides that differ, large enough for the pools of every attention.
EXAMPLE = (1, 3, 32, 48)


@dataclass(frozen=True)
class Graph:
    """A deployed network, traced.

    Attributes:
        module: The traced network.
        operators: In the order of execution, for every node whose value has channels.
        picture: The node that the network returns.
        components: A number per node; nodes of one number index the same channels.
        fixed: The numbers of those whose order of channels something depends on.
        whole: Nodes that somebody reads with all channels in their order.
        sized: Nodes of which somebody reads the size alone.
    """

    module: fx.GraphModule
    operators: Mapping[fx.Node, Operator]
    picture: fx.Node
    components: Mapping[fx.Node, int]
    fixed: frozenset[int]
    whole: frozenset[fx.Node]
    sized: frozenset[fx.Node]

    def conv(self, node: fx.Node) -> nn.Conv2d:
        """Return the module of a convolution's node."""
        return self._modules[node]

    def convs(self) -> Mapping[str, fx.Node]:
        """Return the nodes of the convolutions that may lose channels, by module name, in the order of execution."""
        return self._by_name

    @cached_property
    def _by_name(self) -> Mapping[str, fx.Node]:
        """What `convs` returns; a selection asks for it thousands of times."""
        found = [node for node, operator in self.operators.items() if isinstance(operator, Conv | Depthwise)]
        return {str(node.target): node for node in found}

    @cached_property
    def _modules(self) -> Mapping[fx.Node, nn.Conv2d]:
        """What `conv` looks up."""
        found = {}
        for name, node in self._by_name.items():
            module = self.module.get_submodule(name)
            assert isinstance(module, nn.Conv2d)
            found[node] = module
        return found

    def component_name(self, node: fx.Node) -> str:
        """Return the name of the first node whose channels are the same as those of `node`."""
        number = self.components[node]
        return next(other.name for other, component in self.components.items() if component == number)


class _Tracer(fx.Tracer):
    """Traces into every module that is not torch's own, and unpacks tuples whose length is plain."""

    def __init__(self) -> None:
        super().__init__(autowrap_functions=_KEPT_WHOLE)

    def iter(self, obj: fx.Proxy) -> Iterator[fx.Proxy]:
        """Unpack height and width, and the parts of a split."""
        length = self._length(obj.node)
        return super().iter(obj) if length is None else iter([operator.getitem(obj, index) for index in range(length)])

    def _length(self, node: fx.Node) -> int | None:
        """Return how many values a node unpacks to: of a shape's end, of a split, of a tensor of the network."""
        if node.op == "get_attr":
            # Not by name: while it is traced the network gives proxies for its tensors.
            return len({**dict(self.root.named_parameters()), **dict(self.root.named_buffers())}[str(node.target)])
        argument = node.args[1] if len(node.args) > 1 else None
        if node.target in ("split", "chunk"):
            return len(argument) if isinstance(argument, list | tuple) else int(str(argument))
        return 2 if node.target is operator.getitem and from_height(argument) else None


def trace(network: nn.Module) -> Graph:
    """Trace the deployed form of a network.

    Args:
        network: Maps LR (n, 3, h, w) to SR of any scale; left as it is.

    Returns:
        Its graph, on the CPU.

    Raises:
        InputError: Where its forward cannot be followed.
    """
    deployed = deploy(network).cpu()
    try:
        module = fx.GraphModule(deployed, _Tracer().trace(deployed))
        read_what_overwrote(module)
        with torch.no_grad():
            ShapeProp(module).propagate(torch.zeros(EXAMPLE))
    except InputError:
        raise
    except Exception as error:  # tracing runs the network's own code, which may fail in any way
        raise InputError(
            f"{type(network).__name__} cannot be gated: its forward decides by values ({one_line(error, 120)})"
        ) from error
    operators = operators_of(module)
    (picture,) = (node.args[0] for node in module.graph.nodes if node.op == "output")
    if not isinstance(picture, fx.Node) or picture not in operators:
        raise InputError(f"{type(network).__name__} cannot be gated: it does not return one picture")
    components, fixed = _components_of(operators, picture)
    whole = frozenset(node for node in operators if any(_reads_whole(reader, operators) for reader in node.users))
    sized = frozenset(node for node in operators if any(reads_size(reader) for reader in node.users))
    return Graph(module, operators, picture, components, fixed, whole, sized)


def attribute(module: nn.Module, path: str) -> Tensor:
    """Return the parameter or buffer at a dotted path."""
    owner, _, name = path.rpartition(".")
    found = getattr(module.get_submodule(owner), name)
    assert isinstance(found, Tensor)
    return found


def _components_of(
    operators: Mapping[fx.Node, Operator], picture: fx.Node
) -> tuple[dict[fx.Node, int], frozenset[int]]:
    """Return a number per node, shared by those whose channels are the same, and the numbers whose order is fixed."""
    joined = _Joined(operators)
    held = {picture}
    for node, kind in operators.items():
        traits, operands = kind.traits, kind.operands
        if traits.same_channels:
            joined.join(node, [operand for operand in operands if operators[operand].channels == kind.channels])
        held.update([node] if traits.fixes_order else [])
        held.update(operands if traits.fixes_operands else [])
    components = {node: joined.number(node) for node in operators}
    return components, frozenset(components[node] for node in held)


class _Joined:
    """Nodes in sets that grow together."""

    def __init__(self, nodes: Iterable[fx.Node]) -> None:
        self._numbers = {node: number for number, node in enumerate(nodes)}
        self._parents = list(range(len(self._numbers)))

    def number(self, node: fx.Node) -> int:
        """Return the number of the set that `node` is in."""
        number = self._numbers[node]
        while self._parents[number] != number:
            number = self._parents[number]
        return number

    def join(self, node: fx.Node, others: Iterable[fx.Node]) -> None:
        """Put the sets of all of these into one."""
        for other in others:
            self._parents[self.number(other)] = self.number(node)


def _reads_whole(reader: fx.Node, operators: Mapping[fx.Node, Operator]) -> bool:
    """Return whether a node reads all channels in their order: nothing is known of it, or it is the output."""
    if reader in operators:
        return operators[reader].traits.reads_whole
    return not (reads_size(reader) or _reads_parts(reader, operators))


def _reads_parts(reader: fx.Node, operators: Mapping[fx.Node, Operator]) -> bool:
    """Return whether a node splits its operand into parts that are operators of their own."""
    return bool(reader.users) and all(isinstance(operators.get(user), Slice) for user in reader.users)
