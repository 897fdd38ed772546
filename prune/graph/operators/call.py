"""A node of a traced network whose kind of operator is looked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx

from prune.graph.operators.operator import Operator
from prune.graph.sizes import shape_of


@dataclass(frozen=True)
class Call:
    """A node of which the kind is looked for.

    Attributes:
        node: The node.
        module: The network.
        operators: Those before it.
        channels: How many it writes.
        called: The names of all modules that the network calls, once per call.
    """

    node: fx.Node
    module: fx.GraphModule
    operators: Mapping[fx.Node, Operator]
    channels: int
    called: list[str]

    @property
    def operands(self) -> tuple[fx.Node, ...]:
        """The nodes with channels that it reads."""
        return tuple(node for node in self.node.all_input_nodes if node in self.operators)

    def operand(self) -> fx.Node | None:
        """Return the first argument where it alone has channels."""
        first = self.node.args[0] if self.node.args else None
        return first if isinstance(first, fx.Node) and self.operands == (first,) else None

    def is_shared_module(self) -> bool:
        """Return whether the module that it calls is called elsewhere too: it then belongs to all callers."""
        return self.called.count(str(self.node.target)) > 1

    def is_number(self, value: object) -> bool:
        """Return whether an argument is one number, also where the network computes it from sizes."""
        if isinstance(value, fx.Node):
            return value not in self.operators and shape_of(value) in ((), (1,))
        return isinstance(value, int | float)


def name_of(node: fx.Node) -> str:
    """Return the name of the function or method that a node calls."""
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
